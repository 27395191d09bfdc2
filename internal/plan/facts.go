package plan

import (
	"io/fs"
	"path"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
)

// release is a release of a distribution, as Ansible's facts name it.
type release struct{ distribution, major string }

// releases are those that are known by their suite. Of what is being tested, and of
// other distributions, nothing is known: they may call themselves what they like.
var releases = map[string]release{
	"buster": {"Debian", "10"}, "bullseye": {"Debian", "11"}, "bookworm": {"Debian", "12"}, "trixie": {"Debian", "13"},
	"focal": {"Ubuntu", "20"}, "jammy": {"Ubuntu", "22"}, "noble": {"Ubuntu", "24"},
}

// machines are Ansible's names of architectures by Debian's.
var machines = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// releaseFiles say which distribution a tree is.
var releaseFiles = []string{"/etc/os-release", "/usr/lib/os-release", "/etc/debian_version", "/etc/lsb-release"}

// facts are what is known of what Ansible will find out about a node: that it is of
// the distribution that its first layer is of, unless a file that says so is put in
// its place, or a repository has another release of it.
func (c *collector) facts() map[string]string {
	first := c.n
	for {
		if c.writesRelease(first) {
			return nil
		}
		if first.Source != nil {
			break
		}
		parent, ok := c.src.node(c.p, first.Parent)
		if !ok {
			return nil
		}
		first = parent
	}
	uses := first.Source.Uses()
	if len(uses) == 0 {
		return nil
	}
	suite := c.p.Repositories[uses[0]].Suite
	of, ok := releases[suite]
	if !ok {
		return nil
	}
	known := map[string]string{"os_family": "Debian", "distribution": of.distribution, "system": "Linux", "pkg_mgr": "apt"}
	if machine := machines[c.n.Arch]; machine != "" {
		known["architecture"], known["machine"] = machine, machine
	}
	for _, name := range c.n.Repositories {
		other, isRelease := releases[strings.SplitN(c.p.Repositories[name].Suite, "-", 2)[0]]
		if isRelease && other != of {
			return known
		}
	}
	known["distribution_release"], known["distribution_major_version"] = suite, of.major
	return known
}

// writesRelease reports whether a step of a node may put one of the files in its
// place that say which distribution it is.
func (c *collector) writesRelease(n layer.Node) bool {
	for _, s := range n.Steps {
		places, ok := s.(layer.Placer)
		if !ok {
			continue
		}
		for _, f := range places.Places() {
			dest := path.Clean(f.Dest)
			if strings.HasSuffix(f.Dest, "/") {
				dest = path.Join(dest, path.Base(f.Src))
			}
			for _, name := range releaseFiles {
				rest, below := strings.CutPrefix(name, strings.TrimSuffix(dest, "/")+"/")
				if dest == name || below && f.Src != "" && c.there(path.Join(f.Src, rest)) {
					return true
				}
			}
		}
	}
	return false
}

// there reports whether there is a file of a name, or something that may lead to
// one.
func (c *collector) there(name string) bool {
	for dir := path.Clean(name); dir != "."; dir = path.Dir(dir) {
		info, err := fs.Lstat(c.src.Files, dir)
		if err == nil && (dir == name || info.Mode()&fs.ModeSymlink != 0) {
			return true
		}
	}
	return false
}
