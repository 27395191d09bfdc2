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
	drop          // a file tells of the build, or must not be the same on two machines
	empty         // its place and owner matter, its content tells of the build
	purge         // of whatever kind, with all that is below: even its name tells of the build
	prune         // a directory that stays only if something is in it
)

// scrubbed lists such files by path.Match patterns, relative to the root; the
// first match decides. A pattern that ends in "/**" means everything below, one that
// begins with "**/" any directory: homes may be anywhere.
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
	{"root/.cache/**", purge},
	{"**/.wget-hsts", drop},
	{"**/.gnupg/random_seed", drop},
	// What Ansible leaves behind: results of async tasks, directories of
	// modules, facts, and the backups that its modules name by process and time.
	{"**/.ansible_async", purge},
	{"**/.ansible/tmp", purge},
	{"**/.ansible/cp", purge},
	{"**/.ansible/galaxy_cache", purge},
	{"**/.ansible", prune},
	{"**/*.[0-9]*.20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]@[0-9][0-9]:[0-9][0-9]:[0-9][0-9]~", drop},
	// What makes a cluster node itself.
	{"etc/machine-id", empty},
	{"var/lib/dbus/machine-id", drop},
	{"etc/ssh/ssh_host_*_key", drop},
	{"etc/ssh/ssh_host_*_key.pub", drop},
	{"var/lib/systemd/random-seed", drop},
	{"var/lib/urandom/random-seed", drop},
	{"var/lib/systemd/credential.secret", drop},
	{"var/lib/dhcp/*.leases", drop},
	{"run/**", purge},
	{"tmp/**", purge},
	{"var/tmp/**", purge},
}

// scrub decides about a file as the site wants it.
func (s *sealer) scrub(name string, st *unix.Stat_t) verdict {
	switch verdict := scrub(name, st); {
	case s.how.kept(name):
		return keep
	case st.Mode&unix.S_IFMT == unix.S_IFREG && anyMatches(s.how.Identities.Remove, name):
		return drop
	default:
		return verdict
	}
}

// scrub decides about a file. Links and devices in places where files are dropped or
// emptied are somebody's configuration and stay, and so do directories.
func scrub(name string, st *unix.Stat_t) verdict {
	for _, s := range scrubbed {
		if !matches(s.pattern, name) {
			continue
		}
		switch kind := st.Mode & unix.S_IFMT; {
		case s.verdict == purge, s.verdict == prune && kind == unix.S_IFDIR, kind == unix.S_IFREG:
			return s.verdict
		}
		return keep
	}
	return keep
}

// matches says whether a pattern of scrubbed means a file.
func matches(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "**"); ok {
		return strings.HasPrefix(name, dir)
	}
	if below, ok := strings.CutPrefix(pattern, "**/"); ok {
		pattern, name = below, lastElements(name, 1+strings.Count(below, "/"))
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// lastElements returns the last n elements of a path, or all if it has fewer.
func lastElements(name string, n int) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			if n--; n == 0 {
				return name[i+1:]
			}
		}
	}
	return name
}
