package plan

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/trace"
)

// pair is a node at two revisions.
type pair struct {
	base, head []Input      // left out where nobody needs them
	reasons    []Reason     // how they differ
	was        bool         // the node was there
	moved      bool         // onto another parent
	from       layer.NodeID // the parent that it had
	regrouped  bool         // it is in other groups

	now, old      collector
	brief         bool                // only differences are told
	runs          bool                // it has the same playbooks as it had
	key           trace.Key           // of their analyses
	same          bool                // they are known to reach the same at both revisions
	note          string              // what people are told of them, where they need not be followed
	unbounded     bool                // programs of the machine that builds may read anything
	came          [sha256.Size]byte   // the digest of what they reach, where that is known; else zero
	leaves        *leafSet            // all that can differ of what they reach, if that is known; else nil
	passed        bool                // they were not followed, and are not among the inputs
	before, after []*ansible.Analysis // at base and at head, if they were followed
}

// pairs compares the inputs of nodes. Playbooks are followed only where no trace says
// that they reach the same: first those that were made before, then those that are made
// of one of the revisions.
func (c *comparer) pairs(nodes []layer.Node) ([]pair, error) {
	was := nodesOf(c.base.Project)
	pairs := make([]pair, len(nodes))
	all := func(step func(p *pair) error) error {
		return each(len(pairs), func(i int) error { return step(&pairs[i]) })
	}
	for i := range pairs {
		pairs[i].now = collector{p: c.head.Project, n: nodes[i], src: c.head.Source, changed: c.o.Changed}
	}
	if err := all(func(p *pair) error { return c.begin(p, was[p.now.n.ID]) }); err != nil {
		return nil, err
	}
	if !c.o.Fresh && c.o.Changed != nil {
		c.verifyKnown(pairs)
		if c.inLots(pairs) == nil {
			return pairs, nil
		}
		// What is wrong is said of both revisions, and first of head, as without traces.
		for i := range pairs {
			pairs[i].now.forget()
			pairs[i].old.forget()
		}
	}
	return pairs, all(c.compareInputs)
}

// begin notes what is known of a node without following anything.
func (c *comparer) begin(p *pair, old *layer.Node) (err error) {
	if p.key, p.runs, err = traceKey(p.now.queries()); err != nil || old == nil {
		return err
	}
	now := p.now.n
	p.was, p.moved, p.from = true, old.Parent != now.Parent, old.Parent
	p.regrouped = !slices.Equal(old.Groups, now.Groups)
	// A key is made of all inputs, and may be told of those without a parent only.
	p.brief = c.o.Brief && c.o.Have == nil && now.Parent != ""
	p.old = collector{p: c.base.Project, n: *old, src: c.base.Source, changed: c.o.Changed}
	if p.runs && c.base.Project != c.head.Project {
		key, _, err := traceKey(p.old.queries())
		if err != nil {
			return fmt.Errorf("at %s: %w", c.base.Name, err)
		}
		p.runs = key == p.key
	}
	return nil
}

// verifyKnown asks the traces that were made before. One that cannot be read is as good
// as none.
func (c *comparer) verifyKnown(pairs []pair) {
	for _, known := range c.o.Known {
		known.Source.open()
		at := known.Source.playbooks
		base, head := at.To(c.base.Source.playbooks, known.ChangedBase), at.To(c.head.Source.playbooks, known.ChangedHead)
		if v, err := newVerifier(known.Traces, base, head); err == nil {
			for i := range pairs {
				v.verify(&pairs[i])
			}
			c.verifiers = append(c.verifiers, v)
		}
	}
}

// passes reports whether a node's playbooks need not be followed: it is known all that
// will be said of them.
func (c *comparer) passes(p *pair) bool {
	return p.same && (p.brief || c.o.Brief && c.o.Have == nil && p.came != [sha256.Size]byte{})
}

// keyOf is KeyOf, where its playbooks are not among a node's inputs, too.
func (p *pair) keyOf(parent layer.Digest, inputs []Input) layer.Key {
	if p.passed {
		return keyWith(parent, inputs, p.came)
	}
	return KeyOf(parent, inputs)
}

// made is the revision that traces are made of: one that has a name, by which they can
// be used later.
func (c *comparer) made() Revision {
	if c.head.Name == "" {
		return c.base
	}
	return c.head
}

