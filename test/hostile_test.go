package test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// onlyHere is in every file of this machine that a tree's links point to. A
// build must neither read nor change them.
const onlyHere = "only-on-this-machine-4711"

// bait makes a directory of this machine, of files that a build would like to
// read or write. Its path does not exist in any tree.
func bait(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/lib", "strata-test-")
	if err != nil {
		t.Skipf("needs to write to /var/lib: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{
		"resolv.conf", "etc/passwd", "etc/group", "etc/resolv.conf", "etc/hosts", "etc/apt/sources.list", "sbin/policy-rc.d", "data/file",
		"log/dpkg.log", "log/other.log", "boot/vmlinuz-9.9.9", "boot/initrd.img-9.9.9", "modules/9.9.9/modules.dep", "run/file", "tmp/file", "machine-id",
		"ssh/ssh_host_rsa_key",
	} {
		writeFile(t, filepath.Join(dir, name), onlyHere+"\n")
	}
	writeFile(t, dir+"/etc/passwd", "root:x:0:0::/:/bin/sh\nonlyhere:x:4711:4711:"+onlyHere+":/:/bin/sh\n")
	return dir
}

// baitState describes everything below a directory, to compare it later.
func baitState(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v %v %d", path, st.Mode(), st.ModTime().UnixNano(), st.Size())
		if st.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", content)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A tree full of links that point to this machine's files leads no step, no
// export and no shell to them.
func TestHostileTree(t *testing.T) {
	need(t, "ansible-playbook", "mksquashfs")
	host := bait(t)
	cases := []struct {
		name   string
		make   string // in the layer
		steps  string // of its child
		status string // of the child; "" if both will do
		says   string
	}{
		{"resolv", "rm -f /etc/resolv.conf; ln -s @/resolv.conf /etc/resolv.conf", `run: ["sed 's/[[:space:]]*$//' /etc/resolv.conf > /seen", "rm -f /etc/hosts; ln -s @/etc/hosts /etc/hosts"]`, "built", ""},
		{"dangling", "rm -f /etc/resolv.conf; ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf", `run: ["sed 's/[[:space:]]*$//' /etc/resolv.conf > /seen"]`, "built", ""},
		{"etc", "mv /etc /etc.away; ln -s @/etc /etc", `files: [{content: x, dest: /etc/hosts}]`, "", ""},
		{"etc-tmp", "mv /etc /etc.away; ln -s /tmp/x /etc", `files: [{content: x, dest: /etc/hosts}]`, "", ""},
		{"etc-inside", "mkdir -p @; mv /etc @/etc; ln -s @/etc /etc", `files: [{content: x, dest: /etc/hosts}]`, "built", ""},
		{"data-inside", "mkdir -p @/data; ln -s @/data /data", `files: [{content: x, dest: /data/file}, {src: tree, dest: /data}]`, "built", ""},
		{"sbin-inside", "mkdir -p @; mv /usr/sbin @/sbin; ln -s @/sbin /usr/sbin", `packages: [hello]`, "", ""},
		{"sbin", "mv /usr/sbin /usr/sbin.away; ln -s @/sbin /usr/sbin", `run: ["true"]`, "", ""},
		{"data", "ln -s @/data /data", `files: [{content: x, dest: /data/file}, {src: tree, dest: /data}]`, "", ""},
		{"file", "ln -s @/data/file /file", `files: [{content: mine, dest: /file}]`, "built", ""},
		{"passwd", "mv /etc/passwd /etc/passwd.away; ln -s @/etc/passwd /etc/passwd", `files: [{content: x, dest: /x, owner: onlyhere}]`, "failed", "/etc/passwd"},
		{"log", "rm -rf /var/log; ln -s @/log /var/log", `run: ["ls /var/log/ >&2 || true", "mkdir -p @/log; echo x > /var/log/other.log"]`, "built", ""},
		{"log-file", "ln -s @/log/other.log /var/log/other.log; ln -s @/machine-id /etc/machine-id.new; mv -f /etc/machine-id.new /etc/machine-id", `run: ["true"]`, "built", ""},
		{"ssh", "mkdir -p /etc; ln -sfn @/ssh /etc/ssh", `run: ["true"]`, "built", ""},
		{"run", "ln -s @/run /run.new; rmdir /run/* 2>/dev/null || true; mkdir /x", `run: ["true"]`, "built", ""},
		{"modules", "mkdir -p /usr/lib; rm -rf /usr/lib/modules; ln -s @/modules /usr/lib/modules", `run: [{command: "uname -r", kernel: image}]`, "failed", "no kernel"},
		{"apt", "rm -rf /etc/apt/sources.list.d /etc/apt/apt.conf.d; ln -s @/etc/apt /etc/apt/sources.list.d; ln -s @/etc/apt /etc/apt/apt.conf.d", `packages: [hello]`, "", ""},
		{"playbook", "mkdir -p /root; rm -rf /root/.ansible; ln -s @/data /root/.ansible", `ansible: {playbooks: [site.yml]}`, "built", ""},
	}
	layers := ""
	for _, c := range cases {
		layers += fmt.Sprintf("  %s:\n    parent: base\n    run: [%q]\n  %s-child:\n    parent: %s\n    %s\n",
			c.name, strings.ReplaceAll(c.make, "@", host), c.name, c.name, strings.ReplaceAll(c.steps, "@", host))
	}
	p := newProject(t, layers, `
images:
  boot: {node: boot, artifacts: [kernel]}
`+"  links: {node: resolv-child, artifacts: [dir, tar, squashfs]}\n", files{"site.yml": playbook, "tree/file": "x"}).ownStore()
	p.write("strata.yaml", strings.Replace(readFile(t, p.dir+"/strata.yaml"), "images:\n",
		fmt.Sprintf("  boot: {parent: base, run: [\"rm -rf /boot /usr/lib/modules; ln -s %s/boot /boot; ln -s %s/modules /usr/lib/modules\"]}\nimages:\n", host, host), 1))
	before := baitState(t, host)
	nodes := []string{"build", "--keep-going"}
	for _, c := range cases {
		nodes = append(nodes, c.name+"-child")
	}
	r := p.strata(append(nodes, "--output", "json")...)
	var b built
	if err := json.Unmarshal([]byte(r.out), &b); err != nil {
		t.Fatalf("%v\n%s", err, end(r.all()))
	}
	status := map[string]string{}
	reason := map[string]string{}
	for _, n := range b.Nodes {
		status[n.ID], reason[n.ID] = n.Status, n.Reason
	}
	for _, c := range cases {
		if status[c.name] != "built" {
			t.Errorf("%s: %s %s", c.name, status[c.name], reason[c.name])
		}
		got := status[c.name+"-child"]
		if c.status != "" && got != c.status || c.status == "" && got != "built" && got != "failed" {
			t.Errorf("%s-child: %s, want %s: %s", c.name, got, c.status, reason[c.name+"-child"])
		}
		if !strings.Contains(reason[c.name+"-child"], c.says) {
			t.Errorf("%s-child: the reason does not say %q: %s", c.name, c.says, reason[c.name+"-child"])
		}
		t.Logf("%s-child: %s %s", c.name, got, reason[c.name+"-child"])
	}
	p.fails(1, []string{"there is no kernel in node boot"}, "build", "boot")
	p.checkLinks(host)
	for _, c := range cases {
		_ = p.strata("shell", c.name, "--", "/bin/sh", "-c", "echo changed > /data/file; cat /etc/resolv.conf /etc/passwd; true")
	}
	if after := baitState(t, host); after != before {
		t.Errorf("a build changed this machine's files: before\n%s\nafter\n%s", before, after)
	}
	found := run(t, exec.Command("grep", "-rlF", onlyHere, p.store))
	if found.code != 1 {
		t.Errorf("a build read this machine's files; they are in:\n%s%s", found.out, found.err)
	}
	p.swept()
}

// checkLinks checks that names could be resolved in steps, and that layers have
// their own resolv.conf afterwards.
func (p *project) checkLinks(host string) {
	p.t.Helper()
	here := nameservers(readFile(p.t, "/etc/resolv.conf"))
	for _, node := range []string{"resolv-child", "dangling-child"} {
		if got := nameservers(p.shell(node, "cat /seen")); got != here {
			p.t.Errorf("%s: the name servers of a step are %q, this machine's %q", node, got, here)
		}
	}
	b := p.build("links")
	tar := must(p.t, exec.Command("tar", "-tvf", b.Images[0].Artifacts["tar"]))
	if want := "etc/resolv.conf -> " + host + "/resolv.conf"; !strings.Contains(tar, want) {
		p.t.Errorf("the layer has lost its link: want %s", want)
	}
	if link, err := os.Readlink(b.Images[0].Artifacts["dir"] + "/etc/resolv.conf"); err != nil || link != host+"/resolv.conf" {
		p.t.Errorf("the exported directory has lost its link: %q, %v", link, err)
	}
	for _, stray := range []string{"usr/sbin/policy-rc.d", "99strata-build", ".strata-original", "run/strata"} {
		if strings.Contains(tar, stray) {
			p.t.Errorf("%s is left in the image", stray)
		}
	}
}

// nameservers are the addresses that a resolv.conf names.
func nameservers(resolvConf string) string {
	var list []string
	for line := range strings.Lines(resolvConf) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			list = append(list, f[1])
		}
	}
	return strings.Join(list, " ")
}

