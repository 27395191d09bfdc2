package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/draw"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
)

type planOptions struct {
	base, head string
	exitCode   bool
	whole      bool // with all that a page shows
	fresh      bool
	pushTraces bool
	wide       bool // say what could not be followed, instead
	pull       pullFlag
}

func newPlanCommand(a *app) *cobra.Command {
	var opts planOptions
	cmd := &cobra.Command{
		Use:   "plan [NODE|IMAGE]...",
		Short: "Say what a change rebuilds, and why",
		Long: "Plan says for each node whether it is built, maybe built (only its parent is, and may come\n" +
			"out as before) or kept, with every reason: the variable, the file, the line. It compares the\n" +
			"files on disk with what the store and the registry have; with --base, with another commit,\n" +
			"which needs neither store nor registry nor checkout.",
		Example:           "  strata plan\n  strata plan --base origin/main\n  strata plan --base HEAD~1 --head HEAD --output html > plan.html",
		Annotations:       map[string]string{outputs: drawn},
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := noneEmpty(cmd, "base", "head"); err != nil {
				return err
			}
			return runPlan(a, names, opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.base, "base", "", "compare with this `commit`, or with those that an image was built of: image:NAME")
	flags.StringVar(&opts.head, "head", "", "plan this `commit` instead of the files on disk; needs --base")
	flags.Var(&opts.pull, "pull", pullUsage)
	flags.BoolVar(&opts.fresh, "fresh", false, "follow every playbook at both commits, and use no traces of earlier plans")
	flags.BoolVar(&opts.wide, "explain-wide", false, "say what cannot be followed, what it costs, and how to narrow it, instead of the plan")
	flags.BoolVar(&opts.pushTraces, "push-traces", false, "send the traces of this plan to the registry, for plans elsewhere; needs --base")
	a.addSignFlag(cmd)
	flags.BoolVar(&opts.exitCode, "exit-code", false, "exit with status 3 if anything is to be built")
	return cmd
}

// noneEmpty refuses flags that name nothing: a variable of a pipeline that is not
// set would otherwise change what is compared.
func noneEmpty(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return fault.New(fault.Input, "--%s names no commit: it is empty", name).WithHint("leave the flag out, or look why what it was to be is not set")
		}
	}
	return nil
}

func runPlan(a *app, names []string, opts planOptions) error {
	made, project, err := a.makePlan(names, opts)
	if err != nil {
		return err
	}
	if opts.wide {
		return a.explainWide(made)
	}
	if err := a.printPlan(made, project); err != nil {
		return err
	}
	if opts.exitCode && made.Count(plan.Keep) < len(made.Nodes) {
		return exited(3)
	}
	return nil
}

// makePlan compares with a commit, or with what the store has.
func (a *app) makePlan(names []string, opts planOptions) (*plan.Plan, *layer.Project, error) {
	if opts.base == "" && opts.head != "" {
		return nil, nil, fault.New(fault.Input, "--head needs --base").WithHint("to see a commit beside the one before it: --base %s~1 --head %[1]s", opts.head)
	}
	if opts.base == "" && opts.pushTraces {
		return nil, nil, fault.New(fault.Input, "--push-traces needs --base").WithHint("traces are of commits: --base HEAD~1 --head HEAD")
	}
	if opts.head == "" {
		a.noteModules(filepath.Dir(a.path(a.file)))
	}
	if opts.base != "" {
		h, err := a.openHistory()
		if err != nil {
			return nil, nil, err
		}
		h.whole, h.fresh, h.alone, h.push = opts.whole, opts.fresh, opts.pull.never(), opts.pushTraces
		made, now, err := h.compare(opts.base, opts.head, names)
		return made, now.Project, err
	}
	p, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	want, _, err := plan.Select(p.Project, names)
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		want = everyNode(p.Project)
	}
	b, err := a.builder(p)
	if err != nil {
		return nil, nil, err
	}
	defer b.Store.Close()
	if err := opts.pull.apply(a, b); err != nil {
		return nil, nil, err
	}
	if opts.pull.never() {
		p.Registry = "" // it is not compared with
	}
	src := b.Inputs()
	src.WithoutSecrets = true
	var o plan.Options
	if !opts.fresh && !opts.whole {
		traces, closeTraces := a.tracesHere(p, src)
		defer closeTraces()
		o.Traces = traces
	}
	made, err := planWith(a.ctx, b, src, want, o)
	if err != nil {
		return nil, nil, err
	}
	made.Repos = p.repos.pinned
	return made, p.Project, nil
}

func everyNode(p *layer.Project) []layer.NodeID {
	ids := make([]layer.NodeID, len(p.Nodes))
	for i, n := range p.Nodes {
		ids[i] = n.ID
	}
	return ids
}

// printPlan prints a plan in the form that --output names.
func (a *app) printPlan(p *plan.Plan, project *layer.Project) error {
	switch a.output {
	case "json":
		return a.printJSON(planJSON(p))
	case "text":
		if a.quiet {
			return nil
		}
		return a.printPlanText(p, project)
	}
	return a.draw(draw.Of(p, project.Images))
}

func (a *app) printPlanText(p *plan.Plan, project *layer.Project) error {
	there := "what the store has"
	if project.Registry != "" {
		there = "what the store and the registry have"
	}
	details := p.Details(plan.DetailOptions{All: a.verbose})
	fmt.Fprintf(a.out, "%s, compared with %s\n%s%s\n%s%s\n%s\n",
		commitOr(p.Head, "the files on disk"), commitOr(p.Base, there), p.SinceText(), p.ReposText(), p.Text(), details, p.Summary())
	a.printNames("Secrets that cannot be read here, and count as unchanged:", p.Unset)
	a.printNames("Links that lead in a circle, and are not followed:", p.Circles)
	a.printNames("Warnings:", lines(p.Warnings))
	a.printNames("No longer there:", p.Removed)
	a.printNames("Images that are new or made in another way:", p.Images)
	a.printNames("Images with other tests:", p.Tests)
	a.printNames("Changed files that decide nothing of this:", p.Unused)
	return nil
}

