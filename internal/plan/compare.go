package plan

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/strata-hpc/strata/internal/layer"
)

// Revision is a project with its files at one revision.
type Revision struct {
	Name    string // as people are told, "" for the files on disk
	Project *layer.Project
	Source  *Source
	Repos   []Repo
}

// prefix goes before the names of the revision's files.
func (r Revision) prefix() string {
	if r.Name == "" {
		return ""
	}
	return r.Name[:min(7, len(r.Name))] + ":"
}

// CompareOptions of Compare.
type CompareOptions struct {
	// Changed are the names of the files that differ between the revisions; nil
	// if that is not known. A file that is missing here is taken to be the same.
	Changed []string
	// Have says what there is, which tells more keys. It may be nil.
	Have Have
	// Known are traces that were made before, the newest first.
	Known []Known
	// Fresh has every node's playbooks followed at both revisions, whatever is known.
	Fresh bool
	// About is what a file of traces that are made of a revision says of itself, and Made
	// is given the file. They may be nil.
	About func(Revision) []byte
	Made  func(Revision, []byte)
	// Carry adds to those that are made the known ones that hold there, too.
	Carry bool
	// Observed finds what builds saw local programs read, which tells more. It may be nil.
	Observed Observations
	// Built says whether anybody may have built a node, of which Observed could tell. It
	// may be nil.
	Built func(layer.NodeID) (bool, error)
	// Brief leaves the inputs out of decisions about nodes that were there before
	// and have a parent: they take more time and memory than all else.
	Brief bool
}

// Compare plans the wanted nodes of head, compared with what they were at base.
// Nothing is looked up but keys: a node that is as it was is kept, wherever it
// may be.
func Compare(base, head Revision, want []layer.NodeID, o CompareOptions) (*Plan, error) {
	needed, err := ancestors(head.Project, want)
	if err != nil {
		return nil, err
	}
	base.Source.open()
	head.Source.open()
	c := comparer{base: base, head: head, o: o}
	nodes := slices.DeleteFunc(slices.Clone(head.Project.Nodes), func(n layer.Node) bool { return !needed[n.ID] })
	pairs, err := c.pairs(nodes)
	if err != nil {
		return nil, err
	}
	c.plan = &Plan{Base: base.Name, Head: head.Name, Repos: head.Repos}
	c.at = map[layer.NodeID]int{}
	for i, n := range nodes {
		if err := c.decide(n, pairs[i]); err != nil {
			return nil, err
		}
	}
	c.plan.Told = int(c.unfollowed.Load())
	c.removed()
	c.unused()
	c.plan.Circles, c.plan.Warnings, c.plan.Widenings = head.Source.circles(), head.Source.warnings(head.Project, nodes), head.Source.widenings()
	return c.plan, nil
}

// comparer holds a comparison while it is made.
type comparer struct {
	base, head Revision
	o          CompareOptions
	verifiers  []*verifier
	unfollowed atomic.Int64 // nodes of which something differs, and the playbooks need not be followed
	plan       *Plan
	at         map[layer.NodeID]int
	lineages   *lineages       // at the base
	used       map[string]bool // files that decide something
}

func (c *comparer) decide(n layer.Node, p pair) error {
	d := Decision{Node: n, Inputs: p.head, Seconds: 1, Action: Keep, Reason: "nothing changed"}
	reasons, err := c.observed(n, p)
	if err != nil {
		return err
	}
	if p.moved {
		at := parentReason(n.Parent)
		at.File, at.Line, at.became = n.Pos.File, n.Pos.Line, moved
		at.Old, at.New = string(p.from), string(n.Parent)
		reasons = append([]Reason{at}, reasons...)
	}
	var parent *Decision
	if i, ok := c.at[n.Parent]; ok {
		parent = &c.plan.Nodes[i]
	}
	switch {
	case !p.was:
		d.Action = Build
		d.because(Reason{Kind: ReasonNew, Name: string(n.ID), File: n.Pos.File, Line: n.Pos.Line})
		d.Reason = "new in " + d.Reasons[0].Place()
	case len(reasons) > 0:
		d.Action = Build
		d.because(reasons...)
	case parent != nil && parent.Action != Keep:
		d.Action = Maybe
		d.because(parentReason(n.Parent))
		d.Reason = fmt.Sprintf("parent %s is rebuilt", n.Parent)
		if parent.Action == Maybe {
			d.Reason = fmt.Sprintf("parent %s may be rebuilt", n.Parent)
		}
	}
	if err := c.keys(&d, p, parent); err != nil {
		return err
	}
	if p.regrouped && d.Action == Build {
		c.use(n.Pos.File)
	}
	c.at[n.ID] = len(c.plan.Nodes)
	c.plan.Nodes = append(c.plan.Nodes, d)
	return nil
}

