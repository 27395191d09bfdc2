package ansible

import (
	"slices"
	"strings"
	"testing"
)

// TestSealed: what a file of variables that is encrypted as a whole may define matters
// for a computed name only where nothing stronger is known.
func TestSealed(t *testing.T) {
	const vault = "-- group_vars/web/secrets.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n"
	const tasks = vault + "-- tasks/a.yml --\n[]\n-- tasks/b.yml --\n[]\n-- p.yml --\n- hosts: web\n  tasks:\n    - include_tasks: \"tasks/{{ form }}.yml\"\n"
	const secret = tasks + "-- p.yml --\n- hosts: web\n  tasks:\n    - include_tasks: \"tasks/{{ form_password }}.yml\"\n"
	const condition = tasks + `
-- p.yml --
- hosts: web
  tasks: [import_tasks: tasks/main.yml]
-- tasks/main.yml --
- include_tasks: a.yml
  when: form == 'a'
- include_tasks: b.yml
  when: form != 'a'
`
	const told = tasks + "-- p.yml --\n- hosts: web\n  tasks:\n    - command: \"cat tasks/{{ form }}.yml\"\n      delegate_to: localhost\n"
	const found = vault + `
-- group_vars/web/secrets.yml --
$ANSIBLE_VAULT;1.1;AES256
31
-- group_vars/one/addresses.yml --
x: 1
-- group_vars/two/addresses.yml --
x: 1
-- group_vars/two/vars.yml --
y: 1
-- p.yml --
- hosts: web
  tasks:
    - find: {paths: "{{ playbook_dir }}/group_vars", patterns: addresses.yml, recurse: true}
      delegate_to: localhost
      register: addresses
    - include_vars: {file: "{{ item }}", name: "{{ item | dirname | basename }}"}
      with_items: "{{ addresses.files | map(attribute='path') | list }}"
    - debug: {msg: "{{ one.x }}"}
`
	tests := []namesTest{
		{"stronger by its name", tasks + "-- group_vars/web/vars.yml --\nform: a\n", "tasks/a.yml group_vars/web/secrets.yml", "tasks/b.yml"},
		{"weaker by its name", tasks + "-- group_vars/web/a.yml --\nform: a\n", "tasks/a.yml", "tasks/b.yml"},
		{"of all", tasks + "-- group_vars/all.yml --\nform: a\n", "tasks/a.yml", "tasks/b.yml"},
		{"of the inventory", tasks + "-- hosts --\n[web]\nw1\n[web:vars]\nform=a\n", "tasks/a.yml", "tasks/b.yml"},
		{"called like a secret", secret + "-- group_vars/all.yml --\nform_password: a\n", "tasks/a.yml tasks/b.yml", ""},
		{"called like one, and a path", secret + "-- group_vars/all.yml --\nform_password: ./a\n", "tasks/a.yml", "tasks/b.yml"},
		{"a condition of it", condition + "-- group_vars/all.yml --\nform: a\n", "tasks/a.yml tasks/b.yml", ""},
		{"a condition of what is stronger", condition + "-- group_vars/web/vars.yml --\nform: a\n", "tasks/a.yml", "tasks/b.yml"},
		{"told a program", told + "-- group_vars/all.yml --\nform: a\n", "tasks/a.yml tasks/b.yml", ""},
		{"a program is told what is stronger", told + "-- group_vars/web/vars.yml --\nform: a\n", "tasks/a.yml", "tasks/b.yml"},
		{"of a host", tasks + "-- host_vars/n/vars.yml --\nform: a\n", "tasks/a.yml", "tasks/b.yml"},
		{"of the play", tasks + "-- p.yml --\n- hosts: web\n  vars: {form: a}\n  tasks:\n    - include_tasks: \"tasks/{{ form }}.yml\"\n", "tasks/a.yml", "tasks/b.yml"},
		{"one is weaker, another is not", tasks + "-- group_vars/web/vars.yml --\nform: a\n-- group_vars/web/xsecrets.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n", "tasks/a.yml", "tasks/b.yml"},
		{"weaker in another group", tasks + "-- group_vars/all/secrets.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n-- group_vars/web/secrets.yml --\nform: a\n", "tasks/a.yml", "tasks/b.yml"},
		{"loaded by the play", "-- s.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n" + strings.Replace(tasks, "- hosts: web\n", "- hosts: web\n  vars_files: [s.yml]\n", 1) + "-- group_vars/all.yml --\nform: a\n", "tasks/a.yml s.yml", "tasks/b.yml"},
		{"loaded by a task", "-- s.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n" + strings.Replace(tasks, "  tasks:\n", "  tasks:\n    - include_vars: s.yml\n", 1) + "-- group_vars/all.yml --\nform: a\n", "tasks/a.yml s.yml", "tasks/b.yml"},
		{"loaded, and a condition", "-- s.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n" + strings.Replace(condition, "- include_tasks: a", "- include_vars: s.yml\n- include_tasks: a", 1) + "-- group_vars/all.yml --\nform: a\n", "tasks/a.yml tasks/b.yml s.yml", ""},
		{"loaded, and known nowhere", "-- s.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n" + strings.Replace(tasks, "- hosts: web\n", "- hosts: web\n  vars_files: [s.yml]\n", 1), "tasks/a.yml tasks/b.yml s.yml", ""},
		{"nowhere", tasks, "tasks/a.yml tasks/b.yml", ""},
		{"what is found", found, "group_vars/one/addresses.yml", "group_vars/two/addresses.yml group_vars/two/vars.yml"},
	}
	testNames(t, tests, Query{})

	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
	site := "-- hosts --\n[web]\nw1\n" + found
	for site, want := range map[string][]string{
		site: {"addresses"}, "-- hosts --\n[web]\nw1\n" + tasks + "-- group_vars/all.yml --\nform: a\n": {"form"},
		"-- hosts --\n[web]\nw1\n" + tasks + "-- group_vars/web/vars.yml --\nform: a\n": nil,
		"-- hosts --\n[web]\nw1\n" + condition + "-- group_vars/all.yml --\nform: a\n":  nil,
	} {
		r, err := Open(project(site), NewParsed()).Reach(q, Options{})
		if err != nil || !slices.Equal(r.Unveiled, want) {
			t.Errorf("a build is to see that the file does not define %q; want %q (%v) of\n%s", r.Unveiled, want, err, site)
		}
	}
	q.VaultTemplates = true // nobody looks into it then
	before := digestOf(t, project(site), q)
	if digestOf(t, project(site+"-- group_vars/two/vars.yml --\ny: 2\n"), q) == before {
		t.Error("with templates in it, the file may define what a task leaves its result under")
	}
}

