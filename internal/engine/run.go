package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/step"
	"github.com/strata-hpc/strata/internal/store"
)

// Options of Run. The zero value builds one node at a time.
type Options struct {
	Jobs      int  // how many nodes are built at once
	KeepGoing bool // after a failure, still start nodes that do not depend on it
	NoCache   bool // build what the store and the registry have
	Push      bool // send every node to the registry, and artifacts to their shelf
	Silent    bool // nobody is told of events
	// Fetch are nodes that the store is to have in the end. What only the registry
	// has is otherwise fetched if something is built or made of it.
	Fetch []layer.NodeID
}

// Result says what became of every node and image of a plan.
type Result struct {
	Nodes  []NodeResult  `json:"nodes"`
	Images []ImageResult `json:"images"`
}

// NodeResult is what became of one node.
type NodeResult struct {
	ID      layer.NodeID `json:"id"`
	Key     layer.Key    `json:"key"`    // "" when it is not known, because its parent failed
	Digest  layer.Digest `json:"digest"` // of its manifest; "" for a failed node
	Status  Status       `json:"status"`
	Reason  string       `json:"reason"`
	Seconds float64      `json:"seconds"`
	// Bytes that were moved from and to the registry.
	Received int64 `json:"received,omitempty"`
	Sent     int64 `json:"sent,omitempty"`
}

// run is one run of a plan.
type run struct {
	*Builder
	plan   *plan.Plan
	opts   Options
	made   map[layer.NodeID]*made
	pushes sync.WaitGroup
	line   chan struct{} // one place for each push at a time

	mu      sync.Mutex // guards what follows
	results map[layer.NodeID]NodeResult
	errs    []error
}

// pushing is how many nodes are pushed at once, each with several blobs.
const pushing = 2

// done is what a worker reports of a node.
type done struct {
	id     layer.NodeID
	made   *made
	result NodeResult
	err    error
}

// Run carries out a plan: nodes in parallel, each when its parent is there,
// then the artifacts of images; meanwhile, what is there is pushed. A failure
// stops what depends on it; what runs meanwhile is finished. The result tells of
// everything, whatever the error.
func (b *Builder) Run(ctx context.Context, p *plan.Plan, images []layer.Image, opts Options) (*Result, error) {
	r := &run{Builder: b, plan: p, opts: opts, results: map[layer.NodeID]NodeResult{}, made: map[layer.NodeID]*made{},
		line: make(chan struct{}, pushing)}
	moving, stop := context.WithCancel(ctx)
	defer r.pushes.Wait()
	defer stop()
	if err := r.keep(moving); err != nil {
		return nil, err
	}
	r.nodes(moving)
	r.fetchAll(ctx)
	result := &Result{Nodes: []NodeResult{}, Images: r.makeImages(ctx, images)}
	r.confirm(images)
	r.pushes.Wait()
	for _, d := range p.Nodes {
		if res, ok := r.results[d.Node.ID]; ok {
			result.Nodes = append(result.Nodes, res)
		}
	}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	return result, errors.Join(r.errs...)
}

// keep takes the nodes that the plan keeps from where they are.
func (r *run) keep(ctx context.Context) error {
	for _, d := range r.plan.Nodes {
		if d.Action != plan.Keep {
			continue
		}
		m := &made{node: d.Node.ID, key: d.Key, parent: r.made[d.Node.Parent], pushed: make(chan struct{})}
		_, lineage := m.parent.stands()
		m.lineage = d.Lineage(lineage)
		m.seenAt(d, r.Store, r.Project.Cluster.Name)
		status, err := r.kept(ctx, d, m)
		if err != nil {
			return fmt.Errorf("find node %s: %w", d.Node.ID, err)
		}
		r.made[d.Node.ID] = m
		r.end(NodeResult{ID: d.Node.ID, Key: d.Key, Digest: m.digest, Status: status, Reason: d.Reason}, nil)
		r.push(ctx, m, status)
	}
	return nil
}

func (r *run) kept(ctx context.Context, d plan.Decision, m *made) (Status, error) {
	if d.Where == plan.InRegistry {
		found, err := r.Exchange.Look(ctx, m.node, m.key)
		if err != nil {
			return Failed, err
		}
		m.remote(found)
		return Pulled, nil
	}
	im, err := r.Store.Find(r.Project.Cluster.Name, m.node, m.key)
	if err != nil {
		return Failed, err
	}
	m.stored(im)
	return Cached, r.Store.Retag(r.Project.Cluster.Name, m.node, im)
}

