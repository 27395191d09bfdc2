package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/store"
)

// made is a node that is there: in the store, or so far only in the registry.
type made struct {
	node   layer.NodeID
	key    layer.Key
	chain  layer.Digest
	digest layer.Digest  // of its manifest
	parent *made         // nil for a first layer
	pushed chan struct{} // closed once it is in the registry, or cannot be
	failed bool          // whether it cannot; to be read once pushed is closed
	note   string        // what is to be said of what the registry has

	lineage   layer.Key   // see plan.Lineage
	addresses []layer.Key // where what its local programs were seen to do is found

	mu    sync.Mutex
	image *store.Image // nil as long as the store does not have it
}

// stored sets what is known of a node that the store has.
func (m *made) stored(im *store.Image) { m.chain, m.digest, m.image = im.Chain(), im.Digest, im }

// remote sets what is known of a node that the registry has.
func (m *made) remote(found registry.Found) {
	m.chain, m.digest = found.Chain, found.Digest
	close(m.pushed)
}

// stands is what a node stands on of which this is, nil of a first layer: the digest of
// its whole tree, and its lineage.
func (m *made) stands() (layer.Digest, layer.Key) {
	if m == nil {
		return "", ""
	}
	return m.chain, m.lineage
}

// is sets what a node with these inputs is known by.
func (m *made) is(inputs []plan.Input) {
	chain, lineage := m.parent.stands()
	m.key, m.lineage = plan.KeyOf(chain, inputs), plan.Lineage(lineage, inputs)
}

// seenAt notes where it is found what local programs of a node in the store were seen
// to do.
func (m *made) seenAt(d plan.Decision, st *store.Store, cluster string) {
	if d.Unbounded == nil {
		return
	}
	chain, lineage := m.parent.stands()
	for _, at := range []layer.Key{d.Unbounded.Address(chain), d.Unbounded.AddressOf(lineage)} {
		if at == "" {
			continue
		}
		one, err := st.Find(cluster, d.Node.ID, at)
		if err != nil {
			continue
		}
		if same, err := st.Find(cluster, d.Node.ID, m.key); err == nil && one.ID == same.ID {
			m.addresses = append(m.addresses, at)
		}
	}
}

// fetch returns a node's image in the store, and pulls it if it is not there,
// what it stands on first.
func (r *run) fetch(ctx context.Context, m *made) (*store.Image, error) {
	if m == nil {
		return nil, nil // the parent of a first layer
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.image != nil {
		return m.image, nil
	}
	if _, err := r.fetch(ctx, m.parent); err != nil {
		return nil, err
	}
	cluster := r.Project.Cluster.Name
	unlock, err := r.Store.LockNode(ctx, cluster, m.node, nil)
	if err != nil {
		return nil, err
	}
	defer unlock()
	im, err := r.find(m)
	if errors.Is(err, store.ErrNotFound) {
		if err = r.pull(ctx, m); err == nil {
			im, err = r.find(m)
		} else if Unusable(err) != "" {
			im, err = r.instead(ctx, m, Unusable(err))
		}
	}
	if err != nil {
		return nil, err
	}
	m.image = im
	return im, r.Store.Retag(cluster, m.node, im)
}

// instead builds a node whose image in the registry turned out to be of no use
// when it was fetched. The caller holds the node's lock, and what it stands on is
// there.
func (r *run) instead(ctx context.Context, m *made, why string) (*store.Image, error) {
	r.Exchange.Forget(m.key)
	d, ok := r.plan.Find(m.node)
	if !ok {
		return nil, fmt.Errorf("find node %s in the plan", m.node)
	}
	var parent *store.Image
	if m.parent != nil {
		parent = m.parent.image
	}
	start := time.Now()
	d.Reason = why
	im, err := r.build(ctx, d, m, parent)
	if err != nil {
		return nil, err
	}
	if im.Chain() != m.chain {
		// The keys of what stands on it were made of what the registry said.
		return nil, fault.New(fault.Failed, "node %s came out other than the registry said: %s", m.node, why).
			WithHint("build again with --pull=never, and remove the tag %s from the registry", r.Exchange.Ref(m.node, m.key))
	}
	r.end(NodeResult{ID: m.node, Key: m.key, Digest: im.Digest, Status: Built, Reason: why, Seconds: time.Since(start).Seconds()}, nil)
	if r.opts.Push { // what is wrong there is put right; who stands on it may have been told already that it is there
		r.pushes.Go(func() { r.send(ctx, m, im) })
	}
	return im, nil
}

// find returns the node's image if the store has the one that is meant.
func (r *run) find(m *made) (*store.Image, error) {
	im, err := r.Store.Find(r.Project.Cluster.Name, m.node, m.key)
	if err == nil && im.Chain() != m.chain {
		return nil, store.ErrNotFound
	}
	return im, err
}

// pull brings a node from the registry.
func (r *run) pull(ctx context.Context, m *made) error {
	start := time.Now()
	r.event(Event{Kind: MoveStarted, Node: m.node, Title: "pulling it"})
	res, err := r.Exchange.Fetch(ctx, m.node, m.key)
	r.moved(m.node, string(Pulled), res, Event{Err: err, Took: time.Since(start)})
	if err == nil {
		r.count(m.node, func(n *NodeResult) { n.Received = res.Moved })
	}
	return err
}

// push sends a node to the registry once its parent is there.
func (r *run) push(ctx context.Context, m *made, from Status) {
	if !r.opts.Push || from == Pulled {
		return
	}
	r.pushes.Go(func() {
		defer close(m.pushed)
		if m.parent != nil {
			<-m.parent.pushed
		}
		if m.failed = m.parent != nil && m.parent.failed || ctx.Err() != nil; m.failed {
			return
		}
		m.failed = !r.send(ctx, m, m.image)
	})
}

// send sends a node's image to the registry, and says whether it is there now.
func (r *run) send(ctx context.Context, m *made, im *store.Image) bool {
	r.line <- struct{}{}
	defer func() { <-r.line }()
	start := time.Now()
	r.event(Event{Kind: MoveStarted, Node: m.node, Title: "pushing it"})
	res, err := r.Exchange.Push(ctx, m.node, m.key, im)
	for _, at := range m.addresses {
		if err == nil {
			_, err = r.Exchange.PushTo(ctx, r.Exchange.Ref(m.node, at), at, im, registry.Options{Claims: r.Exchange.Claims(m.node, at)})
		}
	}
	r.moved(m.node, Pushed, res, Event{Err: err, Took: time.Since(start)})
	if err != nil {
		r.fail(err)
		return false
	}
	r.count(m.node, func(n *NodeResult) { n.Sent = res.Moved })
	return true
}

// Pushed is the title of the end of a push; that of a pull is like the status.
const Pushed = "pushed"

// moved tells how a push or a pull ended.
func (r *run) moved(id layer.NodeID, verb string, res *registry.Result, e Event) {
	e.Kind, e.Node, e.Title = MoveEnded, id, verb
	if res != nil {
		e.Blobs, e.Size = res.Blobs, res.Moved
	}
	r.event(e)
}
