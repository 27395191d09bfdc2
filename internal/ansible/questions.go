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
const Version = 24

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

// Change is how another revision of a project differs from it. It may be used by several
// goroutines.
type Change struct {
	from, to    *Project
	changed     []string // names of the files that differ
	files       tree.Differences
	variables   *tree.Memo[string, otherNames] // by file
	inventories *tree.Memo[string, otherNames] // by sources
	moved       *tree.Memo[string, bool]       // by file
	relevant    *tree.Memo[*trace.Asked, *trace.Asked]
}

// otherNames are variables that are defined otherwise, if no more than that is known to
// differ.
type otherNames struct {
	names []string
	known bool
}

// To compares with another revision. Changed are the names of the files that differ.
func (p *Project) To(other *Project, changed []string) *Change {
	return &Change{
		from: p, to: other, changed: changed, files: tree.Compare(p.files, other.files, changed),
		variables: tree.NewMemo[string, otherNames](), inventories: tree.NewMemo[string, otherNames](),
		moved: tree.NewMemo[string, bool](), relevant: tree.NewMemo[*trace.Asked, *trace.Asked](),
	}
}

// Relevant are the questions of an analysis for which it may matter that the other
// revision differs: few of all. What Touched says of a trace, it says of one with these.
func (c *Change) Relevant(asked *trace.Asked) *trace.Asked {
	if len(c.changed) > 0 {
		if only := asked.Only(c.matters, c.relevant.Get); only != nil {
			return only
		}
	}
	return &trace.Asked{}
}

func (c *Change) matters(q trace.Question) bool {
	switch q.Kind {
	case tree.TellText, tellEvaluated, tellVariable, tellFile, tellScope, tellDefines, tellDefiner:
		return false
	case askVariable, askVariablesLike, askInventory, askReadable, tree.AskLinks:
		return true
	case askSource, tree.AskVariables:
		at, ok := c.files[q.Name]
		return ok && at.Changed()
	}
	return c.files.Differs(q.Kind, q.Name)
}

// Touched says which of the traces of a file, all made of the project, could be others
// of the other revision.
func (c *Change) Touched(traces *trace.File) (trace.Set, error) {
	t, err := c.Touches(traces)
	return t.All(), err
}

// Touches says the same, and which of them need not be followed.
func (c *Change) Touches(traces *trace.File) (Touches, error) {
	t := touching{Change: c, traces: traces, all: trace.NewSet(traces.Len()), names: map[string]trace.Set{}}
	if len(c.changed) == 0 {
		return Touches{Follow: t.all}, nil
	}
	for name, at := range c.files {
		for kind := tree.AskKind; kind < tree.LastAsk; kind++ {
			if c.files.Differs(kind, name) {
				t.addBut(t.asking(trace.Question{Kind: kind, Name: name}), func(who trace.Set) trace.Set {
					if kind != tree.AskContent && kind != tree.AskTemplate {
						return nil
					}
					return t.leafFile(name, kind, who)
				})
			}
		}
		if at.Changed() {
			t.definedIn(name)
			t.source(name)
		}
	}
	t.add(t.asking(trace.Question{Kind: tree.AskLinks}))
	t.readable()
	t.byInventory()
	for i := range t.leaves {
		t.leaves[i].Of = only(t.leaves[i].Of, t.all, false)
	}
	return Touches{t.all, slices.DeleteFunc(t.leaves, func(l Leaf) bool { return l.Of.Len() == 0 })}, t.err
}

// touching finds the traces that could be others.
type touching struct {
	*Change
	traces  *trace.File
	all     trace.Set
	names   map[string]trace.Set // of variables, the traces that ask for them
	sources trace.Set            // of which a source of the inventory differs
	leaves  []Leaf
	err     error
}

func (t *touching) add(more trace.Set) {
	if more != nil {
		t.all.Join(more)
	}
}

// addBut adds traces but for those that need not be followed.
func (t *touching) addBut(who trace.Set, leaf func(who trace.Set) trace.Set) {
	if who == nil || who.Len() == 0 {
		return
	}
	if not := leaf(who); not != nil {
		who = only(who, not, false)
	}
	t.add(who)
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
	t.err = errors.Join(t.err, t.traces.Each(askVariablesLike, "", func(i int, pattern string) bool {
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

// definedIn touches those that ask for a variable which a changed file defines
// otherwise.
func (t *touching) definedIn(file string) {
	readers := t.asking(trace.Question{Kind: tree.AskVariables, Name: file})
	if readers == nil {
		return
	}
	t.ofNames(readers, t.inFile(file), func(name string, who trace.Set) trace.Set { return t.leafVariable(name, file, who) })
}

// inFile are the variables that a file defines otherwise.
func (c *Change) inFile(file string) otherNames {
	return c.variables.Get(file, func() otherNames {
		names, ok := differing(c.from.files.Document(file), c.to.files.Document(file))
		return otherNames{names, ok}
	})
}

func (t *touching) ofNames(readers trace.Set, others otherNames, leaf func(name string, who trace.Set) trace.Set) {
	if !others.known {
		t.add(readers)
	}
	for _, name := range others.names {
		both := slices.Clone(t.naming(name))
		both.Meet(readers)
		t.addBut(both, func(who trace.Set) trace.Set { return leaf(name, who) })
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

// byInventory touches those whose inventory says something else.
func (t *touching) byInventory() {
	if t.sources == nil {
		return
	}
	t.err = errors.Join(t.err, t.traces.Each(askInventory, "", func(i int, of string) bool {
		readers, err := t.traces.Asking(i)
		if err != nil {
			t.err = errors.Join(t.err, err)
			return false
		}
		readers.Meet(t.sources)
		if readers.Len() == 0 {
			return true
		}
		t.ofNames(readers, t.inInventory(of), func(string, trace.Set) trace.Set { return nil })
		return true
	}))
}

// inInventory are the variables that an inventory defines otherwise.
func (c *Change) inInventory(of string) otherNames {
	return c.inventories.Get(of, func() (others otherNames) {
		sources := strings.Split(of, "\x00")
		was, err1 := c.from.inventoryOf(sources[0], sources[1:])
		now, err2 := c.to.inventoryOf(sources[0], sources[1:])
		if err1 == nil && err2 == nil {
			others.names, others.known = inventory.Differing(was, now)
		}
		return others
	})
}

// readable touches those for which it matters that a changed file of variables can be
// read.
func (t *touching) readable() {
	t.err = errors.Join(t.err, t.traces.Each(askReadable, "", func(i int, dir string) bool {
		broken := slices.ContainsFunc(t.changed, func(name string) bool {
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
