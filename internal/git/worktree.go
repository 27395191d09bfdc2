package git

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/strata-hpc/strata/internal/fault"
)

// worktree is the files on disk, below a directory of a work tree. Any number of
// goroutines may use it.
type worktree struct {
	repo  *Repository
	dir   string       // absolute, without links
	stats func() stats // of the repository; read when first needed, and then no more
}

// Worktree returns the files on disk in a directory of the work tree, as they are:
// changed, untracked and ignored ones too, links followed wherever they lead, but
// without anything that is called .git. It has the methods of what Files returns.
// ObjectID reads no file that git's index shows to be unchanged; the index is read
// once.
func (r *Repository) Worktree(dir string) (fs.FS, error) {
	if r.top == "" {
		return nil, fault.New(fault.Input, "repository %s is bare: it has no work tree", r.place()).
			WithHint("name a commit")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fault.New(fault.Input, "open work tree: %w", err)
	}
	if !inside(r.top, abs) {
		return nil, fault.New(fault.Input, "%s is not in the work tree %s", dir, r.top)
	}
	return &worktree{repo: r, dir: abs, stats: sync.OnceValue(r.readStats)}, nil
}

func inside(top, dir string) bool {
	return dir == top || strings.HasPrefix(dir, strings.TrimSuffix(top, "/")+"/")
}

// onDisk is the path of a name, unless it is not to be seen.
func (w *worktree) onDisk(op, name string) (string, error) {
	if !validName(name) || strings.ContainsRune(name, 0) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == ".git" || strings.HasPrefix(name, ".git/") || strings.HasSuffix(name, "/.git") || strings.Contains(name, "/.git/") {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return filepath.Join(w.dir, filepath.FromSlash(name)), nil
}

// named puts the name into an error that has the path on disk.
func named(err error, name string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}

// Open implements fs.FS.
func (w *worktree) Open(name string) (fs.File, error) {
	file, err := w.onDisk("open", name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, named(err, name)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		f.Close()
		list, err := w.ReadDir(name)
		return &openDir{info: info, name: name, rest: list}, err
	}
	return f, err
}

// ReadFile implements fs.ReadFileFS.
func (w *worktree) ReadFile(name string) ([]byte, error) {
	file, err := w.onDisk("open", name)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(file)
	return content, named(err, name)
}

// ReadDir implements fs.ReadDirFS.
func (w *worktree) ReadDir(name string) ([]fs.DirEntry, error) {
	file, err := w.onDisk("open", name)
	if err != nil {
		return nil, err
	}
	list, err := os.ReadDir(file)
	return slices.DeleteFunc(list, func(d fs.DirEntry) bool { return d.Name() == ".git" }), named(err, name)
}

// Stat implements fs.StatFS.
func (w *worktree) Stat(name string) (fs.FileInfo, error) {
	file, err := w.onDisk("stat", name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	return info, named(err, name)
}

// Lstat implements fs.ReadLinkFS.
func (w *worktree) Lstat(name string) (fs.FileInfo, error) {
	file, err := w.onDisk("lstat", name)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(file)
	return info, named(err, name)
}

// ReadLink implements fs.ReadLinkFS.
func (w *worktree) ReadLink(name string) (string, error) {
	file, err := w.onDisk("readlink", name)
	if err != nil {
		return "", err
	}
	target, err := os.Readlink(file)
	return target, named(err, name)
}

// Sub implements fs.SubFS.
func (w *worktree) Sub(dir string) (fs.FS, error) {
	file, err := w.onDisk("sub", dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, named(err, dir)
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: syscall.ENOTDIR}
	}
	if file, err = filepath.EvalSymlinks(file); err != nil {
		return nil, named(err, dir)
	}
	return &worktree{repo: w.repo, dir: file, stats: w.stats}, nil
}

// ObjectID is the id of the blob that the content of a file would be: the same as
// that of Files for the same content.
func (w *worktree) ObjectID(name string) (string, error) {
	file, err := w.onDisk("open", name)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(file)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if file, err = filepath.EvalSymlinks(file); err == nil {
			info, err = os.Lstat(file)
		}
	}
	if err != nil {
		return "", named(err, name)
	}
	if info.IsDir() {
		return "", &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	id, err := w.id(file, info)
	return id.String(), named(err, name)
}

// id is the id of a regular file, from the index if that will do.
func (w *worktree) id(file string, info fs.FileInfo) (plumbing.Hash, error) {
	s := w.stats()
	if inside(w.repo.top, file) {
		if id, ok := s.known(slashed(w.repo.top, file), info); ok && w.unfiltered(s, id, info.Size()) {
			return id, nil
		}
	}
	return hashFile(file)
}

// unfiltered says whether a file is, byte for byte, the blob that the index has for
// it. What git changes between the two (ends of lines, $Id$, LFS, other filters)
// changes the size.
func (w *worktree) unfiltered(s stats, id plumbing.Hash, size int64) bool {
	if !s.filters {
		return true
	}
	have, err := w.repo.db.size(id)
	return err == nil && have == size
}

// hashFile hashes a file as git does.
func hashFile(file string) (plumbing.Hash, error) {
	f, err := os.Open(file)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if !info.Mode().IsRegular() {
		return plumbing.ZeroHash, &fs.PathError{Op: "read", Path: file, Err: errors.New("it is no regular file")}
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", info.Size())
	n, err := io.Copy(h, f)
	if err == nil && n != info.Size() {
		err = &fs.PathError{Op: "read", Path: file, Err: errors.New("it changed meanwhile")}
	}
	return plumbing.Hash(h.Sum(nil)), err
}

// blobID is the id of a blob with a content.
func blobID(content []byte) plumbing.Hash {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return plumbing.Hash(h.Sum(nil))
}
