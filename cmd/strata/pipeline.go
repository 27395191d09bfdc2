package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/build"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/pipeline"
	"github.com/strata-hpc/strata/internal/plan"
)

type pipelineOptions struct {
	planOptions
	all bool
	out string
}

func newPipelineCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "pipeline", Short: "Write a CI pipeline that builds exactly what a change affects", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGitLabCommand(a), newMakeCommand(a))
	return cmd
}

// pipelineFlags are those that say what a pipeline is for.
func pipelineFlags(cmd *cobra.Command, opts *pipelineOptions) {
	flags := cmd.Flags()
	flags.StringVar(&opts.base, "base", "", "what this `commit` has is there: build what differs")
	flags.StringVar(&opts.head, "head", "", "plan this `commit` instead of the files on disk; needs --base")
	flags.BoolVar(&opts.all, "all", false, "a job for every node; those that the registry has are not built again")
	flags.StringVarP(&opts.out, "out", "o", "", "write to this `file` instead of standard output")
	cmd.MarkFlagsMutuallyExclusive("all", "base")
}

func newGitLabCommand(a *app) *cobra.Command {
	var opts pipelineOptions
	cmd := &cobra.Command{
		Use: "gitlab", Short: "Write a child pipeline for GitLab", Args: args(cobra.NoArgs),
		Long: "Gitlab writes the file of a child pipeline: a job for each node that is built or may be, in the\n" +
			"order of the graph, then artifacts and boot tests of the images that they make another. Without\n" +
			"--base or --all, what the store and the registry have is not built.",
		Example: "  strata pipeline gitlab --base \"$CI_MERGE_REQUEST_DIFF_BASE_SHA\" -o pipeline.yml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPipeline(cmd, a, opts, pipeline.GitLabOptions, pipeline.GitLab)
		},
	}
	pipelineFlags(cmd, &opts)
	return cmd
}

func newMakeCommand(a *app) *cobra.Command {
	var opts pipelineOptions
	cmd := &cobra.Command{
		Use: "make", Short: "Write a Makefile with the same jobs", Args: args(cobra.NoArgs),
		Long: "Make writes a Makefile for GNU make, for a machine without a CI system or a cron job. It does what\n" +
			"the pipelines do. Without --base or --all, what the store and the registry have is not built.",
		Example: "  strata pipeline make -o images.mk && make -f images.mk -j 4 -k",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPipeline(cmd, a, opts, func(o pipeline.Options) pipeline.Options { return o }, pipeline.Make)
		},
	}
	pipelineFlags(cmd, &opts)
	return cmd
}

// runPipeline plans, makes the jobs within the limits of a CI system, and writes
// them in its words.
func runPipeline(cmd *cobra.Command, a *app, opts pipelineOptions, limits func(pipeline.Options) pipeline.Options, write func(io.Writer, *pipeline.Pipeline) error) error {
	if err := noneEmpty(cmd, "base", "head"); err != nil {
		return err
	}
	made, project, err := a.pipelinePlan(opts)
	if err != nil {
		return err
	}
	jobs := pipeline.Of(made, project, limits(a.pipelineOptions()))
	if project.Registry == "" && !a.quiet {
		fmt.Fprintf(a.err, "strata: note: %s names no registry: runners have to share a store, or each builds everything that it stands on\n", a.file)
	}
	for _, note := range jobs.Notes {
		fmt.Fprintf(a.err, "strata: note: %s\n", note)
	}
	if a.json() {
		return a.printJSON(jobs)
	}
	var text bytes.Buffer
	if err := write(&text, jobs); err != nil {
		return err
	}
	return a.writeOut(opts.out, text.Bytes())
}

// writeOut writes a file as a whole, or to standard output.
func (a *app) writeOut(out string, text []byte) error {
	if out != "" {
		return writeNew(a.path(out), text, true)
	}
	_, err := a.out.Write(text)
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
	src := build.Source(p.Project, p.files, p.dir)
	src.WithoutSecrets = true
	made, err := plan.Make(p.Project, everyNode(p.Project), src, nil, plan.Options{NoCache: true})
	if err != nil {
		return nil, nil, err
	}
	for i := range made.Nodes {
		made.Nodes[i].Reason = "every node was asked for"
	}
	made.Repos = p.repos.pinned
	return made, p.Project, nil
}

// pipelineOptions are what the jobs need to know of how this was called.
func (a *app) pipelineOptions() pipeline.Options {
	o := pipeline.Options{Command: []string{"strata"}, Dir: filepath.ToSlash(a.dir), Overrides: a.overrides}
	if a.dir != "." {
		o.Command = append(o.Command, "-C", a.dir)
	}
	if a.file != "strata.yaml" {
		o.Command = append(o.Command, "-f", a.file)
	}
	return o
}
