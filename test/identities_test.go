package test

import (
	"strings"
	"testing"
)

// ids has packages that make identities when they are installed: by a package step, by
// a command, and below a key of the site's own.
const ids = `
  ids-packages: {parent: tools, secrets: &nonce {nonce: {env: STRATA_TEST_NONCE}}, packages: {install: [nvme-cli, munge], no_recommends: true}}
  ids-command: {parent: tools, secrets: *nonce, run: ["apt-get install -y --no-install-recommends nvme-cli; echo the site has it > /etc/hostid"]}
  ids-site:
    parent: tools
    secrets: *nonce
    packages: {install: [munge], no_recommends: true}
    files: [{content: "the key that the whole site has, and each node", dest: /etc/munge/munge.key, owner: munge, group: munge, mode: "0400"}]
  ids-kept: {parent: tools, secrets: *nonce, packages: {install: [nvme-cli], no_recommends: true}, identities: {keep: [/etc/nvme/hostid]}}
`

// What packages make for one machine is in no image, whoever installs them, so two
// builds are the same; what the site itself puts there is.
func TestIdentities(t *testing.T) {
	p := newProject(t, ids, "", nil)
	build := func(nonce string, nodes ...string) built {
		p.env = []string{"STRATA_TEST_NONCE=" + nonce}
		return p.build(append([]string{"--jobs", "2"}, nodes...)...)
	}
	first := build("one-"+t.Name(), "ids-packages", "ids-command", "ids-site", "ids-kept")
	sameBuild(t, build("two-"+t.Name(), "ids-packages", "ids-command"), first.only("base", "tools", "ids-packages", "ids-command"))
	const list = `cd /etc; ls nvme/hostnqn nvme/hostid munge/munge.key 2>/dev/null || true; cat hostid munge/munge.key 2>/dev/null || true`
	for node, want := range map[string]string{
		"ids-packages": "", "ids-command": "the site has it\n", "ids-kept": "nvme/hostid\n",
		"ids-site": "munge/munge.key\nthe key that the whole site has, and each node",
	} {
		if got := p.shell(node, list); got != want {
			t.Errorf("%s has %q, want %q", node, got, want)
		}
	}
	if got := p.shell("ids-packages", "cat /usr/lib/systemd/system/munge.service.d/*"); !strings.Contains(got, "mungekey") {
		t.Errorf("nothing makes a key for munge: %q", got)
	}
}

// only returns the nodes of these names.
func (b built) only(names ...string) built {
	var some built
	for _, n := range b.Nodes {
		for _, name := range names {
			if n.ID == name {
				some.Nodes = append(some.Nodes, n)
			}
		}
	}
	return some
}
