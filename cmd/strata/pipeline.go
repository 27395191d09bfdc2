package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/draw"
	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/pipeline"
	"github.com/strata-hpc/strata/internal/plan"
)

type pipelineOptions struct {
	planOptions
	all  bool
	out  string
	page string // what --plan names
}

func newPipelineCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "pipeline", Short: "Write a CI pipeline that builds exactly what a change affects", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGitLabCommand(a), newGitHubCommand(a), newMakeCommand(a))
	return cmd
}

// pipelineFlags are those that say what a pipeline is for.
func pipelineFlags(cmd *cobra.Command, opts *pipelineOptions) {
	flags := cmd.Flags()
	flags.StringVar(&opts.base, "base", "", "what this `commit` has is there: build what differs")
	flags.StringVar(&opts.head, "head", "", "plan this `commit` instead of the files on disk (jobs build what they check out); needs --base")
	flags.BoolVar(&opts.all, "all", false, "a job for every node; those that the registry has are not built again")
	flags.StringVar(&opts.page, "plan", "", "print the plan on standard error, too, and write it to this `file` as a page")
	flags.StringVarP(&opts.out, "out", "o", "", "write to this `file` instead of standard output")
}

// oneOf refuses flags that say different things.
func oneOf(cmd *cobra.Command, flags ...string) error {
	var given []string
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return fault.New(fault.Input, "%s cannot be used together", strings.Join(given, " and ")).WithHint("see %s --help", cmd.CommandPath())
	}
	return nil
}

func newGitLabCommand(a *app) *cobra.Command {
	var opts pipelineOptions
	var parent bool
	var trigger string
	cmd := &cobra.Command{
		Use: "gitlab", Short: "Write a child pipeline for GitLab", Args: args(cobra.NoArgs), Annotations: map[string]string{outputs: drawn},
		Long: "Pipeline gitlab writes the file of a child pipeline: a job for each node that is built or may be, in the\n" +
			"order of the graph, then artifacts and boot tests of the images that they make another. Without\n" +
			"--base or --all, what the store and the registry have is not built. --parent writes the file\n" +
			"that the project commits, which plans and starts the child; --trigger the one that a layer's\n" +
			"own repository commits, which starts the parent.",
		Example: "  strata pipeline gitlab --parent -o .gitlab-ci.yml\n" +
			"  strata pipeline gitlab --base \"$CI_MERGE_REQUEST_DIFF_BASE_SHA\" -o pipeline.yml",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := oneOf(cmd, "base", "all", "parent", "trigger"); err != nil {
			return err
		}
		switch {
		case trigger != "":
			return a.writePipeline(opts.out, func(w io.Writer) error { return pipeline.GitLabTrigger(w, trigger) })
		case parent:
			p, err := a.load()
			if err != nil {
				return err
			}
			o, err := a.topOptions()
			if err != nil {
				return err
			}
			return a.writePipeline(opts.out, func(w io.Writer) error { return pipeline.GitLabParent(w, p.Pipeline, o) })
		}
		o, err := a.topOptions()
		if err != nil {
			return err
		}
		made, err := a.makePipeline(cmd, opts, pipeline.GitLabOptions(o))
		if err != nil {
			return err
		}
		return a.writePipeline(opts.out, func(w io.Writer) error { return pipeline.GitLab(w, made) }, made)
	}
	pipelineFlags(cmd, &opts)
	cmd.Flags().BoolVar(&parent, "parent", false, "write the .gitlab-ci.yml that the project commits")
	cmd.Flags().StringVar(&trigger, "trigger", "", "write the .gitlab-ci.yml of a layer's repository: `PROJECT` has the images")
	return cmd
}

