// Package union makes one file system of several: the directories at the top of
// one are joined by others with a name of their own.
//
// It copies nothing, and mounts nothing on the machine.
package union

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// FS is a file system with others as directories at its top. It may be used by
// several goroutines; Join must come before what is joined is looked for.
type FS struct {
	root fs.FS
	mu   sync.RWMutex
	at   map[string]fs.FS
}

// New returns root with nothing joined to it.
func New(root fs.FS) *FS { return &FS{root: root, at: map[string]fs.FS{}} }

// Join makes fsys the directory of a name at the top. A name without slashes
// that is there already is an error.
func (u *FS) Join(name string, fsys fs.FS) error {
	if strings.Contains(name, "/") || !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("join %q: not the name of a directory", name)
	}
	if _, err := fs.Stat(u.root, name); err == nil {
		return fmt.Errorf("join %s: %w", name, fs.ErrExist)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at[name] != nil {
		return fmt.Errorf("join %s: %w", name, fs.ErrExist)
	}
	u.at[name] = fsys
	return nil
}

// Leave takes away what was joined under a name.
func (u *FS) Leave(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.at, name)
}

// Root is what the others are joined to.
func (u *FS) Root() fs.FS { return u.root }

// Joined returns what is joined, by name.
func (u *FS) Joined() map[string]fs.FS {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return maps.Clone(u.at)
}

// split returns the file system that a name is in, and the name there.
func (u *FS) split(name string) (fs.FS, string) {
	top, rest, below := strings.Cut(name, "/")
	u.mu.RLock()
	fsys := u.at[top]
	u.mu.RUnlock()
	switch {
	case fsys == nil || !fs.ValidPath(name):
		return u.root, name
	case !below:
		return fsys, "."
	}
	return fsys, rest
}

// Open implements fs.FS.
func (u *FS) Open(name string) (fs.File, error) {
	fsys, rest := u.split(name)
	f, err := fsys.Open(rest)
	switch {
	case err != nil:
		return nil, err
	case name != "." && rest == ".":
		return joined{f.(fs.ReadDirFile), name}, nil
	case name != ".":
		return f, nil
	}
	entries, err := u.ReadDir(name)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &top{File: f, left: entries}, nil
}

// top is the directory that others are joined to, open.
type top struct {
	fs.File
	left []fs.DirEntry
}

// joined is a directory that was joined, open.
type joined struct {
	fs.ReadDirFile
	name string
}

// Stat implements fs.File.
func (j joined) Stat() (fs.FileInfo, error) {
	info, err := j.ReadDirFile.Stat()
	return named{info, j.name}, err
}

// ReadDir implements fs.ReadDirFile.
func (t *top) ReadDir(n int) ([]fs.DirEntry, error) {
	list := t.left
	if n > 0 {
		if len(list) == 0 {
			return nil, io.EOF
		}
		list = list[:min(n, len(list))]
	}
	t.left = t.left[len(list):]
	return list, nil
}

// Stat implements fs.StatFS.
func (u *FS) Stat(name string) (fs.FileInfo, error) {
	fsys, rest := u.split(name)
	info, err := fs.Stat(fsys, rest)
	if err == nil && rest == "." && name != "." {
		return named{info, name}, nil
	}
	return info, err
}

// Lstat implements fs.ReadLinkFS.
func (u *FS) Lstat(name string) (fs.FileInfo, error) {
	fsys, rest := u.split(name)
	info, err := fs.Lstat(fsys, rest)
	if err == nil && rest == "." && name != "." {
		return named{info, name}, nil
	}
	return info, err
}

// ReadLink implements fs.ReadLinkFS.
func (u *FS) ReadLink(name string) (string, error) {
	fsys, rest := u.split(name)
	return fs.ReadLink(fsys, rest)
}

// ReadFile implements fs.ReadFileFS.
func (u *FS) ReadFile(name string) ([]byte, error) {
	fsys, rest := u.split(name)
	return fs.ReadFile(fsys, rest)
}

// ReadDir implements fs.ReadDirFS.
func (u *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	fsys, rest := u.split(name)
	entries, err := fs.ReadDir(fsys, rest)
	if name != "." || err != nil {
		return entries, err
	}
	for _, top := range slices.Sorted(maps.Keys(u.Joined())) {
		info, err := u.Stat(top)
		if err != nil {
			return nil, err
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// named is a directory under the name that it is joined with.
type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }

// ObjectID is git's id of a file, where the file system that it is in knows it.
func (u *FS) ObjectID(name string) (string, error) {
	fsys, rest := u.split(name)
	if by, ok := fsys.(interface{ ObjectID(string) (string, error) }); ok {
		return by.ObjectID(rest)
	}
	return "", &fs.PathError{Op: "id", Path: path.Clean(name), Err: fs.ErrNotExist}
}

// Real is where a name really is, where the file system that it is in knows it.
func (u *FS) Real(name string) (string, error) {
	fsys, rest := u.split(name)
	by, ok := fsys.(interface{ Real(string) (string, error) })
	if !ok {
		return "", &fs.PathError{Op: "find", Path: path.Clean(name), Err: fs.ErrNotExist}
	}
	place, err := by.Real(rest)
	if err != nil || fsys == u.root {
		return place, err
	}
	top, _, _ := strings.Cut(name, "/")
	return path.Join(top, place), nil
}

// Pinned is what a directory without files is pinned to, where the file system that it is in knows that.
func (u *FS) Pinned(dir string) (string, bool) {
	fsys, rest := u.split(dir)
	by, ok := fsys.(interface{ Pinned(string) (string, bool) })
	if !ok {
		return "", false
	}
	return by.Pinned(rest)
}

// Empty is a file system with nothing in it.
func Empty() fs.FS { return empty{} }

type empty struct{}

func (empty) Open(name string) (fs.File, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &top{File: nothing{}}, nil
}

// nothing is an empty directory, open.
type nothing struct{}

func (nothing) Stat() (fs.FileInfo, error) { return nothing{}, nil }
func (nothing) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: fs.ErrInvalid}
}
func (nothing) Close() error       { return nil }
func (nothing) Name() string       { return "." }
func (nothing) Size() int64        { return 0 }
func (nothing) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (nothing) ModTime() time.Time { return time.Time{} }
func (nothing) IsDir() bool        { return true }
func (nothing) Sys() any           { return nil }
