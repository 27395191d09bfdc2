package git

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/strata-hpc/strata/internal/disk"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/limit"
)

// files is a commit's tree, from one of its directories on. It does not change, and
// any number of goroutines may use it.
type files struct {
	repo   *Repository
	commit Commit
	at     *place
	lax    bool // submodules that were not fetched are empty directories
	hollow bool // contents may be missing of files that nobody reads

	mu   sync.RWMutex
	dirs map[string]located // that were gone through, by name
}

// Files returns a commit's files in the directory below ("" for all). It has what
// io/fs knows: ReadDir, ReadFile, Stat, Lstat, ReadLink, Sub; and ObjectID. Links
// are followed as on disk, also to beside and above the directory, but not out of
// the repository: those are errors that name the link. A submodule has the
// files of its commit; of one that was not fetched, there is only its directory.
// Files have the time of the commit.
//
// An error for an object that is missing or damaged has a fault in it.
func (r *Repository) Files(c Commit, below string) (fs.FS, error) {
	if !plumbing.IsHash(c.ID) {
		return nil, unknown(c.ID, "")
	}
	full, err := r.commit(plumbing.NewHash(c.ID), "commit "+c.Short())
	if err != nil {
		return nil, err
	}
	f := &files{repo: r, commit: full.Commit}
	f.at = &place{entry: entry{name: ".", mode: filemode.Dir, id: full.tree}}
	if _, err := f.children(f.at); err != nil {
		return nil, err
	}
	if below == "" || below == "." {
		return f, nil
	}
	sub, err := f.Sub(below)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fault.New(fault.Input, "commit %s has no directory %s: %w", c.Short(), below, err)
	}
	return sub, err
}

// Checkout is a commit's files as git would write them out: a submodule that cannot be
// had is an empty directory, and not an error.
func Checkout(fsys fs.FS) fs.FS {
	f, ok := fsys.(*files)
	if !ok {
		return fsys
	}
	return &files{repo: f.repo, commit: f.commit, at: f.at, lax: true}
}

// Hollow is a commit's files in a clone that may lack the contents of some: what these are
// is known all the same, and who reads one is told.
func Hollow(fsys fs.FS) fs.FS {
	f, ok := fsys.(*files)
	if !ok {
		return fsys
	}
	return &files{repo: f.repo, commit: f.commit, at: f.at, lax: f.lax, hollow: true}
}

// find locates a name that the caller of an io/fs method gave.
func (f *files) find(op, name string, follow bool) (*place, error) {
	if !disk.ValidName(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	p, err := f.locate(name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: disk.Short(name), Err: err}
	}
	return p, nil
}

// Open implements fs.FS.
func (f *files) Open(name string) (fs.File, error) {
	p, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	info := fileInfo{name: path.Base(name), mode: p.fileMode(), time: f.commit.Time}
	if p.isDir() {
		list, err := f.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return disk.OpenDir(name, info, list), nil
	}
	content, err := f.content(p)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	info.size = int64(len(content))
	return &openFile{Reader: bytes.NewReader(content), info: info}, nil
}

// ReadFile implements fs.ReadFileFS.
func (f *files) ReadFile(name string) ([]byte, error) {
	p, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	if p.isDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	content, err := f.content(p)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return bytes.Clone(content), nil // which may be a base of other objects
}

func (f *files) content(p *place) ([]byte, error) {
	if size, err := f.repo.db.size(p.id); err == nil && size > limit.Blob {
		return nil, fault.New(fault.Input, "%s has %d MiB, more than the %d MiB that a file in a commit may have", f.what(p), size>>20, limit.Blob>>20).
			WithHint("keep it outside of git, and let a step fetch it")
	}
	return f.repo.object(plumbing.BlobObject, p.id, f.what(p))
}

// ReadDir implements fs.ReadDirFS.
func (f *files) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	t, err := f.children(p)
	if f.lax && errors.Is(err, errNotFetched) {
		t, err = &tree{}, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, len(t.entries))
	held := make([]dirEntry, len(t.entries))
	for i, e := range t.entries {
		held[i] = dirEntry{files: f, up: p, entry: e}
		list[i] = &held[i]
	}
	return list, nil
}

