package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/store"
)

func newGCCommand(a *app) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "gc", Short: "Remove from the store what no image and not the last build needs", Args: args(cobra.NoArgs),
		Long: "Gc keeps the latest build of every node with the layers below it, and the artifacts made of\n" +
			"it. Older builds, artifacts and failed trees go. Images that others put into the store stay.",
		RunE: func(*cobra.Command, []string) error { return runGC(a, dryRun) },
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "say what would be removed")
	return cmd
}

func runGC(a *app, dryRun bool) error {
	st, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	a.ending.cleans()
	freed, err := st.Collect(a.ctx, dryRun)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(freed)
	}
	printFreed(a, freed, dryRun)
	return nil
}

func printFreed(a *app, f *store.Freed, dryRun bool) {
	verb := "removed"
	if dryRun {
		verb = "would remove"
	}
	if !a.quiet {
		for _, item := range f.Items {
			fmt.Fprintf(a.out, "%s %s %s", verb, item.Kind, printable.Line(item.Name))
			if item.Size > 0 { // an image is its layers
				fmt.Fprintf(a.out, " (%s)", size(item.Size))
			}
			fmt.Fprintln(a.out)
		}
	}
	fmt.Fprintf(a.out, "%s %s, %s\n", verb, count(len(f.Items), "thing"), size(f.Size))
}
