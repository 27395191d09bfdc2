package store

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// verdict says what becomes of a file that a build wrote.
type verdict int

const (
	keep  verdict = iota
	drop          // it tells of the build, or must not be the same on two machines
	empty         // its place and owner matter, its content tells of the build
)

// scrubbed lists such files by path.Match patterns, relative to the root; the
// first match decides. A pattern that ends in "/**" means everything below.
var scrubbed = []struct {
	pattern string
	verdict verdict
}{
	// Package managers' logs; any other log stays, but empty.
	{"var/log/apt/**", drop},
	{"var/log/dpkg.log", drop},
	{"var/log/alternatives.log", drop},
	{"var/log/bootstrap.log", drop},
	{"var/log/dnf*.log*", drop},
	{"var/log/hawkey.log*", drop},
	{"var/log/yum.log", drop},
	{"var/log/zypper.log", drop},
	{"var/log/zypp/**", drop},
	{"var/log/journal/**", drop},
	{"var/log/**", empty},
	// Caches and package lists.
	{"var/cache/apt/**", drop},
	{"var/lib/apt/lists/**", drop},
	{"var/cache/dnf/**", drop},
	{"var/cache/zypp/**", drop},
	{"var/cache/ldconfig/**", drop},
	{"var/cache/man/**", drop},
	{"var/cache/debconf/*-old", drop},
	{"var/lib/dpkg/*-old", drop},
	{"root/.ansible/**", drop},
	{"root/.cache/**", drop},
	{"root/.gnupg/random_seed", drop},
	// What makes a cluster node itself.
	{"etc/machine-id", empty},
	{"var/lib/dbus/machine-id", drop},
	{"etc/ssh/ssh_host_*_key", drop},
	{"etc/ssh/ssh_host_*_key.pub", drop},
	{"var/lib/systemd/random-seed", drop},
	{"var/lib/urandom/random-seed", drop},
	{"var/lib/systemd/credential.secret", drop},
	{"var/lib/dhcp/*.leases", drop},
	{"run/**", drop},
	{"tmp/**", drop},
	{"var/tmp/**", drop},
}

// scrub decides about a file that is no directory; links and devices in these
// places are somebody's configuration and stay.
func scrub(name string, st *unix.Stat_t) verdict {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return keep
	}
	for _, s := range scrubbed {
		if dir, ok := strings.CutSuffix(s.pattern, "**"); ok {
			if strings.HasPrefix(name, dir) {
				return s.verdict
			}
			continue
		}
		if ok, err := path.Match(s.pattern, name); ok && err == nil {
			return s.verdict
		}
	}
	return keep
}
