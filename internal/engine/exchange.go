package engine

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
	"github.com/strata-hpc/strata/internal/space"
	"github.com/strata-hpc/strata/internal/store"
	"github.com/strata-hpc/strata/internal/trust"
)

// Exchange is the registry through which machines share what they built: each
// node is there under its key.
type Exchange struct {
	Store   *store.Store
	Cluster string
	At      string // HOST[:PORT]/PATH
	Pull    Pull
	Options registry.Options
	// Trust decides whether what is there under a key is believed to be its node.
	Trust trust.Policy
	// Missed, if not nil, is called if the registry, or another place of what is
	// built, cannot be reached; what is looked for then counts as not there.
	// Otherwise that is an error.
	Missed func(error)

	pulling sync.Mutex // held by who pulls: one pull takes the whole line
	mu      sync.Mutex
	found   map[layer.Key]registry.Found // what was looked for and is there
	missed  bool
	bad     map[layer.Key]bool // what is there cannot be used
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

// Claims are what a node's image is to be: what its signature has to say.
func (x *Exchange) Claims(node layer.NodeID, key layer.Key) map[string]string {
	return map[string]string{"io.strata.cluster": strings.ToLower(x.Cluster), "io.strata.node": string(node), "io.strata.key": string(key)}
}

// options are those of a node for a key.
func (x *Exchange) options(node layer.NodeID, key layer.Key) registry.Options {
	opts := x.Options
	opts.Trust, opts.Claims = x.Trust, x.Claims(node, key)
	return opts
}

// Unusable says why nothing is taken of what a registry has for a key: it is
// broken, or nothing vouches for it. Otherwise it is "".
func Unusable(err error) string {
	var refused *trust.Refusal
	switch {
	case errors.As(err, &refused):
		return "the registry's is not believed: " + refused.Why
	case errors.Is(err, registry.ErrBroken):
		_, what, _ := strings.Cut(reason(err), ": ") // where it is stands before
		return "the registry's is broken: " + what
	}
	return ""
}

// Look asks whether a node is there for a key, once; registry.ErrNotThere says
// that it is not.
func (x *Exchange) Look(ctx context.Context, node layer.NodeID, key layer.Key) (registry.Found, error) {
	x.mu.Lock()
	found, ok := x.found[key]
	missed := x.missed || x.bad[key]
	x.mu.Unlock()
	if ok {
		return found, nil
	}
	if missed {
		return found, registry.ErrNotThere
	}
	if _, nobody := x.Trust.(trust.Nobody); nobody {
		return found, registry.ErrNotThere // that is said once, for all of them
	}
	found, err := registry.Look(ctx, x.Ref(node, key), x.options(node, key))
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
	return x.PushTo(ctx, x.Ref(node, key), key, im, registry.Options{Fixed: true, Claims: x.Claims(node, key)})
}

// PushTo sends an image with the record of a key to any place. Of the options,
// Fixed, Before and Claims count.
func (x *Exchange) PushTo(ctx context.Context, ref string, key layer.Key, im *store.Image, o registry.Options) (res *registry.Result, err error) {
	scratch, err := x.Store.Scratch(ctx, "push")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	opts := x.Options
	opts.Scratch, opts.Records, opts.Fixed, opts.Before = scratch.Dir, []string{store.RecordName(key)}, o.Fixed, o.Before
	opts.Trust, opts.Claims = x.Trust, o.Claims
	res, err = registry.Push(ctx, x.Store.Containers(), im.ID, ref, opts)
	return res, space.Explain(err, x.Store.Root())
}

// Fetch brings a node's image for a key into the store, with the node's names.
// What it stands on is expected to be there, as images of their own.
func (x *Exchange) Fetch(ctx context.Context, node layer.NodeID, key layer.Key) (*registry.Result, error) {
	opts := x.options(node, key)
	opts.Records, opts.Names = []string{store.RecordName(key)}, store.Names(x.Cluster, node, key)
	opts.Accept = func(records map[string][]byte) error { return recordIsOf(records, node, key) }
	res, err := x.fetch(ctx, x.Ref(node, key), opts)
	if err != nil {
		return res, err
	}
	return res, x.Store.SetSource(res.ID, key, store.Source{Ref: res.Ref, Manifest: res.Manifest, Why: res.Why})
}

// recordIsOf is an error if the records that came with an image are not those of a
// node for a key: a record may be put under any name.
func recordIsOf(records map[string][]byte, node layer.NodeID, key layer.Key) error {
	r, err := store.ParseRecord(records[store.RecordName(key)])
	if err == nil && (r.Node != node || r.Key != key) {
		err = errors.New("its record is of another node or key")
	}
	return err
}

// Forget has what the registry has for a key count as not there.
func (x *Exchange) Forget(key layer.Key) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.found, key)
	if x.bad == nil {
		x.bad = map[layer.Key]bool{}
	}
	x.bad[key] = true
}

// Vouched returns why an image that was pulled is believed to be a node's for a
// key; the error says why it is not.
func (x *Exchange) Vouched(ctx context.Context, pulled *registry.Result, node layer.NodeID, key layer.Key) (registry.Found, error) {
	found, err := registry.Look(ctx, pulled.Ref, x.options(node, key))
	switch {
	case err != nil:
		return found, err
	case found.Digest != pulled.Digest:
		return found, fault.New(fault.Failed, "%s changed while it was pulled", pulled.Ref).WithHint("pull it again")
	case !pulled.Signed(found):
		return found, &trust.Refusal{Why: "its record is not the one that was signed with it"}
	}
	return found, nil
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
	res, err = registry.Pull(ctx, ref, x.Store.Containers(), opts)
	return res, space.Explain(err, x.Store.Root())
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
		case err != nil && Unusable(err) != "":
			here.Note = Unusable(err)
			return here, nil
		case err != nil:
			return here, err
		}
		return plan.There{Where: plan.InRegistry, Chain: found.Chain, Note: found.Why}, nil
	}, nil
}