// fetchAll brings into the store the nodes that are wanted there.
func (r *run) fetchAll(ctx context.Context) {
	for _, id := range r.opts.Fetch {
		if m := r.made[id]; m != nil && ctx.Err() == nil && (!r.failing() || r.opts.KeepGoing) {
			if _, err := r.fetch(ctx, m); err != nil {
				delete(r.made, id)
				r.fail(err)
			}
		}
	}
}

// confirm notes with what was wanted, and was there already, that these commits come
// to it as well. Files that are in no commit say nothing that anybody could go back to.
func (r *run) confirm(images []layer.Image) {
	if len(r.Commits) == 0 || slices.ContainsFunc(r.Commits, func(c layer.Commit) bool { return !c.Clean() }) {
		return
	}
	wanted := slices.Clone(r.opts.Fetch)
	for _, im := range images {
		wanted = append(wanted, im.Node)
	}
	for _, id := range wanted {
		m := r.made[id]
		if m == nil || m.image == nil || r.results[id].Status == Built {
			continue
		}
		err := r.Store.Confirm(m.image, m.key, store.Confirmation{Time: time.Now().UTC(), Commits: r.Commits})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			r.fail(err)
		}
	}
}

// makeImages makes the artifacts of the images whose nodes are there.
func (r *run) makeImages(ctx context.Context, images []layer.Image) []ImageResult {
	results := []ImageResult{}
	for _, im := range images {
		m := r.made[im.Node]
		if m == nil || ctx.Err() != nil || r.failing() && !r.opts.KeepGoing {
			continue
		}
		res, err := r.image(ctx, im, m)
		if err != nil {
			r.fail(err)
			continue
		}
		results = append(results, res)
	}
	return results
}

// fail notes what went wrong.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *run) failing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.errs) > 0
}

// count notes what was moved for a node.
func (r *run) count(id layer.NodeID, note func(*NodeResult)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := r.results[id]
	note(&res)
	r.results[id] = res
}

// nodes builds what the plan wants built.
func (r *run) nodes(ctx context.Context) {
	queue := plan.NewQueue(r.plan)
	finished := make(chan done)
	for {
		for ctx.Err() == nil && queue.Running() < max(r.opts.Jobs, 1) && (!r.failing() || r.opts.KeepGoing) {
			d, ok := queue.Next()
			if !ok {
				break
			}
			parent := r.made[d.Node.Parent]
			go func() { finished <- r.node(ctx, d, parent) }()
		}
		if queue.Running() == 0 {
			break
		}
		r.collect(ctx, queue, <-finished)
	}
}

// collect notes what became of a node, and of those that depended on it.
func (r *run) collect(ctx context.Context, queue *plan.Queue, d done) {
	r.end(d.result, d.err)
	if d.err == nil {
		r.made[d.id] = d.made
		r.push(ctx, d.made, d.result.Status)
		queue.Done(d.id)
		return
	}
	r.fail(d.err)
	for _, id := range queue.Fail(d.id) {
		why := fmt.Sprintf("%s failed", d.id)
		if fault.KindOf(d.err) == fault.Interrupted {
			why = "stopped"
		}
		r.end(NodeResult{ID: id, Status: Failed, Reason: why}, nil)
	}
}

// event tells who watches, unless that is not wanted.
func (r *run) event(e Event) {
	if !r.opts.Silent {
		r.Builder.event(e)
	}
}

func (r *run) end(res NodeResult, err error) {
	r.mu.Lock()
	r.results[res.ID] = res
	r.mu.Unlock()
	r.event(Event{Kind: NodeEnded, Node: res.ID, Status: res.Status, Reason: res.Reason, Err: err,
		Took: time.Duration(res.Seconds * float64(time.Second))})
}

// node gets one node: from where it is if its key turns out to be there, else
// by building it.
func (r *run) node(ctx context.Context, d plan.Decision, parent *made) done {
	start := time.Now()
	m := &made{node: d.Node.ID, parent: parent, pushed: make(chan struct{})}
	m.is(d.Inputs)
	status, err := r.get(ctx, d, m)
	out := done{id: m.node, made: m, err: err, result: NodeResult{
		ID: m.node, Key: m.key, Status: status, Reason: d.Reason, Seconds: time.Since(start).Seconds(),
	}}
	if err != nil {
		out.result.Status, out.result.Reason = Failed, reason(err)
		return out
	}
	out.result.Digest = m.digest
	switch status {
	case Kept:
		out.result.Reason = fmt.Sprintf("%s came out the same", d.Node.Parent)
	case Cached:
		out.result.Reason = "another build made it"
	case Pulled:
		out.result.Reason = "the registry has it"
	}
	if m.note != "" && m.note != d.Note {
		out.result.Reason += ", " + m.note
	}
	return out
}

