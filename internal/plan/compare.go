package plan

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/fault"
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
	if o.Changed != nil {
		c.differences = head.Source.playbooks.Compare(base.Source.playbooks, o.Changed)
	}
	nodes := slices.DeleteFunc(slices.Clone(head.Project.Nodes), func(n layer.Node) bool { return !needed[n.ID] })
	was := make(map[layer.NodeID]layer.Node, len(base.Project.Nodes))
	for _, n := range base.Project.Nodes {
		was[n.ID] = n
	}
	pairs := make([]pair, len(nodes))
	err = each(len(nodes), func(i int) error {
		old, ok := was[nodes[i].ID]
		if !ok {
			return c.inputs(&pairs[i], nodes[i], nil)
		}
		return c.inputs(&pairs[i], nodes[i], &old)
	})
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
	c.removed()
	c.unused()
	c.plan.Circles, c.plan.Warnings = head.Source.circles(), head.Source.warnings()
	return c.plan, nil
}

// comparer holds a comparison while it is made.
type comparer struct {
	base, head  Revision
	o           CompareOptions
	differences tree.Differences
	plan        *Plan
	at          map[layer.NodeID]int
	used        map[string]bool // files that decide something
}

// pair is the inputs of a node at both revisions.
type pair struct {
	base, head []Input
	reasons    []Reason     // how they differ
	was        bool         // the node was there
	moved      bool         // onto another parent
	from       layer.NodeID // the parent that it had
	regrouped  bool         // it is in other groups
}

func (c *comparer) inputs(p *pair, now layer.Node, old *layer.Node) error {
	head := collector{p: c.head.Project, n: now, src: c.head.Source, differences: c.differences}
	if old == nil {
		var err error
		p.head, err = head.collect()
		return fault.Within(c.head.prefix(), err)
	}
	p.was, p.moved, p.from = true, old.Parent != now.Parent, old.Parent
	p.regrouped = !slices.Equal(old.Groups, now.Groups)
	base := collector{p: c.base.Project, n: *old, src: c.base.Source}
	if c.differences != nil {
		base.known, base.differences, base.other = &head.found, c.differences, c.head.Source
	}
	var err error
	// A key is made of all inputs, and may be told of those without a parent only.
	brief := c.o.Brief && c.o.Have == nil && now.Parent != ""
	if brief && c.differences != nil {
		if head.same, err = base.queries(); err != nil {
			return fmt.Errorf("at %s: %w", c.base.Name, err)
		}
		leaveOut(&head, &base)
	}
	if p.head, err = head.collect(); err != nil {
		return fault.Within(c.head.prefix(), err)
	}
	if p.base, err = base.collect(); err != nil {
		return fault.Within(c.base.prefix(), err)
	}
	p.reasons = differences(p.base, p.head)
	lasting(p.reasons, c.base.Source, c.head.Source)
	if brief {
		p.base, p.head = nil, nil
	}
	return nil
}

// leaveOut takes out of what playbooks reach at two revisions what is alike, which
// most is, so that it need not be told.
func leaveOut(head, base *collector) {
	now, was := head.onlyPlaybooks(), base.onlyPlaybooks()
	if now == nil || was == nil {
		return // of several, one may reach at one revision what another does at the other
	}
	a, err := head.reach(head.query(*now))
	if err != nil {
		return // collect says it
	}
	b, err := base.reach(base.query(*was))
	if err != nil {
		return
	}
	head.told, base.told = &ansible.Reached{Warnings: a.Warnings}, &ansible.Reached{}
	if a == b {
		return
	}
	base.told.Files, head.told.Files = unlike(b.Files, a.Files, func(a, b ansible.File) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Digest, b.Digest))
	})
	base.told.Variables, head.told.Variables = unlike(b.Variables, a.Variables, func(a, b ansible.Variable) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
}

func (c *comparer) decide(n layer.Node, p pair) error {
	d := Decision{Node: n, Inputs: p.head, Seconds: 1, Action: Keep, Reason: "nothing changed"}
	reasons := p.reasons
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
	d.Key = KeyOf(chain, p.head)
	if p.was && !p.moved && (parent == nil || parent.Action == Keep) {
		d.BaseKey = KeyOf(chain, p.base)
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

// unused notes the changed files that are in no reason.
func (c *comparer) unused() {
	elsewhere := false // a variable has another value, and no file with a value of it has changed
	for _, d := range c.plan.Nodes {
		for _, r := range d.Reasons {
			c.use(r.File)
			switch r.Kind {
			case ReasonFile, ReasonPackages:
				c.use(r.Name)
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
