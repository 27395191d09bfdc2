package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/artifact"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/printable"
)

type bootOptions struct {
	console bool
	report  string
	from    string
	timeout time.Duration
	memory  int
	cpus    int
}

func newBootCommand(a *app) *cobra.Command {
	var opts bootOptions
	cmd := &cobra.Command{
		Use: "boot IMAGE", Short: "Boot an image in a virtual machine and run its tests there", Args: args(cobra.ExactArgs(1)),
		Long: "Boot builds what is missing, serves the artifacts over HTTP, and boots them in QEMU as a cluster\n" +
			"node boots them. It succeeds if the system reaches its default target, no unit has failed, and\n" +
			"all tests of the image pass.",
		ValidArgsFunction: a.completeImages,
		RunE:              func(cmd *cobra.Command, names []string) error { return runBoot(cmd.Context(), a, names[0], opts) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.console, "console", false, "show the guest's console")
	flags.StringVar(&opts.from, "from", "", "boot the artifacts in this `directory`, an export of the image, and build nothing")
	flags.StringVar(&opts.report, "report", "", "write a JUnit report to this `file`")
	flags.DurationVar(&opts.timeout, "timeout", 10*time.Minute, "how long the system may take to come up")
	flags.IntVar(&opts.memory, "memory", 0, "memory of the guest in `MiB`; 0 means enough")
	flags.IntVar(&opts.cpus, "cpus", 0, "processors of the guest; 0 means two, if there are")
	return cmd
}

func runBoot(ctx context.Context, a *app, name string, opts bootOptions) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	im, dir, done, err := a.toBoot(ctx, p, name, opts.from)
	if err != nil {
		return err
	}
	defer done()
	a.ending.cleans()
	m, err := artifact.ReadManifest(dir)
	if err != nil {
		return err
	}
	boot := artifact.BootOptions{Timeout: opts.timeout, Memory: opts.memory, CPUs: opts.cpus}
	if opts.console {
		boot.Console = a.err
	}
	if !a.quiet && !a.json() {
		boot.Progress = func(say string) { fmt.Fprintf(a.out, "boot %s | %s\n", name, printable.Line(say)) }
	}
	report, err := artifact.Boot(ctx, dir, m, im, boot)
	if report == nil {
		return err
	}
	if opts.report != "" {
		err = errors.Join(err, a.writeReport(opts.report, report.JUnit()))
	}
	if a.json() {
		return errors.Join(err, a.printJSON(report))
	}
	printBoot(a, report)
	return err
}

// toBoot is an image and where its artifacts are: in a directory that is named, or in
// the store, where they are made if they are not there.
func (a *app) toBoot(ctx context.Context, p *project, name, from string) (im layer.Image, dir string, done func(), err error) {
	if from != "" {
		im, ok := p.Image(name)
		if !ok {
			return im, "", nil, unknownImage(p, name)
		}
		return im, a.path(from), func() {}, nil
	}
	b, done, err := a.prepare(p)
	if err != nil {
		return im, "", nil, err
	}
	im, res, err := buildImage(ctx, a, b, p, name)
	if err != nil {
		done()
		return im, "", nil, err
	}
	return im, res.Directory, done, nil
}

func printBoot(a *app, r *artifact.BootReport) {
	if r.Seconds > 0 && !a.quiet {
		fmt.Fprintf(a.out, "image %s came up in %s (%s)\n", r.Image, seconds(r.Seconds), r.Accel)
	}
	for _, t := range r.Tests {
		switch {
		case t.Passed && !a.quiet:
			fmt.Fprintf(a.out, "  ✔ %s (%s)\n", printable.Line(t.Name), seconds(t.Seconds))
		case !t.Passed:
			fmt.Fprintf(a.out, "  ✘ %s: %s\n", printable.Line(t.Name), printable.Text(t.Cause))
		}
	}
}
