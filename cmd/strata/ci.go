package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/junit"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

type verifyOptions struct {
	sample int
	seed   uint64
	report string
}

func newCICommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ci", Short: "Check what pipelines made", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var opts verifyOptions
	verify := &cobra.Command{
		Use: "verify", Short: "Build a sample again, and compare", Args: args(cobra.NoArgs),
		Long: "Verify is for a schedule on a protected branch. It fails if the store and the registry do not\n" +
			"have, for an image, the key that the files on disk come to; or if nodes that are there, taken at\n" +
			"random, come out as something else when they are built again. Run it with an empty store, so\n" +
			"that it compares with the registry.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				opts.seed = rand.Uint64() % 1_000_000
			}
			return runVerify(cmd.Context(), a, opts)
		},
	}
	flags := verify.Flags()
	flags.IntVar(&opts.sample, "sample", 2, "how many nodes to build again")
	flags.Uint64Var(&opts.seed, "seed", 0, "take the nodes that an earlier run with this `number` took")
	flags.StringVar(&opts.report, "report", "", "write a JUnit report to this `file`")
	cmd.AddCommand(verify)
	return cmd
}

func runVerify(ctx context.Context, a *app, opts verifyOptions) error {
	if opts.sample < 1 {
		return fault.New(fault.Input, "--sample %d takes no node", opts.sample).WithHint("it is at least 1")
	}
	p, err := a.load()
	if err != nil {
		return err
	}
	b, done, err := a.prepare(p)
	if err != nil {
		return err
	}
	defer done()
	made, err := makePlan(ctx, b, everyNode(p.Project), false)
	if err != nil {
		return err
	}
	if err := missingImages(made, p.Images); err != nil {
		return err
	}
	sample := sampleOf(made, opts)
	var v view
	if !a.json() {
		if !a.quiet {
			fmt.Fprintf(a.out, "building %s of %d again (--seed %d)\n", count(len(sample), "node"), made.Count(plan.Keep), opts.seed)
		}
		v = newView(a.out, a.viewOptions(made))
		b.Watch = v.Event
	}
	verdicts, err := b.Verify(ctx, made, sample, runtime.NumCPU())
	if v != nil {
		v.Close()
	}
	return errors.Join(err, a.reportVerdicts(verdicts, opts))
}

// reportVerdicts prints what came out the same; what did not is the error.
func (a *app) reportVerdicts(verdicts []engine.Verdict, opts verifyOptions) error {
	var errs []error
	if opts.report != "" && verdicts != nil {
		errs = append(errs, a.writeReport(opts.report, verifySuite(verdicts).XML()))
	}
	if a.json() {
		errs = append(errs, a.printJSON(map[string]any{"seed": opts.seed, "nodes": verdicts}))
	}
	for _, v := range verdicts {
		switch {
		case v.Rebuilt == "": // its error says why
		case !v.Same():
			errs = append(errs, fault.New(fault.Failed, "node %s came out as something else: %s is there, %s was built", v.ID, v.Digest, v.Rebuilt).
				WithHint("its steps do not give the same each time, or a package has another version now: strata ci verify --seed %d builds it again", opts.seed))
		case !a.json() && !a.quiet:
			fmt.Fprintf(a.out, "node %s came out the same: %s\n", v.ID, v.Digest)
		}
	}
	return errors.Join(errs...)
}

// missingImages is a fault for each image of which there is not what the files
// on disk come to.
func missingImages(p *plan.Plan, images []layer.Image) error {
	var errs []error
	for _, im := range images {
		if d, _ := p.Find(im.Node); d.Action != plan.Keep {
			errs = append(errs, fault.New(fault.Failed, "image %s is not what this commit says: node %s: %s", im.Name, im.Node, d.Reason).
				WithHint("the pipeline of this commit did not end well, or something was removed from the registry: run it again"))
		}
	}
	return errors.Join(errs...)
}

// sampleOf takes nodes that are there, in the order of the graph.
func sampleOf(p *plan.Plan, opts verifyOptions) []layer.NodeID {
	var ids []layer.NodeID
	for _, d := range p.Nodes {
		if d.Action == plan.Keep {
			ids = append(ids, d.Node.ID)
		}
	}
	order := slices.Clone(ids)
	rand.New(rand.NewPCG(opts.seed, 0)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	order = order[:min(opts.sample, len(order))]
	return slices.DeleteFunc(ids, func(id layer.NodeID) bool { return !slices.Contains(order, id) })
}

func verifySuite(verdicts []engine.Verdict) junit.Suite {
	s := junit.Suite{Name: "verify"}
	for _, v := range verdicts {
		c := junit.Case{Class: "verify", Name: string(v.ID), Seconds: v.Seconds, Output: string(v.Digest)}
		if !v.Same() {
			c.Failure = &junit.Failure{Message: fmt.Sprintf("%s is there, %q was built", v.Digest, v.Rebuilt)}
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}
