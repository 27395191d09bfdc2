package build

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
)

// Exchange is the registry through which machines share what they built: each
// node is there under its key.
type Exchange struct {
	Store   *store.Store
	Cluster string
	At      string // HOST[:PORT]/PATH
	Pull    Pull
	Options registry.Options
	// Missed, if not nil, is called once if the registry cannot be reached, and
	// what is looked for then counts as not there. Otherwise that is an error.
	Missed func(error)

	pulling sync.Mutex // held by who pulls: one pull takes the whole line
	mu      sync.Mutex
	found   map[layer.Key]registry.Found // what was looked for and is there
	missed  bool
}

// Pull says when the registry is asked for a node.
type Pull string

// When the registry is asked.
const (
	PullMissing Pull = "missing" // if the store has no node for a key
	PullAlways  Pull = "always"  // first: what it has goes before what the store has
	PullNever   Pull = "never"
)

// Ref is where a node is for a key. Registries want lower case.
func (x *Exchange) Ref(node layer.NodeID, key layer.Key) string {
	host, dir, _ := strings.Cut(x.At, "/")
	return "docker://" + path.Join(host, strings.ToLower(dir), strings.ToLower(string(node))) + ":" + store.KeyTag(key)
}

// Look asks whether a node is there for a key, once; registry.ErrNotThere says
// that it is not.
func (x *Exchange) Look(ctx context.Context, node layer.NodeID, key layer.Key) (registry.Found, error) {
	x.mu.Lock()
	found, ok := x.found[key]
	missed := x.missed
	x.mu.Unlock()
	if ok {
		return found, nil
	}
	if missed {
		return found, registry.ErrNotThere
	}
	found, err := registry.Look(ctx, x.Ref(node, key), x.Options)
	x.mu.Lock()
	defer x.mu.Unlock()
	if errors.Is(err, registry.ErrUnreachable) && x.Missed != nil {
		if !x.missed {
			x.missed = true
			x.Missed(err)
		}
		return found, registry.ErrNotThere
	}
	if err != nil {
		return found, withoutRegistry(err)
	}
	if x.found == nil {
		x.found = map[layer.Key]registry.Found{}
	}
	x.found[key] = found
	return found, nil
}

// withoutRegistry says how to go on if the registry cannot be asked.
func withoutRegistry(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.WithHint("%s; --pull=never does without the registry", f.Hint)
	}
	return err
}

// Push sends a node's image under its key. It is an error if other content is
// there: the two builds of the key did not come to the same.
func (x *Exchange) Push(ctx context.Context, node layer.NodeID, key layer.Key, im *store.Image) (*registry.Result, error) {
	return x.PushTo(ctx, x.Ref(node, key), key, im, registry.Options{Fixed: true})
}

// PushTo sends an image with the record of a key to any place. Of the options,
// Fixed and Before count.
func (x *Exchange) PushTo(ctx context.Context, ref string, key layer.Key, im *store.Image, o registry.Options) (res *registry.Result, err error) {
	scratch, err := x.Store.Scratch(ctx, "push")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	opts := x.Options
	opts.Scratch, opts.Records, opts.Fixed, opts.Before = scratch.Dir, []string{store.RecordName(key)}, o.Fixed, o.Before
	return registry.Push(ctx, x.Store.Containers(), im.ID, ref, opts)
}

// Fetch brings a node's image for a key into the store, with the node's names.
// What it stands on is expected to be there, as images of their own.
func (x *Exchange) Fetch(ctx context.Context, node layer.NodeID, key layer.Key) (*registry.Result, error) {
	opts := x.Options
	opts.Records, opts.Names = []string{store.RecordName(key)}, store.Names(x.Cluster, node, key)
	return x.fetch(ctx, x.Ref(node, key), opts)
}

// FetchFrom brings an image from any place into the store.
func (x *Exchange) FetchFrom(ctx context.Context, ref string) (*registry.Result, error) {
	return x.fetch(ctx, ref, x.Options)
}

func (x *Exchange) fetch(ctx context.Context, ref string, opts registry.Options) (res *registry.Result, err error) {
	x.pulling.Lock()
	defer x.pulling.Unlock()
	scratch, err := x.Store.Scratch(ctx, "pull")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	opts.Scratch, opts.Unpack = scratch.Dir, x.unpack
	return registry.Pull(ctx, ref, x.Store.Containers(), opts)
}

// unpack makes a layer of a pulled one's tar stream, in a sandbox.
func (x *Exchange) unpack(ctx context.Context, l registry.Incoming, stream io.Reader) error {
	in := store.Incoming{Parent: l.Parent, DiffID: l.DiffID, Blob: l.Blob, Stream: stream}
	_, err := x.Store.ReceiveLayer(ctx, in, func(st store.Staging, stream io.Reader) error {
		box, err := sandbox.Start(ctx, sandbox.Spec{Upper: st.Upper, Scratch: st.Scratch, Bare: true})
		if err != nil {
			return err
		}
		return errors.Join(box.UnpackLayer(ctx, stream, l.Parent == ""), box.Stop())
	})
	return err
}

// asks says whether the registry is asked for nodes.
func (b *Builder) asks() bool { return b.Exchange != nil && b.Exchange.Pull != PullNever }

// Have says which nodes are in the store or in the registry.
func (b *Builder) Have(ctx context.Context) (plan.Have, error) {
	chains, err := b.Store.Chains()
	if err != nil {
		return nil, err
	}
	return func(node layer.NodeID, key layer.Key) (plan.There, error) {
		here := plan.There{}
		if chain, ok := chains[key]; ok {
			here = plan.There{Where: plan.InStore, Chain: chain}
		}
		if !b.asks() || here.Where != plan.Nowhere && b.Exchange.Pull != PullAlways {
			return here, nil
		}
		found, err := b.Exchange.Look(ctx, node, key)
		switch {
		case errors.Is(err, registry.ErrNotThere), err == nil && found.Chain == here.Chain:
			return here, nil
		case err != nil:
			return here, err
		}
		return plan.There{Where: plan.InRegistry, Chain: found.Chain}, nil
	}, nil
}
