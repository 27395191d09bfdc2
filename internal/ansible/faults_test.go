package ansible

import (
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
)

// TestFaults wants one fault of each broken project, with its place.
func TestFaults(t *testing.T) {
	const simple = "-- p.yml --\n- hosts: all\n  roles: [motd]\n-- roles/motd/tasks/main.yml --\n[]\n"
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
		{"missing role of a task that nothing skips", "-- roles/motd/tasks/main.yml --\n- include_role: {name: nope}\n",
			`roles/motd/tasks/main.yml:1:24: the role "nope" is not in the project`, "", ""},
		{"missing dependency", "-- roles/motd/meta/main.yml --\ndependencies: [{role: nope}]\n",
			`roles/motd/meta/main.yml:1:23: the role "nope" is not in the project`, "", ""},
		{"missing role that requirements name", "-- roles/motd/meta/main.yml --\ndependencies: [nope]\n-- requirements.yml --\n- {src: nope}\n",
			`roles/motd/meta/main.yml:1:16: the role "nope" is not in the project`, "ansible-galaxy install", ""},
		{"roles outside", "-- ansible.cfg --\n[defaults]\nroles_path=/etc/ansible/roles\n-- roles/motd/meta/main.yml --\ndependencies: [{role: nope}]\n",
			`roles/motd/meta/main.yml:1:23: the role "nope" is not in the project`, "/etc/ansible/roles of ansible.cfg lies outside", ""},
		{"cycle of roles", "-- roles/motd/meta/main.yml --\ndependencies: [a]\n-- roles/a/meta/main.yml --\ndependencies: [b]\n-- roles/b/meta/main.yml --\ndependencies:\n- role: a\n",
			`roles/b/meta/main.yml:2:9: the roles depend on each other in a circle: a -> b -> a`, "meta/main.yml", "- role: a"},
		{"role that depends on itself", "-- roles/motd/meta/main.yml --\ndependencies: [motd]\n",
			`roles/motd/meta/main.yml:1:16: the roles depend on each other in a circle: motd -> motd`, "meta/main.yml", ""},
		{"bad playbook", "-- p.yml --\n- hosts: all\n  x: [\n  roles: {\n",
			`p.yml:3: not YAML: did not find expected node content`, "syntax-check", "  roles: {"},
		{"bad tasks", "-- roles/motd/tasks/main.yml --\n- a: b: c\n",
			`roles/motd/tasks/main.yml:1: not YAML: mapping values are not allowed in this context`, "", "- a: b: c"},
		{"bad defaults", "-- roles/motd/defaults/main.yml --\na: 1\nb: 'x\n",
			`roles/motd/defaults/main.yml:`, "", ""},
		{"bad meta", "-- roles/motd/meta/main.yml --\na: b: c\n",
			`roles/motd/meta/main.yml:1: not YAML: mapping values are not allowed in this context`, "", ""},
		{"bad variables of a group", "-- group_vars/all.yml --\na: b: c\n",
			`group_vars/all.yml:1: not YAML: mapping values are not allowed in this context`, "", "a: b: c"},
		{"variables that are a list", "-- group_vars/all.yml --\n- a\n",
			`group_vars/all.yml:1:1: expected a mapping of variables, not a list`, "", "- a"},
		{"tasks that are a map", "-- roles/motd/tasks/main.yml --\ncopy: {src: x}\n",
			`roles/motd/tasks/main.yml:1:1: not a list of tasks`, "", "copy: {src: x}"},
		{"not a playbook", "-- p.yml --\nhosts: all\n", `p.yml:1:1: p.yml is not a playbook`, "list of plays", "hosts: all"},
		{"missing playbook", "-- p.yml --\n- import_playbook: q.yml\n",
			`p.yml:1:20: the playbook q.yml does not exist`, "relative", "- import_playbook: q.yml"},
		{"missing tasks", "-- roles/motd/tasks/main.yml --\n- debug:\n- import_tasks: nope.yml\n",
			`roles/motd/tasks/main.yml:2:17: the file of tasks nope.yml is not in the project`, "import_tasks looks", "- import_tasks: nope.yml"},
		{"cycle of tasks", "-- roles/motd/tasks/main.yml --\n- import_tasks: a.yml\n-- roles/motd/tasks/a.yml --\n- debug:\n- import_tasks: b.yml\n-- roles/motd/tasks/b.yml --\n- import_tasks: a.yml\n",
			`roles/motd/tasks/b.yml:1:17: the files of tasks import each other in a circle: a.yml -> b.yml -> a.yml`, "include_tasks", "- import_tasks: a.yml"},
		{"task without a module", "-- roles/motd/tasks/main.yml --\n- debug:\n- name: x\n  when: y\n",
			`roles/motd/tasks/main.yml:2:3: a task without a module`, "one module", "- name: x"},
		{"task with two modules", "-- roles/motd/tasks/main.yml --\n- copy:\n  debug:\n",
			`roles/motd/tasks/main.yml:1:3: a task with more than one module: copy, debug`, "one module", "- copy:"},
		{"bad task of another play", "-- p.yml --\n- hosts: all\n- hosts: nowhere\n  tasks:\n  - name: x\n",
			`p.yml:4:5: a task without a module`, "", "  - name: x"},
		{"bad role of another play", "-- p.yml --\n- hosts: all\n- hosts: nowhere\n  roles: [motd]\n-- roles/motd/tasks/main.yml --\n- import_tasks: a.yml\n-- roles/motd/tasks/a.yml --\n- a: b: c\n",
			`roles/motd/tasks/a.yml:1: not YAML: mapping values are not allowed in this context`, "", ""},
		{"cycle of playbooks", "-- p.yml --\n- import_playbook: q.yml\n-- q.yml --\n- import_playbook: p.yml\n",
			`q.yml:1:20: the playbooks import each other in a circle: p.yml -> q.yml -> p.yml`, "", "- import_playbook: p.yml"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := reachInTime(t, simple+test.write, Query{Playbooks: []string{"p.yml"}})
			faults := fault.All(err)
			if len(faults) != 1 {
				t.Fatalf("want one fault, got %v", err)
			}
			f := faults[0]
			if f.Kind != fault.Input || f.Error() != test.want && !(strings.HasSuffix(test.want, ":") && strings.HasPrefix(f.Error(), test.want)) {
				t.Errorf("got  %s (%s)\nwant %s", f, f.Kind, test.want)
			}
			if !strings.Contains(f.Hint, test.hint) || test.snippet != "" && f.Snippet != test.snippet {
				t.Errorf("hint %q, snippet %q", f.Hint, f.Snippet)
			}
		})
	}
}