// noteWarnings says warnings beside what a command prints.
func (a *app) noteWarnings(warnings []plan.Warning) {
	const most = 20
	if a.quiet {
		return
	}
	for i, w := range warnings {
		if left := len(warnings) - i; i >= most && left > 1 {
			a.note("and %d more warnings: strata plan -v lists all", left)
			return
		}
		a.note("%s", w)
	}
}

// lines are warnings as people read them.
func lines(warnings []plan.Warning) []string {
	all := make([]string, len(warnings))
	for i, w := range warnings {
		all[i] = w.String()
	}
	return all
}

// printNames prints a list with its heading; all of a long one only if asked to.
func (a *app) printNames(heading string, names []string) {
	const most = 20
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(a.out, "\n%s\n", heading)
	for i, name := range names {
		if left := len(names) - i; i >= most && left > 1 && !a.verbose {
			fmt.Fprintf(a.out, "  … and %d more (-v lists all)\n", left)
			break
		}
		fmt.Fprintf(a.out, "  %s\n", printable.Line(name))
	}
}

// commitOr is the short name of a commit, or what stands for none.
func commitOr(id, none string) string {
	if id == "" {
		return none
	}
	return git.Commit{ID: id}.Short()
}

// planned is a node in the JSON of a plan.
type planned struct {
	ID      layer.NodeID  `json:"id"`
	Layer   string        `json:"layer"`
	Variant string        `json:"variant"`
	Parent  layer.NodeID  `json:"parent"`
	Action  plan.Action   `json:"action"`
	Key     layer.Key     `json:"key"`      // "" where it depends on what a parent comes to
	BaseKey layer.Key     `json:"base_key"` // the same
	Reasons []plan.Reason `json:"reasons"`
}

type planDocument struct {
	Base   string      `json:"base"`
	Head   string      `json:"head"`
	Since  *plan.Since `json:"since,omitempty"`
	Nodes  []planned   `json:"nodes"`
	Unused []string    `json:"unused"`

	Removed []string `json:"removed,omitempty"` // nodes, and images as "image NAME"
	Images  []string `json:"images,omitempty"`  // that are new, or made in another way
	Tests   []string `json:"tests,omitempty"`   // images of which only the tests are others
	Unset   []string `json:"unset,omitempty"`   // secrets that could not be read
	Circles []string `json:"circles,omitempty"` // links to directories that they are in

	Widenings []plan.Widening `json:"widenings,omitempty"` // what could not be followed
	Warnings  []plan.Warning  `json:"warnings,omitempty"`  // what is no mistake, and should be known
	Repos     []plan.Repo     `json:"repos,omitempty"`
	Pins      []string        `json:"pins,omitempty"` // for --pin: what refs of repositories named
}

func planJSON(p *plan.Plan) planDocument {
	doc := planDocument{Base: p.Base, Head: p.Head, Since: p.Since, Nodes: []planned{}, Unused: append([]string{}, p.Unused...), Removed: p.Removed, Images: p.Images, Tests: p.Tests, Unset: p.Unset, Circles: p.Circles, Warnings: p.Warnings, Widenings: p.Widenings, Repos: p.Repos, Pins: p.Pins()}
	for _, d := range p.Nodes {
		reasons := slices.Clone(d.Reasons)
		for i := range reasons {
			reasons[i].Via = append([]string{}, reasons[i].Via...)
		}
		doc.Nodes = append(doc.Nodes, planned{
			ID: d.Node.ID, Layer: d.Node.Layer, Variant: d.Node.Variant, Parent: d.Node.Parent,
			Action: d.Action, Key: d.Key, BaseKey: d.BaseKey, Reasons: append([]plan.Reason{}, reasons...),
		})
	}
	return doc
}

// Forms of --output that some commands have besides text and json: the value of
// their annotation outputs.
const (
	outputs = "outputs"
	drawn   = "dot mermaid svg html"
)

// draw draws a graph in the form that --output names.
func (a *app) draw(g draw.Graph) error { return drawTo(a.document, a.output, g) }

func drawTo(w io.Writer, form string, g draw.Graph) error {
	write := map[string]func(io.Writer, draw.Graph) error{
		"dot": draw.Dot, "mermaid": draw.Mermaid, "svg": draw.SVG, "html": draw.HTML,
	}[form]
	return write(w, g)
}

func newGraphCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:         "graph",
		Short:       "Draw the graph of layers and images",
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{outputs: drawn},
		RunE: func(*cobra.Command, []string) error {
			p, err := a.load()
			if err != nil {
				return err
			}
			switch a.output {
			case "json":
				return a.printJSON(graphJSON(p.Project))
			case "text":
				_, err := fmt.Fprint(a.out, plan.Tree(p.Project))
				return err
			}
			return a.draw(draw.Layers(p.Project))
		},
	}
}

func graphJSON(p *layer.Project) map[string]any {
	type node struct {
		ID      layer.NodeID `json:"id"`
		Layer   string       `json:"layer"`
		Variant string       `json:"variant"`
		Parent  layer.NodeID `json:"parent"`
		Images  []string     `json:"images"`
	}
	nodes := []node{}
	for _, n := range p.Nodes {
		images := []string{}
		for _, im := range p.Images {
			if im.Node == n.ID {
				images = append(images, im.Name)
			}
		}
		nodes = append(nodes, node{n.ID, n.Layer, n.Variant, n.Parent, images})
	}
	return map[string]any{"nodes": nodes}
}
