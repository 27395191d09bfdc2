package tree

import (
	"errors"
	"slices"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/trace"
)

// The questions that files are asked. Their numbers are in files of traces.
const (
	AskKind      trace.Kind = iota + 1 // what a name is
	AskNames                           // what a directory lists
	AskBelow                           // what is below a directory
	AskContent                         // a file's bytes, and whether it may be executed
	AskMode                            // whether it may be executed, alone
	AskDocument                        // what a file says as YAML
	AskTemplate                        // what a file says as a template
	AskVariables                       // the same of a file of variables, of which each is a question of its own
	AskLinks                           // anything at all: links that lead out have a part in the answer
	LastAsk
)

// What is told of files besides. Its numbers are in files of traces, too.
const (
	TellText = trace.Told + iota // what a file's bytes are took part in what was followed
	LastTold
)

// Seen is a tree that notes what it is asked. It is for one goroutine.
type Seen struct {
	Files
	Asked *trace.Asked
	Bad   []error // links that lead out of the project, and were asked for

	units map[string]bool // directories of which it was asked whether they are units
}

// NewSeen returns a tree that was asked nothing yet.
func NewSeen(files Files) *Seen { return &Seen{Files: files, Asked: &trace.Asked{}} }

// Plain is the tree behind one that notes what it is asked.
func Plain(files Files) Files {
	if s, ok := files.(*Seen); ok {
		return s.Files
	}
	return files
}

// Include notes, where that is done, what was asked of another one, of which nothing more
// is asked.
func Include(files Files, other *Seen) {
	if s, ok := files.(*Seen); ok {
		s.Asked.Include(other.Asked)
		s.Bad = append(s.Bad, other.Bad...)
	}
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

// ask notes a question. Where a link has a part in the answer, files of other names
// may make it another.
func (s *Seen) ask(kind trace.Kind, name string) {
	s.Asked.Ask(kind, name)
	s.bad(name, kind == AskBelow)
	by, ok := s.Files.(interface {
		Linked(name string, below bool) bool
		LinksBelow(dir string) []string
	})
	if !ok || !by.Linked(name, kind == AskBelow) {
		return
	}
	s.askReal(kind, name)
	if kind != AskBelow {
		return
	}
	for _, link := range by.LinksBelow(name) {
		if s.Files.Kind(link) != Directory { // perhaps because it leads nowhere yet
			s.askReal(AskKind, link)
			continue
		}
		s.askReal(AskBelow, link)
	}
}

// askReal asks of a name that links lead to what it asks of where they lead.
func (s *Seen) askReal(kind trace.Kind, name string) {
	way := s.Files.Real(name)
	for _, link := range way.Links {
		s.Asked.Ask(AskContent, link)
	}
	if way.Outside() {
		s.Asked.Ask(AskLinks, "")
		return
	}
	s.Asked.Ask(kind, way.Real)
}

// Kind implements Files.
func (s *Seen) Kind(name string) Kind { s.ask(AskKind, name); return s.Files.Kind(name) }

// Names implements Files.
func (s *Seen) Names(dir string) []string { s.ask(AskNames, dir); return s.Files.Names(dir) }

// Below implements Files.
func (s *Seen) Below(dir string) []string {
	list := s.Files.Below(dir)
	s.ask(AskBelow, dir)
	return list
}

// Executable implements Files.
func (s *Seen) Executable(name string) bool { s.ask(AskMode, name); return s.Files.Executable(name) }

// Text implements Files.
func (s *Seen) Text(name string) ([]byte, error) {
	s.ask(AskContent, name)
	s.Asked.Ask(TellText, s.Files.Real(name).Real)
	return s.Files.Text(name)
}

// Document implements Files.
func (s *Seen) Document(name string) *Document {
	s.ask(AskDocument, name)
	return s.Files.Document(name)
}

// Template implements Files.
func (s *Seen) Template(name string) *Template {
	s.ask(AskTemplate, name)
	return s.Files.Template(name)
}

// Digest implements Files.
func (s *Seen) Digest(name string) (string, error) {
	s.ask(AskContent, name)
	return s.Files.Digest(name)
}

// Variables is Document of a file of variables, of which only those matter that are
// asked for by name.
func (s *Seen) Variables(name string) *Document {
	s.ask(AskVariables, name)
	return s.Files.Document(name)
}