// TestFaultsOfInventories wants those of the inventory to come up, too.
func TestFaultsOfInventories(t *testing.T) {
	const simple = "-- p.yml --\n- hosts: all\n  tasks: []\n-- hosts.yml --\nall: {hosts: {a: }}\n"
	for _, write := range []string{
		"-- hosts.yml --\nall: {children: {a: {children: {b: {children: {a: }}}}}}\n",
		"-- hosts.yml --\nall: {children: [\n",
	} {
		_, err := reachInTime(t, simple+write, Query{Playbooks: []string{"p.yml"}, Inventory: []string{"hosts.yml"}, Host: "n", Groups: []string{"x"}})
		if faults := fault.All(err); len(faults) != 1 || faults[0].Kind != fault.Input || faults[0].File != "hosts.yml" || faults[0].Line == 0 {
			t.Errorf("%s: %v", write, err)
		}
	}
}

// TestFaultsOfQueries wants those of what is asked for.
func TestFaultsOfQueries(t *testing.T) {
	const simple = "-- p.yml --\n- hosts: all\n"
	for _, q := range []Query{
		{Playbooks: []string{"nope.yml"}}, {Playbooks: []string{"../p.yml"}}, {Playbooks: []string{"/p.yml"}},
		{Playbooks: []string{"p.yml"}, Inventory: []string{"nope"}}, {Playbooks: []string{"p.yml"}, Config: "nope"},
		{Playbooks: []string{"p.yml"}, RolesPath: []string{"../roles"}},
	} {
		if _, err := reachInTime(t, simple, q); fault.KindOf(err) != fault.Input || len(fault.All(err)) != 1 {
			t.Errorf("%+v: want a fault, got %v", q, err)
		}
	}
}

// TestNoFaults wants none of what Ansible takes.
func TestNoFaults(t *testing.T) {
	const simple = "-- p.yml --\n- hosts: all\n  roles: [motd]\n-- roles/motd/tasks/main.yml --\n[]\n"
	for name, write := range map[string]string{
		"a role that a condition may skip":    "-- roles/motd/tasks/main.yml --\n- include_role: {name: nope}\n  when: x\n",
		"tasks that include themselves":       "-- roles/motd/tasks/main.yml --\n- include_tasks: main.yml\n  when: x\n",
		"tasks that may not be there":         "-- roles/motd/tasks/main.yml --\n- include_tasks: nope.yml\n  when: x\n",
		"a role that is used twice":           "-- p.yml --\n- hosts: all\n  roles: [motd, motd]\n",
		"a role that includes itself":         "-- roles/motd/tasks/main.yml --\n- include_role: {name: motd, tasks_from: x}\n-- roles/motd/tasks/x.yml --\n[]\n",
		"an empty playbook of no tasks":       "-- p.yml --\n- hosts: all\n",
		"an empty file of tasks":              "-- roles/motd/tasks/main.yml --\n",
		"an empty file of variables":          "-- roles/motd/vars/main.yml --\n---\n-- group_vars/all.yml --\n# nothing\n",
		"a role of a collection":              "-- roles/motd/tasks/main.yml --\n- include_role: {name: site.hpc.x}\n",
		"a variable that leads to itself":     "-- group_vars/all.yml --\na: '{{ b }}'\nb: '{{ a }}'\n-- roles/motd/tasks/main.yml --\n- include_tasks: '{{ a }}.yml'\n- debug: msg={{ vars[b] }}\n",
		"templates that include each other":   "-- roles/motd/tasks/main.yml --\n- template: {src: a, dest: /a}\n-- roles/motd/templates/a --\n{% include 'b' %}\n-- roles/motd/templates/b --\n{% include 'a' %}\n",
		"names that lead out of the project":  "-- roles/motd/tasks/main.yml --\n- copy: {src: ../../../../x, dest: /a}\n- copy: {src: '../../../../../{{ x }}', dest: /a}\n",
		"encrypted tasks, defaults, playbook": "-- roles/motd/tasks/main.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n-- roles/motd/defaults/main.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n",
		"a value that is not text":            "-- roles/motd/tasks/main.yml --\n- include_tasks: {file: [1, {a: b}]}\n- copy: {src: 1, dest: /x}\n- template: src\n- include_role:\n- 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := reachInTime(t, simple+write, Query{Playbooks: []string{"p.yml"}}); err != nil && name != "a value that is not text" {
				t.Error(err)
			}
		})
	}
}

// reachInTime ends the test if there is no answer soon.
func reachInTime(t *testing.T, archive string, q Query) (*Reached, error) {
	t.Helper()
	defer time.AfterFunc(20*time.Second, func() { panic("no end: " + archive) }).Stop()
	return Open(project(archive), NewParsed()).Reach(q, Options{})
}
