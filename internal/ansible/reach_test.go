package ansible

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// project makes a file system of a txtar archive. Of two files of one name the
// later counts; one that says "gone" is not there.
func project(archive string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		if string(f.Data) == "gone\n" {
			delete(m, f.Name)
			continue
		}
		name, executable := strings.CutSuffix(f.Name, " (executable)")
		mode := fs.FileMode(0o644)
		if executable {
			mode = 0o755
		}
		m[name] = &fstest.MapFile{Data: f.Data, Mode: mode}
	}
	return m
}

const site = `
-- ansible.cfg --
[defaults]
roles_path = shared/roles
-- README.md --
-- inventory/hosts --
login1
[compute]
nid[001:100]
[login]
login1 ip=10.0.0.1
[compute:vars]
fabric=slingshot
-- inventory/group_vars/all.yml --
ntp: [a, b]
site: north
unused: 1
strong: all
secret: s
motd_file: motd
chosen: motd
-- inventory/group_vars/compute.yml --
strong: compute
kind: "{{ inner }} node"
inner: compute
-- inventory/group_vars/login.yml --
kind: login node
login_only: 1
-- inventory/host_vars/compute.yml --
own: yes
-- playbooks/compute.yml --
# What compute nodes get.
- hosts: compute
  vars: {of_play: 1}
  roles:
    - chrony
    - role: motd
      motd_extra: x
- hosts: login
  roles: [users]
-- playbooks/files/banner --
banner
-- playbooks/roles/chrony/tasks/main.yml --
- name: configuration
  template:
    src: chrony.conf.j2
    dest: /etc/chrony.conf
  notify: restart chrony
-- playbooks/roles/chrony/handlers/main.yml --
- name: restart chrony
  service: {name: chrony, state: restarted}
-- playbooks/roles/chrony/templates/chrony.conf.j2 --
{% for s in ntp %}
server {{ s }}
{% endfor %}
{{ fabric }} {{ step }} {{ strong }}
-- playbooks/roles/chrony/defaults/main.yml --
step: 1
strong: default
other: 1
-- playbooks/roles/chrony/meta/main.yml --
galaxy_info: {author: somebody}
dependencies: [common]
-- shared/roles/common/tasks/main.yml --
- copy: {content: "{{ common_says }}", dest: /etc/common}
-- shared/roles/common/vars/main.yml --
common_says: hello
common_unused: 1
-- shared/roles/unused/tasks/main.yml --
[]
-- playbooks/roles/motd/tasks/main.yml --
- copy: {src: "{{ motd_file }}", dest: /etc/motd}
- debug: {msg: "{{ kind }} {{ motd_extra }}"}
-- playbooks/roles/motd/files/motd --
welcome
-- playbooks/roles/motd/files/other --
-- playbooks/roles/users/tasks/main.yml --
[]
`