// running is a playbook of modules that are meant for a running system: each
// does what makes sense in an image, or says why not.
const running = `
- hosts: all
  tasks:
    - assert: {that: ansible_service_mgr == 'systemd'}
    - wait_for_connection: {timeout: 5}
    - service: {name: systemd-networkd, enabled: true, state: started}
      register: started
    - assert: {that: "started is changed and started.warnings is search('offline')"}
    - systemd: {name: systemd-networkd, state: restarted, daemon_reload: true}
    - hostname: {name: node1}
    - command: hostname
      register: named
    - assert: {that: named.stdout == 'node1'}
    - reboot: {reboot_timeout: 60}
      ignore_errors: true
      register: rebooted
    - assert: {that: "rebooted is failed and rebooted.elapsed < 30 and rebooted.msg is search('not been booted with systemd')"}
`

// What modules and packages do to resolv.conf and hosts is in the image, and
// nothing of this machine's resolver, not in a backup either.
func TestEditedResolver(t *testing.T) {
	need(t, "ansible-playbook")
	p := newProject(t, `
  edited: {parent: tools, ansible: {playbooks: [site.yml]}, run: ["sed -i 's/rotate/rotate timeout:2/' /etc/resolv.conf"]}
  resolved:
    parent: edited
    packages: {install: [systemd-sysv, systemd-resolved], no_recommends: true}
    ansible: {playbooks: [running.yml]}
    run: ["grep nameserver /etc/resolv.conf"]
`, `
images:
  edited: {node: edited, artifacts: [dir]}
  resolved: {node: resolved, artifacts: [dir]}
`, files{"site.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - lineinfile: {path: /etc/resolv.conf, line: options rotate, create: true, backup: true}
    - lineinfile: {path: /etc/hosts, line: 192.0.2.7 head, create: true}
`, "running.yml": running})
	b := p.build("edited", "resolved")
	if got := p.shell("resolved", "hostname; systemctl is-enabled systemd-networkd"); got != "node1\nenabled\n" {
		t.Errorf("modules for a running system left %q", got)
	}
	for _, im := range b.Images {
		dir := im.Artifacts["dir"]
		if got := readFile(t, dir+"/etc/hosts"); got != "192.0.2.7 head\n" {
			t.Errorf("%s: hosts is %q", im.Name, got)
		}
		for _, server := range strings.Fields(nameservers(readFile(t, "/etc/resolv.conf"))) {
			if found := run(t, exec.Command("grep", "-rlF", server, dir+"/etc")); found.code != 1 {
				t.Errorf("%s: this machine's name server is in %s", im.Name, found.out)
			}
		}
		if im.Name == "edited" {
			if got := readFile(t, dir+"/etc/resolv.conf"); got != "options rotate timeout:2\n" {
				t.Errorf("edited: resolv.conf is %q", got)
			}
			continue
		}
		if link, err := os.Readlink(dir + "/etc/resolv.conf"); err != nil || link != "../run/systemd/resolve/stub-resolv.conf" {
			t.Errorf("resolved: resolv.conf is %q, %v", link, err)
		}
		if got := readFile(t, dir+"/etc/.resolv.conf.systemd-resolved.bak"); got != "options rotate timeout:2\n" {
			t.Errorf("resolved: the package's backup is %q", got)
		}
	}
}

// A tree whose /run, /tmp, /dev or /proc is a link is refused in words.
func TestSystemDirectoryIsALink(t *testing.T) {
	host := bait(t)
	// A step cannot put a link in their place, as they are mounted; a layer of
	// another tool can. This one is made in the store behind Strata's back.
	layers := ""
	names := map[string]string{"run": "run", "tmp": "tmp", "var-tmp": "var/tmp", "dev": "dev", "proc": "proc", "sys": "sys"}
	for node := range names {
		layers += fmt.Sprintf("  %s: {parent: base, run: [\"mkdir /mark-%s\"]}\n  %s-child: {parent: %s, run: [\"touch /child\"]}\n", node, node, node, node)
	}
	p := newProject(t, layers, "", nil).ownStore()
	for node, name := range names {
		p.build(node)
		marks, err := filepath.Glob(p.store + "/overlay/*/diff/mark-" + node)
		if err != nil || len(marks) != 1 {
			t.Fatalf("find the layer: %v %v", marks, err)
		}
		link := filepath.Join(filepath.Dir(marks[0]), name)
		must(t, exec.Command("mkdir", "-p", filepath.Dir(link)))
		must(t, exec.Command("ln", "-s", host+"/run", link))
		before := baitState(t, host)
		p.fails(1, []string{"/" + name + " of the tree is not a directory", "hint: "}, "build", node+"-child")
		if after := baitState(t, host); after != before {
			t.Errorf("/%s: this machine's files were changed: before\n%s\nafter\n%s", name, before, after)
		}
	}
	p.swept()
}

// Whatever asks, sees the image's kernel, once it has one: scripts of packages,
// playbooks and commands.
func TestUname(t *testing.T) {
	p := newProject(t, `
  uname:
    parent: base
    run:
      - "uname -r > /before; mkdir -p /usr/lib/modules/6.1.9-old /usr/lib/modules/6.1.10-new"
      - {command: "uname -r > /image; sh -c 'uname -sr' > /child", kernel: image}
  asked:
    parent: uname
    packages: [debs/asker.deb]
    ansible: {playbooks: [site.yml]}
`, "", files{"site.yml": "- hosts: all\n  gather_facts: false\n  tasks: [{raw: uname -r > /playbook}]\n"})
	p.deb("debs/asker.deb", "asker", "#!/bin/sh\nset -e\nuname -r > /postinst\n")
	p.build("asked")
	got := p.shell("asked", "cat /before /image /child /postinst /playbook")
	host := strings.TrimSpace(readFile(t, "/proc/sys/kernel/osrelease"))
	if want := host + "\n6.1.10-new\nLinux 6.1.10-new\n6.1.10-new\n6.1.10-new\n"; got != want {
		t.Errorf("uname says %q, want %q", got, want)
	}
}

// deb makes a package that has nothing but a script that is run when it is
// installed.
func (p *project) deb(name, pkg, postinst string) {
	p.t.Helper()
	dir := "package-" + pkg
	p.write(dir+"/DEBIAN/control", "Package: "+pkg+"\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: test\n")
	p.write(dir+"/DEBIAN/postinst", postinst)
	must(p.t, exec.Command("chmod", "0755", filepath.Join(p.dir, dir, "DEBIAN/postinst")))
	must(p.t, exec.Command("mkdir", "-p", filepath.Join(p.dir, filepath.Dir(name))))
	must(p.t, exec.Command("dpkg-deb", "--root-owner-group", "--build", filepath.Join(p.dir, dir), filepath.Join(p.dir, name)))
}

// network: none leaves a step nothing but itself.
func TestNoNetwork(t *testing.T) {
	p := newProject(t, `
  alone:
    parent: tools
    run: [{command: "cat /proc/net/dev > /devices; python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); s.listen(); socket.create_connection(s.getsockname())'", network: none}]
`, "", nil)
	p.build("alone")
	if got := p.shell("alone", "tail -n +3 /devices | cut -d: -f1"); strings.TrimSpace(got) != "lo" {
		t.Errorf("a step without network has devices %q", got)
	}
}
