package git

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/strata-hpc/strata/internal/disk"
)

// place is an entry with the directories above it, up to the repository's top,
// without links on the way: ".." goes up in it.
type place struct {
	entry
	up   *place
	long int // bytes of its path
}

// in is the place of an entry of a directory. One that no disk takes is an error.
func (p *place) in(e entry) (*place, error) {
	next := &place{entry: e, up: p, long: len(e.name)}
	if p.up != nil {
		next.long += p.long + 1
	}
	if len(e.name) > longestName || next.long > longestPath {
		return nil, fmt.Errorf("%s: %w", next.short(), syscall.ENAMETOOLONG)
	}
	return next, nil
}

// What Linux takes, linux/limits.h.
const (
	longestName = 255
	longestPath = 4095
)

// path is the place in the repository; "" for its top.
func (p *place) path() string {
	var parts []string
	for ; p.up != nil; p = p.up {
		parts = append(parts, p.name)
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// short is the path, as much as can be shown of it.
func (p *place) short() string { return disk.Short(p.path()) }

// children are the entries of a directory; of a submodule, those of its commit.
func (f *files) children(p *place) (*tree, error) {
	switch p.mode {
	case filemode.Dir:
		if t := f.repo.known(p.id); t != nil {
			return t, nil
		}
		return f.repo.tree(p.id, f.what(p))
	case filemode.Submodule:
		m, err := f.module(p)
		if err != nil {
			return nil, err
		}
		return f.repo.tree(m.tree, f.what(p))
	}
	return nil, syscall.ENOTDIR
}

// located is where a name leads, and how many links are on the way.
type located struct {
	*place
	links int
}

// locate goes to a name below where the files begin as the kernel does: links on the
// way are followed, and at its end if follow is set. Directories that were gone
// through once are known.
func (f *files) locate(name string, follow bool) (*place, error) {
	if name == "." {
		return f.at, nil
	}
	dir, base := path.Split(name)
	up, err := f.directory(strings.TrimSuffix(dir, "/"))
	if err != nil {
		return nil, err
	}
	found, err := f.step(up, base, follow)
	return found.place, err
}

// directory locates what is above a name, "" for where the files begin.
func (f *files) directory(name string) (located, error) {
	if name == "" {
		return located{place: f.at}, nil
	}
	f.mu.RLock()
	at, ok := f.dirs[name]
	f.mu.RUnlock()
	if ok {
		return at, nil
	}
	dir, base := path.Split(name)
	up, err := f.directory(strings.TrimSuffix(dir, "/"))
	if err != nil {
		return located{}, err
	}
	if at, err = f.step(up, base, true); err != nil {
		return located{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs == nil {
		f.dirs = map[string]located{}
	}
	f.dirs[name] = at
	return at, nil
}

// step goes on from a place to a name in it, and from there where links lead.
func (f *files) step(from located, name string, follow bool) (located, error) {
	at, links := from.place, from.links
	var last *place // the link that was followed last
	rest := []string{name}
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if !at.isDir() {
			return located{}, syscall.ENOTDIR
		}
		switch part {
		case "", ".":
			continue
		case "..":
			if at.up == nil {
				return located{}, f.outside(last)
			}
			at = at.up
			continue
		}
		t, err := f.children(at)
		if err != nil {
			return located{}, err
		}
		e, ok := t.find(part)
		if !ok {
			return located{}, syscall.ENOENT
		}
		next, err := at.in(e)
		if err != nil {
			return located{}, err
		}
		if e.mode != filemode.Symlink || len(rest) == 0 && !follow {
			at = next
			continue
		}
		if links++; links > disk.MaxLinks {
			return located{}, disk.Circle(f.shown(next))
		}
		target, err := f.target(next)
		if err != nil {
			return located{}, err
		}
		if last = next; strings.HasPrefix(target, "/") {
			return located{}, f.outside(last)
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return located{at, links}, nil
}

// outside is the error for a link that leads out of the repository.
func (f *files) outside(link *place) error {
	target, err := f.target(link)
	if err != nil {
		return err
	}
	return disk.Outside(f.shown(link), target)
}

// shown is a place under its name below where the files begin.
func (f *files) shown(p *place) string {
	name, err := filepath.Rel("/"+f.at.path(), "/"+p.path())
	if err != nil {
		return p.short()
	}
	return disk.Short(name)
}

// Real is the place that a name leads to in the repository, without links on the way:
// names that lead to one file or directory have the same.
func (f *files) Real(name string) (string, error) {
	p, err := f.find("find", name, true)
	if err != nil {
		return "", err
	}
	return p.path(), nil
}

// target is where a link leads.
func (f *files) target(p *place) (string, error) {
	size, err := f.repo.db.size(p.id)
	if err == nil && size > longestPath {
		return "", syscall.ENAMETOOLONG
	}
	content, err := f.repo.object(plumbing.BlobObject, p.id, f.what(p))
	return string(content), err
}

// what names a place for an error.
func (f *files) what(p *place) string {
	name := p.short()
	if name == "" {
		name = "the top directory"
	}
	return name + " of commit " + f.commit.Short()
}
