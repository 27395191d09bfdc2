package apt

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Places in a sandbox that hold what apt needs while a layer is built.
const (
	inTree       = "/run/strata/apt"
	treeLists    = inTree + "/lists"
	treeArchives = inTree + "/archives"
	treeCache    = inTree + "/cache"
	treeKeyrings = inTree + "/keyrings"
	// scriptRuns is where dpkg notes when it runs scripts, whoever has called it: a
	// package step, a playbook or a command.
	scriptRuns = "/run/strata/dpkg"
)

// dpkgHooks is a configuration of dpkg (dpkg.cfg(5)). A hook that fails would
// fail the installation.
const dpkgHooks = `pre-invoke=date "+from %s.%N" >>` + scriptRuns + ` || true
post-invoke=date "+to %s.%N" >>` + scriptRuns + ` || true
`

// tree is apt in a tree.
type tree struct {
	*set
	downloads *Scratch
}

// Equip implements packages.Set: apt's lists, downloads and configuration, the
// repositories that the image does not name, and the order not to start services.
func (s *set) Equip(ctx context.Context, spec *sandbox.Spec) (_ packages.Tree, err error) {
	downloads, err := s.cache.Scratch(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, downloads.Close())
		}
	}()
	lists, err := downloads.Lists(s.repositories)
	if err != nil {
		return nil, err
	}
	own := downloads.Own()
	if err := os.MkdirAll(own, 0o755); err != nil {
		return nil, fmt.Errorf("use package cache: %w", err)
	}
	spec.Mounts = append(spec.Mounts,
		sandbox.Mount{Source: lists, Target: treeLists},
		sandbox.Mount{Source: own, Target: treeCache},
		sandbox.Mount{Source: s.cache.Archives(), Target: treeArchives, Scratch: filepath.Join(downloads.Dir, "archives")},
	)
	spec.Substitutes = append(spec.Substitutes,
		sandbox.Placeholder{Path: "/usr/sbin/policy-rc.d", Content: "#!/bin/sh\n# No service starts while an image is built.\nexit 101\n", Mode: 0o755},
		sandbox.Placeholder{Path: "/etc/dpkg/dpkg.cfg.d/99strata-build", Content: dpkgHooks, Mode: 0o644},
		sandbox.Placeholder{Path: "/etc/apt/apt.conf.d/99strata-build", Content: TreeConfig(treeLists, treeArchives, treeCache), Mode: 0o644})
	if unnamed := s.unnamed(spec); len(unnamed) > 0 {
		spec.Substitutes = append(spec.Substitutes,
			sandbox.Placeholder{Path: "/etc/apt/sources.list.d/strata-build.sources", Content: Sources(unnamed), Mode: 0o644})
	}
	return &tree{s, downloads}, nil
}

// unnamed are the repositories that the image does not name, as apt in a sandbox has
// them, which gets their keyrings.
func (s *set) unnamed(spec *sandbox.Spec) []Repository {
	var unnamed []Repository
	mounted := map[string]bool{}
	for _, r := range s.repositories {
		if r.Named {
			continue
		}
		switch target := path.Join(treeKeyrings, path.Base(r.Keyring)); {
		case r.Trusted:
		case r.Installed != "":
			r.Keyring = r.Installed
		default:
			if !mounted[target] {
				spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: r.Keyring, Target: target, ReadOnly: true})
			}
			mounted[target], r.Keyring = true, target
		}
		unnamed = append(unnamed, r)
	}
	return unnamed
}

// apt runs the tree's apt-get.
func (t *tree) apt(ctx context.Context, at packages.Target, args ...string) error {
	env := append(sandbox.Environ(at.Environment), Proxies()...)
	return explain(at.Box.Run(ctx, sandbox.Cmd{Args: append([]string{"apt-get"}, args...), Env: env, Stdout: at.Log, Stderr: at.Log}, sandbox.RunOptions{}))
}

// Remove implements packages.Tree.
func (t *tree) Remove(ctx context.Context, at packages.Target, names []string) error {
	return t.apt(ctx, at, append([]string{"purge", "--"}, names...)...)
}

// Install implements packages.Tree.
func (t *tree) Install(ctx context.Context, at packages.Target, what packages.Install) error {
	args := append([]string{"-o", fmt.Sprintf("APT::Install-Recommends=%t", what.Recommends), "install", "--"}, what.Packages...)
	err := t.downloads.Install(ctx, func(ctx context.Context) error { return t.apt(ctx, at, args...) })
	if err != nil && ctx.Err() == nil {
		err = t.withDamaged(err)
	}
	// What was downloaded serves the next attempt too.
	return errors.Join(err, t.downloads.Keep(t.repositories))
}

// withDamaged says so in an error if the cache had packages that are damaged, and
// removes them.
func (t *tree) withDamaged(err error) error {
	damaged, dropped := t.cache.DropDamaged(t.repositories)
	if dropped != nil || len(damaged) == 0 {
		return errors.Join(err, dropped)
	}
	return fault.New(fault.Failed, "%w: damaged in the package cache: %s", err, strings.Join(damaged, ", ")).
		WithHint("they are removed from it: build again, and they are downloaded anew; if it happens often, look at the disk and its log")
}

// Installed implements packages.Tree.
func (t *tree) Installed(ctx context.Context, at packages.Target) ([]packages.Package, error) {
	var list bytes.Buffer
	query := []string{"dpkg-query", "--show", "--showformat", `${db:Status-Status} ${Package} ${Version} ${Architecture}\n`}
	if err := at.Box.Run(ctx, sandbox.Cmd{Args: query, Env: sandbox.Environ(at.Environment), Stdout: &list, Stderr: at.Log}, sandbox.RunOptions{}); err != nil {
		return nil, fmt.Errorf("list installed packages: %w", err)
	}
	var all []packages.Package
	for line := range strings.Lines(list.String()) {
		if words := strings.Fields(line); len(words) == 4 && words[0] == "installed" {
			all = append(all, packages.Package{Name: words[1], Version: words[2], Arch: words[3]})
		}
	}
	slices.SortStableFunc(all, func(a, b packages.Package) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Scripts implements packages.Tree.
func (t *tree) Scripts(box *sandbox.Sandbox) ([][2]time.Time, error) {
	content, err := sandbox.ReadFileIn(box.Root(), scriptRuns)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var spans [][2]time.Time
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		word, stamp, _ := strings.Cut(lines.Text(), " ")
		sec, nsec, _ := strings.Cut(stamp, ".")
		s, err1 := strconv.ParseInt(sec, 10, 64)
		ns, err2 := strconv.ParseInt(nsec, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read when scripts of packages ran: %w", err)
		}
		at := time.Unix(s, ns)
		switch last := len(spans) - 1; {
		case word == "from":
			spans = append(spans, [2]time.Time{at, time.Now()}) // until its end is known
		case last >= 0:
			spans[last][1] = at
		}
	}
	return spans, nil
}

// Close implements packages.Tree.
func (t *tree) Close() error { return t.downloads.Close() }
