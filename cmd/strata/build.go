package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/store"
)

type buildOptions struct {
	jobs      int
	dryRun    bool
	noCache   bool
	keepGoing bool
	report    string
	push      bool
	pull      pullFlag
}

func newBuildCommand(a *app) *cobra.Command {
	var opts buildOptions
	cmd := &cobra.Command{
		Use:   "build [NODE|IMAGE]...",
		Short: "Build nodes and images, and only what is not there yet",
		Long: "Build builds the named nodes and images, or all images, with everything they stand on.\n" +
			"What the store or the registry has is not built again: a node is built when something that\n" +
			"decides its content has changed. With --push, all of it is in the registry afterwards, and\n" +
			"what only the registry had is not fetched unless something is built or made of it. Where an\n" +
			"image has a node's name, node/NAME is the node.",
		ValidArgsFunction: a.completeNames,
		RunE:              func(cmd *cobra.Command, names []string) error { return runBuild(cmd, a, names, opts) },
	}
	flags := cmd.Flags()
	flags.IntVarP(&opts.jobs, "jobs", "j", runtime.NumCPU(), "how many nodes are built at once")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "say what would be built, and why")
	flags.BoolVar(&opts.noCache, "no-cache", false, "build even what the store or the registry has")
	flags.BoolVar(&opts.push, "push", false, "send every node to the registry when it is there")
	a.addSignFlag(cmd)
	flags.Var(&opts.pull, "pull", pullUsage)
	flags.BoolVarP(&opts.keepGoing, "keep-going", "k", false, "after a failure, build everything that does not depend on it")
	flags.StringVar(&opts.report, "report", "", "write a JUnit report to this `file`")
	return cmd
}

func runBuild(cmd *cobra.Command, a *app, names []string, opts buildOptions) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	a.noteModules(p.dir)
	want, images, err := plan.Select(p.Project, names)
	if err != nil {
		return err
	}
	if opts.push && p.Registry == "" {
		return noRegistry(a)
	}
	if !opts.dryRun {
		if err := a.fetchElsewhere(p); err != nil {
			return err
		}
	}
	b, err := a.builder(p)
	if err != nil {
		return err
	}
	defer b.Store.Close()
	if err := opts.pull.apply(a, b); err != nil {
		return err
	}
	if opts.push {
		b.Exchange.Missed = nil // it must be reached
		if b.Exchange.Options.Signer, err = a.signer(b.Exchange.Trust); err != nil {
			return err
		}
	}
	if !opts.dryRun {
		a.ending.cleans()
		done, err := b.Prepare(cmd.Context())
		if err != nil {
			return err
		}
		defer done()
	}
	src := b.Inputs()
	src.WithoutSecrets, src.Whole = opts.dryRun, !opts.dryRun
	traces, closeTraces := a.tracesHere(p, src)
	made, err := planWith(cmd.Context(), b, src, want, plan.Options{NoCache: opts.noCache, Traces: traces})
	closeTraces()
	if err != nil {
		return err
	}
	made.Repos = p.repos.pinned
	if err := knowBetter(made); err != nil {
		return err
	}
	if text := made.ReposText(); text != "" && !a.quiet && !a.json() {
		fmt.Fprint(a.out, text)
	}
	a.noteWarnings(made.Warnings)
	if opts.dryRun {
		return printPlan(a, made)
	}
	var v view
	if !a.json() {
		v = newView(a.out, a.viewOptions(made))
		b.Watch = v.Event
	}
	b.Commits = p.commits(cmd.Context())
	run := engine.Options{Jobs: opts.jobs, KeepGoing: opts.keepGoing, NoCache: opts.noCache, Push: opts.push}
	if !opts.push {
		run.Fetch = want
	}
	result, err := b.Run(cmd.Context(), made, images, run)
	if v != nil {
		v.Close()
	}
	if result == nil {
		return err
	}
	if opts.push && err == nil && len(names) == 0 {
		a.pushTraces()
	}
	if opts.report != "" {
		err = errors.Join(err, a.writeReport(opts.report, result.JUnit(err)))
	}
	if a.json() {
		return errors.Join(err, a.printJSON(result))
	}
	printResult(a, result)
	return err
}

