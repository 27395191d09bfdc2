package plan

import (
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/trace"
)

// Known is traces of analyses that were made at another revision of a project.
type Known struct {
	Traces *trace.File
	Source *Source // that revision
	// ChangedBase and ChangedHead are the names of the files in which the two
	// revisions of a comparison differ from it.
	ChangedBase, ChangedHead []string
}

// traceKey names the analyses of a node's playbooks; false if it has none.
func traceKey(queries []ansible.Query) (key trace.Key, ok bool, err error) {
	if len(queries) == 0 {
		return key, false, nil
	}
	h := sha256.New()
	for _, q := range queries {
		text, err := canonical(q)
		if err != nil {
			return key, false, err
		}
		add(h, string(text))
	}
	return trace.Key(h.Sum(nil)), true, nil
}

// verifier says of which nodes the playbooks are known to reach the same at two
// revisions, without following them.
type verifier struct {
	traces     *trace.File
	base, head ansible.Touches // that could be others at these revisions
	toBase     *ansible.Change // from where the traces were made
	toHead     *ansible.Change // nil if that is the head
}

// newVerifier asks which traces could be others at the revisions of a comparison.
func newVerifier(traces *trace.File, base, head *ansible.Change) (v *verifier, err error) {
	v = &verifier{traces: traces, toBase: base, toHead: head}
	if v.head, err = head.Touches(traces); err != nil {
		return nil, err
	}
	v.base, err = base.Touches(traces)
	return v, err
}

// verify notes whether a node's playbooks are known to come to the same at both
// revisions.
func (v *verifier) verify(p *pair) {
	if p.same || !p.was || !p.runs {
		return
	}
	at, known, err := v.traces.Find(p.key)
	if !known || err != nil || v.base.Follow.Has(at) || v.head.Follow.Has(at) {
		return
	}
	came, note, err := v.traces.Came(at)
	if err != nil || v.moved(readNote(note).places()) {
		return
	}
	found := &leafSet{of: v, at: at, all: append(v.base.LeavesOf(at), v.head.LeavesOf(at)...)}
	switch {
	case len(found.all) == 0:
		p.same, p.note, p.came = true, note, came
	case p.leaves == nil && p.brief && len(p.now.queries()) == 1 && !readNote(note).Programs && !found.moved():
		p.leaves, p.note = found, note
	}
}

// moved reports whether one of the places, as file:line, may be another at the head.
func (v *verifier) moved(places []string) bool {
	return v.toHead != nil && movedIn(v.toHead, places)
}

func movedIn(change *ansible.Change, places []string) bool {
	return slices.ContainsFunc(places, func(at string) bool { return change.Moved(ansible.FileAt(at)) })
}

// readNote reads a note; "" is one that says nothing.
func readNote(text string) (n note) {
	if text != "" {
		_ = json.Unmarshal([]byte(text), &n) // what cannot be read says nothing
	}
	return n
}

// analyse follows the playbooks of each step.
func (c *collector) analyse() ([]*ansible.Analysis, error) {
	var all []*ansible.Analysis
	for _, q := range c.queries() {
		one, err := c.src.playbooks.Analyse(q, ansible.Options{Changed: c.changed})
		if err != nil {
			c.fail(err)
		}
		all = append(all, one)
	}
	if len(c.errs) == 0 {
		return all, nil
	}
	c.told = make([]*ansible.Reached, len(all)) // what else is wrong is told, too
	for i := range all {
		c.told[i] = &ansible.Reached{}
	}
	_, err := c.collect()
	return nil, err
}

// note is what people are told of an analysis each time.
type note struct {
	Warnings  []Warning          `json:",omitempty"`
	Circles   []string           `json:",omitempty"`
	Widenings []ansible.Widening `json:",omitempty"`
	Used      []string           `json:",omitempty"`
	Commit    []string           `json:",omitempty"` // what asks git of the commit
	Programs  bool               `json:",omitempty"` // something may read anything, unless it was seen what it reads
}

// places are those that it names.
func (n note) places() []string {
	all := slices.Clone(n.Commit)
	for _, w := range n.Warnings {
		all = append(all, w.File+":")
	}
	for _, w := range n.Widenings {
		all = append(all, w.File+":")
	}
	return all
}

// noteOf is what people are told of a node's analyses, "" for nothing.
func noteOf(list []*ansible.Analysis) string {
	var n note
	for _, one := range list {
		told := one.Told()
		n.Warnings = append(n.Warnings, told.Warnings...)
		n.Circles = append(n.Circles, one.Circles()...)
		n.Widenings, n.Used, n.Commit = append(n.Widenings, told.Widenings...), append(n.Used, told.Used...), append(n.Commit, told.Commit...)
		n.Programs = n.Programs || len(told.Programs) > 0
	}
	if !n.Programs && len(n.Warnings)+len(n.Circles)+len(n.Widenings)+len(n.Used)+len(n.Commit) == 0 {
		return ""
	}
	text, _ := json.Marshal(n) // strings and numbers
	return string(text)
}

// note tells what is known of an analysis. It returns what else there is to be said of
// it but the files and variables that it comes to.
func (s *Source) note(of layer.Node, text string) *ansible.Reached {
	var n note
	if text == "" || json.Unmarshal([]byte(text), &n) != nil {
		return &ansible.Reached{}
	}
	told := &ansible.Reached{Warnings: n.Warnings, Widenings: n.Widenings, Used: n.Used, Commit: n.Commit}
	s.noteReached(of, told)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inCircles = append(s.inCircles, n.Circles...)
	return told
}

// came is the digest of what a node's playbooks reach; zero where that is not all that
// there is to be known of it.
func (c *collector) came(list []*ansible.Analysis) (none [sha256.Size]byte) {
	for _, one := range list {
		if told := one.Told(); len(told.Programs)+len(told.Without) > 0 {
			return none
		}
	}
	all := collector{p: c.p, n: c.n, src: c.src}
	for _, one := range list {
		all.reached(one.Reached())
	}
	slices.SortFunc(all.inputs, compareInputs)
	return digestOf(slices.CompactFunc(all.inputs, Input.Same), ofPlaybooks)
}

// askedBy is all that several analyses depend on.
func askedBy(list []*ansible.Analysis) *trace.Asked {
	if len(list) == 1 {
		return list[0].Asked()
	}
	all := &trace.Asked{}
	for _, one := range list {
		all.Include(one.Asked())
	}
	return all
}

// reachedBy is what the playbooks of each step reach.
func reachedBy(list []*ansible.Analysis) []*ansible.Reached {
	all := make([]*ansible.Reached, len(list))
	for i, one := range list {
		all[i] = one.Reached()
	}
	return all
}

// nodesOf finds nodes by name.
func nodesOf(p *layer.Project) map[layer.NodeID]*layer.Node {
	all := make(map[layer.NodeID]*layer.Node, len(p.Nodes))
	for i := range p.Nodes {
		all[p.Nodes[i].ID] = &p.Nodes[i]
	}
	return all
}