// Stat implements fs.StatFS.
func (f *files) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (f *files) Lstat(name string) (fs.FileInfo, error) { return f.stat("lstat", name, false) }

func (f *files) stat(op, name string, follow bool) (fs.FileInfo, error) {
	p, err := f.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	info, err := f.info(p, name)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return info, nil
}

// ReadLink implements fs.ReadLinkFS.
func (f *files) ReadLink(name string) (string, error) {
	p, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if p.mode != filemode.Symlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: syscall.EINVAL}
	}
	target, err := f.target(p)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return target, nil
}

// Sub implements fs.SubFS. Links in it can still lead to beside and above it.
func (f *files) Sub(dir string) (fs.FS, error) {
	p, err := f.find("sub", dir, true)
	if err == nil {
		_, err = f.children(p)
	}
	if err != nil {
		return nil, err
	}
	return &files{repo: f.repo, commit: f.commit, at: p, lax: f.lax, hollow: f.hollow}, nil
}

// ObjectID is the id of the blob that ReadFile would return: the same for the same
// content.
func (f *files) ObjectID(name string) (string, error) {
	p, err := f.find("open", name, true)
	if err != nil {
		return "", err
	}
	if p.isDir() {
		return "", &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	return p.id.String(), nil
}

// Pinned is the commit of a submodule that was not fetched; false for anything else.
func (f *files) Pinned(dir string) (commit string, ok bool) {
	p, err := f.find("find", dir, true)
	if err != nil || p.mode != filemode.Submodule {
		return "", false
	}
	_, err = f.children(p)
	return p.id.String(), errors.Is(err, errNotFetched)
}

// Unfetched are the submodules below where the files begin that were not fetched, of those that
// .gitmodules declares, sorted.
func (f *files) Unfetched() []string {
	top := f.at
	for top.up != nil {
		top = top.up
	}
	t, err := f.children(top)
	if err != nil {
		return nil
	}
	e, ok := t.find(".gitmodules")
	if !ok {
		return nil
	}
	content, err := f.repo.object(plumbing.BlobObject, e.id, ".gitmodules")
	if err != nil {
		return nil
	}
	var list []string
	for _, sub := range parseModules(string(content)) {
		name := sub.at
		if below := f.at.path(); below != "" {
			if name, ok = strings.CutPrefix(sub.at, below+"/"); !ok {
				continue
			}
		}
		if _, lacks := f.Pinned(name); lacks {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// info describes a place under the name by which it was asked for.
func (f *files) info(p *place, name string) (fs.FileInfo, error) {
	info := fileInfo{name: path.Base(name), mode: p.fileMode(), time: f.commit.Time}
	if !p.isDir() {
		size, err := f.repo.db.size(p.id)
		if err != nil && !(f.hollow && errors.Is(err, errMissing)) {
			return nil, f.repo.unreadable(p.id, f.what(p), err)
		}
		info.size = size
	}
	return info, nil
}

// fileInfo implements fs.FileInfo.
type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
	time time.Time
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return i.time }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }

// dirEntry implements fs.DirEntry. The size is looked up only when asked for.
type dirEntry struct {
	files *files
	up    *place
	entry entry
}

func (d *dirEntry) Name() string      { return d.entry.name }
func (d *dirEntry) IsDir() bool       { return d.entry.isDir() }
func (d *dirEntry) Type() fs.FileMode { return d.entry.fileMode().Type() }
func (d *dirEntry) String() string    { return fs.FormatDirEntry(d) }

// Info implements fs.DirEntry.
func (d *dirEntry) Info() (fs.FileInfo, error) {
	return d.files.info(&place{entry: d.entry, up: d.up}, d.entry.name)
}

// openFile implements fs.File, and what bytes.Reader has besides.
type openFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *openFile) Close() error               { return nil }
