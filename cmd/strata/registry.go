package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/registry"
)

func newRegistryCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "registry", Short: "Serve a registry from this machine", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var listen, dir string
	serve := &cobra.Command{
		Use: "serve", Short: "Serve a registry until stopped", Args: args(cobra.NoArgs),
		Long: "Serve serves an OCI registry that stores in a directory, for one machine or a test: without TLS\n" +
			"and without passwords. It listens on the given address and nowhere else; with -v it prints a\n" +
			"line for each request. Any other registry will do as well.",
		Example: "  strata registry serve --listen 127.0.0.1:5000 --dir /var/lib/registry",
		RunE:    func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), a, listen, dir) },
	}
	serve.Flags().StringVar(&listen, "listen", "127.0.0.1:5000", "`address` to listen on, as IP:PORT")
	serve.Flags().StringVar(&dir, "dir", "", "`directory` to store in")
	_ = serve.MarkFlagRequired("dir")
	cmd.AddCommand(serve)
	return cmd
}

func runServe(ctx context.Context, a *app, listen, dir string) error {
	opts := registry.ServeOptions{Listen: listen, Dir: a.path(dir), Ready: func(address string) {
		if !a.quiet {
			fmt.Fprintf(a.out, "serving %s at %s\n", printable.Line(a.path(dir)), address)
		}
	}}
	opts.Request = func(r registry.Request) {
		if a.verbose || r.Status >= 500 {
			fmt.Fprintf(a.err, "%s %s %s %d %d %s\n", r.From, printable.Line(r.Method), printable.Line(r.Path), r.Status, r.Size, seconds(r.Took.Seconds()))
		}
	}
	a.ending.cleans()
	return registry.Serve(ctx, opts)
}