func newGitHubCommand(a *app) *cobra.Command {
	var opts pipelineOptions
	var parent, jobs bool
	var trigger string
	cmd := &cobra.Command{
		Use: "github", Short: "Write a workflow for GitHub Actions, Forgejo and Gitea", Args: args(cobra.NoArgs), Annotations: map[string]string{outputs: drawn},
		Long: "Pipeline github writes a workflow with the same jobs as the pipelines for GitLab. --parent writes the one\n" +
			"that the project commits: all nodes have jobs, and those that its first job plans are run; --trigger the one\n" +
			"that a layer's own repository commits, which starts it.",
		Example: "  strata pipeline github --parent -o .github/workflows/images.yml",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(oneOf(cmd, "base", "all", "parent", "trigger"), oneOf(cmd, "jobs", "parent", "trigger")); err != nil {
			return err
		}
		if trigger != "" {
			return a.writePipeline(opts.out, func(w io.Writer) error { return pipeline.GitHubTrigger(w, trigger) })
		}
		o, err := a.topOptions()
		if err != nil {
			return err
		}
		o = pipeline.GitHubOptions(o)
		write := pipeline.GitHub
		switch {
		case jobs:
			write = pipeline.GitHubJobs
		case parent:
			opts.all, o.Unpinned = true, true
			write = func(w io.Writer, p *pipeline.Pipeline) error { return pipeline.GitHubParent(w, p, o) }
		}
		made, err := a.makePipeline(cmd, opts, o)
		if err != nil {
			return err
		}
		return a.writePipeline(opts.out, func(w io.Writer) error { return write(w, made) }, made)
	}
	pipelineFlags(cmd, &opts)
	cmd.Flags().BoolVar(&parent, "parent", false, "write the workflow that the project commits")
	cmd.Flags().StringVar(&trigger, "trigger", "", "write the workflow of a layer's repository: `OWNER/NAME` has the images")
	cmd.Flags().BoolVar(&jobs, "jobs", false, "write which of its jobs the plan needs, why, and with which commits, for the first of them")
	return cmd
}

func newMakeCommand(a *app) *cobra.Command {
	var opts pipelineOptions
	cmd := &cobra.Command{
		Use: "make", Short: "Write a Makefile with the same jobs", Args: args(cobra.NoArgs), Annotations: map[string]string{outputs: drawn},
		Long: "Pipeline make writes a Makefile for GNU make, for a machine without a CI system or a cron job. It does what\n" +
			"the pipelines do. Without --base or --all, what the store and the registry have is not built.",
		Example: "  strata pipeline make -o images.mk && make -f images.mk -j 4 -k",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "base", "all"); err != nil {
				return err
			}
			made, err := a.makePipeline(cmd, opts, a.hereOptions())
			if err != nil {
				return err
			}
			return a.writePipeline(opts.out, func(w io.Writer) error { return pipeline.Make(w, made) }, made)
		},
	}
	pipelineFlags(cmd, &opts)
	return cmd
}

// makePipeline plans and makes the jobs, and tells what is to know about them.
func (a *app) makePipeline(cmd *cobra.Command, opts pipelineOptions, o pipeline.Options) (*pipeline.Pipeline, error) {
	if err := noneEmpty(cmd, "base", "head"); err != nil {
		return nil, err
	}
	opts.whole = opts.page != ""
	made, project, err := a.pipelinePlan(opts)
	if err != nil {
		return nil, err
	}
	if opts.page != "" {
		if err := a.tellPlan(made, project, opts.page); err != nil {
			return nil, err
		}
	}
	jobs := pipeline.Of(made, project, o)
	if project.Registry == "" && !a.quiet {
		a.note("%s names no registry: runners have to share a store, or each builds all that its node stands on", a.file)
	}
	for _, note := range jobs.Notes {
		a.note("%s", note)
	}
	return jobs, nil
}

// tellPlan prints the plan that a pipeline is made of where the pipeline does not
// go, and writes it as a page.
func (a *app) tellPlan(made *plan.Plan, project *layer.Project, page string) error {
	aside := *a
	aside.out = a.err
	if err := aside.printPlanText(made, project); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := draw.HTML(&text, draw.Of(made, project.Images)); err != nil {
		return err
	}
	return a.writeOut(page, text.Bytes())
}

