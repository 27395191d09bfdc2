package step

import (
	"os"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// Equip adds to a sandbox what steps need and layers must not hold: names of hosts.
func Equip(spec *sandbox.Spec) {
	resolver := sandbox.Marked("the resolver of the machine that builds; not part of the image", resolverLines())
	hosts := sandbox.Marked("while the image is built; not part of it", []string{"127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"})
	spec.Substitutes = append(spec.Substitutes,
		// Where the links lead that systemd-resolved and its package make.
		sandbox.Placeholder{Path: "/run/systemd/resolve/stub-resolv.conf", Content: resolver, Mode: 0o644},
		sandbox.Placeholder{Path: "/run/systemd/resolve/resolv.conf", Content: resolver, Mode: 0o644},
		sandbox.Placeholder{Path: "/etc/resolv.conf", Content: resolver, Mode: 0o644, Lines: true},
		sandbox.Placeholder{Path: "/etc/hosts", Content: hosts, Mode: 0o644, IfMissing: true, Lines: true},
	)
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