// keys sets the keys that can be told: of nodes without a parent, and of those
// whose parent is there.
func (c *comparer) keys(d *Decision, p pair, parent *Decision) error {
	chain := layer.Digest("")
	if parent != nil {
		if parent.Digest == "" {
			return nil
		}
		chain = parent.Digest
	}
	if !known(p.head) {
		return nil
	}
	d.Key = p.keyOf(chain, p.head)
	if p.was && !p.moved && (parent == nil || parent.Action == Keep) {
		d.BaseKey = p.keyOf(chain, p.base)
	}
	if c.o.Have == nil {
		return nil
	}
	there, err := c.o.Have(d.Node.ID, d.Key)
	if err != nil {
		return fmt.Errorf("look for %s: %w", d.Node.ID, err)
	}
	d.Digest, d.Where = there.Chain, there.Where
	return nil
}

// removed notes what was there and is not any more, and the images whose
// artifacts are another matter now, whatever becomes of their nodes.
func (c *comparer) removed() {
	note := func(list *[]string, name, file string) {
		*list = append(*list, name)
		c.use(file)
	}
	nodes := make(map[layer.NodeID]bool, len(c.head.Project.Nodes))
	for _, n := range c.head.Project.Nodes {
		nodes[n.ID] = true
	}
	for _, n := range c.base.Project.Nodes {
		if !nodes[n.ID] {
			note(&c.plan.Removed, string(n.ID), n.Pos.File)
		}
	}
	for _, im := range c.base.Project.Images {
		if _, ok := c.head.Project.Image(im.Name); !ok {
			note(&c.plan.Removed, "image "+im.Name, im.Pos.File)
		}
	}
	for _, im := range c.head.Project.Images {
		was, ok := c.base.Project.Image(im.Name)
		if !ok {
			note(&c.plan.Images, im.Name, im.Pos.File)
			continue
		}
		file := im.Pos.File
		tests := !reflect.DeepEqual(was.Tests, im.Tests)
		was.Pos, im.Pos, was.Tests, im.Tests = layer.Pos{}, layer.Pos{}, nil, nil
		if !reflect.DeepEqual(was, im) {
			note(&c.plan.Images, im.Name, file)
		} else if tests {
			note(&c.plan.Tests, im.Name, file)
		}
	}
}

func (c *comparer) use(file string) {
	if c.used == nil {
		c.used = map[string]bool{}
	}
	c.used[file] = true
}

// useIn notes that the changed files in a directory decide something.
func (c *comparer) useIn(dir string) {
	for _, name := range c.o.Changed {
		if path.Dir(name) == dir {
			c.use(name)
		}
	}
}

// unused notes the changed files that are in no reason.
func (c *comparer) unused() {
	elsewhere := false // a variable has another value, and no file with a value of it has changed
	for _, d := range c.plan.Nodes {
		for _, r := range d.Reasons {
			c.use(r.File)
			switch r.Kind {
			case ReasonFile, ReasonPackages:
				c.use(r.Name)
				if dir, ok := strings.CutSuffix(r.Name, "/"); ok { // the names in it
					c.useIn(dir)
				}
			case ReasonVariable:
				elsewhere = elsewhere || !slices.Contains(c.o.Changed, r.File)
			case ReasonNew:
				for _, in := range d.Inputs {
					c.use(in.File)
					c.use(in.Name)
				}
			}
		}
	}
	inventory := func(name string) bool {
		return slices.ContainsFunc(c.head.Project.Inventory, func(source string) bool {
			return name == source || strings.HasPrefix(name, source+"/")
		})
	}
	for _, name := range c.o.Changed {
		// Then the node is in other groups, or groups in others.
		groups := elsewhere && inventory(name)
		if !c.used[name] && !groups {
			c.plan.Unused = append(c.plan.Unused, name)
		}
	}
	slices.Sort(c.plan.Unused)
	c.plan.Unused = slices.Compact(c.plan.Unused)
}
