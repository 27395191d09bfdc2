package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/recipe/dag"
)

// importOptions are the flags of strata import.
type importOptions struct {
	out      string
	force    bool
	cluster  string
	repos    []string
	repoBase string
}

func newImportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "import", Short: "Turn another tool's configuration into a strata.yaml", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var opts importOptions
	sub := &cobra.Command{
		Use:   "dag FILE",
		Short: "Import a graph of layers: inventory, layers with repositories, image_types",
		Long: "Import the configuration of a layered image build (inventory, layers with their\n" +
			"repositories, image_types with groups, pb, firstlayer and children) as a strata.yaml\n" +
			"with the same graph. What could not be carried over is printed on standard error.\n" +
			"A repository that FILE only names is looked up in --repo, then below --repo-base;\n" +
			"without them it is marked to be filled in. FILE may be - for standard input.",
		Example: "  strata import dag dag.yaml --out strata.yaml\n" +
			"  strata import dag dag.yaml --repo-base https://git.example/images --repo site-inventory=../inventory",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return runImportDag(a, args[0], opts) },
	}
	sub.Flags().StringVar(&opts.out, "out", "", "write to this `file` instead of standard output")
	sub.Flags().BoolVar(&opts.force, "force", false, "replace the file if it exists")
	sub.Flags().StringVar(&opts.cluster, "cluster", "", "`name` of the cluster, in place of FILE's")
	sub.Flags().StringArrayVar(&opts.repos, "repo", nil, "URL or directory of what FILE calls NAME, a repository or the inventory, as `NAME=URL`; repeatable")
	sub.Flags().StringVar(&opts.repoBase, "repo-base", "", "`URL` or directory that the other repositories are below, by their names")
	cmd.AddCommand(sub)
	return cmd
}

func runImportDag(a *app, name string, opts importOptions) error {
	out := ""
	if opts.out != "" {
		out = a.path(opts.out)
		if err := writable(out, opts.force); err != nil {
			return err
		}
	}
	repos, err := opts.places()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(a.path("."))
	if err != nil {
		return err
	}
	text, err := a.readInput(name, out)
	if err != nil {
		return err
	}
	if name == "-" {
		name = "standard input"
	}
	result, err := dag.Import(name, text, dag.Options{Cluster: opts.cluster, Repos: repos, RepoBase: opts.repoBase, Dir: dir})
	if err != nil {
		return err
	}
	if out != "" {
		if err := writeNew(out, result.Recipe, opts.force); err != nil {
			return err
		}
	}
	return a.reportImport(name, opts.out, result)
}

// places are what --repo says, by name.
func (o importOptions) places() (map[string]string, error) {
	places := map[string]string{}
	for _, entry := range o.repos {
		name, url, _ := strings.Cut(entry, "=")
		if name == "" || url == "" {
			return nil, fault.New(fault.Input, "%s is not NAME=URL", strings.TrimSpace("--repo "+printable.Line(name))).
				WithHint("NAME is what the file writes for the repository, or for the inventory")
		}
		if places[name] != "" {
			return nil, fault.New(fault.Input, "--repo names %s twice", printable.Line(name))
		}
		places[name] = url
	}
	return places, nil
}

// reportImport prints what came out, and every note.
func (a *app) reportImport(name, out string, result *dag.Result) error {
	if a.json() {
		recipe := string(result.Recipe)
		if out != "" {
			recipe = ""
		}
		notes := result.Notes
		if notes == nil {
			notes = []dag.Note{}
		}
		return a.printJSON(struct {
			File   string     `json:"file,omitempty"`
			Recipe string     `json:"recipe,omitempty"`
			Nodes  int        `json:"nodes"`
			Images int        `json:"images"`
			Notes  []dag.Note `json:"notes"`
		}{out, recipe, result.Nodes, result.Images, notes})
	}
	for _, n := range result.Notes {
		a.note("%s:%d: %s", name, n.Line, n.Message)
	}
	if out == "" {
		_, err := a.document.Write(result.Recipe)
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.out, "%s has %s and %s; look at its lines with FILL IN, then run strata validate\n", printable.Line(out), count(result.Nodes, "node"), count(result.Images, "image"))
	}
	return nil
}

// readInput reads a file that is not the output, or standard input.
func (a *app) readInput(name, out string) ([]byte, error) {
	if name == "-" {
		return limit.ReadAll(a.in, "standard input", limit.Import)
	}
	in := a.path(name)
	f, err := os.Open(in)
	if err != nil {
		return nil, fault.New(fault.Input, "%w", err)
	}
	defer f.Close()
	text, err := limit.ReadAll(f, in, limit.Import)
	if err != nil {
		return nil, fault.New(fault.Input, "%w", err)
	}
	from, errFrom := os.Stat(in)
	to, errTo := os.Stat(out)
	if errFrom == nil && errTo == nil && os.SameFile(from, to) {
		return nil, fault.New(fault.Input, "%s is the file to import itself", out).WithHint("write to another file")
	}
	return text, nil
}

// writable says early whether writeNew may put a file there.
func writable(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fault.New(fault.Input, "%w", err)
	case info.IsDir():
		return fault.New(fault.Input, "%s is a directory", path).WithHint("name a file in it")
	case !force:
		return fault.New(fault.Input, "%s exists", path).WithHint("take another name, or replace it with --force")
	}
	return nil
}

// writeNew puts a file in place as a whole. Without force it never replaces one,
// not even one that was made in the meantime.
func writeNew(path string, content []byte, force bool) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fault.New(fault.Input, "%w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	switch {
	case err != nil:
	case force:
		err = os.Rename(tmp.Name(), path)
	default:
		if err = os.Link(tmp.Name(), path); errors.Is(err, os.ErrExist) {
			return writable(path, false)
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