// TestSealedFact: a file of a play that is encrypted has no facts in it, which a build checks.
func TestSealedFact(t *testing.T) {
	site := "-- hosts --\n-- s.yml --\n$ANSIBLE_VAULT;1.1;AES256\n31\n-- p.yml --\n- hosts: all\n  vars_files: [s.yml]\n  roles: [r]\n-- roles/r/tasks/main.yml --\n"
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Inventory: []string{"hosts"}, Facts: map[string]string{"os_family": "Debian"}}
	task := func(family, name string) string {
		return site + "- package: {name: " + name + "}\n  when: ansible_os_family == '" + family + "'\n"
	}
	if digestOf(t, project(task("RedHat", "a")), q) != digestOf(t, project(task("RedHat", "b")), q) {
		t.Error("a task that never runs counts")
	}
	if digestOf(t, project(task("Debian", "a")), q) == digestOf(t, project(task("Debian", "b")), q) {
		t.Error("a task that runs does not count")
	}
	r, err := Open(project(task("RedHat", "a")), NewParsed()).Reach(q, Options{})
	if err != nil || !slices.Contains(r.Unveiled, "ansible_os_family") {
		t.Errorf("a build is to see that the file does not define ansible_os_family: %v (%v)", r.Unveiled, err)
	}
}
