package tree

import (
	"errors"
	"path"
	"reflect"
	"slices"
	"sync"

	"github.com/strata-hpc/strata/internal/fault"
)

// Differences says in which answers two trees differ.
type Differences map[string]difference

type difference struct {
	kind    bool // it is something else, or only in one of them
	names   bool // a directory whose list of names is another
	content bool
	below   bool // a directory below which something is in one of them only

	document func() bool // of a file with other content: it says something else, or on other lines
}

// Compare returns how two trees differ whose changed files have these names.
func Compare(base, head *Tree, changed []string) Differences {
	all := Differences{}
	for _, name := range changed {
		other := base.Kind(name) != head.Kind(name)
		all[name] = difference{kind: other, content: true, names: true, below: true, document: sync.OnceValue(func() bool {
			return !reflect.DeepEqual(base.Document(name), head.Document(name))
		})}
		for dir := path.Dir(name); ; dir = path.Dir(dir) {
			d, known := all[dir]
			if !known {
				d.kind = base.Kind(dir) != head.Kind(dir)
				d.names = !slices.Equal(base.Names(dir), head.Names(dir))
			}
			// A file that became a link may be a directory now, or lead to another.
			d.below = d.below || other || d.kind || d.names
			all[dir] = d
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
	Bad         []error     // links that lead out of the project, and were asked for
}

// bad notes an answer that is not Ansible's.
func (s *Seen) bad(name string, below bool) {
	by, ok := s.Files.(interface{ Bad(string, bool) error })
	if !ok {
		return
	}
	if err := by.Bad(name, below); err != nil && len(s.Bad) < mostBad &&
		!slices.ContainsFunc(s.Bad, func(known error) bool { return errors.Is(err, known) }) {
		s.Bad = append(s.Bad, err)
	}
}

// Faults are what Bad says, for people.
func (s *Seen) Faults() []error {
	var faults []error
	said := map[string]bool{}
	for _, err := range s.Bad {
		f := fault.New(fault.Input, "%w", fault.All(err)[0])
		if !said[f.Message] {
			faults = append(faults, f)
		}
		said[f.Message] = true
	}
	return faults
}

const mostBad = 20 // nobody reads more at once

// linked notes that a link has a part in the answer: files of other names may
// make it another.
func (s *Seen) linked(name string, below bool) {
	s.bad(name, below)
	if len(s.Differences) == 0 || s.Touched {
		return
	}
	if by, ok := s.Files.(interface{ Linked(string, bool) bool }); ok && by.Linked(name, below) {
		s.Touched = true
	}
}

// Kind implements Files.
func (s *Seen) Kind(name string) Kind {
	s.Touched = s.Touched || s.Differences[name].kind
	s.linked(name, false)
	return s.Files.Kind(name)
}

// Names implements Files.
func (s *Seen) Names(dir string) []string {
	d := s.Differences[dir]
	s.Touched = s.Touched || d.kind || d.names
	s.linked(dir, false)
	return s.Files.Names(dir)
}

// Below implements Files.
func (s *Seen) Below(dir string) []string {
	d := s.Differences[dir]
	s.Touched = s.Touched || d.kind || d.below
	list := s.Files.Below(dir)
	s.linked(dir, true)
	return list
}

func (s *Seen) read(name string) {
	d := s.Differences[name]
	s.Touched = s.Touched || d.kind || d.content
	s.linked(name, false)
}

// Executable implements Files.
func (s *Seen) Executable(name string) bool { s.read(name); return s.Files.Executable(name) }

// Text implements Files.
func (s *Seen) Text(name string) ([]byte, error) { s.read(name); return s.Files.Text(name) }

// Document implements Files. One that says the same on the same lines is the same,
// whatever else there is in the file: comments at its end.
func (s *Seen) Document(name string) *Document {
	d := s.Differences[name]
	s.Touched = s.Touched || d.kind || d.content && d.document()
	s.linked(name, false)
	return s.Files.Document(name)
}

// Template implements Files.
func (s *Seen) Template(name string) *Template { s.read(name); return s.Files.Template(name) }

// Digest implements Files.
func (s *Seen) Digest(name string) (string, error) { s.read(name); return s.Files.Digest(name) }

// Look notes that files and directories were looked at by other means.
func (s *Seen) Look(names []string) {
	for _, name := range names {
		d := s.Differences[name]
		s.Touched = s.Touched || d.kind || d.names || d.content
		s.linked(name, false)
	}
}
