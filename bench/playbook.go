package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tasksRecipe adds the layers of this comparison to the example.
const tasksRecipe = `layers:
  bench-tasks:
    parent: base
    ansible: {playbooks: [bench-tasks.yml], groups: [cluster]}
  # The tree for Ansible inside the root.
  bench-local:
    parent: base
    packages: {install: [ansible-core], no_recommends: true}
`

// include makes a project's strata.yaml include the lab's own file.
func include(dir, recipe string) error {
	path := filepath.Join(dir, "strata.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(content), "\ninventory: inventory\n", "\ninventory: inventory\ninclude: [bench.yaml]\n", 1)
	if changed == string(content) {
		return fmt.Errorf("%s does not look as expected: no line 'inventory: inventory'", path)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.yaml"), []byte(recipe), 0o644)
}

// sixtyTasks is the playbook: files, templates, packages present, lines in
// files, commands. The nonce makes every run one that was not done before.
func sixtyTasks(hosts, nonce string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- name: Sixty tasks\n  hosts: %s\n  tasks:\n", hosts)
	for i := range 18 {
		fmt.Fprintf(&b, "    - name: File %d\n      ansible.builtin.copy: {dest: /etc/bench.%d.conf, content: \"setting %d of %s\\n\", mode: \"0644\"}\n", i, i, i, nonce)
	}
	for i := range 6 {
		fmt.Fprintf(&b, "    - name: Directory %d\n      ansible.builtin.file: {path: /srv/bench/%d, state: directory, mode: \"0755\"}\n", i, i)
	}
	for i := range 14 {
		fmt.Fprintf(&b, "    - name: Template %d\n      ansible.builtin.template: {src: bench.j2, dest: /etc/bench.%d.template, mode: \"0644\"}\n      vars: {number: %d}\n", i, i, i)
	}
	for i := range 10 {
		fmt.Fprintf(&b, "    - name: Line %d\n      ansible.builtin.lineinfile: {path: /etc/bench.%d.conf, line: \"line = %d\"}\n", i, i, i)
	}
	for i, p := range []string{"chrony", "openssh-server", "dbus", "kmod"} {
		fmt.Fprintf(&b, "    - name: Package %d\n      ansible.builtin.apt: {name: %s, state: present}\n", i, p)
	}
	for i := range 8 {
		fmt.Fprintf(&b, "    - name: Command %d\n      ansible.builtin.command: {cmd: \"true %d\"}\n", i, i)
	}
	return b.String()
}

const tasksTemplate = "# {{ ansible_managed }}\nnumber = {{ number }}\n{% for n in range(20) %}\nentry {{ n }} = {{ n * number }}\n{% endfor %}\n"

// writeTasks writes the playbook to a project.
func writeTasks(dir, hosts string) error {
	nonce := fmt.Sprint(time.Now().UnixNano())
	if err := os.WriteFile(filepath.Join(dir, "bench-tasks.yml"), []byte(sixtyTasks(hosts, nonce)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.j2"), []byte(tasksTemplate), 0o644)
}

const tasksWork = "playbook of 60 tasks: `strata build` of a layer with it"

// tasks prepares the project and gives the nodes that are built without the
// playbook to buildah.
func tasks(l *lab, nodes ...string) (*buildah, string, error) {
	dir, err := l.project("tasks")
	if err == nil {
		err = include(dir, tasksRecipe)
	}
	if err == nil {
		err = writeTasks(dir, "all")
	}
	if err == nil {
		_, err = l.build("tasks", append([]string{"base"}, nodes...)...)
	}
	if err != nil {
		return nil, "", err
	}
	b, err := l.buildah()
	if err != nil {
		return nil, "", err
	}
	for _, node := range nodes {
		if err := b.take(node, node); err != nil {
			return nil, "", err
		}
	}
	return b, dir, nil
}

// playbook is beside Ansible inside the root.
func playbook(l *lab) (Findings, error) {
	var found Findings
	b, dir, err := tasks(l, "bench-local")
	if err != nil {
		return found, err
	}
	var parts, cpu phases
	series, err := alternate(l,
		func(int) (float64, error) { return tasksOurs(l, dir, &parts, &cpu) },
		func(int) (float64, error) { return tasksLocal(l, b, dir, &cpu) },
	)
	if err != nil {
		return found, err
	}
	found.Rows = []Row{
		{Work: tasksWork, PeerIs: "`ansible-playbook` inside the root, `ansible_connection=local`", Unit: "s", Ours: series[0], Peer: series[1], Target: Target{Kind: "within", Value: 1.2}},
	}
	found.Tables = []Table{
		parts.Table("Playbook of 60 tasks: where our time goes", "part"),
		cpu.Table("Playbook of 60 tasks: user and system CPU time of all processes", "side"),
	}
	found.Notes = append(found.Notes, "Playbook: 18 files, 6 directories, 14 templates, 10 lineinfile, 4 packages that are present, 8 commands, and facts. Ours is the whole `strata build` of the layer, commit included. All sides run with the site's whole inventory. The peers are `ansible-playbook` alone, in a container that was made before and is not committed.")
	return found, nil
}

// plugin is the same beside the buildah connection plugin.
func plugin(l *lab) (Findings, error) {
	var found Findings
	b, dir, err := tasks(l, "base")
	if err != nil {
		return found, err
	}
	series, err := alternate(l,
		func(int) (float64, error) { return tasksOurs(l, dir, &phases{}, &phases{}) },
		func(int) (float64, error) { return tasksBuildah(l, b, dir) },
	)
	if err != nil {
		return found, err
	}
	found.Rows = []Row{
		{Work: tasksWork, PeerIs: "`ansible-playbook` through the buildah connection plugin", Unit: "s", Ours: series[0], Peer: series[1], Target: Target{Kind: "faster", Value: 4}},
	}
	return found, nil
}

func tasksOurs(l *lab, dir string, parts, cpu *phases) (float64, error) {
	if err := writeTasks(dir, "all"); err != nil {
		return 0, err
	}
	var used float64
	res, err := l.buildWith(command{Name: "build-tasks", CPU: &used}, l.store(), "tasks", "bench-tasks")
	if err != nil {
		return 0, err
	}
	if s := res.status("bench-tasks"); s != "built" {
		return 0, fmt.Errorf("bench-tasks was %q, not built", s)
	}
	_, steps, err := l.steps("tasks", "bench-tasks")
	if err != nil {
		return 0, err
	}
	ansible := steps["ansible bench-tasks.yml"]
	parts.add("ansible-playbook", ansible)
	parts.add("everything else: plan, mounts, seal, digest, commit", res.seconds-ansible)
	cpu.add("`strata build`", used)
	return res.seconds, nil
}

// tasksLocal runs Ansible inside the root, without so much as a container:
// chroot with /proc, /sys and /dev.
func tasksLocal(l *lab, b *buildah, dir string, cpu *phases) (float64, error) {
	c, err := b.from("bench-local", "bench-local")
	if err != nil {
		return 0, err
	}
	defer c.remove()
	const script = `set -e
mount --bind "$2" "$1/mnt"
for d in proc sys dev; do mount --rbind /$d "$1/$d"; done
mount -t tmpfs tmpfs "$1/run"
cd /
exec chroot "$1" sh -c 'cd /mnt && exec ansible-playbook --limit bench-local -i inventory -i bench-local.json bench-tasks.yml'`
	if err := writeTasks(dir, "all"); err != nil {
		return 0, err
	}
	if err := writeInventory(filepath.Join(dir, "bench-local.json"), "bench-local", "local", []string{"cluster"}); err != nil {
		return 0, err
	}
	var used float64
	seconds, err := l.run(command{Name: "ansible-local", CPU: &used, Args: []string{"unshare", "--mount", "sh", "-c", script, "sh", c.dir, dir},
		Env: []string{"ANSIBLE_CONFIG=/mnt/ansible.cfg", "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}})
	cpu.add("`ansible-playbook` inside the root", used)
	return seconds, err
}

// tasksBuildah runs Ansible as image-builder does.
func tasksBuildah(l *lab, b *buildah, dir string) (float64, error) {
	c, err := b.from("base", "bench-tasks")
	if err != nil {
		return 0, err
	}
	defer c.remove()
	if err := writeTasks(dir, "all"); err != nil {
		return 0, err
	}
	return b.ansible(dir, c.name, "bench-tasks.yml", []string{"cluster"})
}

// ansible runs a playbook in a container through the connection plugin.
func (b *buildah) ansible(dir, container, playbook string, groups []string) (float64, error) {
	inventory := b.l.path("tmp", "inventory.json")
	if err := writeInventory(inventory, container, "containers.podman.buildah", groups); err != nil {
		return 0, err
	}
	return b.l.run(command{
		Name: "ansible-buildah", Dir: dir, Env: append([]string{"ANSIBLE_CONFIG=" + filepath.Join(dir, "ansible.cfg"), "ANSIBLE_NOCOLOR=1"}, b.env...),
		Args: []string{"ansible-playbook", "--limit", container, "-i", filepath.Join(dir, "inventory"), "-i", inventory, playbook},
	})
}

// writeInventory adds a host to groups of the site's inventory, as Strata does.
func writeInventory(path, host, connection string, groups []string) error {
	member := map[string]any{"hosts": map[string]any{host: nil}}
	children := map[string]any{"strata_image": map[string]any{"hosts": member["hosts"], "vars": map[string]any{"strata_image": true}}}
	for _, g := range groups {
		children[g] = member
	}
	content, err := json.Marshal(map[string]any{"all": map[string]any{
		"hosts":    map[string]any{host: map[string]any{"ansible_connection": connection}},
		"children": children,
	}})
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