func reason(err error) string {
	if all := fault.All(err); len(all) > 0 {
		return all[0].Message
	}
	return err.Error()
}

func (r *run) get(ctx context.Context, d plan.Decision, m *made) (Status, error) {
	unlock, err := r.Store.LockNode(ctx, r.Project.Cluster.Name, m.node, func() { r.event(Event{Kind: NodeWaiting, Node: m.node}) })
	if err != nil {
		return Failed, err
	}
	defer unlock()
	if d.Unbounded != nil { // another process may have seen more meanwhile
		chain, _ := m.parent.stands()
		if d.Inputs, err = d.Unbounded.On(chain, r.Observations(ctx)); err != nil {
			return Failed, err
		}
		m.is(d.Inputs)
	}
	if !r.opts.NoCache {
		if status, err := r.there(ctx, d, m); status != "" || err != nil {
			return status, err
		}
	}
	parent, err := r.fetch(ctx, m.parent)
	if err != nil {
		return Failed, err
	}
	if m.note != "" {
		d.Reason += ", " + m.note
	}
	im, err := r.build(ctx, d, m, parent)
	if err != nil {
		return Failed, err
	}
	m.stored(im)
	return Built, nil
}

// there looks for a node whose key is known now. No status and no error say
// that it must be built.
func (r *run) there(ctx context.Context, d plan.Decision, m *made) (Status, error) {
	cluster := r.Project.Cluster.Name
	im, err := r.Store.Find(cluster, m.node, m.key)
	if err == nil {
		m.stored(im)
		status := Cached // another process built it meanwhile
		if d.Action == plan.Maybe {
			status = Kept
		}
		return status, r.Store.Retag(cluster, m.node, im)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Failed, err
	}
	if !r.asks() || d.Key != "" {
		return "", nil // the plan has asked
	}
	found, err := r.Exchange.Look(ctx, m.node, m.key)
	if errors.Is(err, registry.ErrNotThere) {
		return "", nil
	}
	if err != nil {
		if m.note = Unusable(err); m.note != "" {
			return "", nil
		}
		return Failed, err
	}
	m.remote(found)
	m.note = found.Why
	return Pulled, nil
}

// build builds a node on its parent's image, nil for a first layer. It notes the key
// that it turns out to have.
func (r *run) build(ctx context.Context, d plan.Decision, m *made, parent *store.Image) (*store.Image, error) {
	if d.Unbounded != nil { // what its programs do is seen now
		d.Inputs = d.Unbounded.Wide
	}
	inputs := d.Inputs
	if parent != nil {
		inputs = append(inputs[:len(inputs):len(inputs)], plan.ParentInput(d.Node.Parent, parent.Chain()))
	}
	about, err := json.Marshal(inputs)
	if err != nil {
		return nil, err
	}
	r.event(Event{Kind: NodeStarted, Node: d.Node.ID, Reason: d.Reason})
	chain, lineage := m.parent.stands()
	nb := &nodeBuild{Builder: r.Builder, node: d.Node, key: plan.KeyOf(chain, inputs), inputs: about, vaulted: vaulted(inputs),
		unbounded: d.Unbounded, lineage: lineage, used: d.Inputs}
	im, err := nb.run(ctx, parent, func() error { return r.unchanged(ctx, d) })
	m.key, m.lineage, m.addresses = nb.key, plan.Lineage(lineage, nb.used), nb.addresses
	return im, err
}

// vaulted are the files of variables among a node's inputs that are encrypted as a
// whole.
func vaulted(inputs []plan.Input) []step.Vaulted {
	var files []step.Vaulted
	for _, in := range inputs {
		if in.Vaulted {
			files = append(files, step.Vaulted{Name: in.Name, Undefined: in.Undefined})
		}
	}
	return files
}

// unchanged is a fault if what a node was built from has changed since its key
// was made: the key would then lie about the content.
func (r *run) unchanged(ctx context.Context, d plan.Decision) error {
	now, err := Think(ctx, func() ([]plan.Input, error) { return plan.Inputs(r.Project, d.Node, r.Inputs()) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil && plan.SameInputs(now, d.Inputs) {
		return nil
	}
	changed := fault.New(fault.Failed, "files of node %s changed while it was built", d.Node.ID).WithHint("build again")
	return errors.Join(changed, err)
}