func (a *app) viewOptions(p *plan.Plan) viewOptions {
	opts := viewOptions{Terminal: a.terminal(), Quiet: a.quiet, Verbose: a.verbose}
	opts.Color = opts.Terminal && os.Getenv("NO_COLOR") == ""
	if f, ok := a.document.(*os.File); ok && opts.Terminal {
		opts.Width = func() int { width, _, _ := term.GetSize(int(f.Fd())); return cmp.Or(width, 80) }
		opts.Height = func() int { _, height, _ := term.GetSize(int(f.Fd())); return cmp.Or(height, 24) }
	}
	for _, d := range p.Nodes {
		opts.Nodes = append(opts.Nodes, d.Node.ID)
	}
	if len(p.Nodes)-p.Count(plan.Keep) == 1 {
		opts.Sections = sectionsOf(os.Getenv)
	}
	return opts
}

// makePlan compares what is wanted with what the store and the registry have.
func makePlan(ctx context.Context, b *engine.Builder, want []layer.NodeID, noCache bool) (*plan.Plan, error) {
	return planWith(ctx, b, b.Inputs(), want, plan.Options{NoCache: noCache})
}

// planWith does that with inputs that are read from a source.
func planWith(ctx context.Context, b *engine.Builder, src *plan.Source, want []layer.NodeID, o plan.Options) (*plan.Plan, error) {
	have, err := b.Have(ctx)
	if err != nil {
		return nil, err
	}
	records := records{b.Store, b.Project.Cluster.Name, map[layer.NodeID]*store.Record{}}
	o.Last, o.Seconds, o.Observed = records.inputs, records.seconds, b.Observations(ctx)
	return engine.Think(ctx, func() (*plan.Plan, error) {
		return plan.Make(b.Project, want, src, have, o)
	})
}

// records looks up how nodes were built last, each once.
type records struct {
	store   *store.Store
	cluster string
	known   map[layer.NodeID]*store.Record
}

func (r records) of(id layer.NodeID) *store.Record {
	if rec, ok := r.known[id]; ok {
		return rec
	}
	r.known[id] = nil
	im, err := r.store.Latest(r.cluster, id)
	if err != nil {
		return nil
	}
	rec, err := r.store.LastRecord(im, r.cluster, id)
	if err != nil {
		return nil
	}
	r.known[id] = &rec
	return &rec
}

func (r records) inputs(id layer.NodeID) []plan.Input {
	rec := r.of(id)
	var inputs []plan.Input
	if rec == nil || json.Unmarshal(rec.Inputs, &inputs) != nil {
		return nil
	}
	return inputs
}

func (r records) seconds(id layer.NodeID) float64 {
	if rec := r.of(id); rec != nil {
		return rec.Seconds
	}
	return 0
}

func printPlan(a *app, p *plan.Plan) error {
	if a.json() {
		type planned struct {
			ID     layer.NodeID `json:"id"`
			Parent layer.NodeID `json:"parent,omitempty"`
			Action plan.Action  `json:"action"`
			Key    layer.Key    `json:"key,omitempty"`
			Reason string       `json:"reason"`
		}
		nodes := []planned{}
		for _, d := range p.Nodes {
			nodes = append(nodes, planned{d.Node.ID, d.Node.Parent, d.Action, d.Key, d.Reason})
		}
		return a.printJSON(map[string]any{"nodes": nodes})
	}
	_, err := fmt.Fprint(a.out, p.Text())
	return err
}

// printResult prints the images with their artifacts.
func printResult(a *app, r *engine.Result) {
	if a.quiet {
		return
	}
	for _, im := range r.Images {
		fmt.Fprintf(a.out, "image %s  %s\n", im.Name, im.Digest)
		types := make([]string, 0, len(im.Artifacts))
		for t := range im.Artifacts {
			types = append(types, t)
		}
		slices.Sort(types)
		for _, t := range types {
			st, err := os.Stat(im.Artifacts[t])
			if err != nil {
				continue
			}
			length := ""
			if !st.IsDir() {
				length = size(st.Size())
			}
			fmt.Fprintf(a.out, "  %-9s %9s  %s\n", t, length, im.Artifacts[t])
		}
	}
}

// completeNames offers the project's nodes and images to a shell.
func (a *app) completeNames(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	p, err := a.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, n := range p.Nodes {
		names = append(names, string(n.ID))
	}
	for _, im := range p.Images {
		names = append(names, im.Name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) })
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
