package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/store"
)

func newPullCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "pull NODE|REF", Short: "Fetch a built node, or any image, into the store",
		Long: "Pull fetches from the registry of the configuration what was built for a node as it is\n" +
			"configured now, with the nodes that it stands on: the next build finds them. A REF names any\n" +
			"image: HOST/PATH:TAG, or with a transport: docker://, oci:, oci-archive:, docker-archive:, dir:,\n" +
			"containers-storage:. Layers that the store has are not fetched.",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeNames,
		RunE:              func(cmd *cobra.Command, names []string) error { return runPull(cmd.Context(), a, names[0]) },
	}
}

func runPull(ctx context.Context, a *app, name string) error {
	pull := a.pullNode
	if isRef(name) {
		pull = a.pullRef
	}
	results, err := pull(ctx, name)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(results)
	}
	return nil
}

// pullNode fetches a node and what it stands on, parents first: a parent's
// content is part of its children's keys.
func (a *app) pullNode(ctx context.Context, name string) ([]moved, error) {
	p, err := a.load()
	if err != nil {
		return nil, err
	}
	if p.Registry == "" {
		return nil, noRegistry(a)
	}
	id, err := onlyNode(p, name)
	if err != nil {
		return nil, err
	}
	b, err := a.builder(p)
	if err != nil {
		return nil, err
	}
	defer b.Store.Close()
	x, done, err := a.exchange("pull")
	if err != nil {
		return nil, err
	}
	defer done()
	results := []moved{}
	for _, node := range withAncestors(p.Project, []layer.NodeID{id}) {
		made, err := makePlan(b, []layer.NodeID{node}, false)
		if err != nil {
			return nil, err
		}
		d, _ := made.Find(node)
		m, err := x.pull(ctx, p, d)
		if err != nil {
			return nil, err
		}
		results = append(results, m)
		a.printMoved("received", m)
	}
	return results, nil
}

// pull fetches a node for a key unless the store has it.
func (x *exchange) pull(ctx context.Context, p *project, d plan.Decision) (moved, error) {
	id, cluster := d.Node.ID, p.Cluster.Name
	im, err := x.store.Find(cluster, id, d.Key)
	if err == nil {
		return moved{id, d.Key, &registry.Result{Ref: "in the store", ID: im.ID, Digest: im.Digest}}, x.store.Retag(cluster, id, im)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return moved{}, err
	}
	opts := x.opts
	opts.Records, opts.Names = []string{store.RecordName(d.Key)}, store.Names(cluster, id, d.Key)
	res, err := registry.Pull(ctx, nodeRef(p.Registry, id, d.Key), x.store.Containers(), opts)
	if errors.Is(err, registry.ErrNotThere) {
		err = fault.New(fault.Failed, "%s has no %s for its present key %s: %w", p.Registry, id, d.Key.Short(), registry.ErrNotThere).
			WithHint("strata build %s, and strata push %s", id, id)
	}
	return moved{id, d.Key, res}, err
}

// pullRef fetches any image. One that is a node's becomes that node.
func (a *app) pullRef(ctx context.Context, ref string) ([]moved, error) {
	x, done, err := a.exchange("pull")
	if err != nil {
		return nil, err
	}
	defer done()
	res, err := registry.Pull(ctx, ref, x.store.Containers(), x.opts)
	if err != nil {
		return nil, err
	}
	m := moved{Result: res}
	for _, content := range res.Records {
		r, err := store.ParseRecord(content)
		if err != nil {
			return nil, fmt.Errorf("pull from %s: %w", res.Ref, err)
		}
		m.Node, m.Key = r.Node, r.Key
		if cluster := a.clusterOf(res.Ref); cluster != "" {
			if err := x.store.Name(res.ID, cluster, r.Node, r.Key); err != nil {
				return nil, err
			}
		}
	}
	a.printMoved("received", m)
	return []moved{m}, nil
}

// clusterOf is the project's cluster, or without a project the one that a
// node's place in a registry names: HOST/CLUSTER/NODE:TAG.
func (a *app) clusterOf(ref string) string {
	quiet := *a
	quiet.quiet = true
	if p, err := quiet.load(); err == nil {
		return p.Cluster.Name
	}
	_, place, _ := strings.Cut(ref, "://")
	if dir := path.Dir(path.Dir(place)); dir == "." || dir == "/" {
		return ""
	}
	return path.Base(path.Dir(place))
}
