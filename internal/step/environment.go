package step

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/apt"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Places in a sandbox that hold what apt needs while a layer is built.
const (
	aptDir      = "/run/strata/apt"
	aptLists    = aptDir + "/lists"
	aptArchives = aptDir + "/archives"
	aptCache    = aptDir + "/cache"
	aptKeyrings = aptDir + "/keyrings"
)

// Equip adds to a sandbox what steps need and layers must not hold: name
// resolution, apt's lists, downloads and configuration, and the order not to
// start services.
func Equip(spec *sandbox.Spec, cache *apt.Cache, downloads *apt.Scratch, repositories []apt.Repository) error {
	resolver := sandbox.Marked("the resolver of the machine that builds; not part of the image", resolverLines())
	hosts := sandbox.Marked("while the image is built; not part of it", []string{"127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"})
	spec.Substitutes = append(spec.Substitutes,
		// Where the links lead that systemd-resolved and its package make.
		sandbox.Placeholder{Path: "/run/systemd/resolve/stub-resolv.conf", Content: resolver, Mode: 0o644},
		sandbox.Placeholder{Path: "/run/systemd/resolve/resolv.conf", Content: resolver, Mode: 0o644},
		sandbox.Placeholder{Path: "/etc/resolv.conf", Content: resolver, Mode: 0o644, Lines: true},
		sandbox.Placeholder{Path: "/etc/hosts", Content: hosts, Mode: 0o644, IfMissing: true, Lines: true},
		sandbox.Placeholder{Path: "/usr/sbin/policy-rc.d", Content: "#!/bin/sh\n# No service starts while an image is built.\nexit 101\n", Mode: 0o755},
		sandbox.Placeholder{Path: "/etc/dpkg/dpkg.cfg.d/99strata-build", Content: dpkgHooks, Mode: 0o644},
	)
	if downloads == nil {
		return nil
	}
	lists, err := downloads.Lists(repositories)
	if err != nil {
		return err
	}
	own := downloads.Own()
	if err := os.MkdirAll(own, 0o755); err != nil {
		return fmt.Errorf("use package cache: %w", err)
	}
	spec.Mounts = append(spec.Mounts,
		sandbox.Mount{Source: lists, Target: aptLists},
		sandbox.Mount{Source: own, Target: aptCache},
		sandbox.Mount{Source: cache.Archives(), Target: aptArchives, Scratch: filepath.Join(downloads.Dir, "archives")},
	)
	spec.Substitutes = append(spec.Substitutes,
		sandbox.Placeholder{Path: "/etc/apt/apt.conf.d/99strata-build", Content: apt.TreeConfig(aptLists, aptArchives, aptCache), Mode: 0o644})
	var unnamed []apt.Repository // those that the image does not name
	mounted := map[string]bool{}
	for _, r := range repositories {
		if r.Named {
			continue
		}
		switch target := path.Join(aptKeyrings, path.Base(r.Keyring)); {
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
	if len(unnamed) > 0 {
		spec.Substitutes = append(spec.Substitutes,
			sandbox.Placeholder{Path: "/etc/apt/sources.list.d/strata-build.sources", Content: apt.Sources(unnamed), Mode: 0o644})
	}
	return nil
}

// resolverLines are lines of resolv.conf(5) that work in a sandbox, which shares
// this machine's network: the machine's own, whatever the file is a link to.
func resolverLines() []string {
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		content, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(content), "nameserver") {
			continue
		}
		return slices.DeleteFunc(strings.Split(string(content), "\n"), func(line string) bool {
			line = strings.TrimSpace(line)
			return line == "" || line[0] == '#' || line[0] == ';'
		})
	}
	return nil
}
