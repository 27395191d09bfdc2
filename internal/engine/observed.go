package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/store"
)

// What a build saw local programs of a node do is in the record of its image. The
// record is found under the keys of plan.Unbounded, too, at which the newest build of
// all that they stand for is.

// Observations finds what was seen in the store, or else in the registry.
func (b *Builder) Observations(ctx context.Context) plan.Observations {
	return Observations(ctx, b.Store, b.Project.Cluster.Name, b.Exchange)
}

// Observations does that with either of them nil.
func Observations(ctx context.Context, st *store.Store, cluster string, x *Exchange) plan.Observations {
	return func(node layer.NodeID, at layer.Key) (*layer.Observed, error) {
		if st != nil {
			im, err := st.Find(cluster, node, at)
			if err == nil {
				var record store.Record
				if record, err = st.Record(im, at); err == nil && record.Observed != nil {
					return record.Observed, nil
				}
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
		}
		if x == nil || x.Pull == PullNever {
			return nil, nil
		}
		return x.Observed(ctx, node, at)
	}
}

// Observed is what the registry knows of what local programs of a node were seen to do;
// nil if it knows nothing, or nothing that is believed.
func (x *Exchange) Observed(ctx context.Context, node layer.NodeID, at layer.Key) (*layer.Observed, error) {
	_, err := x.Look(ctx, node, at)
	if errors.Is(err, registry.ErrNotThere) || err != nil && Unusable(err) != "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	opts := x.options(node, at)
	opts.Records = []string{store.RecordName(at)}
	res, err := registry.Records(ctx, x.Ref(node, at), opts)
	if err == nil {
		_, err = x.Vouched(ctx, res, node, at)
	}
	if err == nil {
		err = recordIsOf(res.Records, node, at)
	}
	if err != nil {
		return nil, nil //nolint:nilerr // what cannot be had or believed is not known
	}
	record, err := store.ParseRecord(res.Records[store.RecordName(at)])
	if err != nil {
		return nil, err
	}
	return record.Observed, nil
}

// settle says under which key a node is kept that was built, and where what was seen
// is found. It is none but the node's own if nothing was seen that bounds it.
func (nb *nodeBuild) settle(parent *store.Image) error {
	u, o := nb.unbounded, nb.observed
	if u == nil || o == nil {
		return nil
	}
	if o.Unknown != "" {
		fmt.Fprintf(nb.log, "what programs on this machine read is not known, so any file of the project counts: %s\n", o.Unknown)
		return nil
	}
	inputs, err := u.Under(*o)
	if err != nil {
		return err
	}
	o.Inputs = plan.DigestOf(inputs)
	chain := layer.Digest("")
	if parent != nil {
		chain = parent.Chain()
	}
	nb.key, nb.used = plan.KeyOf(chain, inputs), inputs
	if parent != nil {
		inputs = append(inputs[:len(inputs):len(inputs)], plan.ParentInput(nb.node.Parent, chain))
	}
	if nb.inputs, err = json.Marshal(inputs); err != nil {
		return err
	}
	for _, at := range []layer.Key{u.Address(chain), u.AddressOf(nb.lineage)} {
		if at != "" {
			nb.addresses = append(nb.addresses, at)
		}
	}
	return nil
}
