package test

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
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

// anewEachTime are files that packages make anew in each build and that tell no machine
// from another: times, random minutes, and what is warned of as a whole. Patterns as
// of path.Match; all that is below one counts, too.
var anewEachTime = []string{
	"/etc/ssl/certs/java/cacerts", "/etc/aliases.db", "/etc/mail", "/etc/cron.d/debsecan", "/etc/cron.d/apticron", "/etc/.git",
	"/var/lib/mysql", "/var/lib/postgresql", "/etc/ldap/slapd.d", "/var/lib/ldap", "/etc/bacula", "/var/lib/rkhunter",
	"/var/lib/ucf",
}

// The packages that images of clusters have most, installed twice: nothing differs
// but what is known to, and what a warning names.
func TestManyPackages(t *testing.T) {
	if os.Getenv("STRATA_TEST_LONG") == "" {
		t.Skip("installs some 370 packages twice; STRATA_TEST_LONG=1 does it")
	}
	layers := "  bare: {parent: base, packages: {install: [systemd-sysv, python3, dbus, openssl, adduser, debconf], no_recommends: true}}\n"
	var names []string
	for line := range strings.SplitSeq(readFile(t, "testdata/packages.txt"), "\n") {
		if name, list, ok := strings.Cut(line, ": "); ok {
			names = append(names, name)
			layers += fmt.Sprintf("  many-%s: {parent: bare, secrets: {nonce: {env: STRATA_TEST_NONCE}}, packages: {install: [%s], no_recommends: true}}\n",
				name, strings.Join(strings.Fields(list), ", "))
		}
	}
	p := newProject(t, layers, "", nil)
	p.write("strata.yaml", strings.Replace(readFile(t, p.dir+"/strata.yaml"), "components: [main]", "components: [main, contrib]", 1))
	p.freshStore() // the base is another one
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			first, _ := p.holds(t, "many-"+name, "the-first-"+name)
			second, warned := p.holds(t, "many-"+name, "the-second-"+name)
			for file := range second {
				if first[file] != second[file] && !slices.Contains(warned, file) && !slices.ContainsFunc(anewEachTime, func(known string) bool { return below(known, file) }) {
					t.Errorf("%s is %q, and was %q", file, second[file], first[file])
				}
			}
		})
	}
}

// below says whether a pattern means a file, or a directory that it is in.
func below(pattern, file string) bool {
	for ; file != "/"; file = path.Dir(file) {
		if ok, _ := path.Match(pattern, file); ok {
			return true
		}
	}
	return false
}

var warning = regexp.MustCompile(`warning: (/\S+)`)

// holds builds a node, and returns the digests and links of its files, and
// the files that the build warned of.
func (p *project) holds(t *testing.T, node, nonce string) (files map[string]string, warned []string) {
	t.Helper()
	p.env = []string{"STRATA_TEST_NONCE=" + nonce}
	r := p.strata("build", node)
	if r.code != 0 {
		t.Fatal(end(r.all()))
	}
	for _, m := range warning.FindAllStringSubmatch(r.all(), -1) {
		warned = append(warned, m[1])
	}
	files = map[string]string{}
	list := p.shell(node, `find /etc /var /usr /opt /srv /root /boot -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sed 's/  /\t/'
		find /etc /var /usr /opt /srv /root /boot -xdev -type l -printf '%l\t%p\n'`)
	for line := range strings.SplitSeq(list, "\n") {
		digest, file, _ := strings.Cut(line, "\t")
		files[file] = digest
	}
	return files, warned
}
