package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.podman.io/storage/pkg/homedir"
	"go.podman.io/storage/pkg/unshare"
	"golang.org/x/term"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/packages/apt"
	"github.com/strata-hpc/strata/internal/recipe"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
)

// version is set by the linker in a release.
var version = ""

// app holds what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	document io.Writer // out, for what must arrive byte by byte

	dir     string // -C
	file    string // -f
	storeAt string // --store
	output  string // --output
	quiet   bool
	verbose bool

	overrides []string // --override
	pins      []string // --pin
	ctx       context.Context

	signKey string   // --sign-key
	signs   *signing // once it was asked for
	ending  *ending
}

func newCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "strata",
		Short: "Build the images that clusters boot, in layers, from git",
		Long: "Strata builds operating-system images for clusters in layers, rebuilds only what a\n" +
			"change really affects, says why, and proves the result by booting it.",
		Args:          args(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.ctx = cmd.Context()
			known := append([]string{"text", "json"}, strings.Fields(cmd.Annotations[outputs])...)
			if !slices.Contains(known, a.output) {
				return fault.New(fault.Input, "--output of %s is %s, not %q", cmd.CommandPath(), strings.Join(known, ", "), a.output)
			}
			return nil
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringVarP(&a.dir, "directory", "C", ".", "work in this `directory`, as if started there")
	flags.StringVarP(&a.file, "file", "f", "strata.yaml", "the configuration `file`; its directory is the project")
	flags.StringVar(&a.storeAt, "store", "", "keep layers and images in this `directory`, or the one that STRATA_STORE names, instead of the user's container store")
	flags.StringVar(&a.output, "output", "text", "`format` of results: text, json for programs; plan, graph and pipeline also dot, mermaid, svg, html")
	flags.StringArrayVar(&a.overrides, "override", nil, "use a directory or another commit for a layer's repository: `NAME=DIR|REV`")
	flags.StringArrayVar(&a.pins, "pin", nil, "take the ref of a repository to name this commit, as a plan found it: `NAME=COMMIT`")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print only results and failures")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "print more")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.New(fault.Input, "%w", err).WithHint("see %s --help", cmd.CommandPath())
	})
	cmd.AddCommand(
		newValidateCommand(a), newLockCommand(a), newSchemaCommand(a), newPlanCommand(a), newWhyCommand(a), newGraphCommand(a), newWatchCommand(a), newImportCommand(a),
		newBuildCommand(a), newShellCommand(a), newImagesCommand(a),
		newInspectCommand(a), newHistoryCommand(a), newExportCommand(a), newBootCommand(a), newGCCommand(a),
		newPushCommand(a), newPullCommand(a), newRegistryCommand(a), newPipelineCommand(a), newCICommand(a),
		newDoctorCommand(a), newVersionCommand(a),
	)
	return cmd
}

// args wraps cobra's checks of arguments so that a mistake counts as input.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return fault.New(fault.Input, "%w", err).WithHint("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// json says whether results are for a program.
func (a *app) json() bool { return a.output == "json" }

// project is a loaded configuration and where it lies.
type project struct {
	*layer.Project
	files fs.FS
	dir   string // absolute
	repos *repos
}

// load reads the configuration.
func (a *app) load() (*project, error) {
	path, err := filepath.Abs(a.path(a.file))
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.Input, "there is no %s", path).
			WithHint("go to the project's directory, or name it with -C, or the file with -f; examples/hello is one to start from")
	}
	files, err := git.OnDisk(dir)
	if err != nil {
		return nil, err
	}
	r, err := a.repos(files, filepath.Base(path), newRefs(), false)
	if err != nil {
		return nil, err
	}
	p, err := recipe.Load(r.files, filepath.Base(path), recipe.Options{Arch: runtime.GOARCH, Repo: r.join})
	if err != nil {
		return nil, err
	}
	if err := r.choices.unused(r.pinned); err != nil {
		return nil, err
	}
	if err := r.require(p, dir); err != nil {
		return nil, err
	}
	return &project{Project: p, files: r.files, dir: dir, repos: r}, nil
}

// path is where a file that the user names is: -C counts as the directory that
// strata was started in.
func (a *app) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(a.dir, name)
}

// invocation repeats the flags that say which project and store, for hints.
func (a *app) invocation() string { return strings.Join(a.again(), " ") }

// again is the same in words.
func (a *app) again() []string {
	words := []string{"strata"}
	for _, f := range []struct{ flag, value, usual string }{{"-C", a.dir, "."}, {"-f", a.file, "strata.yaml"}, {"--store", a.storeAt, ""}} {
		if f.value != f.usual {
			words = append(words, f.flag, f.value)
		}
	}
	return words
}

