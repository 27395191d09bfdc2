package test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wholeLayers is a project with every kind of step, and two branches that are
// built at once where there are two jobs.
const wholeLayers = `
  left:
    parent: tools
    packages: [hello]
    files:
      - {src: files, dest: /etc/whole}
      - {content: "node {{ .Node }} of {{ .Cluster.Name }}\n", dest: /etc/node, template: true, mode: "0640", owner: daemon, group: games}
    ansible: {playbooks: [whole.yml]}
    run: ["date > /var/log/when; hello > /etc/hello; useradd --create-home someone; touch /etc/when"]
    services: {mask: [systemd-timesyncd.service], enable: [systemd-networkd.service]}
  right:
    parent: tools
    remove: [acl]
    run: ["mkdir /srv/tree; cd /srv/tree; for i in $(seq 300); do echo $i > file-$i; done; ldconfig; dd if=/dev/urandom of=/tmp/x bs=1k count=10 status=none"]
images:
  left: {node: left, artifacts: [squashfs, tar]}
  right: {node: right, artifacts: [squashfs]}
`

const wholePlaybook = `
- hosts: strata_image
  tasks:
    - ansible.builtin.copy: {content: "a\nb\n", dest: /etc/copied, mode: "0600"}
    - ansible.builtin.lineinfile: {path: /etc/copied, line: c}
    - ansible.builtin.group: {name: cluster, gid: 7777}
    - ansible.builtin.template: {src: t.j2, dest: /etc/template}
`

func wholeFiles() files {
	return files{"whole.yml": wholePlaybook, "t.j2": "python {{ ansible_python.version.major }} group {{ strata_image }}\n", "files/one": "1\n", "files/sub/two": "2\n"}
}

// The same project, built from empty stores at other times and with other
// numbers of jobs, gives the same digests and the same bytes.
func TestReproducible(t *testing.T) {
	need(t, "ansible-playbook", "mksquashfs")
	first := newProject(t, wholeLayers, "", wholeFiles()).build("--jobs", "2")
	time.Sleep(1100 * time.Millisecond) // another second, whatever the clock
	two := newProject(t, wholeLayers, "", wholeFiles()).freshStore()
	// Nothing that a build sees of its caller may matter.
	two.env = append(two.env, "TZ=Asia/Tokyo", "LANG=de_DE.UTF-8", "SOURCE_DATE_EPOCH=7", "ANSIBLE_NOCOWS=1", "COLUMNS=40")
	if err := os.Chtimes(two.dir+"/files/one", time.Now(), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	second := two.build("--jobs", "1")
	sameBuild(t, first, second)
	for i, im := range first.Images {
		for kind, path := range im.Artifacts {
			a, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(second.Images[i].Artifacts[kind])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("%s of image %s differs", kind, im.Name)
			}
		}
	}
	two.swept()
	if got := two.shell("left", "cat /etc/node /etc/template /etc/copied; stat -c '%U %G %a' /etc/node; readlink /etc/systemd/system/systemd-timesyncd.service; test ! -s /var/log/when"); got !=
		"node left of test\npython 3 group True\na\nb\nc\ndaemon games 640\n/dev/null\n" {
		t.Errorf("the layer holds %q", got)
	}
}

// sameBuild compares the nodes and artifacts of two builds.
func sameBuild(t *testing.T, first, second built) {
	t.Helper()
	a, b := first.digests(t), second.digests(t)
	if maps.Equal(a, b) {
		return
	}
	var differ []string
	for name := range a {
		if a[name] != b[name] {
			differ = append(differ, name+": "+a[name]+" and "+b[name])
		}
	}
	t.Errorf("%d of %d digests differ:\n%s", len(differ), len(a), strings.Join(differ, "\n"))
}