// writePipeline writes what write makes; the jobs, if they are known, also for a
// program or as a picture.
func (a *app) writePipeline(out string, write func(io.Writer) error, jobs ...*pipeline.Pipeline) error {
	var text bytes.Buffer
	switch {
	case a.output == "text":
	case len(jobs) == 0:
		return fault.New(fault.Input, "a file to commit has no form but text").WithHint("leave out --output %s", a.output)
	case a.json():
		e := json.NewEncoder(&text)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		write = func(io.Writer) error { return e.Encode(pipelineJSON(jobs[0])) }
	default:
		write = func(w io.Writer) error { return drawTo(w, a.output, pipelineGraph(jobs[0])) }
	}
	if err := write(&text); err != nil {
		return err
	}
	return a.writeOut(out, text.Bytes())
}

// pipelineJSON is a pipeline as a document.
func pipelineJSON(p *pipeline.Pipeline) map[string]any {
	type job struct {
		ID        string            `json:"id"`
		Stage     pipeline.Stage    `json:"stage"`
		About     string            `json:"about"`
		Needs     []string          `json:"needs"`
		Script    []string          `json:"script"`
		Trigger   string            `json:"trigger,omitempty"` // project
		Variables map[string]string `json:"variables,omitempty"`
		Reports   []string          `json:"reports,omitempty"`
	}
	jobs := []job{}
	for _, j := range p.Jobs {
		doc := job{j.ID, j.Stage, j.About, append([]string{}, j.Needs...), append([]string{}, j.Script...), "", j.Variables, j.Reports}
		if j.Trigger != nil {
			doc.Trigger = j.Trigger.Project
		}
		jobs = append(jobs, doc)
	}
	return map[string]any{"jobs": jobs, "notes": append([]string{}, p.Notes...)}
}

// pipelineGraph is a pipeline to be drawn, each job below the first that it needs.
func pipelineGraph(p *pipeline.Pipeline) draw.Graph {
	g := draw.Graph{Title: "Pipeline"}
	for _, j := range p.Jobs {
		n := draw.Node{ID: layer.NodeID(j.ID)}
		if len(j.Needs) > 0 {
			n.Parent = layer.NodeID(j.Needs[0])
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

// writeOut writes a file as a whole, or to standard output.
func (a *app) writeOut(out string, text []byte) error {
	if out != "" {
		return writeNew(a.path(out), text, true)
	}
	_, err := a.document.Write(text)
	return err
}

// pipelinePlan is the plan that a pipeline is made of.
func (a *app) pipelinePlan(opts pipelineOptions) (*plan.Plan, *layer.Project, error) {
	if !opts.all {
		return a.makePlan(nil, opts.planOptions)
	}
	p, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	src := engine.Source(p.Project, p.files, p.dir)
	src.WithoutSecrets = true
	made, err := plan.Make(p.Project, everyNode(p.Project), src, nil, plan.Options{NoCache: true})
	if err != nil {
		return nil, nil, err
	}
	for i := range made.Nodes {
		made.Nodes[i].Reason = "" // there is none: everything was asked for
	}
	made.Repos = p.repos.pinned
	return made, p.Project, nil
}

// hereOptions are for jobs that are started where this was. The store is theirs to
// name, as it is every command's: STRATA_STORE says it.
func (a *app) hereOptions() pipeline.Options {
	here := *a
	here.storeAt = ""
	return pipeline.Options{Command: here.again(), Dir: filepath.ToSlash(a.dir)}
}

// topOptions are for jobs that start at the top of the repository, wherever this
// was started.
func (a *app) topOptions() (pipeline.Options, error) {
	h, err := a.openHistory()
	if err != nil {
		return pipeline.Options{}, err
	}
	o := pipeline.Options{Command: []string{"strata"}, Dir: path.Clean(h.below)}
	if o.Dir != "." {
		o.Command = append(o.Command, "-C", o.Dir)
	}
	if h.file != "strata.yaml" {
		o.Command = append(o.Command, "-f", h.file)
	}
	return o, nil
}
