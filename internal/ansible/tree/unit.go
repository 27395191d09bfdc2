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

// UnitsBelow implements Files.
func (t *Tree) UnitsBelow(dir string) []string {
	if len(t.Below(dir)) == 0 && !t.units.Load() {
		return nil
	}
	return t.at(dir).within
}

// UnitsBelow implements Files.
func (s *Seen) UnitsBelow(dir string) []string {
	list := s.Files.UnitsBelow(dir)
	s.ask(AskBelow, dir)
	return list
}

// Unit implements Files. A directory that has a content of its own is a unit at one
// revision, and perhaps none at the other one.
func (s *Seen) Unit(name string) (Unit, bool) {
	s.Asked.Ask(AskKind, name)
	way := s.Files.Real(name)
	for _, link := range way.Links {
		s.Asked.Ask(AskContent, link)
	}
	for _, dir := range []string{name, way.Real} {
		if s.Files.Kind(dir) != Directory {
			dir = path.Dir(dir)
		}
		for ; dir != "." && dir != ".." && dir != "/" && !s.units[dir]; dir = path.Dir(dir) {
			if s.units == nil {
				s.units = map[string]bool{}
			}
			s.units[dir] = true // and so are those above it
			s.Asked.Ask(AskContent, dir)
		}
	}
	return s.Files.Unit(name)
}