// enter gets the rights that a store needs. Where this process lacks them it
// runs again in a user namespace, and this run ends with that one's status.
func (a *app) enter() error {
	if !sandbox.HasAdmin() {
		a.ending.stop() // the one who gets the signals is the run in the namespace
	}
	status, done, err := sandbox.Rootless()
	if err != nil {
		return err
	}
	if done {
		return exited(status)
	}
	ownRuntime()
	return nil
}

// ownRuntime names an ordinary user's own runtime directory, as Podman does, where
// nothing has (in a job of cron's, say). Else the libraries look for credentials in
// that of the user whom they take this process for: the machine's root.
func ownRuntime() {
	if unshare.GetRootlessUID() == 0 || os.Getenv("XDG_RUNTIME_DIR") != "" {
		return
	}
	if dir, err := homedir.GetRuntimeDir(); err == nil {
		os.Setenv("XDG_RUNTIME_DIR", dir)
	}
}

// open opens the store, with the rights that it needs.
func (a *app) open() (*store.Store, error) {
	if err := a.enter(); err != nil {
		return nil, err
	}
	root, err := a.storeRoot()
	if err != nil {
		return nil, err
	}
	if !sandbox.InUserNamespace() && !store.Probed(root) {
		// Where that fails, so does what follows, and says why.
		_ = sandbox.Again(context.Background(), probeName, root)
	}
	return store.Open(root)
}

// probeName is that of this program where it only has the store probed.
const probeName = "strata-probe"

// probe is such a run, in a mount namespace of its own.
func probe(root string) int {
	if store.Probe(root) != nil {
		return 1
	}
	return 0
}

// use opens the store and keeps gc away until done is called.
func (a *app) use() (st *store.Store, done func(), err error) {
	if st, err = a.open(); err != nil {
		return nil, nil, err
	}
	a.ending.cleans()
	release, err := st.Use(a.ctx)
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	return st, func() { release(); st.Close() }, nil
}

// builder opens everything that building needs. The store must be closed.
func (a *app) builder(p *project) (*engine.Builder, error) {
	st, err := a.open()
	if err != nil {
		return nil, err
	}
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	cache, err := apt.NewCache(filepath.Join(dir, "apt"))
	if err != nil {
		return nil, fault.New(fault.Machine, "%w", err).WithHint("set XDG_CACHE_HOME to a directory that can be written")
	}
	onDisk, err := p.repos.onDisk(p.dir)
	if err != nil {
		return nil, err
	}
	elsewhere, err := p.repos.elsewhere.directory()
	if err != nil {
		return nil, err
	}
	b := &engine.Builder{Project: p.Project, Files: p.files, Dir: onDisk, Checkout: p.dir, Elsewhere: elsewhere, Known: p.repos.elsewhere.warnings, Store: st, Packages: packages.Table{"apt": cache},
		Version: programVersion(), Invocation: a.invocation(), Git: runGit, Passing: passing(os.Getenv)}
	if p.Registry != "" {
		if b.Exchange, err = a.exchange(st, p, p.Registry); err == nil {
			b.Shelf, err = a.shelf(p, b.Exchange)
		}
		if err != nil {
			st.Close()
			return nil, err
		}
	}
	return b, nil
}

// prepare opens everything that building needs, cleans up after builds that were
// killed, and keeps gc away until done is called.
func (a *app) prepare(p *project) (b *engine.Builder, done func(), err error) {
	if err := a.fetchElsewhere(p); err != nil {
		return nil, nil, err
	}
	if b, err = a.builder(p); err != nil {
		return nil, nil, err
	}
	a.ending.cleans()
	release, err := b.Prepare(a.ctx)
	if err != nil {
		b.Store.Close()
		return nil, nil, err
	}
	return b, func() { release(); b.Store.Close() }, nil
}

// places are the directories that commands write to, if they can be told.
func (a *app) places() []string {
	places := []string{os.TempDir()}
	if dir, err := cacheDir(); err == nil {
		places = append(places, dir)
	}
	dir, err := a.storeRoot()
	if dir == "" && err == nil {
		dir, err = store.DefaultRoot()
	}
	if err == nil {
		places = append(places, dir)
	}
	return places
}

func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fault.New(fault.Machine, "find the cache directory: %w", err).WithHint("set XDG_CACHE_HOME or HOME")
	}
	return filepath.Join(dir, "strata"), nil
}

// terminal says whether results go to a person's screen. Some CI systems give
// their jobs a terminal, too, that nobody looks at.
func (a *app) terminal() bool {
	f, ok := a.document.(*os.File)
	return ok && os.Getenv("CI") == "" && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if len(revision) > 12 {
		return "0-" + revision[:12] + dirty
	}
	return "development"
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if a.json() {
				return a.printJSON(map[string]string{"version": programVersion(), "go": runtime.Version(), "arch": runtime.GOARCH})
			}
			_, err := fmt.Fprintf(a.out, "strata %s (%s, %s)\n", programVersion(), runtime.Version(), runtime.GOARCH)
			return err
		},
	}
}