// everyStep has a node for each kind of step, in which it does what comes out
// otherwise where something of the build's time or place shows. The secret gives
// every build a key of its own, so that it is built on the parent that is there.
const everyStep = `
  every-packages: {parent: tools, secrets: &nonce {nonce: {env: STRATA_TEST_NONCE}}, packages: {install: [hello, dbus], no_recommends: true}}
  every-remove: {parent: tools, secrets: *nonce, remove: [acl]}
  every-files:
    parent: tools
    secrets: *nonce
    files:
      - {src: files, dest: /etc/whole}
      - {content: "{{ .Node }}\n", dest: /etc/node, template: true, mode: "0640", owner: daemon, group: games}
  every-ansible: {parent: tools, secrets: *nonce, ansible: {playbooks: [every.yml]}}
  every-run: {parent: tools, secrets: *nonce, run: [{script: every.sh}]}
  every-services: {parent: tools, secrets: *nonce, services: {mask: [systemd-timesyncd.service], enable: [systemd-networkd.service]}}
`

const everyPlaybook = `
- hosts: strata_image
  vars: {words: [a, b, c, d, e, f, g, h]}
  tasks:
    - ansible.builtin.copy: {content: "a\n", dest: /etc/copied}
    - ansible.builtin.copy: {content: "b\n", dest: /etc/copied, backup: true}
    - ansible.builtin.copy: {src: files/, dest: /etc/tree/}
    - ansible.builtin.copy: {content: "{{ words | difference(['c']) | join(' ') }} {{ words | intersect(['h', 'b', 'a']) | join(' ') }}\n", dest: /etc/sets}
    - ansible.builtin.copy: {content: "{{ lookup('pipe', 'umask; date -d @0; locale; ls -d /nowhere 2>&1; true') }} {{ '%c' | strftime(0) }}\n", dest: /etc/from-the-machine}
    - ansible.builtin.template: {src: t.j2, dest: /etc/template}
    - ansible.builtin.user: {name: someone, system: true, home: /srv/someone}
    - {ansible.builtin.command: echo token-abc, async: 30, poll: 1}
    - {ansible.builtin.command: id, become: true, become_user: someone, async: 30, poll: 1}
    - ansible.builtin.systemd: {name: systemd-networkd.service, enabled: true}
`

const everyScript = `#!/bin/sh
set -e
touch -d @$(date +%s) /opt/seconds
useradd --system a1; useradd --system a2; cp -p /etc/passwd /opt/passwd
umask > /opt/umask; mkdir /opt/dir; date -d @0 > /opt/zero; printf 'z\n\303\244\nA\na\n' | sort > /opt/sorted
hostname > /opt/hostname; date > /var/log/when; mktemp -d /var/tmp/XXXXXXXX; mktemp -d /tmp/XXXXXXXX
ln /opt/zero /var/log/zero
echo 'x = {1}' > /opt/module.py; cd /opt; python3 -c 'import module; print({"a", "b", "c", "d", "e"})' > /opt/set
perl -e '%h = map { $_ => 1 } "a".."k"; print keys %h' > /opt/hash
python3 - <<'EOS'
import time, zipfile
with zipfile.ZipFile("/opt/z.zip", "w") as z: z.writestr(zipfile.ZipInfo("unzipped", time.localtime()[:6]), "1")
import os, datetime
with zipfile.ZipFile("/opt/z.zip") as z:
    for i in z.infolist():
        z.extract(i, "/opt"); t = time.mktime(i.date_time + (0, 0, -1)); os.utime("/opt/" + i.filename, (t, t))
os.remove("/opt/z.zip")
EOS
`

// world is a place where a project is built: command lines, each of which runs what
// comes after it, and an environment.
type world struct {
	name string
	via  []string
	env  []string
}

