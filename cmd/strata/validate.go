package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/recipe"
)

func newValidateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "Check the configuration and say what is wrong with it", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			p, err := a.load()
			if err != nil {
				return err
			}
			src := engine.Source(p.Project, p.files, p.dir)
			src.WithoutSecrets = true
			warnings, err := plan.Check(p.Project, src)
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(map[string]any{"nodes": len(p.Nodes), "images": len(p.Images), "warnings": append([]plan.Warning{}, warnings...)})
			}
			if a.quiet {
				return nil
			}
			a.noteWarnings(warnings)
			_, err = fmt.Fprintf(a.out, "%s is valid: %s, %s\n", printable.Line(a.file), count(len(p.Nodes), "node"), count(len(p.Images), "image"))
			return err
		},
	}
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func newSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of strata.yaml, for editors", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.document.Write(recipe.Schema())
			return err
		},
	}
}
