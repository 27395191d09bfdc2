package main

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
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
	want, _, err := plan.Select(p.Project, []string{name})
	if err != nil {
		return nil, err
	}
	b, done, err := a.prepare(p)
	if err != nil {
		return nil, err
	}
	defer done()
	made, err := makePlan(ctx, b, want, false)
	if err != nil {
		return nil, err
	}
	results := []moved{}
	for _, d := range made.Nodes {
		m, err := pull(ctx, b, d)
		if err != nil {
			return nil, err
		}
		results = append(results, m)
		a.printMoved("received", m)
	}
	return results, nil
}

// pull fetches a node unless the store has it.
func pull(ctx context.Context, b *engine.Builder, d plan.Decision) (moved, error) {
	id, cluster := d.Node.ID, b.Project.Cluster.Name
	switch d.Where {
	case plan.InStore:
		im, err := b.Store.Find(cluster, id, d.Key)
		if err != nil {
			return moved{}, fmt.Errorf("find node %s: %w", id, err)
		}
		return moved{id, d.Key, &registry.Result{Ref: "in the store", ID: im.ID, Digest: im.Digest}}, b.Store.Retag(cluster, id, im)
	case plan.InRegistry:
		res, err := b.Exchange.Fetch(ctx, id, d.Key)
		return moved{id, d.Key, res}, err
	}
	why := ""
	if d.Note != "" {
		why = ": " + d.Note
	}
	return moved{}, fault.New(fault.Failed, "%s has no %s for its present key %s%s", b.Exchange.At, id, d.Key.Short(), why).
		WithHint("strata build --push %s", id)
}

// pullRef fetches any image. One that is a node's becomes that node.
func (a *app) pullRef(ctx context.Context, ref string) ([]moved, error) {
	st, done, err := a.use()
	if err != nil {
		return nil, err
	}
	defer done()
	x, err := a.exchange(st, a.anyProject(), ref)
	if err != nil {
		return nil, err
	}
	res, err := x.FetchFrom(ctx, ref)
	if err != nil {
		return nil, err
	}
	m := moved{Result: res}
	for _, content := range res.Records {
		r, err := store.ParseRecord(content)
		if err != nil {
			return nil, fmt.Errorf("pull from %s: %w", res.Ref, err)
		}
		if err := a.nameNode(ctx, x, &m, r); err != nil {
			return nil, err
		}
	}
	a.printMoved("received", m)
	return []moved{m}, nil
}

// nameNode makes an image that was pulled the one of the node that its record
// names, if that is believed: the next build will take it.
func (a *app) nameNode(ctx context.Context, x *engine.Exchange, m *moved, r store.Record) error {
	if x.Cluster == "" {
		x.Cluster = clusterOf(m.Ref)
	}
	if x.Cluster == "" {
		m.Node, m.Key = r.Node, r.Key
		return nil
	}
	found, err := x.Vouched(ctx, m.Result, r.Node, r.Key)
	if why := engine.Unusable(err); why != "" {
		a.note("%s is not taken as a build of node %s: %s", m.Ref, r.Node, why)
		return nil
	}
	if err != nil {
		return err
	}
	m.Node, m.Key = r.Node, r.Key
	if err := x.Store.Name(m.ID, x.Cluster, r.Node, r.Key); err != nil {
		return err
	}
	return x.Store.SetSource(m.ID, r.Key, store.Source{Ref: m.Ref, Manifest: m.Manifest, Why: found.Why})
}

// isRef says whether a word is a place of an image, and no node's name.
func isRef(word string) bool { return strings.ContainsAny(word, ":/") }

// anyProject is the project in this directory, or nil.
func (a *app) anyProject() *project {
	quiet := *a
	quiet.quiet = true
	p, err := quiet.load()
	if err != nil {
		return nil
	}
	return p
}

// clusterOf is the cluster that a node's place in a registry names:
// HOST/CLUSTER/NODE:TAG; "" if it names none.
func clusterOf(ref string) string {
	_, place, _ := strings.Cut(ref, "://")
	if dir := path.Dir(path.Dir(place)); dir == "." || dir == "/" {
		return ""
	}
	return path.Base(path.Dir(place))
}
