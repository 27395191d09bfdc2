package git

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// item is a name in a directory of one side.
type item struct {
	name string
	mode filemode.FileMode
	id   plumbing.Hash // of a tree, blob or submodule; zero if it takes work to know
	info fs.FileInfo   // on disk
}

func (i item) isDir() bool { return i.mode == filemode.Dir }

// side is one of the two that are compared.
type side interface {
	root() item
	list(dir string, it item) ([]item, error) // sorted by name
	id(file string, it item) (plumbing.Hash, error)
}

func sideOf(fsys fs.FS) side {
	switch f := fsys.(type) {
	case *files:
		return treeSide{f}
	case *worktree:
		return diskSide{f}
	}
	return otherSide{fsys}
}

// treeSide is a commit.
type treeSide struct{ *files }

func (s treeSide) root() item { return item{mode: s.at.mode, id: s.at.id} }

func (s treeSide) list(dir string, it item) ([]item, error) {
	t, err := s.repo.tree(it.id, path.Join(s.at.path(), dir)+" of commit "+s.commit.Short())
	if err != nil {
		return nil, err
	}
	list := make([]item, len(t.entries))
	for i, e := range t.entries {
		list[i] = item{name: e.name, mode: e.mode, id: e.id}
		if e.mode != filemode.Submodule {
			continue
		}
		p, err := s.find("find", path.Join(dir, e.name), false)
		if err != nil {
			return nil, err
		}
		// One that is not there counts by its commit; who reads in it is told.
		if m, err := s.module(p); err == nil {
			list[i].mode, list[i].id = filemode.Dir, m.tree
		}
	}
	return list, nil
}

func (s treeSide) id(_ string, it item) (plumbing.Hash, error) { return it.id, nil }

// diskSide is a work tree.
type diskSide struct{ *worktree }

func (s diskSide) root() item { return item{mode: filemode.Dir} }

func (s diskSide) list(dir string, _ item) ([]item, error) {
	found, err := s.ReadDir(path.Join(".", dir))
	if err != nil {
		return nil, err
	}
	known, trust := s.stats(), !isFalse(s.repo.config.get("core", "", "filemode"))
	above := path.Join(s.Below(), dir)
	var list []item
	for _, e := range found {
		if !counts(e.Type()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken away meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", path.Join(dir, e.Name()), err)
		}
		it := item{name: e.Name(), mode: known.mode(path.Join(above, e.Name()), info, trust), info: info}
		if commit, ok := s.Pinned(path.Join(dir, e.Name())); it.isDir() && ok { // as in a commit
			it.mode, it.id = filemode.Submodule, plumbing.NewHash(commit)
		}
		list = append(list, it)
	}
	return list, nil
}

func (s diskSide) id(file string, it item) (plumbing.Hash, error) {
	if it.mode == filemode.Submodule {
		return it.id, nil
	}
	if it.mode == filemode.Symlink {
		target, err := s.ReadLink(file)
		return blobID([]byte(target)), err
	}
	return s.worktree.id(file, path.Join(s.Below(), file), it.info)
}

// counts says whether git would keep such a thing.
func counts(t fs.FileMode) bool { return t.IsRegular() || t.IsDir() || t == fs.ModeSymlink }

// otherSide is any other file system.
type otherSide struct{ fs.FS }

func (s otherSide) root() item { return item{mode: filemode.Dir} }

func (s otherSide) list(dir string, _ item) ([]item, error) {
	found, err := fs.ReadDir(s.FS, path.Join(".", dir))
	if err != nil {
		return nil, err
	}
	var list []item
	for _, e := range found {
		if !counts(e.Type()) || e.Name() == ".git" {
			continue
		}
		it := item{name: e.Name(), mode: filemode.Regular}
		switch {
		case e.IsDir():
			it.mode = filemode.Dir
		case e.Type() == fs.ModeSymlink:
			it.mode = filemode.Symlink
		default:
			info, err := e.Info()
			if err != nil {
				return nil, err
			}
			if info.Mode()&0o100 != 0 {
				it.mode = filemode.Executable
			}
		}
		list = append(list, it)
	}
	return list, nil
}

func (s otherSide) id(file string, it item) (plumbing.Hash, error) {
	if it.mode == filemode.Symlink {
		target, err := fs.ReadLink(s.FS, file)
		return blobID([]byte(target)), err
	}
	return hashFile(s.FS, file)
}
