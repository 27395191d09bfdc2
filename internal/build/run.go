package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/store"
)

// Options of Run. The zero value builds one node at a time.
type Options struct {
	Jobs      int  // how many nodes are built at once
	KeepGoing bool // after a failure, still start nodes that do not depend on it
	NoCache   bool // build what the store has
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
}

// run is one run of a plan.
type run struct {
	*Builder
	plan    *plan.Plan
	opts    Options
	results map[layer.NodeID]NodeResult
	images  map[layer.NodeID]*store.Image
	errs    []error
}

// done is what a worker reports of a node.
type done struct {
	id     layer.NodeID
	image  *store.Image
	result NodeResult
	err    error
}

// Run carries out a plan: nodes in parallel, each when its parent is there,
// then the artifacts of images. A failure stops what depends on it; what runs
// meanwhile is finished. The result tells of everything, whatever the error.
func (b *Builder) Run(ctx context.Context, p *plan.Plan, images []layer.Image, opts Options) (*Result, error) {
	r := &run{Builder: b, plan: p, opts: opts, results: map[layer.NodeID]NodeResult{}, images: map[layer.NodeID]*store.Image{}}
	if err := r.keep(); err != nil {
		return nil, err
	}
	r.nodes(ctx)
	result := &Result{Nodes: []NodeResult{}, Images: []ImageResult{}}
	for _, d := range p.Nodes {
		if res, ok := r.results[d.Node.ID]; ok {
			result.Nodes = append(result.Nodes, res)
		}
	}
	for _, im := range images {
		if r.images[im.Node] == nil || ctx.Err() != nil || len(r.errs) > 0 && !opts.KeepGoing {
			continue
		}
		made, err := b.image(ctx, im, r.images[im.Node], r.origin(im.Node))
		if err != nil {
			r.errs = append(r.errs, err)
			continue
		}
		result.Images = append(result.Images, made)
	}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	return result, errors.Join(r.errs...)
}

// keep takes the nodes that the plan keeps from the store.
func (r *run) keep() error {
	for _, d := range r.plan.Nodes {
		if d.Action != plan.Keep {
			continue
		}
		im, err := r.Store.Find(r.Project.Cluster.Name, d.Node.ID, d.Key)
		if err != nil {
			return fmt.Errorf("find node %s: %w", d.Node.ID, err)
		}
		if err := r.Store.Retag(r.Project.Cluster.Name, d.Node.ID, im); err != nil {
			return err
		}
		r.images[d.Node.ID] = im
		r.end(NodeResult{ID: d.Node.ID, Key: d.Key, Digest: im.Digest, Status: Cached, Reason: d.Reason}, nil)
	}
	return nil
}

// nodes builds what the plan wants built.
func (r *run) nodes(ctx context.Context) {
	queue := plan.NewQueue(r.plan)
	finished := make(chan done)
	for {
		for ctx.Err() == nil && queue.Running() < max(r.opts.Jobs, 1) && (len(r.errs) == 0 || r.opts.KeepGoing) {
			d, ok := queue.Next()
			if !ok {
				break
			}
			parent := r.images[d.Node.Parent]
			go func() { finished <- r.node(ctx, d, parent) }()
		}
		if queue.Running() == 0 {
			break
		}
		r.collect(queue, <-finished)
	}
}

// collect notes what became of a node, and of those that depended on it.
func (r *run) collect(queue *plan.Queue, d done) {
	r.end(d.result, d.err)
	if d.err == nil {
		r.images[d.id] = d.image
		queue.Done(d.id)
		return
	}
	r.errs = append(r.errs, d.err)
	for _, id := range queue.Fail(d.id) {
		why := fmt.Sprintf("%s failed", d.id)
		if fault.KindOf(d.err) == fault.Interrupted {
			why = "stopped"
		}
		r.end(NodeResult{ID: id, Status: Failed, Reason: why}, nil)
	}
}

func (r *run) end(res NodeResult, err error) {
	r.results[res.ID] = res
	r.event(Event{Kind: NodeEnded, Node: res.ID, Status: res.Status, Reason: res.Reason, Err: err,
		Took: time.Duration(res.Seconds * float64(time.Second))})
}

// node gets one node: from the store if its key turns out to be there, else
// by building it.
func (r *run) node(ctx context.Context, d plan.Decision, parent *store.Image) done {
	start := time.Now()
	key := plan.KeyOf("", d.Inputs)
	inputs := d.Inputs
	if parent != nil {
		key = plan.KeyOf(parent.Chain(), d.Inputs)
		inputs = append(inputs[:len(inputs):len(inputs)], plan.ParentInput(d.Node.Parent, parent.Chain()))
	}
	im, status, err := r.get(ctx, d, key, parent, inputs)
	out := done{id: d.Node.ID, image: im, err: err, result: NodeResult{
		ID: d.Node.ID, Key: key, Status: status, Reason: d.Reason, Seconds: time.Since(start).Seconds(),
	}}
	if err != nil {
		out.result.Status, out.result.Reason = Failed, reason(err)
		return out
	}
	out.result.Digest = im.Digest
	switch status {
	case Kept:
		out.result.Reason = fmt.Sprintf("%s came out the same", d.Node.Parent)
	case Cached:
		out.result.Reason = "another build made it"
	}
	return out
}

func reason(err error) string {
	if all := fault.All(err); len(all) > 0 {
		return all[0].Message
	}
	return err.Error()
}

func (r *run) get(ctx context.Context, d plan.Decision, key layer.Key, parent *store.Image, inputs []plan.Input) (*store.Image, Status, error) {
	id, cluster := d.Node.ID, r.Project.Cluster.Name
	unlock, err := r.Store.LockNode(ctx, cluster, id, func() { r.event(Event{Kind: NodeWaiting, Node: id}) })
	if err != nil {
		return nil, Failed, err
	}
	defer unlock()
	if !r.opts.NoCache {
		switch im, err := r.Store.Find(cluster, id, key); {
		case err == nil && d.Action == plan.Maybe:
			return im, Kept, r.Store.Retag(cluster, id, im)
		case err == nil:
			return im, Cached, r.Store.Retag(cluster, id, im) // another process built it meanwhile
		case !errors.Is(err, store.ErrNotFound):
			return nil, Failed, err
		}
	}
	about, err := json.Marshal(inputs)
	if err != nil {
		return nil, Failed, err
	}
	r.event(Event{Kind: NodeStarted, Node: id, Reason: d.Reason})
	nb := &nodeBuild{Builder: r.Builder, node: d.Node, key: key, inputs: about}
	im, err := nb.run(ctx, parent, func() error { return r.unchanged(d) })
	return im, Built, err
}

// unchanged is a fault if what a node was built from has changed since its key
// was made: the key would then lie about the content.
func (r *run) unchanged(d plan.Decision) error {
	now, err := plan.Inputs(r.Project, d.Node, r.Inputs())
	if err == nil && plan.SameInputs(now, d.Inputs) {
		return nil
	}
	changed := fault.New(fault.Failed, "files of node %s changed while it was built", d.Node.ID).WithHint("build again")
	return errors.Join(changed, err)
}
