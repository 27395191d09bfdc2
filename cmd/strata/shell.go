package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
)

func newShellCommand(a *app) *cobra.Command {
	var failed bool
	cmd := &cobra.Command{
		Use:   "shell NODE|IMAGE [-- COMMAND [ARG]...]",
		Short: "Open a shell in a throw-away copy of a node",
		Long: "Shell opens the tree of a built node, writable; what is changed is thrown away at the end. With\n" +
			"--failed it opens the tree of the node's last build that failed, as the step left it; what is\n" +
			"changed there stays until the node is built again. Its exit status is the command's.",
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			return runShell(cmd.Context(), a, names[0], names[1:], failed)
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "open the tree of the step that failed")
	return cmd
}

func runShell(ctx context.Context, a *app, name string, command []string, failed bool) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	b, done, err := a.prepare(p)
	if err != nil {
		return err
	}
	defer done()
	if len(command) == 0 {
		command = []string{"/bin/sh", "-c", "exec bash -l 2>/dev/null || exec sh -l"}
	}
	tree, err := chooseTree(b, p, name, failed)
	if err != nil {
		return err
	}
	status, err := b.Shell(ctx, tree, sandbox.Cmd{Args: command, Stdin: a.in, Stdout: a.document, Stderr: orders(a.err)})
	if err != nil {
		return err
	}
	if status != 0 {
		return exited(status)
	}
	return nil
}

// chooseTree finds the tree to open.
func chooseTree(b *engine.Builder, p *project, name string, failed bool) (engine.Tree, error) {
	if !failed {
		n, im, err := findNode(b.Store, p, name)
		if err != nil {
			return engine.Tree{}, err
		}
		lower, err := b.Store.Dirs(im)
		return engine.Tree{Node: n, Lower: lower}, err
	}
	want, _, err := plan.Select(p.Project, []string{name})
	if err != nil {
		return engine.Tree{}, err
	}
	n, _ := p.Node(want[0])
	f, err := b.Store.Failed(p.Cluster.Name, n.ID)
	if errors.Is(err, store.ErrNotFound) {
		return engine.Tree{}, fault.New(fault.Input, "the last build of %s did not fail", n.ID).WithHint("without --failed, shell opens the built node")
	}
	return engine.Tree{Node: n, Lower: f.Lower, Upper: f.Upper}, err
}
