package tree

import "path"

// Unit is a part of a project of which only what it is pinned to is here, and none of its
// files: a submodule that was not fetched.
type Unit struct {
	Place string // its directory
	Pin   string // a commit: what it has in it
}

// pinned is a file system that has units. They are directories without names.
type pinned interface {
	Pinned(dir string) (pin string, ok bool)
}

// Unit implements Files.
func (t *Tree) Unit(name string) (Unit, bool) {
	if t.Kind(name) == Directory { // which lists those on the way
		t.Names(name)
	}
	if !t.units.Load() {
		return Unit{}, false
	}
	name = t.Real(name).Real
	t.Names(name)
	for {
		if e := t.at(name); e.pin != "" {
			return Unit{Place: name, Pin: e.pin}, true
		}
		if name == "." || name == ".." || name == "/" {
			break
		}
		name = path.Dir(name)
	}
	return Unit{}, false
}

// Unit implements Files.
func (s *Seen) Unit(name string) (Unit, bool) {
	u, ok := s.Files.Unit(name)
	// A directory with a content of its own is a unit here or in the other tree.
	for dir := name; len(s.Differences) > 0 && !s.Touched; dir = path.Dir(dir) {
		s.Touched = s.Differences[dir].content && (ok || s.Files.Kind(dir) == Directory)
		if dir == "." || dir == ".." || dir == "/" {
			break
		}
	}
	return u, ok
}
