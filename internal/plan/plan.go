package plan

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// Action is what a plan wants done with a node.
type Action string

// The actions. A node to build or maybe to build whose decision has no key yet
// gets it from KeyOf once its parent's digest is known, and is only then looked
// for in the store.
const (
	Build Action = "build" // what decides its content has changed, or nothing of it is there
	Maybe Action = "maybe" // only its parent is rebuilt, and may come out as before
	Keep  Action = "keep"  // it is there
)

// Decision is what a plan says about one node.
type Decision struct {
	Node    layer.Node
	Action  Action
	Reason  string       // a few words: "files/motd changed"
	Reasons []Reason     // all of them, the weightiest first
	Key     layer.Key    // "" while the parent's content is not known
	BaseKey layer.Key    // at the base revision; "" without one, or if the node was not there
	Digest  layer.Digest // of a node that is kept
	Where   Where        // a node is that is kept
	Inputs  []Input      // everything that decides its content but the parent; see TraceOptions for one that is kept
	Note    string       // why nothing is taken of what the registry has for its key; "" says nothing
	// Unbounded is set where playbooks run programs that nothing bounds; then Inputs are
	// what is known of these on the parent as it is.
	Unbounded *Unbounded
	Seconds   float64 // how long building it is expected to take

	// Of a node that is kept, what its playbooks reach may be known by its digest only, and
	// is not among the inputs then.
	came   [sha256.Size]byte
	passed bool
}

// Plan says for each node what is to be done, parents before children.
type Plan struct {
	Base  string // the commit that was compared with; "" for what the store has
	Head  string // the commit that is planned; "" for the files on disk
	Nodes []Decision
	Repos []Repo // the project's git repositories, as they are planned
	// Unset are the secrets that could not be read, and count as they were at the last
	// build of each node, sorted.
	Unset []string

	// Circles are links to directories that they are in; what is below counts once.
	Circles []string
	// Warnings are what is no mistake, and people should know, in order of its places.
	Warnings []Warning
	// Widenings are places that could not be followed, the one that costs most first.
	Widenings []Widening

	// Only of a plan that compares with a commit.
	Since   *Since   // what Base has to do with what was asked for; nil if it is just that
	Unused  []string // changed files that decide nothing, sorted
	Told    int      // nodes that differ as their traces tell, without their playbooks being followed
	Removed []string // nodes, and images as "image NAME", that were there
	Images  []string // images that are new, or whose artifacts are made in another way
	Tests   []string // images of which only the tests are others
}

// Where says where a node is.
type Where string

// The places.
const (
	Nowhere    Where = ""
	InStore    Where = "store"    // on this machine
	InRegistry Where = "registry" // and not on this machine
)

// There is what is known of the node of a key.
type There struct {
	Where Where
	Chain layer.Digest // of its whole tree: of the chain of layers, not of the topmost one alone
	// Note is why what the registry has is believed, or why nothing is taken of
	// it; "" says nothing.
	Note string
}

// Have says whether a node with a key is there. It is called for several nodes
// at once.
type Have func(layer.NodeID, layer.Key) (There, error)

// Options of Make. The zero value plans with nothing known of earlier builds.
type Options struct {
	NoCache bool // build everything, whatever is there
	// Last returns the inputs of the last build of a node, nil if there was
	// none; reasons are made of it.
	Last func(layer.NodeID) []Input
	// Observed finds what builds saw local programs read; nil: that is not known.
	Observed Observations
	// Seconds returns how long a node took to build, 0 if that is not known.
	Seconds func(layer.NodeID) float64
	// Traces say what playbooks come to without their being followed. What these reach is
	// then not among the inputs of nodes that are kept.
	Traces TraceOptions
}

