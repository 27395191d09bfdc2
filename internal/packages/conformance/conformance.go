// Package conformance is what every package manager must do, as a test that each
// one's package runs on repositories of its own making. It knows no manager.
package conformance

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Fixture is a manager with an empty cache, and repositories for it.
type Fixture struct {
	Manager packages.Manager
	Arch    string
	// Small has package alpha 1.0, which needs beta 2.0, and is taken unsigned.
	Small packages.Repository
	// Unsigned is the same, and ought to be signed. Away answers nothing.
	Unsigned, Away packages.Repository
	// Distribution is one to bootstrap from, with a package Extra that a bootstrap
	// leaves out; nil: no bootstrap.
	Distribution *packages.Repository
	Extra        string
}

// Run runs all that the fixture allows.
func Run(t *testing.T, f Fixture) {
	t.Run("lists", func(t *testing.T) { f.lists(t) })
	t.Run("mistakes", func(t *testing.T) { f.mistakes(t) })
	t.Run("files", func(t *testing.T) { f.files(t) })
	if f.Distribution != nil {
		t.Run("bootstrap", func(t *testing.T) { f.bootstrap(t) })
	}
}

func (f Fixture) open(t *testing.T, r packages.Repository) packages.Set {
	t.Helper()
	set, err := f.Manager.Open([]packages.Repository{r}, f.Arch)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// lists: what repositories have is known once it was refreshed, and in full.
func (f Fixture) lists(t *testing.T) {
	set := f.open(t, f.Small)
	if set.Listed() {
		t.Error("there are lists before any was fetched")
	}
	if err := set.Refresh(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	if !set.Listed() {
		t.Error("there are no lists after they were fetched")
	}
	found, err := set.Resolve(t.Context(), io.Discard, []string{"alpha"})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b packages.Package) int { return strings.Compare(a.Name, b.Name) })
	if len(found) != 2 || found[0].Name != "alpha" || found[0].Version != "1.0" || found[1].Name != "beta" || found[1].Version != "2.0" {
		t.Fatalf("alpha comes to %+v", found)
	}
	for _, p := range found {
		if len(p.SHA256) != 64 || p.Size == 0 || p.Arch == "" {
			t.Errorf("too little is known of %+v", p)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(f.Manager.Dir(), "*", "alpha*")); len(left) > 0 {
		t.Errorf("resolving has downloaded %s", left)
	}
}

// mistakes are explained: a person gets a sentence and a hint.
func (f Fixture) mistakes(t *testing.T) {
	small := f.open(t, f.Small)
	if err := small.Refresh(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	_, unknown := small.Resolve(t.Context(), io.Discard, []string{"no-such-package"})
	for what, err := range map[string]error{
		"a package is in none of the layer's repositories": unknown,
		"signature is not good":                            f.open(t, f.Unsigned).Refresh(t.Context(), io.Discard),
		"a mirror did not deliver":                         f.open(t, f.Away).Refresh(t.Context(), io.Discard),
	} {
		if err == nil || !strings.Contains(err.Error(), what) || fault.KindOf(err) != fault.Failed || fault.All(err)[0].Hint == "" {
			t.Errorf("want %q: %v", what, err)
		}
	}
}

// files: an image knows the repositories that are named, and only these.
func (f Fixture) files(t *testing.T) {
	set := f.open(t, f.Small)
	named := set.Files([]string{f.Small.Name})
	if len(named) == 0 || !slices.ContainsFunc(named, func(file packages.File) bool { return strings.Contains(file.Content, f.Small.URL) }) {
		t.Errorf("no file has the address: %+v", named)
	}
	for _, file := range named {
		if !filepath.IsAbs(file.Path) {
			t.Errorf("path %s", file.Path)
		}
	}
	if others := set.Files([]string{"other"}); len(others) > 0 {
		t.Errorf("files of a repository that is not named: %+v", others)
	}
}

// bootstrap: from an empty directory to a tree in which packages come and go.
func (f Fixture) bootstrap(t *testing.T) {
	set := f.open(t, *f.Distribution)
	dir := t.TempDir()
	upper, scratch, box := filepath.Join(dir, "upper"), filepath.Join(dir, "scratch"), filepath.Join(dir, "box")
	for _, d := range []string{upper, scratch, box} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	log := &strings.Builder{}
	if err := set.Bootstrap(t.Context(), packages.Bootstrap{Upper: upper, Scratch: scratch, Log: log}); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	resolver, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	spec := sandbox.Spec{Upper: upper, Scratch: box, Substitutes: []sandbox.Placeholder{{Path: "/etc/resolv.conf", Content: string(resolver), Mode: 0o644}}}
	tree, err := set.Equip(t.Context(), &spec)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sandbox.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	at := packages.Target{Box: s, Log: log}
	installed := func() (names []string) {
		all, err := tree.Installed(t.Context(), at)
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		for _, p := range all {
			names = append(names, p.Name)
		}
		return names
	}
	before := installed()
	if len(before) < 10 || slices.Contains(before, f.Extra) || !slices.IsSorted(before) {
		t.Errorf("after a bootstrap there are %q", before)
	}
	if err := tree.Install(t.Context(), at, packages.Install{Packages: []string{f.Extra}}); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if !slices.Contains(installed(), f.Extra) {
		t.Errorf("%s was installed, and is not there", f.Extra)
	}
	if ran, err := tree.Scripts(s); err != nil || len(ran) == 0 {
		t.Errorf("scripts of packages ran at %v, %v", ran, err)
	}
	if err := tree.Remove(t.Context(), at, []string{f.Extra}); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if after := installed(); !slices.Equal(after, before) {
		t.Errorf("before %q, after %q", before, after)
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
}