func worlds(t *testing.T) []world {
	resolver := filepath.Join(t.TempDir(), "resolv.conf")
	content, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, resolver, "# of another machine\n"+string(content)+"\nsearch elsewhere.example\noptions attempts:4\n")
	shell := func(script string, before ...string) []string {
		return append(before, "sh", "-ec", script+`; exec "$@"`, "sh")
	}
	return []world{
		{name: "host name", via: shell("hostname elsewhere.example", "unshare", "--uts")},
		{name: "resolver", via: shell("mount --bind "+resolver+" /etc/resolv.conf", "unshare", "--mount")},
		{name: "umask 077", via: shell("umask 077")},
		{name: "umask 002", via: shell("umask 002")},
		{name: "locale", env: []string{"LANG=de_DE.UTF-8", "LC_ALL=tr_TR.UTF-8", "LANGUAGE=de:fr", "LC_TIME=ja_JP.UTF-8"}},
		{name: "time zone", env: []string{"TZ=Asia/Kathmandu"}},
		{name: "one processor", via: []string{"taskset", "--cpu-list", "0"}},
		{name: "environment", env: []string{"SOURCE_DATE_EPOCH=7", "PYTHONHASHSEED=5", "PERL_HASH_SEED=7", "COLUMNS=40", "ANSIBLE_NOCOWS=1",
			"USER=someone", "EDITOR=vi", "DEBIAN_PRIORITY=low", "HOSTNAME=elsewhere", "LD_BIND_NOW=1", "http_proxy="}},
		{name: "kernel release and addresses", via: []string{"setarch", "--uname-2.6", "--addr-no-randomize"}},
	}
}

// all is the worlds as one.
func all(worlds []world) world {
	var w world
	for _, one := range worlds {
		w.name, w.env = w.name+" "+one.name, append(w.env, one.env...)
		w.via = append(w.via, one.via...)
	}
	return w
}

// Each kind of step gives the same bytes wherever it is done, and whenever in a
// second. By default all that can differ differs at once; with STRATA_TEST_LONG each by
// itself, and at twenty moments in a second.
func TestReproducibleAnywhere(t *testing.T) {
	need(t, "ansible-playbook", "unshare", "taskset", "setarch")
	content := wholeFiles()
	content["every.yml"], content["every.sh"] = everyPlaybook, everyScript
	nonce := 0
	images, long := "", os.Getenv("STRATA_TEST_LONG") != ""
	if long {
		images = "images: {every: {node: every-files, artifacts: [squashfs, erofs, tar]}}\n"
	}
	build := func(t *testing.T, w world) built {
		p := newProject(t, everyStep, images, content)
		nonce++
		p.via = w.via
		p.env = append(append(p.env, fmt.Sprintf("STRATA_TEST_NONCE=nonce-%d-%d", os.Getpid(), nonce)), w.env...)
		if nonce%2 == 0 {
			for name, mode := range map[string]os.FileMode{"files/one": 0o600, "files/sub/two": 0o664, "t.j2": 0o640, "every.sh": 0o700} {
				if err := os.Chmod(filepath.Join(p.dir, name), mode); err != nil {
					t.Fatal(err)
				}
			}
		} else if err := os.Chmod(filepath.Join(p.dir, "every.sh"), 0o775); err != nil {
			t.Fatal(err)
		}
		wanted := []string{"every-packages", "every-remove", "every-files", "every-ansible", "every-run", "every-services"}
		if long {
			wanted = append(wanted, "every")
		}
		return p.build(append([]string{"--jobs", "2"}, wanted...)...)
	}
	first := build(t, world{})
	again := worlds(t)
	if !long {
		again = []world{all(again)}
	} else {
		for i := range 20 {
			again = append(again, world{name: fmt.Sprintf("moment %d of 20", i), via: []string{"sh", "-ec",
				fmt.Sprintf(`while [ $(( $(date +%%s%%N) %% 1000000000 / 50000000 )) != %d ]; do sleep 0.01; done; exec "$@"`, i), "sh"}})
		}
	}
	for _, w := range again {
		t.Run(w.name, func(t *testing.T) { sameBuild(t, first, build(t, w)) })
	}
}
