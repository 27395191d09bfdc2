package test

import (
	"bytes"
	"maps"
	"os"
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