func digestOf(t *testing.T, fsys fs.FS, q Query) string {
	t.Helper()
	r, err := Open(fsys, NewParsed()).Reach(q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range r.Files {
		if f.Reason == "" {
			t.Errorf("%s counts without a reason", f.Path)
		}
		fmt.Fprintln(&b, "file", f.Path, f.Digest)
	}
	for _, v := range r.Variables {
		fmt.Fprintln(&b, "variable", v.Name, v.Digest)
	}
	return b.String()
}

var onCompute = Query{Playbooks: []string{"playbooks/compute.yml"}, Host: "compute", Groups: []string{"compute"}, Inventory: []string{"inventory"}}

// TestOneChange changes one thing of the site.
func TestOneChange(t *testing.T) {
	const (
		keep  = false
		build = true
	)
	const (
		all      = "-- inventory/group_vars/all.yml --\n"
		compute  = "-- inventory/group_vars/compute.yml --\n"
		book     = "-- playbooks/compute.yml --\n"
		chrony   = "-- playbooks/roles/chrony/"
		motd     = "-- playbooks/roles/motd/"
		allRest  = "unused: 1\nstrong: all\nsecret: s\nmotd_file: motd\nchosen: motd\n"
		vaulted  = "$ANSIBLE_VAULT;1.1;AES256\n31\n"
		restBook = "- hosts: login\n  roles: [users]\n"
	)
	tests := []struct {
		name, write string
		build       bool
	}{
		{"nothing", "", keep},
		{"a variable that is read", all + "ntp: [a, c]\nsite: north\n" + allRest, build},
		{"the order of a list that is read", all + "ntp: [b, a]\nsite: north\n" + allRest, build},
		{"a variable that nothing reads", all + "ntp: [a, b]\nsite: south\n" + allRest, keep},
		{"a variable less that nothing reads", all + "ntp: [a, b]\n" + allRest, keep},
		{"a new variable that nothing reads", all + "new: 1\nntp: [a, b]\nsite: north\n" + allRest, keep},
		{"another way to write a value", all + "# comment\nntp:\n  - \"a\"\n  - 'b'\nsite: north\n" + allRest, keep},
		{"the order of variables", all + allRest + "site: north\nntp: [a, b]\n", keep},
		{"a variable that a group overrides", all + "ntp: [a, b]\nsite: north\nunused: 1\nstrong: x\nsecret: s\nmotd_file: motd\nchosen: motd\n", keep},
		{"the group's value", compute + "strong: x\nkind: \"{{ inner }} node\"\ninner: compute\n", build},
		{"a variable that another's value reads", compute + "strong: compute\nkind: \"{{ inner }} node\"\ninner: x\n", build},
		{"a value that no longer reads another", compute + "strong: compute\nkind: compute node\ninner: compute\n", build},
		{"a variable of another group", "-- inventory/group_vars/login.yml --\nkind: x\n", keep},
		{"a variable of the inventory's file", "-- inventory/hosts --\n[compute]\nnid[001:100]\n[compute:vars]\nfabric=opa\n[login]\nlogin1\n", build},
		{"hosts of a group", "-- inventory/hosts --\n[compute]\nnid[001:200]\n[login]\nlogin1\n[compute:vars]\nfabric=slingshot\n", keep},
		{"the node's own variable", "-- inventory/host_vars/compute.yml --\nfabric: x\n", build},
		{"the node's own variable that nothing reads", "-- inventory/host_vars/compute.yml --\nown: no\n", keep},
		{"another host's variables", "-- inventory/host_vars/nid001.yml --\nfabric: x\n", keep},
		{"group_vars beside the playbook", "-- playbooks/group_vars/compute.yml --\nfabric: x\n", build},
		{"encrypted variables", "-- inventory/group_vars/compute/vault.yml --\n" + vaulted + "-- inventory/group_vars/compute.yml --\ngone\n", build},

		{"a default that is read", chrony + "defaults/main.yml --\nstep: 2\nstrong: default\nother: 1\n", build},
		{"a default that the inventory overrides", chrony + "defaults/main.yml --\nstep: 1\nstrong: x\nother: 1\n", keep},
		{"a default that nothing reads", chrony + "defaults/main.yml --\nstep: 1\nstrong: default\nother: 2\n", keep},
		{"vars that are stronger than the inventory", chrony + "vars/main.yml --\nstrong: x\n", build},
		{"vars that nothing reads", chrony + "vars/main.yml --\nnothing: x\n", keep},
		{"a dependency's variable", "-- shared/roles/common/vars/main.yml --\ncommon_says: x\ncommon_unused: 1\n", build},
		{"a dependency's variable that nothing reads", "-- shared/roles/common/vars/main.yml --\ncommon_says: hello\n", keep},
		{"a dependency more", chrony + "meta/main.yml --\ndependencies: [common, unused]\n", build},
		{"a dependency less", chrony + "meta/main.yml --\ndependencies: []\n", build},
		{"a meta that says nothing", motd + "meta/main.yml --\ndependencies: []\nallow_duplicates: false\n", keep},
		{"a meta that stands in front of another", motd + "meta/main.yml --\n{}\n" + motd + "meta/main.yaml --\ndependencies: []\n", build},
		{"a meta that says something", motd + "meta/main.yml --\nallow_duplicates: true\n", build},
		{"a meta that is none", motd + "meta/main.yml --\nx\n", build},
		{"who wrote a role", chrony + "meta/main.yml --\ngalaxy_info: {author: x}\ndependencies: [common]\n", keep},
		{"a role that is not used", "-- shared/roles/unused/tasks/main.yml --\n- fail:\n", keep},
		{"a role of another play", "-- playbooks/roles/users/tasks/main.yml --\n- fail:\n", keep},
		{"a role that comes first now", "-- playbooks/roles/common/tasks/main.yml --\n[]\n", build},
		{"argument specs", chrony + "meta/argument_specs.yml --\nargument_specs: {main: {options: {step: {type: int}}}}\n", build},

		{"the order of a task's keywords", chrony + "tasks/main.yml --\n- notify: restart chrony\n  template: {dest: /etc/chrony.conf, src: chrony.conf.j2}\n  name: configuration\n", keep},
		{"a task's name, and a comment", chrony + "tasks/main.yml --\n# x\n- name: x\n  template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n", keep},
		{"a module's full name", chrony + "tasks/main.yml --\n- ansible.builtin.template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n", keep},
		{"an argument", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony/chrony.conf\n  notify: restart chrony\n", build},
		{"a task more", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n- debug:\n", build},
		{"a condition", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n  when: steps == 1\n", build},
		{"a condition that is certainly true", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n  when: [step == 1, true]\n", keep},
		{"a task that certainly never runs", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n- name: x\n  command: {cmd: '{{ nothing }}'}\n  when: step == 2\n", keep},
		{"a task that never runs, if its condition does not fail", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n- command: x\n  when: nothing and step == 2\n", build},
		{"a task that never runs, and that Ansible may not take", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n- commands: {x: y}\n  when: step == 2\n", build},
		{"a task that never runs, and whose loop may fail", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n  notify: restart chrony\n- command: x\n  when: step == 2\n  loop: '{{ nothing }}'\n", build},
		{"a file of tasks that nothing includes", chrony + "tasks/other.yml --\n- fail:\n", keep},
		{"a handler", chrony + "handlers/main.yml --\n- name: restart chrony\n  service: {name: chronyd, state: restarted}\n", build},
		{"a handler's name", chrony + "handlers/main.yml --\n- name: x\n  service: {name: chrony, state: restarted}\n", build},
		{"a template", chrony + "templates/chrony.conf.j2 --\n{{ ntp }} {{ fabric }} {{ step }} {{ strong }}\n", build},
		{"a template's comment", chrony + "templates/chrony.conf.j2 --\n{% for s in ntp %}\n{# x #}\nserver {{ s }}\n{% endfor %}\n{{ fabric }} {{ step }} {{ strong }}\n", keep},
		{"a comment behind what may end in newlines", chrony + "templates/chrony.conf.j2 --\n{% for s in ntp %}\nserver {{ s }}\n{% endfor %}\n{{ fabric }} {{ step }} {{ strong }}\n{# x #}\n", build},
		{"comments of a template whose newlines stay", chrony + "tasks/main.yml --\n- template:\n    src: chrony.conf.j2\n    dest: /etc/chrony.conf\n    trim_blocks: false\n  notify: restart chrony\n", build},
		{"a template that nothing uses", chrony + "templates/other.j2 --\n{{ unused }}\n", keep},
		{"a file", motd + "files/motd --\nx\n", build},
		{"a file that may be executed", motd + "files/motd (executable) --\nwelcome\n", build},
		{"a file that nothing uses", motd + "files/other --\nx\n", keep},
		{"the name of a file", all + "ntp: [a, b]\nsite: north\nunused: 1\nstrong: all\nsecret: s\nmotd_file: other\nchosen: motd\n", build},
		{"a file that is found first", motd + "files/motd --\ngone\n" + motd + "motd --\nx\n", build},
		{"a file that is not found first", motd + "motd --\nx\n", keep},
		{"a file of the role's caller", "-- playbooks/roles/chrony/files/motd --\nx\n", keep},

		{"a comment in the playbook", book + "- hosts: compute\n  vars: {of_play: 1}\n  roles:\n    - chrony\n    - role: motd\n      motd_extra: x\n" + restBook, keep},
		{"another play of the playbook", book + "- hosts: compute\n  vars: {of_play: 1}\n  roles: [chrony, {role: motd, motd_extra: x}]\n- hosts: login\n  roles: []\n", keep},
		{"another way to name the same hosts", book + "- hosts: all:!login\n  vars: {of_play: 1}\n  roles: [chrony, {role: motd, motd_extra: x}]\n" + restBook, keep},
		{"hosts that the node is none of", book + "- hosts: login\n  vars: {of_play: 1}\n  roles: [chrony, {role: motd, motd_extra: x}]\n" + restBook, build},
		{"a play's variable that nothing reads", book + "- hosts: compute\n  vars: {of_play: 2}\n  roles: [chrony, {role: motd, motd_extra: x}]\n" + restBook, keep},
		{"a play's variable that something reads", book + "- hosts: compute\n  vars: {of_play: 1, fabric: x}\n  roles: [chrony, {role: motd, motd_extra: x}]\n" + restBook, build},
		{"a role's parameter", book + "- hosts: compute\n  vars: {of_play: 1}\n  roles: [chrony, {role: motd, motd_extra: y}]\n" + restBook, build},
		{"the order of roles", book + "- hosts: compute\n  vars: {of_play: 1}\n  roles: [{role: motd, motd_extra: x}, chrony]\n" + restBook, build},

		{"a directory of roles more, without any", "-- ansible.cfg --\n[defaults]\nroles_path = shared/roles:none\n", keep},
		{"a directory of roles more, with one that comes first", "-- ansible.cfg --\n[defaults]\nroles_path = more:shared/roles\n-- more/common/tasks/main.yml --\n", build},
		{"directories of roles in another section", "-- ansible.cfg --\n[default]\nroles_path = shared/roles\n", build},
		{"a comment in ansible.cfg", "-- ansible.cfg --\n# x\n[defaults]\nroles_path=shared/roles\n", keep},
		{"a setting in ansible.cfg", "-- ansible.cfg --\n[defaults]\nroles_path = shared/roles\nhash_behaviour = merge\n", build},
		{"a module of the project's that nothing uses", "-- playbooks/library/x.py --\n", keep},
		{"a module in the place of Ansible's", "-- playbooks/library/copy.py --\n", build},
		{"a filter of the project's", "-- playbooks/filter_plugins/x.py --\n", build},
		{"another file", "-- README.md --\nx\n", keep},
	}
	before := digestOf(t, project(site), onCompute)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			after := digestOf(t, project(site+test.write), onCompute)
			if (after != before) != test.build {
				t.Errorf("the digest must change: %v, of\n%s\nwith\n%s", test.build, before, after)
			}
		})
	}
}

// TestOneReader puts one task in a project and says which change of one file
// then counts.
func TestOneReader(t *testing.T) {
	const common = `
-- hosts --
[web]
w1
[db]
d1 ip=1
d2 ip=2
-- group_vars/all.yml --
name: one
list: [one, two]
lead: "{{ name }}"
expression: hidden
hidden: true
prefix: v
v_a: 1
v_b: 2
w_a: 3
-- group_vars/db.yml --
engine: pg
deep: "{{ engine }}"
-- files/one --
-- files/two --
-- files/three --
-- files/dir/a --
-- files/table.csv --
-- templates/one.j2 --
-- templates/two.j2 --
-- templates/main.j2 --
{% include 'one.j2' %}
-- templates/computed.j2 --
{% import name ~ '.j2' as x %}
-- vars/one.yml --
from_one: 1
-- vars/two.yml --
from_two: 1
-- tasks/one.yml --
[]
-- tasks/two.yml --
[]
-- roles/one/tasks/main.yml --
[]
-- roles/one/tasks/extra.yml --
[]
-- roles/one/vars/extra.yml --
extra: 1
-- roles/two/tasks/main.yml --
[]
-- roles/three/tasks/main.yml --
[]
-- p.yml --
- hosts: all
  gather_facts: false
  tasks:
`
	tests := []struct {
		name, task string
		build      string // files, or FILE=LINE to be added to it, of which each counts
		keep       string
	}{
		{"include_tasks, computed", "include_tasks: 'tasks/{{ lead }}.yml'", "tasks/one.yml", "tasks/two.yml"},
		{"include_tasks in a loop", "include_tasks: 'tasks/{{ item }}.yml'\n  loop: '{{ list }}'", "tasks/one.yml tasks/two.yml", "files/one"},
		{"include_tasks of a literal loop", "include_tasks: 'tasks/{{ item }}.yml'\n  loop: [two]", "tasks/two.yml", "tasks/one.yml"},
		{"include_tasks, unknown", "include_tasks: 'tasks/{{ ansible_local.fact }}.yml'", "tasks/one.yml tasks/two.yml", "files/one"},
		{"include_tasks, set before", "include_tasks: 'tasks/{{ fact }}.yml'\n- set_fact: {fact: two}", "tasks/two.yml", "tasks/one.yml"},
		{"include_tasks, registered", "include_tasks: 'tasks/{{ name }}.yml'\n- command: x\n  register: name", "tasks/one.yml tasks/two.yml", "files/one"},
		{"old forms", "action: include_tasks tasks/one.yml", "tasks/one.yml", "tasks/two.yml"},
		{"in a block", "block:\n  - rescue: []\n    block:\n    - ansible.builtin.import_tasks: tasks/one.yml", "tasks/one.yml", "tasks/two.yml"},
		{"include_role", "include_role: {name: one}", "roles/one/tasks/main.yml", "roles/one/tasks/extra.yml roles/two/tasks/main.yml"},
		{"include_role, another file", "include_role: {name: one, tasks_from: extra, vars_from: extra}\n- debug: {var: extra}", "roles/one/tasks/extra.yml roles/one/vars/extra.yml=extra: 2", "roles/one/tasks/main.yml"},
		{"include_role, computed", "include_role: {name: '{{ item }}'}\n  loop: '{{ list }}'", "roles/one/tasks/main.yml roles/two/tasks/main.yml", "roles/three/tasks/main.yml"},
		{"include_role, unknown", "include_role: {name: '{{ ansible_local.fact }}'}", "roles/one/tasks/main.yml roles/three/tasks/main.yml", "files/one"},
		{"include_vars", "include_vars: one.yml\n- debug: {var: from_one}", "vars/one.yml=from_one: 2", "vars/two.yml=from_two: 2"},
		{"include_vars that nothing reads", "include_vars: one.yml", "", "vars/one.yml=from_one: 2"},
		{"include_vars, computed", "include_vars: '{{ item }}'\n  with_first_found: ['{{ lead }}.yml', two.yml]\n- debug: msg={{ from_one + from_two }}", "vars/one.yml=from_one: 2 vars/two.yml=from_two: 2", ""},
		{"include_vars of a directory", "include_vars: {dir: vars, name: all_of_it}\n- debug: {var: all_of_it.from_one}", "vars/one.yml=from_one: 2", "files/one"},
		{"copy", "copy: {src: one, dest: /x}", "files/one", "files/two"},
		{"copy with computed arguments", "copy: '{{ x }}'", "files/one files/two", ""},
		{"template with more, computed arguments", "template: {dest: x}\n  args: '{{ x }}'", "files/one templates/two.j2", ""},
		{"copy of a directory", "copy: {src: dir, dest: /x}", "files/dir/a files/dir/b", "files/one"},
		{"copy in a loop", "copy: {src: '{{ item }}', dest: /x}\n  with_items: [one, two]", "files/one files/two", "files/three"},
		{"copy of a glob", "copy: {src: '{{ item }}', dest: /x}\n  with_fileglob: ['t*']", "files/two files/three files/twelve", ""},
		{"copy on the node", "copy: {src: one, dest: /x, remote_src: true}", "", "files/one"},
		{"script", "script: one -v {{ name }}", "files/one", "files/two"},
		{"unarchive", "unarchive: {src: one, dest: /x}", "files/one", "files/two"},
		{"an unknown module", "site.x.y: {anything: one}", "files/one", "files/two"},
		{"template", "template: {src: main.j2, dest: /x}", "templates/main.j2 templates/one.j2", "templates/two.j2"},
		{"template, computed", "template: {src: computed.j2, dest: /x}", "templates/one.j2", "templates/two.j2"},
		{"lookup of a file", "debug: msg={{ lookup('file', lead) }}", "files/one", "files/two"},
		{"lookup of a template", "debug: msg={{ lookup('template', 'one.j2') }}", "templates/one.j2", "templates/two.j2"},
		{"lookup in a table", "debug: msg={{ lookup('csvfile', 'x file=table.csv delimiter=,') }}", "files/table.csv", "files/one"},
		{"lookup, nobody knows which", "debug: msg={{ lookup(ansible_local.fact, 'x') }}", "files/one files/two", ""},
		{"lookup of a variable", "debug: msg={{ lookup('vars', prefix ~ '_a') }}", "group_vars/all.yml=v_a: 5", "group_vars/all.yml=v_b: 5"},
		{"a computed name of a variable", "debug: msg={{ vars[prefix ~ '_' ~ ansible_local.fact] }}", "group_vars/all.yml=v_a: 5 group_vars/all.yml=v_b: 5", "group_vars/all.yml=w_a: 5"},
		{"any variable", "debug: msg={{ vars[ansible_local.fact] }}", "group_vars/all.yml=v_a: 5 group_vars/all.yml=w_a: 5", "files/one"},
		{"a condition in a variable", "debug:\n  when: expression", "group_vars/all.yml=hidden: false", "group_vars/all.yml=v_a: 5"},
		{"hostvars", "debug: msg={{ hostvars['d1'].engine }}", "group_vars/db.yml=engine: my", "group_vars/db.yml=other: 1"},
		{"hostvars of a variable that reads another", "debug: msg={{ hostvars.d1.deep }}", "group_vars/db.yml=engine: my", "group_vars/db.yml=other: 1"},
		{"hostvars, nobody knows of whom", "debug: msg={{ hostvars[ansible_local.fact].ip }}", "hosts=[web:vars]\nip=9", "group_vars/db.yml=engine: my"},
		{"hostvars that a stronger place has", "debug: msg={{ hostvars[ansible_local.fact].ip }}", "hosts=[web:vars]\nip=9", "hosts=[db:vars]\nip=9"},
		{"groups", "debug: msg={{ groups['db'] }}", "hosts=[db]\nd3", "hosts=[web]\nw2"},
		{"groups, any", "debug: msg={{ groups[ansible_local.fact] }}", "hosts=[web]\nw2", "group_vars/db.yml=engine: my"},
		{"group_by", "group_by: {key: 'd{{ ansible_local.fact }}'}\n- debug: {var: engine}", "group_vars/db.yml=engine: my", "group_vars/db.yml=other: 1"},
		{"a path", "command: cat {{ playbook_dir }}/files/one\n  delegate_to: localhost", "files/one", "files/two"},
		{"a command on the node", "command: cat files/one", "", "files/one"},
		{"a command here", "local_action: command cat files/one", "files/one", "README.md"},
		{"a command here, nobody knows which", "local_action: command gen files/one", "files/one README.md", ""},
	}
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := common + "  - " + strings.ReplaceAll(test.task, "\n", "\n  ") + "\n"
			before := digestOf(t, project(base), q)
			check := func(changes string, build bool) {
				for _, change := range changed(changes) {
					fsys := project(base)
					name, line, ok := strings.Cut(change, "=")
					was := ""
					if f := fsys[name]; f != nil {
						was = string(f.Data)
					}
					if !ok {
						line = "# soundness"
						if strings.Contains(name, "tasks/") {
							was, line = "", "- debug:"
						}
					}
					fsys[name] = &fstest.MapFile{Data: []byte(was + line + "\n"), Mode: 0o644}
					if after := digestOf(t, fsys, q); (after != before) != build {
						t.Errorf("%s: the digest must change: %v\n%s", change, build, after)
					}
				}
			}
			check(test.build, true)
			check(test.keep, false)
		})
	}
}

// changed splits a list of files at blanks that a path follows.
func changed(list string) []string {
	var all []string
	for _, word := range strings.SplitAfter(list, " ") {
		bare := strings.TrimSuffix(word, " ")
		if n := len(all); n > 0 && !strings.Contains(bare, "/") && !strings.HasPrefix(bare, "hosts") && bare != "README.md" {
			all[n-1] += " " + bare
			continue
		}
		if bare != "" {
			all = append(all, bare)
		}
	}
	return all
}

// TestWhatElseCounts has cases that took a run of Ansible to find.
func TestWhatElseCounts(t *testing.T) {
	tests := []struct {
		name, project string
		change        string // that counts
		other         string // that does not
	}{
		{"a computed file of tasks of a role whose variable is set later",
			"-- p.yml --\n- hosts: all\n  roles: [one, two]\n-- roles/one/tasks/main.yml --\n- include_role: {name: three, tasks_from: '{{ which }}'}\n-- roles/two/tasks/main.yml --\n- set_fact: {which: b}\n-- roles/three/tasks/a.yml --\n- debug:\n-- roles/three/tasks/b.yml --\n- debug:\n",
			"-- roles/three/tasks/b.yml --\n- fail:\n", "-- roles/three/tasks/a.yml --\n- fail:\n"},
		{"group_by with a variable that is set later",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - group_by: {key: '{{ which }}'}\n  - debug: {var: x}\n  - set_fact: {which: red}\n-- group_vars/red.yml --\nx: 1\n-- group_vars/blue.yml --\nx: 1\n-- hosts --\n[red]\n[blue]\n",
			"-- group_vars/red.yml --\nx: 2\n", "-- group_vars/blue.yml --\nx: 2\n"},
		{"a play for a group that the node joins",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - group_by: {key: red}\n- hosts: red\n  tasks:\n  - debug: msg=1\n-- hosts --\n[red]\n[blue]\n",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - group_by: {key: red}\n- hosts: red\n  tasks:\n  - debug: msg=2\n", "-- p.yml --\n- hosts: all\n  tasks:\n  - group_by: {key: red}\n- hosts: red\n  tasks:\n  - debug: msg=1\n- hosts: blue\n  tasks: [{fail: }]\n"},
		{"a play for a group that no inventory has and the node joins by a computed name",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - group_by: {key: '{{ item }}'}\n    with_items: ['on_{{ x | bool }}']\n- hosts: [all, '&on_True']\n  tasks: [{template: {src: t, dest: /t}}]\n-- templates/t --\n1\n-- group_vars/all.yml --\nx: true\n",
			"-- templates/t --\n2\n", "-- templates/u --\n2\n"},
		{"a play for groups by a wildcard, of which the node joins one",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - group_by: {key: 'on_{{ x | bool }}'}\n- hosts: on_*\n  tasks: [{template: {src: t, dest: /t}}]\n-- templates/t --\n1\n-- group_vars/all.yml --\nx: true\n",
			"-- templates/t --\n2\n", "-- templates/u --\n2\n"},
		{"a play for a group of which a computed name is not",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - group_by: {key: 'on_{{ x | bool }}'}\n  - debug: {var: x}\n- hosts: off_True\n  tasks: [{template: {src: t, dest: /t}}]\n-- templates/t --\n1\n-- group_vars/all.yml --\nx: true\n",
			"-- group_vars/all.yml --\nx: false\n", "-- templates/t --\n2\n"},
		{"the section of a setting",
			"-- p.yml --\n- hosts: all\n-- ansible.cfg --\n[defaults]\nforks=1\n",
			"-- ansible.cfg --\nforks=1\n", "-- ansible.cfg --\n# x\n[defaults]\n\nforks = 1\n"},
		{"a play's name that is read",
			"-- p.yml --\n- name: a\n  hosts: all\n  tasks:\n  - name: x\n    debug: msg={{ ansible_play_name }}\n",
			"-- p.yml --\n- name: b\n  hosts: all\n  tasks:\n  - name: x\n    debug: msg={{ ansible_play_name }}\n", "-- q.yml --\n"},
		{"a task's name that is read when it failed",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - block:\n    - {name: a, fail: }\n    rescue:\n    - debug: msg={{ ansible_failed_task.name }}\n",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - block:\n    - {name: b, fail: }\n    rescue:\n    - debug: msg={{ ansible_failed_task.name }}\n", "-- q.yml --\n"},
		{"names of variables",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - debug: msg={{ query('varnames', 'x_') }}\n",
			"-- group_vars/all.yml --\nx_new: 1\n", "-- q.yml --\n"},
		{"a script behind its options",
			"-- p.yml --\n- hosts: all\n  tasks:\n  - script: creates=/x chdir=/ 'run it' now\n-- files/run it --\n",
			"-- files/run it --\nx\n", "-- files/now --\nx\n"},
		{"a variable that an argument's spec checks",
			"-- p.yml --\n- hosts: all\n  roles: [one]\n-- roles/one/meta/argument_specs.yml --\nargument_specs: {main: {options: {x: {type: int}}}}\n-- group_vars/all.yml --\nx: 1\ny: 1\n",
			"-- group_vars/all.yml --\nx: a\ny: 1\n", "-- group_vars/all.yml --\nx: 1\ny: 2\n"},
		{"the role beside the second playbook",
			"-- p.yml --\n- import_playbook: a/p.yml\n- import_playbook: b/p.yml\n-- a/p.yml --\n- hosts: all\n  roles: [one]\n-- b/p.yml --\n- hosts: all\n  roles: [one]\n-- a/roles/one/tasks/main.yml --\n-- b/roles/one/tasks/main.yml --\n",
			"-- b/roles/one/tasks/main.yml --\n- fail:\n", "-- c/roles/one/tasks/main.yml --\n- fail:\n"},
		{"a variable beside the first playbook",
			"-- p.yml --\n- import_playbook: a/p.yml\n- import_playbook: b/p.yml\n-- a/p.yml --\n- hosts: all\n  tasks: [{debug: {var: x}}]\n-- b/p.yml --\n- hosts: all\n-- a/group_vars/all.yml --\nx: 1\n-- b/group_vars/all.yml --\nx: 2\n",
			"-- a/group_vars/all.yml --\nx: 3\n", "-- c/group_vars/all.yml --\nx: 3\n"},
		{"a template that is encrypted",
			"-- p.yml --\n- hosts: all\n  tasks: [{template: {src: t, dest: /x}}]\n-- templates/t --\n$ANSIBLE_VAULT;1.1;AES256\n31\n-- group_vars/all.yml --\nx: 1\n",
			"-- group_vars/all.yml --\nx: 2\n", "-- templates/u --\n"},
		{"the last line of a template that is included",
			"-- p.yml --\n- hosts: all\n  tasks: [{template: {src: t, dest: /x}}]\n-- templates/t --\n{% include 'u' %}.\n-- templates/u --\n{{ x }}.\n",
			"-- templates/u --\n{{ x }}.\n{# x #}\n", "-- templates/t --\n{% include 'u' %}.\n{# x #}\n"},
		{"a comment where the including template has other marks",
			"-- p.yml --\n- hosts: all\n  tasks: [{template: {src: t, dest: /x}}]\n-- templates/t --\n#jinja2: comment_start_string:'[#', comment_end_string:'#]'\n{% include 'u' %}.\n-- templates/u --\n{# x #}.\n",
			"-- templates/u --\n{# y #}.\n", "-- templates/v --\n"},
		{"a variable in a template whose marks a lookup sets",
			"-- p.yml --\n- hosts: all\n  tasks: [{debug: {msg: \"{{ lookup('template', 't', variable_start_string='[%', variable_end_string='%]') }}\"}}]\n-- templates/t --\n[% x %]\n-- group_vars/all.yml --\nx: 1\n",
			"-- group_vars/all.yml --\nx: 2\n", "-- templates/u --\n"},
		{"a role of another play that is not there",
			"-- p.yml --\n- hosts: all\n- hosts: red\n  roles: [one]\n-- roles/one/tasks/main.yml --\n- debug:\n",
			"-- p.yml --\n- hosts: all\n- hosts: red\n  roles: [gone]\n", "-- roles/one/tasks/main.yml --\n- debug: msg=x\n"},
		{"the order in a parameter of a dependency",
			"-- p.yml --\n- hosts: all\n  roles: [one]\n-- roles/one/meta/main.yml --\ndependencies: [{role: two, vars: {b: {x: 1, y: 2}, a: 1}}]\n-- roles/two/tasks/main.yml --\n",
			"-- roles/one/meta/main.yml --\ndependencies: [{role: two, vars: {b: {y: 2, x: 1}, a: 1}}]\n", "-- roles/one/meta/main.yml --\ndependencies: [{vars: {a: 1, b: {x: 1, y: 2}}, role: two}]\n"},
		{"a parameter's order beside a dependency's keywords",
			"-- p.yml --\n- hosts: all\n  roles: [one]\n-- roles/one/meta/main.yml --\ndependencies: [{role: two, b: {x: 1, y: 2}}]\n-- roles/two/tasks/main.yml --\n",
			"-- roles/one/meta/main.yml --\ndependencies: [{role: two, b: {y: 2, x: 1}}]\n", "-- roles/one/meta/main.yml --\ndependencies: [{b: {x: 1, y: 2}, role: two}]\n"},
		{"the expression in a label",
			"-- p.yml --\n- hosts: all\n  tasks: [{debug: , loop: [1], loop_control: {label: 'a {{ item.x }}', loop_var: i}}]\n",
			"-- p.yml --\n- hosts: all\n  tasks: [{debug: , loop: [1], loop_control: {label: 'a {{ item.y }}', loop_var: i}}]\n",
			"-- p.yml --\n- hosts: all\n  tasks: [{debug: , loop: [1], loop_control: {loop_var: i, label: '{{ item.x }} b'}}]\n"},
		{"a label that may be looked at",
			"-- p.yml --\n- hosts: all\n  tasks: [{debug: , loop: [1], register: x, loop_control: {label: 'a {{ item.x }}'}}]\n",
			"-- p.yml --\n- hosts: all\n  tasks: [{debug: , loop: [1], register: x, loop_control: {label: 'b {{ item.x }}'}}]\n", "-- q.yml --\n"},
	}
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := "-- hosts --\n" + test.project
			before := digestOf(t, project(base), q)
			if after := digestOf(t, project(base+test.change), q); after == before {
				t.Errorf("the digest must change, of\n%s", before)
			}
			if after := digestOf(t, project(base+test.other), q); after != before {
				t.Errorf("the digest must not change, of\n%s\nto\n%s", before, after)
			}
		})
	}
}
