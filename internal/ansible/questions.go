package ansible

import (
	"errors"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/trace"
)

// Version changes whenever an analysis of the same project may ask other questions,
// or come to something else: traces of another version are not believed.
const Version = 13

// The questions of an analysis beside those about files. Their numbers are in files of
// traces.
const (
	askVariable      = tree.LastAsk + iota // the value of a variable, or that it has none
	askVariablesLike                       // those whose names match a pattern
	askSource                              // a file that an inventory is made of, or a directory that was listed for it
	askInventory                           // the inventory's sources, and the configuration that they are read with
	askReadable                            // whether files of variables below a directory can be read
)

// sourcesOf is what an inventory was made of.
func sourcesOf(asked *trace.Asked) *trace.Asked {
	sources := &trace.Asked{}
	asked.All(func(q trace.Question) {
		if q.Kind == tree.AskLinks {
			sources.Ask(q.Kind, q.Name)
			return
		}
		sources.Ask(askSource, q.Name)
	})
	return sources
}

// Touched says which of the traces of a file, all made of this project, could be others
// of another revision of it. Changed are the names of the files that differ.
func (p *Project) Touched(traces *trace.File, other *Project, changed []string) (trace.Set, error) {
	t := touching{from: p, to: other, traces: traces, all: trace.NewSet(traces.Len()), names: map[string]trace.Set{}}
	if len(changed) == 0 {
		return t.all, nil
	}
	d := tree.Compare(p.files, other.files, changed)
	for name, at := range d {
		for kind := tree.AskKind; kind < tree.LastAsk; kind++ {
			if d.Differs(kind, name) {
				t.add(t.asking(trace.Question{Kind: kind, Name: name}))
			}
		}
		if at.Changed() {
			t.variables(name)
			t.source(name)
		}
	}
	t.add(t.asking(trace.Question{Kind: tree.AskLinks}))
	t.readable(changed)
	t.inventories()
	return t.all, t.err
}

// touching finds the traces that could be others.
type touching struct {
	from, to *Project
	traces   *trace.File
	all      trace.Set
	names    map[string]trace.Set // of variables, the traces that ask for them
	sources  trace.Set            // of which a source of the inventory differs
	err      error
}

func (t *touching) add(more trace.Set) {
	if more != nil {
		t.all.Join(more)
	}
}

// asking are the traces with a question, nil if there are none.
func (t *touching) asking(q trace.Question) trace.Set {
	i, known, err := t.traces.Number(q)
	if err != nil || !known {
		t.err = errors.Join(t.err, err)
		return nil
	}
	set, err := t.traces.Asking(i)
	t.err = errors.Join(t.err, err)
	return set
}

// naming are the traces that ask for a variable, by its name or a pattern.
func (t *touching) naming(name string) trace.Set {
	if set, known := t.names[name]; known {
		return set
	}
	set := trace.NewSet(t.traces.Len())
	if implicit(name) { // Ansible reads it by itself
		for i := range t.traces.Len() {
			set.Add(i)
		}
	}
	if own := t.asking(trace.Question{Kind: askVariable, Name: name}); own != nil {
		set.Join(own)
	}
	t.err = errors.Join(t.err, t.traces.Each(askVariablesLike, func(i int, pattern string) bool {
		if matches(pattern, name) {
			like, err := t.traces.Asking(i)
			t.err = errors.Join(t.err, err)
			if like != nil {
				set.Join(like)
			}
		}
		return true
	}))
	t.names[name] = set
	return set
}

// variables touches those that ask for a variable which a changed file defines
// otherwise.
func (t *touching) variables(file string) {
	readers := t.asking(trace.Question{Kind: tree.AskVariables, Name: file})
	if readers == nil {
		return
	}
	was, now := t.from.files.Document(file), t.to.files.Document(file)
	names, ok := differing(was, now)
	if !ok {
		t.add(readers)
		return
	}
	t.ofNames(readers, names)
}

func (t *touching) ofNames(readers trace.Set, names []string) {
	for _, name := range names {
		both := slices.Clone(t.naming(name))
		both.Meet(readers)
		t.add(both)
	}
}

// differing are the names of the variables that two revisions of a file define in
// different ways; false if that cannot be said.
func differing(was, now *tree.Document) ([]string, bool) {
	if was.Err != nil || now.Err != nil || was.Vaulted || now.Vaulted || was.Value.Kind != value.Map || now.Value.Kind != value.Map {
		return nil, false
	}
	return value.Differing(was.Value.Pairs(), now.Value.Pairs()), true
}

// source notes the traces whose inventory has a changed file.
func (t *touching) source(name string) {
	readers := t.asking(trace.Question{Kind: askSource, Name: name})
	if readers == nil {
		return
	}
	if t.sources == nil {
		t.sources = trace.NewSet(t.traces.Len())
	}
	t.sources.Join(readers)
}

// inventories touches those whose inventory says something else.
func (t *touching) inventories() {
	if t.sources == nil {
		return
	}
	t.err = errors.Join(t.err, t.traces.Each(askInventory, func(i int, of string) bool {
		readers, err := t.traces.Asking(i)
		if err != nil {
			t.err = errors.Join(t.err, err)
			return false
		}
		readers.Meet(t.sources)
		if readers.Len() == 0 {
			return true
		}
		sources := strings.Split(of, "\x00")
		was, err1 := t.from.inventoryOf(sources[0], sources[1:])
		now, err2 := t.to.inventoryOf(sources[0], sources[1:])
		if err1 != nil || err2 != nil {
			t.add(readers)
			return true
		}
		names, same := inventory.Differing(was, now)
		if !same {
			t.add(readers)
			return true
		}
		t.ofNames(readers, names)
		return true
	}))
}

// readable touches those for which it matters that a changed file of variables can be
// read.
func (t *touching) readable(changed []string) {
	t.err = errors.Join(t.err, t.traces.Each(askReadable, func(i int, dir string) bool {
		broken := slices.ContainsFunc(changed, func(name string) bool {
			return t.from.brokenIn(dir, name) || t.to.brokenIn(dir, name)
		})
		if broken {
			set, err := t.traces.Asking(i)
			t.err = errors.Join(t.err, err)
			t.add(set)
		}
		return true
	}))
}