// Make plans the wanted nodes and all they stand on.
func Make(p *layer.Project, want []layer.NodeID, src *Source, have Have, o Options) (*Plan, error) {
	needed, err := ancestors(p, want)
	if err != nil {
		return nil, err
	}
	nodes := slices.DeleteFunc(slices.Clone(p.Nodes), func(n layer.Node) bool { return !needed[n.ID] })
	m := maker{src: src, have: have, o: o, at: map[layer.NodeID]int{}, reader: newReader(p, src, o.Traces)}
	found := make([]bounds, len(nodes))
	err = each(len(nodes), func(i int) (err error) {
		found[i], err = m.reader.read(nodes[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	var levels [][]int // nodes by how many they stand on
	depth := make([]int, len(nodes))
	for i, n := range nodes {
		d := Decision{Node: n, Seconds: 1}
		m.is(&d, found[i])
		if o.Seconds != nil {
			if s := o.Seconds(n.ID); s > 0 {
				d.Seconds = s
			}
		}
		if n.Parent != "" {
			at, ok := m.at[n.Parent]
			if !ok {
				return nil, fmt.Errorf("plan %s: its parent %s does not come before it", n.ID, n.Parent)
			}
			depth[i] = depth[at] + 1
		}
		if depth[i] == len(levels) {
			levels = append(levels, nil)
		}
		levels[depth[i]] = append(levels[depth[i]], i)
		m.at[n.ID] = i
		m.plan.Nodes = append(m.plan.Nodes, d)
	}
	for _, level := range levels {
		if err := m.decideAll(level); err != nil {
			return nil, err
		}
	}
	m.reader.keep()
	slices.Sort(m.plan.Unset)
	m.plan.Unset = slices.Compact(m.plan.Unset)
	m.plan.Circles, m.plan.Warnings, m.plan.Widenings = src.circles(), src.warnings(p, nodes), src.widenings()
	return &m.plan, nil
}

// is sets what decides a node.
func (m *maker) is(d *Decision, b bounds) {
	d.Inputs, d.Unbounded, d.came, d.passed = m.assume(d.Node.ID, b.inputs), b.unbounded, b.came, b.passed
}

// each calls f for 0 to n-1, several at once, and joins the errors in order. Those
// at once are far apart: neighbours have much in common, and would wait for what
// one of them finds.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	taken := make([]atomic.Bool, n)
	var workers sync.WaitGroup
	count := min(n, runtime.GOMAXPROCS(0))
	for k := range count {
		workers.Go(func() {
			for i := range n {
				if i = (i + k*n/count) % n; taken[i].CompareAndSwap(false, true) {
					errs[i] = f(i)
				}
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// ancestors returns the wanted nodes and all that they stand on.
func ancestors(p *layer.Project, want []layer.NodeID) (map[layer.NodeID]bool, error) {
	nodes := make(map[layer.NodeID]layer.Node, len(p.Nodes))
	for _, n := range p.Nodes {
		nodes[n.ID] = n
	}
	needed := map[layer.NodeID]bool{}
	for _, id := range want {
		for id != "" && !needed[id] {
			n, ok := nodes[id]
			if !ok {
				return nil, fault.New(fault.Input, "there is no node %q", id)
			}
			needed[id] = true
			id = n.Parent
		}
	}
	return needed, nil
}

// maker holds a plan while it is made.
type maker struct {
	src    *Source
	have   Have
	o      Options
	plan   Plan
	at     map[layer.NodeID]int
	reader *reader
}

// asking is how many nodes are looked for at once: it may be a registry that is
// asked, and the way there be long.
const asking = 16

// decideAll decides about nodes whose parents have been decided about.
func (m *maker) decideAll(level []int) error {
	there := make([]There, len(level))
	looks, ctx := errgroup.WithContext(context.Background())
	looks.SetLimit(asking)
	for i, at := range level {
		looks.Go(func() (err error) {
			if ctx.Err() == nil { // the first error is enough
				there[i], err = m.look(&m.plan.Nodes[at])
			}
			return err
		})
	}
	if err := looks.Wait(); err != nil {
		return err
	}
	if err := m.followAll(level, there); err != nil {
		return err
	}
	for i, at := range level {
		m.decide(&m.plan.Nodes[at], there[i])
	}
	return nil
}

// followAll follows the playbooks of nodes that are not there, where that was not done:
// reasons are told of what they reach, and who builds records it.
func (m *maker) followAll(level []int, there []There) error {
	found := make([]bounds, len(level))
	err := each(len(level), func(i int) (err error) {
		if d := &m.plan.Nodes[level[i]]; d.passed && there[i].Where == Nowhere {
			found[i], err = m.reader.follow(d.Node)
		}
		return err
	})
	for i, at := range level {
		d := &m.plan.Nodes[at]
		if err != nil || !d.passed || there[i].Where != Nowhere {
			continue
		}
		key := d.Key
		m.is(d, found[i])
		if chain, _ := m.below(d); key != "" && d.key(chain) != key { // what is here counts
			there[i], err = m.look(d)
		}
	}
	return err
}

// look sets a node's key, if it can be told, and looks for it.
func (m *maker) look(d *Decision) (There, error) {
	chain, known := m.below(d)
	if !known || unset(d.Inputs) {
		return There{}, nil
	}
	if d.Unbounded != nil {
		var err error
		if d.Inputs, err = d.Unbounded.On(chain, m.o.Observed); err != nil {
			return There{}, err
		}
	}
	d.Key = d.key(chain)
	if m.o.NoCache {
		return There{}, nil
	}
	there, err := m.have(d.Node.ID, d.Key)
	if err != nil {
		return there, fmt.Errorf("look for %s: %w", d.Node.ID, err)
	}
	return there, nil
}

// below returns the digest of what a node stands on, if it is known.
func (m *maker) below(d *Decision) (chain layer.Digest, known bool) {
	parent := m.parent(d)
	if parent == nil {
		return "", true
	}
	return parent.Digest, parent.Action == Keep
}

// parent returns what was decided about a node's parent, nil for a first layer.
func (m *maker) parent(d *Decision) *Decision {
	if d.Node.Parent == "" {
		return nil
	}
	return &m.plan.Nodes[m.at[d.Node.Parent]]
}

// decide sets action and reason of a node that has its key, if it can be told.
func (m *maker) decide(d *Decision, there There) {
	switch {
	case m.o.NoCache:
		d.Action, d.Reason = Build, "--no-cache"
	case unset(d.Inputs):
		d.Action = Build // it was never built, or never with that secret
		m.absent(d, "")
	case d.Key == "":
		d.Action = m.uncertain(d, m.parent(d))
	case there.Where != Nowhere:
		d.Action, d.Digest, d.Where, d.Reason = Keep, there.Chain, there.Where, "nothing changed"
		if there.Where == InRegistry {
			d.Reason = noted("the registry has it", there.Note)
		}
	default:
		d.Action = Build
		chain, _ := m.below(d)
		m.absent(d, chain)
		d.Reason, d.Note = noted(d.Reason, there.Note), there.Note
	}
}

func noted(reason, note string) string {
	if note == "" {
		return reason
	}
	return reason + ", " + note
}

// uncertain decides about a node whose parent will be, or may be, rebuilt.
func (m *maker) uncertain(d, parent *Decision) Action {
	if m.o.Last != nil {
		last := m.o.Last(d.Node.ID)
		if last == nil {
			d.because(Reason{Kind: ReasonNew, Name: string(d.Node.ID)})
			return Build
		}
		if reasons := m.reasons(last, d.Inputs); len(reasons) > 0 {
			d.because(reasons...)
			return Build
		}
	}
	d.because(parentReason(parent.Node.ID))
	d.Reason = fmt.Sprintf("parent %s is rebuilt", parent.Node.ID)
	if parent.Action == Maybe {
		d.Reason = fmt.Sprintf("parent %s may be rebuilt", parent.Node.ID)
	}
	return Maybe
}

// absent says why a node with a known key is not there.
func (m *maker) absent(d *Decision, parent layer.Digest) {
	var last []Input
	if m.o.Last != nil {
		last = m.o.Last(d.Node.ID)
	}
	if last == nil {
		d.because(Reason{Kind: ReasonNew, Name: string(d.Node.ID)})
		return
	}
	if reasons := m.reasons(last, d.Inputs); len(reasons) > 0 {
		d.because(reasons...)
		return
	}
	for _, in := range last {
		if in.Kind == KindParent && in.Digest != string(parent) {
			r := parentReason(d.Node.Parent)
			r.Old, r.New = in.Digest, string(parent)
			d.because(r)
			return
		}
	}
	d.because(Reason{Kind: ReasonMissing, Name: string(d.Node.ID)})
}

// because sets the reasons of a decision, and the few words that say them.
func (d *Decision) because(reasons ...Reason) {
	for i := range reasons {
		r := &reasons[i]
		r.by = string(d.Node.ID)
		if r.Question == nil {
			r.Question = &Question{Kind: AskNode, Name: r.Name}
		}
		r.Question = r.Question.asked(d.Node.ID)
	}
	d.Reasons = reasons
	d.Reason = brief(reasons)
}

// Absent reports whether a node is built, or may be, only as there is none of it, or
// of what it stands on.
func (d *Decision) Absent() bool {
	return d.Action != Keep && len(d.Reasons) == 1 && slices.Contains([]string{ReasonNew, ReasonMissing, ReasonParent}, d.Reasons[0].Kind)
}

// Find returns the decision about a node.
func (p *Plan) Find(id layer.NodeID) (Decision, bool) {
	for _, d := range p.Nodes {
		if d.Node.ID == id {
			return d, true
		}
	}
	return Decision{}, false
}

// Count returns how many nodes have an action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, d := range p.Nodes {
		if d.Action == a {
			n++
		}
	}
	return n
}
