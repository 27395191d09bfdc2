package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/store"
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
	x, done, err := a.exchange("push")
	if err != nil {
		return err
	}
	defer done()
	results := []moved{}
	for _, id := range want {
		m, err := x.push(ctx, p, id, to)
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

func noRegistry(a *app) error {
	return fault.New(fault.Input, "%s names no registry", a.file).
		WithHint("add 'registry: HOST[:PORT]/PATH' to it, or name a place; 'strata registry serve' is a registry for one machine")
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

// nodeRef is where a registry has a node's content for a key. Registries want
// lower case.
func nodeRef(at string, node layer.NodeID, key layer.Key) string {
	host, path, _ := strings.Cut(at, "/")
	return "docker://" + filepath.ToSlash(filepath.Join(host, strings.ToLower(path), strings.ToLower(string(node)))) + ":" + store.KeyTag(key)
}

// exchange is a store with what moving images takes.
type exchange struct {
	store *store.Store
	opts  registry.Options
}

// exchange opens the store for moving images, and keeps gc away until done.
func (a *app) exchange(purpose string) (x *exchange, done func(), err error) {
	st, err := a.open()
	if err != nil {
		return nil, nil, err
	}
	release, err := st.Use()
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	scratch, err := st.Scratch(purpose)
	if err != nil {
		release()
		st.Close()
		return nil, nil, err
	}
	done = func() { scratch.Close(); release(); st.Close() }
	opts := registry.Options{Scratch: scratch.Dir, AuthFile: os.Getenv("REGISTRY_AUTH_FILE")} // as Podman does
	if dir, err := cacheDir(); err == nil {
		opts.Known = filepath.Join(dir, "blobs")
	}
	if a.verbose && !a.json() {
		opts.Progress = a.printEvent
	}
	return &exchange{st, opts}, done, nil
}

func (a *app) printEvent(e registry.Event) {
	switch e.Kind {
	case registry.Retrying:
		fmt.Fprintln(a.err, "strata: note: the registry does not answer as it should; trying again")
	case registry.Present:
		fmt.Fprintf(a.err, "blob %s is there\n", e.Blob.Short())
	default:
		fmt.Fprintf(a.err, "blob %s %s (%s)\n", e.Blob.Short(), e.Kind, size(e.Size))
	}
}

// moved is a node that was pushed or pulled.
type moved struct {
	Node layer.NodeID `json:"node,omitempty"`
	Key  layer.Key    `json:"key,omitempty"`
	*registry.Result
}

// push sends what was built last for a node.
func (x *exchange) push(ctx context.Context, p *project, id layer.NodeID, to string) (moved, error) {
	_, im, err := findNode(x.store, p, string(id))
	if err != nil {
		return moved{}, err
	}
	record, err := x.store.LastRecord(im, p.Cluster.Name, id)
	if err != nil {
		return moved{}, fmt.Errorf("find the record of node %s: %w", id, err)
	}
	opts := x.opts
	opts.Records = []string{store.RecordName(record.Key)}
	if to == "" {
		to, opts.Fixed = nodeRef(p.Registry, id, record.Key), true
	}
	res, err := registry.Push(ctx, x.store.Containers(), im.ID, to, opts)
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

// isRef says whether a word is a place of an image, and no node's name.
func isRef(word string) bool { return strings.ContainsAny(word, ":/") }

// onlyNode returns the node that one name means.
func onlyNode(p *project, name string) (layer.NodeID, error) {
	want, _, err := plan.Select(p.Project, []string{name})
	if err != nil {
		return "", err
	}
	return want[0], nil
}
