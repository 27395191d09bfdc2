package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	Key     layer.Key    // "" while the parent's content is not known
	Digest  layer.Digest // of a node that is kept
	Inputs  []Input      // everything that decides its content but the parent
	Seconds float64      // how long building it is expected to take
}

// Plan says for each node what is to be done, parents before children.
type Plan struct {
	Nodes []Decision
}

// Have says whether a node with a key is there, and the digest of its whole
// tree: of the chain of layers, not of the topmost one alone.
type Have func(layer.Key) (layer.Digest, bool, error)

// Options of Make. The zero value plans with nothing known of earlier builds.
type Options struct {
	NoCache bool // build everything, whatever is there
	// Last returns the inputs of the last build of a node, nil if there was
	// none; reasons are made of it.
	Last func(layer.NodeID) []Input
	// Seconds returns how long a node took to build, 0 if that is not known.
	Seconds func(layer.NodeID) float64
}

// Make plans the wanted nodes and all they stand on.
func Make(p *layer.Project, want []layer.NodeID, src *Source, have Have, o Options) (*Plan, error) {
	needed, err := ancestors(p, want)
	if err != nil {
		return nil, err
	}
	m := maker{p: p, have: have, o: o, at: map[layer.NodeID]int{}}
	var errs []error
	for _, n := range p.Nodes {
		if !needed[n.ID] {
			continue
		}
		inputs, err := Inputs(p, n, src)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(errs) > 0 {
			continue // nothing will come of it; only look for more mistakes
		}
		d := Decision{Node: n, Inputs: inputs, Seconds: 1}
		if o.Seconds != nil {
			if s := o.Seconds(n.ID); s > 0 {
				d.Seconds = s
			}
		}
		if err := m.decide(&d); err != nil {
			return nil, err
		}
		m.at[n.ID] = len(m.plan.Nodes)
		m.plan.Nodes = append(m.plan.Nodes, d)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &m.plan, nil
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
	p    *layer.Project
	have Have
	o    Options
	plan Plan
	at   map[layer.NodeID]int
}

// decide sets action, reason and key of a node whose parent has been decided.
func (m *maker) decide(d *Decision) error {
	var parent *Decision
	if d.Node.Parent != "" {
		i, ok := m.at[d.Node.Parent]
		if !ok {
			return fmt.Errorf("plan %s: its parent %s does not come before it", d.Node.ID, d.Node.Parent)
		}
		parent = &m.plan.Nodes[i]
	}
	known := parent == nil || parent.Action == Keep
	digest := layer.Digest("")
	if known && parent != nil {
		digest = parent.Digest
	}
	if known {
		d.Key = KeyOf(digest, d.Inputs)
	}
	if m.o.NoCache {
		d.Action, d.Reason = Build, "--no-cache"
		return nil
	}
	if !known {
		d.Action, d.Reason = m.uncertain(d, parent)
		return nil
	}
	there, ok, err := m.have(d.Key)
	if err != nil {
		return fmt.Errorf("look for %s: %w", d.Node.ID, err)
	}
	if ok {
		d.Action, d.Digest, d.Reason = Keep, there, "nothing changed"
		return nil
	}
	d.Action, d.Reason = Build, m.absent(d, digest)
	return nil
}

// uncertain decides about a node whose parent will be, or may be, rebuilt.
func (m *maker) uncertain(d, parent *Decision) (Action, string) {
	if m.o.Last != nil {
		last := m.o.Last(d.Node.ID)
		if last == nil {
			return Build, neverBuilt
		}
		if why := differences(last, d.Inputs); why != "" {
			return Build, why
		}
	}
	if parent.Action == Maybe {
		return Maybe, fmt.Sprintf("parent %s may be rebuilt", parent.Node.ID)
	}
	return Maybe, fmt.Sprintf("parent %s is rebuilt", parent.Node.ID)
}

const neverBuilt = "no build of it yet"

// absent says why a node with a known key is not there.
func (m *maker) absent(d *Decision, parent layer.Digest) string {
	if m.o.Last == nil {
		return neverBuilt
	}
	last := m.o.Last(d.Node.ID)
	if last == nil {
		return neverBuilt
	}
	if why := differences(last, d.Inputs); why != "" {
		return why
	}
	for _, in := range last {
		if in.Kind == KindParent && in.Digest != string(parent) {
			return fmt.Sprintf("parent %s changed", d.Node.Parent)
		}
	}
	return "its last build is gone"
}

// differences says in a few words what is not as it was; "" if all is. Parents
// are not compared.
func differences(last, now []Input) string {
	type name struct{ kind, name string }
	index := func(list []Input) map[name]string {
		m := make(map[name]string, len(list))
		for _, in := range list {
			if in.Kind != KindParent {
				m[name{in.Kind, in.Name}] = in.Digest
			}
		}
		return m
	}
	before, after := index(last), index(now)
	var found []string
	for _, in := range now {
		digest, was := before[name{in.Kind, in.Name}]
		switch {
		case in.Kind == KindParent || was && digest == in.Digest:
		case was, in.Kind == KindDefinition: // a part that was left out before changed as well
			found = append(found, label(in)+" changed")
		default:
			found = append(found, label(in)+" is new")
		}
	}
	for _, in := range last {
		if _, is := after[name{in.Kind, in.Name}]; !is && in.Kind != KindParent {
			verb := " is gone"
			if in.Kind == KindDefinition {
				verb = " changed"
			}
			found = append(found, label(in)+verb)
		}
	}
	const most = 2
	slices.Sort(found)
	if len(found) > 1 { // a step that came or went says it better
		found = slices.DeleteFunc(found, func(s string) bool { return strings.HasPrefix(s, "its "+stepOrder) })
	}
	if more := len(found) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(found[:most], ", "), more)
	}
	return strings.Join(found, ", ")
}

// label names an input for people.
func label(in Input) string {
	switch in.Kind {
	case KindTool:
		return "strata itself"
	case KindDefinition:
		return "its " + in.Name
	case KindSecret:
		return "secret " + in.Name
	}
	return in.Name
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
