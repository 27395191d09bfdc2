package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/build"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
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
		RunE:              func(cmd *cobra.Command, names []string) error { return runPush(cmd.Context(), a, names, to) },
	}
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
	x := a.exchange(st, p.Cluster.Name, p.Registry)
	results := []moved{}
	for _, id := range want {
		m, err := push(ctx, x, p, id, to)
		if err != nil {
			return err
		}
		results = append(results, m)
		a.printMoved("sent", m)
	}
	if a.json() {
		return a.printJSON(results)
	}
	return nil
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

// push sends what was built last for a node.
func push(ctx context.Context, x *build.Exchange, p *project, id layer.NodeID, to string) (moved, error) {
	_, im, err := findNode(x.Store, p, string(id))
	if err != nil {
		return moved{}, err
	}
	record, err := x.Store.LastRecord(im, p.Cluster.Name, id)
	if err != nil {
		return moved{}, fmt.Errorf("find the record of node %s: %w", id, err)
	}
	ref := to
	if to == "" {
		ref = x.Ref(id, record.Key)
	}
	res, err := x.PushTo(ctx, ref, record.Key, im, to == "")
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
		fmt.Fprintf(a.out, "%s is there: %s\n", name, m.Ref)
		return
	}
	fmt.Fprintf(a.out, "%s %s: %s, %s, %s\n", name, verb, count(m.Blobs, "blob"), size(m.Moved), m.Ref)
}
