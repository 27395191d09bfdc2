// Package dag turns the configuration of a layered image build, as in the paper
// "HPC Cluster CI/CD Image Build Pipelining" (T. Cotton, CUG 2023), into the
// text of a strata.yaml with the same graph. docs/import-dag.md has the format.
//
// It does not read strata.yaml and writes no file: text in, text out, with a
// note for everything that it could not carry over. What could be meant in two
// ways is refused with its place; nothing is guessed and nothing is dropped
// without a note.
package dag

import (
	"regexp"

	"github.com/strata-hpc/strata/internal/fault"
)

// Options of Import. The zero value leaves to be filled in what the file does not say.
type Options struct {
	Cluster  string            // the cluster's name, instead of the file's
	Repos    map[string]string // URLs, or directories of this machine, of repositories, by what the file calls them
	RepoBase string            // the URL or directory that the others are below
	Dir      string            // absolute; where relative directories of the two begin, "" to leave them as they are
}

// Note says what a person must look at in a result. Its message is a sentence
// in lower case without a full stop.
type Note struct {
	Line    int    `json:"line"` // of the imported file
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Result is an imported configuration.
type Result struct {
	Recipe []byte // the text of a strata.yaml
	Notes  []Note // by place
	Nodes  int
	Images int
}

// Import reads text, the content of the file called name. The error joins one
// *fault.Error of kind Input per mistake, sorted by place.
func Import(name string, text []byte, opts Options) (*Result, error) {
	if opts.Cluster != "" && !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`).MatchString(opts.Cluster) {
		return nil, fault.New(fault.Input, "%s cannot be the name of a cluster", quote(opts.Cluster)).
			WithHint("a name is letters, digits, dots, underscores and hyphens, with a letter or digit first")
	}
	places, err := newPlaces(opts)
	if err != nil {
		return nil, err
	}
	s := newSource(name, text, places)
	root := s.parse()
	if root == nil {
		return nil, s.err()
	}
	doc := s.document(root)
	s.unasked()
	if len(s.faults) > 0 {
		return nil, s.err()
	}
	g := &graph{source: s, doc: doc, kinds: map[string]*kind{}}
	g.known, g.top = doc.byName()
	if doc.perLayer() {
		g.placeTypes()
	} else {
		g.placeNested()
	}
	if len(s.faults) == 0 {
		g.arrange()
		g.noteUnknown()
	}
	if len(s.faults) > 0 {
		return nil, s.err()
	}
	w := &writer{graph: g, cluster: opts.Cluster}
	recipe := w.write()
	return &Result{Recipe: recipe, Notes: s.sortedNotes(), Nodes: len(g.vertices), Images: len(g.images)}, nil
}
