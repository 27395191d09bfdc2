package ansible

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/strata-hpc/strata/internal/fault"
)

// project makes a file system of a txtar archive.
func project(archive string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		m[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	return m
}

const site = `
-- ansible.cfg --
[defaults]
roles_path = shared/roles:/etc/ansible/roles
-- README.md --
-- strata.yaml --
-- inventory/hosts --
login1
[Compute]
nid[001:100]
[HSN:children]
Compute
UAN
[UAN]
uan01
[Compute:vars]
x=1
-- inventory/group_vars/all.yml --
ntp: a
-- inventory/group_vars/HSN/main.yml --
-- inventory/group_vars/Compute.yml --
-- inventory/group_vars/UAN.yml --
-- inventory/group_vars/strata_image.yml --
-- inventory/host_vars/compute.yml --
-- inventory/host_vars/nid001.yml --
-- playbooks/compute.yml --
- hosts: all
  roles:
    - chrony
    - role: motd
      tags: x
-- playbooks/uan.yml --
- hosts: all
  roles: [users]
-- playbooks/files/banner --
-- playbooks/notes.txt --
-- playbooks/roles/chrony/tasks/main.yml --
- name: config
  template: {src: chrony.conf.j2, dest: /etc/chrony.conf}
-- playbooks/roles/chrony/templates/chrony.conf.j2 --
server {{ ntp }}
-- playbooks/roles/chrony/meta/main.yml --
dependencies:
  - common
-- shared/roles/common/tasks/main.yml --
- import_role:
    name: sysctl
-- shared/roles/sysctl/tasks/main.yml --
[]
-- shared/roles/unused/tasks/main.yml --
[]
-- playbooks/roles/motd/tasks/main.yml --
- copy: src=motd dest=/etc/motd
-- playbooks/roles/motd/files/motd --
-- playbooks/roles/users/tasks/main.yml --
[]
`

func TestInputs(t *testing.T) {
	base := Query{Playbooks: []string{"playbooks/compute.yml"}, Host: "compute", Groups: []string{"Compute"}, Inventory: "inventory"}
	always := []string{
		"ansible.cfg",
		"inventory/group_vars/Compute.yml",
		"inventory/group_vars/HSN/main.yml",
		"inventory/group_vars/all.yml",
		"inventory/group_vars/strata_image.yml",
		"inventory/host_vars/compute.yml",
		"inventory/hosts",
		"playbooks/compute.yml",
		"playbooks/roles/chrony/meta/main.yml",
		"playbooks/roles/chrony/tasks/main.yml",
		"playbooks/roles/chrony/templates/chrony.conf.j2",
		"playbooks/roles/motd/files/motd",
		"playbooks/roles/motd/tasks/main.yml",
		"shared/roles/common/tasks/main.yml",
		"shared/roles/sysctl/tasks/main.yml",
	}
	otherVars := []string{"inventory/group_vars/UAN.yml", "inventory/host_vars/nid001.yml"}
	banner := []string{"playbooks/files/banner"}
	motd := "playbooks/roles/motd/tasks/main.yml"
	tests := []struct {
		name  string
		write string            // files written over the site
		query func(*Query)      // changes the query
		more  []string          // files that then count as well
		less  []string          // files that then do not
		modes map[string]uint32 // modes to set
	}{
		{name: "as it is"},
		{name: "one role more", write: "-- " + motd + " --\n- include_role: {name: users}\n",
			more: []string{"playbooks/roles/users/tasks/main.yml"}},
		{name: "role in a block, free form", write: "-- " + motd + " --\n- block:\n  - ansible.builtin.include_role: name=users\n",
			more: []string{"playbooks/roles/users/tasks/main.yml"}},
		{name: "old action", write: "-- " + motd + " --\n- action: include_role name=users\n",
			more: []string{"playbooks/roles/users/tasks/main.yml"}},
		{name: "computed role", write: "-- " + motd + " --\n- include_role: {name: '{{ r }}'}\n",
			more: []string{"playbooks/roles/users/tasks/main.yml", "shared/roles/unused/tasks/main.yml"}},
		{name: "partly computed role", write: "-- " + motd + " --\n- include_role: {name: 'us{{ r }}'}\n",
			more: []string{"playbooks/roles/users/tasks/main.yml"}},
		{name: "hostvars", write: "-- playbooks/roles/motd/templates/x.j2 --\n{{ hostvars['uan01'].x }}\n",
			more: append([]string{"playbooks/roles/motd/templates/x.j2"}, otherVars...)},
		{name: "groups", write: "-- playbooks/roles/motd/templates/x.j2 --\n{% for h in groups['UAN'] %}\n",
			more: append([]string{"playbooks/roles/motd/templates/x.j2"}, otherVars...)},
		{name: "groups of a user are no groups of hosts", write: "-- " + motd + " --\n- user:\n    name: a\n    groups: wheel\n"},
		{name: "group_by", write: "-- " + motd + " --\n- group_by: key=UAN\n", more: otherVars},
		{name: "other group", query: func(q *Query) { q.Groups, q.Host = []string{"UAN"}, "uan" },
			more: []string{"inventory/group_vars/UAN.yml"},
			less: []string{"inventory/group_vars/Compute.yml", "inventory/host_vars/compute.yml"}},
		{name: "no group", query: func(q *Query) { q.Groups = nil },
			less: []string{"inventory/group_vars/Compute.yml", "inventory/group_vars/HSN/main.yml"}},
		{name: "host that the inventory knows", query: func(q *Query) { q.Groups, q.Host = nil, "nid077" },
			less: []string{"inventory/host_vars/compute.yml"}},
		{name: "script as inventory", modes: map[string]uint32{"inventory/hosts": 0o755}, more: otherVars},
		{name: "inventory plugin", write: "-- inventory/site.yml --\nplugin: constructed\n",
			more: append([]string{"inventory/site.yml"}, otherVars...)},
		{name: "yaml inventory", write: "-- inventory/hosts --\nall:\n  children:\n    HSN:\n      children:\n        Compute:\n    UAN:\n      hosts: {uan01: {x: 1}}\n"},
		{name: "no inventory", query: func(q *Query) { q.Inventory = "" }, less: []string{
			"inventory/group_vars/Compute.yml", "inventory/group_vars/HSN/main.yml", "inventory/group_vars/all.yml",
			"inventory/group_vars/strata_image.yml", "inventory/host_vars/compute.yml", "inventory/hosts"}},
		{name: "mentioned beside the playbook", write: "-- " + motd + " --\n- copy: {src: notes.txt, dest: /x}\n",
			more: []string{"playbooks/notes.txt"}},
		{name: "computed name beside the playbook", write: "-- " + motd + " --\n- copy: {src: '{{ x }}.txt', dest: /x}\n",
			more: []string{"playbooks/notes.txt"}},
		{name: "computed name, free form", write: "-- " + motd + " --\n- copy: src=no{{ x }}.txt dest=/x\n",
			more: []string{"playbooks/notes.txt"}},
		{name: "computed name of something else", write: "-- " + motd + " --\n- template: {src: '{{ item }}.j2', dest: /x}\n"},
		{name: "computed lookup", write: "-- playbooks/roles/motd/vars/main.yml --\nx: \"{{ lookup('file', y) }}\"\n",
			more: []string{"playbooks/roles/motd/vars/main.yml", "playbooks/notes.txt", "playbooks/files/banner"}},
		{name: "other plays", write: "-- playbooks/compute.yml --\n- import_playbook: uan.yml\n- hosts: all\n  roles: [chrony, motd]\n",
			more: []string{"playbooks/uan.yml", "playbooks/roles/users/tasks/main.yml"}},
		{name: "path out of the role", write: "-- " + motd + " --\n- template: {src: ../../users/templates/x.j2, dest: /x}\n-- playbooks/roles/users/templates/x.j2 --\n",
			more: []string{"playbooks/roles/users/templates/x.j2"}},
		{name: "path from a variable", write: "-- " + motd + " --\n- copy: src={{ playbook_dir }}/../README.md dest=/x\n",
			more: []string{"README.md"}},
		{name: "computed path out of the role", write: "-- " + motd + " --\n- copy: src={{ role_path }}/../users/{{ x }} dest=/x\n",
			more: []string{"playbooks/roles/users/tasks/main.yml"}},
		{name: "path of group_vars", write: "-- " + motd + " --\n- include_vars: '{{ inventory_dir }}/group_vars/UAN.yml'\n", more: otherVars},
		{name: "vars_files", write: "-- playbooks/compute.yml --\n- hosts: all\n  vars_files: [cfg/a.yml]\n  roles: [chrony, motd]\n-- playbooks/cfg/a.yml --\n",
			more: []string{"playbooks/cfg/a.yml"}},
		{name: "included tasks elsewhere", write: "-- playbooks/compute.yml --\n- hosts: all\n  tasks: [{include_tasks: cfg/a}]\n  roles: [chrony, motd]\n-- playbooks/cfg/a --\n- include_role: {name: users}\n",
			more: []string{"playbooks/cfg/a", "playbooks/roles/users/tasks/main.yml"}},
		{name: "command on the machine that builds", write: "-- " + motd + " --\n- command: cat x\n  delegate_to: localhost\n",
			more: append([]string{"README.md", "strata.yaml", "playbooks/notes.txt", "playbooks/files/banner", "playbooks/uan.yml",
				"playbooks/roles/users/tasks/main.yml", "shared/roles/unused/tasks/main.yml"}, otherVars...)},
		{name: "own collection", write: "-- playbooks/collections/ansible_collections/site/hpc/plugins/modules/x.py --\n-- playbooks/collections/ansible_collections/site/other/README.md --\n-- " + motd + " --\n- site.hpc.x:\n",
			more: []string{"playbooks/collections/ansible_collections/site/hpc/plugins/modules/x.py"}},
		{name: "role of a collection of the machine", write: "-- " + motd + " --\n- include_role: {name: site.hpc.x}\n"},
		{name: "collection that short names may mean", write: "-- col/ansible_collections/ansible/posix/plugins/modules/mount.py --\n",
			query: func(q *Query) { q.Collections = []string{"col"} },
			more:  []string{"col/ansible_collections/ansible/posix/plugins/modules/mount.py"}},
		{name: "extra variables", query: func(q *Query) { q.ExtraVars = map[string]any{"x": map[string]any{"y": "notes.txt"}} },
			more: []string{"playbooks/notes.txt"}},
		{name: "excluded", query: func(q *Query) {
			q.Exclude, q.VaultPasswordFile = []string{"playbooks/roles/motd"}, "inventory/group_vars/all.yml"
		},
			less: []string{"inventory/group_vars/all.yml", "playbooks/roles/motd/files/motd", motd}},
		{name: "searched directory", write: "-- " + motd + " --\n- copy: {src: banner, dest: /x}\n", more: banner},
		{name: "searched directory, named", write: "-- " + motd + " --\n- copy: src=files/banner dest=/x\n", more: banner},
		{name: "searched directory as a whole", write: "-- " + motd + " --\n- copy: {src: files/, dest: /x}\n", more: banner},
		{name: "searched directory in a loop", write: "-- " + motd + " --\n- copy: {src: '{{ item }}', dest: /x}\n  loop: [banner]\n",
			more: append([]string{"playbooks/notes.txt"}, banner...)},
		{name: "wildcard", write: "-- " + motd + " --\n- copy: {src: '{{ item }}', dest: /x}\n  with_fileglob: ['ban*']\n",
			more: append([]string{"playbooks/notes.txt"}, banner...)},
		{name: "wildcard alone", write: "-- " + motd + " --\n- debug: msg=x\n  with_fileglob: [ban*]\n", more: banner},
		{name: "word of a sentence, and key", write: "-- " + motd + " --\n- name: Show the banner to all\n  debug: {banner: x}\n"},
		{name: "modules beside the playbook", write: "-- playbooks/library/x.py --\n-- playbooks/filter_plugins/y.py --\n",
			more: []string{"playbooks/library/x.py", "playbooks/filter_plugins/y.py"}},
		{name: "missing role that a condition may skip", write: "-- " + motd + " --\n- include_role: {name: nope}\n  when: x\n"},
		{name: "vaulted variables", write: "-- inventory/group_vars/all.yml --\n$ANSIBLE_VAULT;1.1;AES256\n3132\n"},
		{name: "tags of vault and unsafe", write: "-- playbooks/roles/motd/vars/main.yml --\na: !vault |\n  $ANSIBLE_VAULT;1.1\n  31\nb: !unsafe '{{'\n",
			more: []string{"playbooks/roles/motd/vars/main.yml"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys := project(site + test.write)
			for name, mode := range test.modes {
				fsys[name].Mode = fs.FileMode(mode)
			}
			q := base
			if test.query != nil {
				test.query(&q)
			}
			want := append(slices.Clone(always), test.more...)
			want = slices.DeleteFunc(want, func(s string) bool { return slices.Contains(test.less, s) })
			slices.Sort(want)
			compare(t, fsys, q, want)
		})
	}
}

func compare(t *testing.T, fsys fs.FS, q Query, want []string) {
	t.Helper()
	files, err := Inputs(fsys, q)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path)
		if f.Reason == "" {
			t.Errorf("%s has no reason", f.Path)
		}
		if !slices.Contains(want, f.Path) {
			t.Errorf("%s counts: %s", f.Path, f.Reason)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestInputsFaults(t *testing.T) {
	tests := []struct {
		name, write string
		want        string // the fault, in one line
		hint        string // what the hint has in it
		snippet     string
	}{
		{"missing role of a play", "-- p.yml --\n- hosts: all\n  roles:\n    - motd\n    - chrny\n",
			`p.yml:4:7: the role "chrny" is not in the project`, "looked in", "    - chrny"},
		{"missing role of a task", "-- roles/motd/tasks/main.yml --\n- import_role:\n    name: nope\n",
			`roles/motd/tasks/main.yml:2:11: the role "nope" is not in the project`, "roles_path", "    name: nope"},
		{"missing dependency", "-- roles/motd/meta/main.yml --\ndependencies: [{role: nope}]\n",
			`roles/motd/meta/main.yml:1:23: the role "nope" is not in the project`, "", ""},
		{"roles outside", "-- ansible.cfg --\n[defaults]\nroles_path=/etc/ansible/roles\n-- roles/motd/meta/main.yml --\ndependencies: [{role: nope}]\n",
			`roles/motd/meta/main.yml:1:23: the role "nope" is not in the project`, "/etc/ansible/roles of ansible.cfg lies outside", ""},
		{"cycle", "-- roles/motd/meta/main.yml --\ndependencies: [a]\n-- roles/a/meta/main.yml --\ndependencies: [b]\n-- roles/b/meta/main.yml --\ndependencies:\n- role: a\n",
			`roles/b/meta/main.yml:2:9: the roles depend on each other in a circle: a -> b -> a`, "meta/main.yml", "- role: a"},
		{"bad playbook", "-- p.yml --\n- hosts: all\n  x: [\n  roles: {\n",
			`p.yml:3: not YAML: did not find expected node content`, "", ""},
		{"bad meta", "-- roles/motd/meta/main.yml --\na: b: c\n",
			`roles/motd/meta/main.yml:1: not YAML: mapping values are not allowed in this context`, "", ""},
		{"not a playbook", "-- p.yml --\nhosts: all\n", `p.yml:1:1: p.yml is not a playbook`, "list of plays", ""},
		{"missing import", "-- p.yml --\n- import_playbook: q.yml\n",
			`p.yml:1:20: the playbook q.yml does not exist`, "relative", "- import_playbook: q.yml"},
	}
	const simple = "-- p.yml --\n- hosts: all\n  roles: [motd]\n-- roles/motd/tasks/main.yml --\n[]\n"
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Inputs(project(simple+test.write), Query{Playbooks: []string{"p.yml"}})
			faults := fault.All(err)
			if len(faults) != 1 {
				t.Fatalf("want one fault, got %v", err)
			}
			f := faults[0]
			if f.Kind != fault.Input || f.Error() != test.want {
				t.Errorf("got  %s (%s)\nwant %s", f, f.Kind, test.want)
			}
			if !strings.Contains(f.Hint, test.hint) || test.snippet != "" && f.Snippet != test.snippet {
				t.Errorf("hint %q, snippet %q", f.Hint, f.Snippet)
			}
		})
	}
	for _, q := range []Query{
		{Playbooks: []string{"nope.yml"}}, {Playbooks: []string{"../p.yml"}}, {Playbooks: []string{"/p.yml"}},
		{Playbooks: []string{"p.yml"}, Inventory: "nope"}, {Playbooks: []string{"p.yml"}, Config: "nope"},
	} {
		if _, err := Inputs(project(simple), q); fault.KindOf(err) != fault.Input || len(fault.All(err)) != 1 {
			t.Errorf("%+v: want a fault, got %v", q, err)
		}
	}
}

// A playbook in the project's own directory takes in what lies there only as
// far as something names it.
func TestInputsAtTheTop(t *testing.T) {
	fsys := project(`
-- p.yml --
- hosts: all
  roles: [motd]
-- other.yml --
- hosts: all
  roles: [gone]
-- strata.yaml --
-- docs/a.md --
-- inventory/hosts --
-- inventory/group_vars/other.yml --
-- layers/x/list.txt --
-- roles/motd/tasks/main.yml --
- copy: src=layers/x/list.txt dest={{ inventory_hostname }}
-- roles/motd/handlers/main.yml --
[]
-- roles/other/tasks/main.yml --
-- .hidden/x --
`)
	compare(t, fsys, Query{Playbooks: []string{"./p.yml"}, Inventory: "inventory"}, []string{
		"p.yml", "inventory/hosts", "layers/x/list.txt", "roles/motd/tasks/main.yml", "roles/motd/handlers/main.yml"})
}
