package tree

import (
	"path"
	"slices"
)

// Differences says in which answers two trees differ.
type Differences map[string]difference

type difference struct {
	kind    bool // it is something else, or only in one of them
	names   bool // a directory whose list of names is another
	content bool
}

// Compare returns how two trees differ whose changed files have these names.
func Compare(base, head *Tree, changed []string) Differences {
	all := Differences{}
	for _, name := range changed {
		all[name] = difference{kind: base.Kind(name) != head.Kind(name), content: true, names: true}
		for dir := path.Dir(name); ; dir = path.Dir(dir) {
			if _, known := all[dir]; known {
				break
			}
			all[dir] = difference{
				kind:  base.Kind(dir) != head.Kind(dir),
				names: !slices.Equal(base.Names(dir), head.Names(dir)),
			}
			if dir == "." {
				break
			}
		}
	}
	return all
}

// Seen is a tree that notices whether anything was asked of it that another
// tree would have answered otherwise. It is for one goroutine.
type Seen struct {
	Files
	Differences Differences // from the other tree; nil for none
	Touched     bool        // set once something that differs was asked for
}

// Kind implements Files.
func (s *Seen) Kind(name string) Kind {
	s.Touched = s.Touched || s.Differences[name].kind
	return s.Files.Kind(name)
}

// Names implements Files.
func (s *Seen) Names(dir string) []string {
	d := s.Differences[dir]
	s.Touched = s.Touched || d.kind || d.names
	return s.Files.Names(dir)
}

func (s *Seen) read(name string) {
	d := s.Differences[name]
	s.Touched = s.Touched || d.kind || d.content
}

// Executable implements Files.
func (s *Seen) Executable(name string) bool { s.read(name); return s.Files.Executable(name) }

// Text implements Files.
func (s *Seen) Text(name string) ([]byte, error) { s.read(name); return s.Files.Text(name) }

// Document implements Files.
func (s *Seen) Document(name string) *Document { s.read(name); return s.Files.Document(name) }

// Template implements Files.
func (s *Seen) Template(name string) *Template { s.read(name); return s.Files.Template(name) }

// Digest implements Files.
func (s *Seen) Digest(name string) (string, error) { s.read(name); return s.Files.Digest(name) }

// Look notes that files and directories were looked at by other means.
func (s *Seen) Look(names []string) {
	for _, name := range names {
		d := s.Differences[name]
		s.Touched = s.Touched || d.kind || d.names || d.content
	}
}
