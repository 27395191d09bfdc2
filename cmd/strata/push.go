package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/registry"
)

func newPushCommand(a *app) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "push [NODE|IMAGE]...", Short: "Send built nodes to a registry",
		Long: "Push sends the named nodes and images, or all images, with the nodes that they stand on, to the\n" +
			"registry of the configuration, each under its key: there a build elsewhere finds them. Nothing\n" +
			"that the registry has is sent again. With --to, one node goes to another place: a registry\n" +
			"(HOST/PATH:TAG), oci:DIR:TAG, oci-archive:FILE, docker-archive:FILE or dir:DIR.",
		Example:           "  strata push compute\n  strata push compute --to registry.example/os/compute:2026-11",
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			return runPush(cmd.Context(), a, names, to)
		},
	}
	a.addSignFlag(cmd)
	cmd.Flags().StringVar(&to, "to", "", "send one node to this `place` instead")
	return cmd
}

func runPush(ctx context.Context, a *app, names []string, to string) error {
	if to != "" && len(names) != 1 {
		return fault.New(fault.Input, "--to is a place for one node or image").WithHint("name exactly one")
	}
	p, err := a.load()
	if err != nil {
		return err
	}
	if to == "" && p.Registry == "" {
		return noRegistry(a)
	}
	want, _, err := plan.Select(p.Project, names)
	if err != nil {
		return err
	}
	if to == "" {
		want = withAncestors(p.Project, want)
	}
	st, done, err := a.use()
	if err != nil {
		return err
	}
	defer done()
	x, err := a.exchange(st, p, cmp.Or(to, p.Registry))
	if err != nil {
		return err
	}
	if x.Options.Signer, err = a.signer(x.Trust); err != nil {
		return err
	}
	results, err := a.pushAll(ctx, x, p, want, to)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(results)
	}
	return nil
}

// pushing is how many nodes are asked for, or sent, at once.
const pushing = 4

// pushAll pushes nodes, parents first. What is there is asked for at once; a
// node is sent when its parent is there, so that what they share is sent once.
func (a *app) pushAll(ctx context.Context, x *engine.Exchange, p *project, ids []layer.NodeID, to string) ([]moved, error) {
	results := make([]moved, len(ids))
	there := map[layer.NodeID]chan struct{}{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(pushing) // a parent has its place before its children
	var printing sync.Mutex
	for i, id := range ids {
		n, _ := p.Node(id)
		parent, done := there[n.Parent], make(chan struct{})
		there[id] = done
		group.Go(func() (err error) {
			wait := func() error {
				if parent == nil {
					return nil
				}
				select {
				case <-parent:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if results[i], err = push(ctx, x, p, id, pushOptions{to, wait}); err != nil {
				return err
			}
			close(done)
			printing.Lock()
			defer printing.Unlock()
			a.printMoved("sent", results[i])
			return nil
		})
	}
	return results, group.Wait()
}

// withAncestors adds the nodes that some stand on, parents first.
func withAncestors(p *layer.Project, ids []layer.NodeID) []layer.NodeID {
	need := map[layer.NodeID]bool{}
	for _, id := range ids {
		for id != "" && !need[id] {
			need[id] = true
			n, _ := p.Node(id)
			id = n.Parent
		}
	}
	var all []layer.NodeID
	for _, n := range p.Nodes {
		if need[n.ID] {
			all = append(all, n.ID)
		}
	}
	return all
}

// moved is a node that was pushed or pulled.
type moved struct {
	Node layer.NodeID `json:"node,omitempty"`
	Key  layer.Key    `json:"key,omitempty"`
	*registry.Result
}

// pushOptions say where a node goes.
type pushOptions struct {
	to     string       // "" for the registry of the configuration
	before func() error // called before anything is sent
}

// push sends what was built last for a node, unless it is there.
func push(ctx context.Context, x *engine.Exchange, p *project, id layer.NodeID, o pushOptions) (moved, error) {
	_, im, err := findNode(x.Store, p, string(id))
	if err != nil {
		return moved{}, err
	}
	record, err := x.Store.LastRecord(im, p.Cluster.Name, id)
	if err != nil {
		return moved{}, fmt.Errorf("find the record of node %s: %w", id, err)
	}
	ref := o.to
	if o.to == "" {
		ref = x.Ref(id, record.Key)
	}
	res, err := x.PushTo(ctx, ref, record.Key, im, registry.Options{Fixed: o.to == "", Before: o.before, Claims: x.Claims(id, record.Key)})
	return moved{id, record.Key, res}, err
}

func (a *app) printMoved(verb string, m moved) {
	if a.json() || a.quiet {
		return
	}
	name := string(m.Node)
	if name == "" {
		name = m.ID[:min(12, len(m.ID))]
	}
	if m.Blobs == 0 {
		fmt.Fprintf(a.out, "%s is there: %s\n", name, printable.Line(m.Ref))
		return
	}
	fmt.Fprintf(a.out, "%s %s: %s, %s, %s\n", name, verb, count(m.Blobs, "blob"), size(m.Moved), printable.Line(m.Ref))
}
