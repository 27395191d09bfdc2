package git

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/strata-hpc/strata/internal/disk"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/limit"
)

// worktree is the files on disk, below a directory of a work tree. Any number of
// goroutines may use it.
type worktree struct {
	*disk.FS
	repo  *Repository
	stats func() stats // of the repository; read when first needed, and then no more
}

// Worktree returns the files on disk in a directory of the work tree, as they are:
// changed, untracked and ignored ones too. Links are followed as far as those of
// Files are: to anything in the work tree. It has the methods of what Files returns.
// ObjectID reads no file that git's index shows to be unchanged; the index is read
// once.
func (r *Repository) Worktree(dir string) (fs.FS, error) {
	if r.top == "" {
		return nil, fault.New(fault.Input, "repository %s is bare: it has no work tree", r.place()).
			WithHint("name a commit")
	}
	files, err := disk.Open(r.top, dir)
	if err != nil {
		return nil, fmt.Errorf("open work tree: %w", err)
	}
	return &worktree{FS: files, repo: r, stats: sync.OnceValue(r.readStats)}, nil
}

// OnDisk returns the files of a directory as they are on disk, whether it lies in a
// work tree or not: links lead as far as the work tree goes, or else as far as the
// directory. It does not have the ids of Worktree, and does not need to read git's
// index.
func OnDisk(dir string) (*disk.FS, error) {
	top, ok := topOf(dir)
	if !ok {
		top = dir
	}
	return disk.Open(top, dir)
}

// topOf is the work tree that a directory lies in, false if it lies in none.
func topOf(dir string) (string, bool) {
	at, err := filepath.Abs(dir)
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	for err == nil {
		found, bare, err := gitDir(at)
		switch {
		case err != nil || bare:
			return "", false
		case found != "":
			return at, true
		case at == filepath.Dir(at):
			return "", false
		}
		at = filepath.Dir(at)
	}
	return "", false
}

// Sub implements fs.SubFS.
func (w *worktree) Sub(dir string) (fs.FS, error) {
	files, err := w.Directory(dir)
	if err != nil {
		return nil, err
	}
	return &worktree{FS: files, repo: w.repo, stats: w.stats}, nil
}

// ObjectID is the id of the blob that the content of a file would be: the same as
// that of Files for the same content.
func (w *worktree) ObjectID(name string) (string, error) {
	info, err := w.Stat(name)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	place, err := w.Real(name)
	if err != nil {
		return "", err
	}
	id, err := w.id(name, place, info)
	return id.String(), err
}

// Pinned is the commit of a submodule of which there are no files, as the index has it;
// false for anything else.
func (w *worktree) Pinned(dir string) (commit string, ok bool) {
	place, err := w.Real(dir)
	if err != nil {
		return "", false
	}
	e := w.stats().entries[place]
	if e == nil || e.Mode != filemode.Submodule {
		return "", false
	}
	list, err := w.ReadDir(dir)
	return e.Hash.String(), err == nil && len(list) == 0
}

// Unfetched are the submodules below the directory of which there are no files, sorted.
func (w *worktree) Unfetched() []string {
	var list []string
	for at, e := range w.stats().entries {
		if e.Mode != filemode.Submodule {
			continue
		}
		name, ok := at, true
		if below := w.Below(); below != "" && below != "." {
			name, ok = strings.CutPrefix(at, below+"/")
		}
		if !ok {
			continue
		}
		if _, lacks := w.Pinned(name); lacks {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// id is the id of a regular file, which is at a place in the work tree: from the
// index if that will do.
func (w *worktree) id(name, place string, info fs.FileInfo) (plumbing.Hash, error) {
	s := w.stats()
	if id, ok := s.known(place, info); ok && w.unfiltered(s, id, info.Size()) {
		return id, nil
	}
	return hashFile(w, name)
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

// hashFile hashes a file as git does. One with too many holes to be read through, which no
// commit has, gets an id of its own.
func hashFile(fsys fs.FS, name string) (plumbing.Hash, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if !info.Mode().IsRegular() {
		return plumbing.ZeroHash, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	}
	if limit.Sparse(name, f) != nil {
		return blobID(fmt.Appendf(nil, "%s: %d bytes with holes", name, info.Size())), nil
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", info.Size())
	n, err := io.Copy(h, f)
	if err == nil && n != info.Size() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("it changed meanwhile")}
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