// followOne follows a node's playbooks at the revision that traces are made of.
func (c *comparer) followOne(p *pair) error {
	switch {
	case c.passes(p) || p.leaves != nil:
		return nil
	case c.head.Name != "":
		return c.follow(&p.now, &p.after, c.head)
	case p.was:
		return c.follow(&p.old, &p.before, c.base)
	}
	return nil
}

// follow follows a node's playbooks at a revision, unless that was done.
func (c *comparer) follow(side *collector, found *[]*ansible.Analysis, at Revision) (err error) {
	if *found == nil {
		*found, err = side.analyse()
	}
	return fault.Within(at.prefix(), err)
}

// compareInputs says how a node's inputs differ.
func (c *comparer) compareInputs(p *pair) (err error) {
	defer func() { p.before, p.after = nil, nil }()
	if p.passed = c.passes(p) && len(p.before)+len(p.after) == 0; p.passed || p.same && p.brief {
		told := c.head.Source.note(p.now.n, p.note)
		if p.brief && len(told.Commit) == 0 && c.alike(p) {
			return nil
		}
		p.now.told = alone(told, len(p.now.queries()))
		p.old.told = p.now.told
	} else if p.leaves != nil {
		p.leaves.tell(c, p)
	} else if err := c.tell(p); err != nil {
		return err
	}
	if p.head, err = p.now.collect(); err != nil || !p.was {
		return fault.Within(c.head.prefix(), err)
	}
	if p.base, err = p.old.collect(); err != nil {
		return fault.Within(c.base.prefix(), err)
	}
	p.reasons = differences(p.base, p.head)
	lasting(p.reasons, c.base.Source, c.head.Source)
	c.exactly(p.reasons, p)
	if p.brief {
		p.base, p.head = nil, nil
	}
	return nil
}

// alike reports whether all that is written about a node is as it was, and no file that
// it names can have changed.
func (c *comparer) alike(p *pair) bool {
	if c.head.Project != c.base.Project || c.o.Changed == nil {
		return false
	}
	for _, s := range p.now.n.Steps {
		if slices.ContainsFunc(namedBy(s), c.mayChange) {
			return false
		}
	}
	for _, name := range p.now.repositories() {
		if c.mayChange(keyOf(c.head.Project.Repositories[name])) {
			return false
		}
	}
	return true
}

// mayChange reports whether a changed file may be one that a layer names.
func (c *comparer) mayChange(f namedFile) bool {
	if f.name == "" {
		return false
	}
	name := path.Clean(f.name)
	return !fs.ValidPath(name) || c.head.Source.playbooks.Linked(name) || c.base.Source.playbooks.Linked(name) ||
		slices.ContainsFunc(c.o.Changed, func(changed string) bool {
			return name == "." || changed == name || strings.HasPrefix(changed, name+"/") || strings.HasPrefix(name, changed+"/")
		})
}

// tell sets what is told of a node's playbooks at both revisions.
func (c *comparer) tell(p *pair) error {
	if p.same && len(p.before) > 0 {
		p.now.told = reachedBy(p.before)
		p.old.told = p.now.told
		return nil
	}
	if err := c.follow(&p.now, &p.after, c.head); err != nil {
		return err
	}
	p.now.told = reachedBy(p.after)
	p.unbounded = slices.ContainsFunc(p.now.told, func(r *ansible.Reached) bool { return len(r.Programs) > 0 })
	switch {
	case !p.was:
		return nil
	case p.same:
		p.old.told = p.now.told
		return nil
	}
	if err := c.follow(&p.old, &p.before, c.base); err != nil {
		return err
	}
	p.old.told = reachedBy(p.before)
	if p.brief && len(p.now.told) == 1 && len(p.old.told) == 1 {
		// Of several, one may reach at one revision what another does at the other.
		p.old.told[0], p.now.told[0] = unlikeReached(p.old.told[0], p.now.told[0])
	}
	return nil
}

// unlikeReached leaves out of two answers what is alike, which most is, so that it need
// not be told.
func unlikeReached(was, now *ansible.Reached) (gone, came *ansible.Reached) {
	gone = &ansible.Reached{Commit: was.Commit}
	came = &ansible.Reached{Warnings: now.Warnings, Commit: now.Commit, Widenings: now.Widenings, Used: now.Used}
	gone.Files, came.Files = unlike(was.Files, now.Files, func(a, b ansible.File) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Digest, b.Digest))
	})
	gone.Variables, came.Variables = unlike(was.Variables, now.Variables, func(a, b ansible.Variable) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
	return gone, came
}
