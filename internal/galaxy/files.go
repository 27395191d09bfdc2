package galaxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/disk"
)

// Files is the roles and collections of a project as a file system: roles/NAME, and
// collections/ansible_collections/NAMESPACE/NAME. One that is not in the cache is a directory
// without names, of which Pinned tells what it is pinned to. It does not change.
type Files struct {
	mounts map[string]mount
	pins   map[string]string
	dirs   map[string]map[string]bool // the names in directories above those
}

// mount is a directory of the cache.
type mount struct {
	files *disk.FS
	sum   string // of the unit that it is of
}

func newFiles() *Files {
	f := &Files{mounts: map[string]mount{}, pins: map[string]string{}, dirs: map[string]map[string]bool{".": {}}}
	return f
}

// has reports whether something is at a name, or above it.
func (f *Files) has(name string) bool {
	_, dir := f.dirs[name]
	at, _ := f.under(name)
	return dir || at != ""
}

func (f *Files) add(name string) {
	for at := name; at != "."; at = path.Dir(at) {
		up := path.Dir(at)
		if f.dirs[up] == nil {
			f.dirs[up] = map[string]bool{}
		}
		f.dirs[up][path.Base(at)] = true
	}
}

// under is what is mounted at or above a name, and the name there.
func (f *Files) under(name string) (at, rest string) {
	for at = name; at != "."; at = path.Dir(at) {
		_, mounted := f.mounts[at]
		if _, pinned := f.pins[at]; mounted || pinned {
			if at == name {
				return at, "."
			}
			return at, strings.TrimPrefix(name, at+"/")
		}
	}
	return "", ""
}

// in is the file system that a name is in, and the name there; false for the
// directories that are made up.
func (f *Files) in(op, name string) (m mount, rest string, ok bool, err error) {
	if !fs.ValidPath(name) {
		return m, "", false, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, rest := f.under(name)
	m, ok = f.mounts[at]
	if ok || f.dirs[name] != nil || at != "" && rest == "." {
		return m, rest, ok, nil
	}
	return m, "", false, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Pinned is what a directory is pinned to whose files are not here.
func (f *Files) Pinned(dir string) (pin string, ok bool) { pin, ok = f.pins[dir]; return pin, ok }

// Open implements fs.FS.
func (f *Files) Open(name string) (fs.File, error) {
	m, rest, ok, err := f.in("open", name)
	if err != nil {
		return nil, err
	}
	if ok && rest != "." {
		return m.files.Open(rest)
	}
	info, err := f.Stat(name)
	if err != nil {
		return nil, err
	}
	list, err := f.ReadDir(name)
	return disk.OpenDir(name, info, list), err
}

// Stat implements fs.StatFS.
func (f *Files) Stat(name string) (fs.FileInfo, error) {
	m, rest, ok, err := f.in("stat", name)
	switch {
	case err != nil:
		return nil, err
	case ok && rest != ".":
		return m.files.Stat(rest)
	}
	return directory(path.Base(name)), nil
}

// Lstat implements fs.ReadLinkFS.
func (f *Files) Lstat(name string) (fs.FileInfo, error) {
	if m, rest, ok, err := f.in("lstat", name); err == nil && ok && rest != "." {
		return m.files.Lstat(rest)
	}
	return f.Stat(name)
}

// ReadLink implements fs.ReadLinkFS.
func (f *Files) ReadLink(name string) (string, error) {
	m, rest, ok, err := f.in("readlink", name)
	if err == nil && !ok {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	return m.files.ReadLink(rest)
}

// ReadFile implements fs.ReadFileFS.
func (f *Files) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// ReadDir implements fs.ReadDirFS.
func (f *Files) ReadDir(name string) ([]fs.DirEntry, error) {
	m, rest, ok, err := f.in("readdir", name)
	if err != nil {
		return nil, err
	}
	if ok {
		return m.files.ReadDir(rest)
	}
	var list []fs.DirEntry
	for _, base := range slices.Sorted(maps.Keys(f.dirs[name])) {
		list = append(list, fs.FileInfoToDirEntry(directory(base)))
	}
	return list, nil
}

// ObjectID is the same for the same file of the same unit.
func (f *Files) ObjectID(name string) (string, error) {
	m, rest, ok, err := f.in("id", name)
	if err == nil && !ok {
		err = &fs.PathError{Op: "id", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	return "galaxy " + m.sum + " " + path.Base(name) + " " + rest, nil
}

// Differ are the names of files that differ between two revisions' requirements. What is of one
// unit in both is not read.
// Either may be nil.
func Differ(base, head *Files) []string {
	var all []string
	for _, f := range []**Files{&base, &head} {
		if *f == nil {
			*f = newFiles()
		}
	}
	places := maps.Clone(base.places())
	maps.Copy(places, head.places())
	for _, at := range slices.Sorted(maps.Keys(places)) {
		a, b := base.mounts[at], head.mounts[at]
		if a.sum == b.sum && base.pins[at] == head.pins[at] {
			continue
		}
		all = append(all, at) // it may be pinned in one of them
		seen := map[string]bool{}
		for _, m := range []mount{a, b} {
			if m.files == nil {
				continue
			}
			_ = fs.WalkDir(m.files, ".", func(name string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && !seen[name] {
					seen[name] = true
					all = append(all, path.Join(at, name))
				}
				return nil
			})
		}
	}
	return all
}

// ID is the same for sets of which the same is here, and the rest is pinned to the same.
func (f *Files) ID() string {
	h := sha256.New()
	for _, at := range slices.Sorted(maps.Keys(f.places())) {
		fmt.Fprintf(h, "%q %q %q\n", at, f.mounts[at].sum, f.pins[at])
	}
	return "galaxy " + hex.EncodeToString(h.Sum(nil))
}

func (f *Files) places() map[string]bool {
	all := map[string]bool{}
	for at := range f.mounts {
		all[at] = true
	}
	for at := range f.pins {
		all[at] = true
	}
	return all
}

// directory is one that is made up.
type directory string

func (d directory) Name() string       { return string(d) }
func (d directory) Size() int64        { return 0 }
func (d directory) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (d directory) ModTime() time.Time { return time.Time{} }
func (d directory) IsDir() bool        { return true }
func (d directory) Sys() any           { return nil }
