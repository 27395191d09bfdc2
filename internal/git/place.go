package git

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// maxLinks is how many links Linux follows in one path.
const maxLinks = 40

// errOutside is for a link out of the repository. What it leads to is not in any
// commit, so it does not exist.
var errOutside = fmt.Errorf("its link leads out of the repository: %w", fs.ErrNotExist)

// place is an entry with the directories above it, up to the repository's top,
// without links on the way: ".." goes up in it.
type place struct {
	entry
	up *place
}

// path is the place in the repository; "" for its top.
func (p *place) path() string {
	if p.up == nil {
		return ""
	}
	return path.Join(p.up.path(), p.name)
}

// children are the entries of a directory; of a submodule, none.
func (f *files) children(p *place) (*tree, error) {
	switch p.mode {
	case filemode.Dir:
		return f.repo.tree(p.id, f.what(p))
	case filemode.Submodule:
		return &tree{}, nil
	}
	return nil, syscall.ENOTDIR
}

// locate goes from a place along a path as the kernel does: links on the way are
// followed, and at its end if follow is set.
func (f *files) locate(from *place, name string, follow bool) (*place, error) {
	at, links := from, 0
	rest := strings.Split(name, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if !at.isDir() {
			return nil, syscall.ENOTDIR
		}
		switch part {
		case "", ".":
			continue
		case "..":
			if at.up == nil {
				return nil, errOutside
			}
			at = at.up
			continue
		}
		t, err := f.children(at)
		if err != nil {
			return nil, err
		}
		e, ok := t.find(part)
		if !ok {
			return nil, syscall.ENOENT
		}
		next := &place{entry: e, up: at}
		if e.mode != filemode.Symlink || len(rest) == 0 && !follow {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return nil, syscall.ELOOP
		}
		target, err := f.target(next)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(target, "/") {
			return nil, errOutside
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// target is where a link leads.
func (f *files) target(p *place) (string, error) {
	content, err := f.repo.object(plumbing.BlobObject, p.id, f.what(p))
	return string(content), err
}

// what names a place for an error.
func (f *files) what(p *place) string {
	name := p.path()
	if name == "" {
		name = "the top directory"
	}
	return name + " of commit " + f.commit.Short()
}

// validName is fs.ValidPath, but for names that are not UTF-8: git has those too.
func validName(name string) bool {
	if name == "." {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}
