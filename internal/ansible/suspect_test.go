package ansible

import (
	"strings"
	"testing"
)

// TestSuspect: what is certainly evaluated and defined nowhere is told, and nothing that
// something guards, or may define.
func TestSuspect(t *testing.T) {
	const archive = `
-- hosts --
[web]
w1
[db]
d1
-- group_vars/web.yml --
{controller: c1, nested: "{{ controller }}", port: 80}
-- templates/a.j2 --
{{ controller }}
-- roles/r/tasks/main.yml --
- debug: {msg: "{{ given_to_role }}"}
- template: {src: r.j2, dest: /r}
-- roles/r/templates/r.j2 --
{{ port }}
{{ controler }}
-- roles/r/defaults/main.yml --
given_to_role: 1
-- more.yml --
- debug: {msg: "{{ of_include }}"}
`
	const undefined = " is not defined for node"
	task := func(text string) string { return "- hosts: web\n  tasks:\n    - " + text + "\n" }
	for _, c := range []struct{ what, play, want string }{
		{"all is defined", task("template: {src: a.j2, dest: /a}"), ""},
		{"a template", task("debug: {msg: '{{ controler }}'}"), "p.yml:3: variable controler" + undefined + " (did you mean controller?)"},
		{"a template of a role", "- hosts: web\n  roles: [r]\n", "roles/r/templates/r.j2:2: variable controler" + undefined + " (did you mean controller?)"},
		{"a condition", task("debug: {msg: x}\n      when: controler == 1"), "p.yml:4: variable controler"},
		{"the second condition", task("debug: {msg: x}\n      when: [port == 1, controler == 1]"), ""},
		{"a loop", task("debug: {msg: '{{ item }}'}\n      loop: '{{ controler }}'"), ""},
		{"what a task in a loop does", task("debug: {msg: '{{ controler }}'}\n      loop: [1]"), ""},
		{"a value of a variable", task("debug: {msg: '{{ nested2 }}'}\n      vars: {nested2: '{{ controler }}'}"), "p.yml:4: variable controler"},
		{"default", task("debug: {msg: \"{{ controler | default('') }}\"}"), ""},
		{"a guard", task("debug: {msg: '{{ controler }}'}\n      when: controler is defined"), ""},
		{"a guard of a block", task("block:\n        - debug: {msg: '{{ controler }}'}\n      when: controler is defined"), ""},
		{"a rescue", task("block:\n        - debug: {msg: '{{ controler }}'}\n      rescue: []"), ""},
		{"ignored errors", task("debug: {msg: '{{ controler }}'}\n      ignore_errors: true"), ""},
		{"tags", task("debug: {msg: '{{ controler }}'}\n      tags: [never]"), ""},
		{"set_fact", task("set_fact: {controler: 1}\n    - debug: {msg: '{{ controler }}'}"), ""},
		{"register", task("command: x\n      register: controler\n    - debug: {msg: '{{ controler }}'}"), ""},
		{"vars of the task", task("debug: {msg: '{{ controler }}'}\n      vars: {controler: 1}"), ""},
		{"a parameter of a role", "- hosts: web\n  roles: [{role: r, controler: 1}]\n", ""},
		{"vars of an include", task("include_tasks: more.yml\n      vars: {of_include: 1}"), ""},
		{"an include without", task("import_tasks: more.yml"), "more.yml:1: variable of_include"},
		{"an include that may not be", task("include_tasks: more.yml\n      when: port == x"), "p.yml:4: variable x" + undefined},
		{"include_vars of anything", task("include_vars: '{{ ansible_x }}.yml'\n    - debug: {msg: '{{ controler }}'}"), ""},
		{"vars_prompt", "- hosts: web\n  vars_prompt: [{name: controler}]\n  tasks: [{debug: {msg: '{{ controler }}'}}]\n", ""},
		{"facts", task("debug: {msg: '{{ ansible_hostname }} {{ ansible_facts.x }}'}"), ""},
		{"package facts", task("package_facts:\n    - debug: {msg: '{{ packages }}'}"), ""},
		{"facts of any module", task("x_facts:\n    - debug: {msg: '{{ controler }}'}"), ""},
		{"what Ansible knows", task("debug: {msg: '{{ inventory_hostname }} {{ groups.db }} {{ playbook_dir }} {{ omit }} {{ strata_image }}'}"), ""},
		{"a handler that nothing notifies", "- hosts: web\n  tasks: []\n  handlers: [{name: h, debug: {msg: '{{ controler }}'}}]\n", ""},
		{"another host's play", "- hosts: web\n- hosts: db\n  tasks: [{debug: {msg: '{{ controler }}'}}]\n", ""},
		{"no play", "- hosts: db\n", "p.yml: no play of it matches node: it does nothing there"},
		{"a typo in hosts", "- hosts: web\n- hosts: [wep]\n", "p.yml:2: hosts: wep means nothing: no group and no host is called so (did you mean web?)"},
		{"hosts of a group that is made", "- hosts: web\n  tasks: [{group_by: {key: '{{ ansible_x }}'}}]\n- hosts: wep\n", ""},
		{"hosts that this site has none of", "- hosts: web\n- hosts: something_else\n", ""},
		{"plays on this machine", "- hosts: web\n- hosts: localhost\n", ""},
		{"hostvars of this machine", task("debug: {msg: \"{{ hostvars['localhost'].x }}\"}"), "p.yml:3: hostvars['localhost'].x is not in the inventory, and plays on localhost do not run in a build"},
		{"hostvars of this machine with a default", task("debug: {msg: \"{{ hostvars['localhost']['x'] | default(1) }}\"}"), ""},
		{"hostvars that are there", task("debug: {msg: \"{{ hostvars['d1'].inventory_hostname }}\"}"), ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			q := Query{Playbooks: []string{"p.yml"}, Host: "node", Groups: []string{"web"}, Inventory: []string{"hosts"}}
			r, err := Open(project(archive+"-- p.yml --\n"+c.play), NewParsed()).Reach(q, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range r.Warnings {
				got = append(got, strings.ReplaceAll(w.String(), ThisNode, "node"))
			}
			text := strings.Join(got, "\n")
			if len(got) > 1 || c.want == "" && text != "" || !strings.HasPrefix(text, c.want) {
				t.Errorf("warnings are %q, not %q", text, c.want)
			}
			if q.Tags = []string{"x"}; strings.Contains(c.want, undefined) {
				if r, err := Open(project(archive+"-- p.yml --\n"+c.play), NewParsed()).Reach(q, Options{}); err != nil || len(r.Warnings) > 0 {
					t.Errorf("with tags: %v, %v", r.Warnings, err)
				}
			}
		})
	}
}

// TestUndefinedOnce: of several places that need a variable the first is told, whichever
// is looked at first.
func TestUndefinedOnce(t *testing.T) {
	const play = "-- p.yml --\n- hosts: all\n  vars: {all: '{{ a1 }} {{ a2 }} {{ a3 }} {{ a4 }}'}\n" +
		"  tasks: [{debug: {msg: '{{ all }}'}},\n    {debug: {msg: '{{ a1 }} {{ a2 }} {{ a3 }} {{ a4 }}'}}]\n"
	for range 20 {
		r, err := Open(project(play), NewParsed()).Reach(Query{Playbooks: []string{"p.yml"}, Host: "node"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Warnings) != 4 {
			t.Errorf("warnings: %v", r.Warnings)
		}
		for _, w := range r.Warnings {
			if w.File != "p.yml" || w.Line != 2 {
				t.Fatalf("%s, not at the first place", w)
			}
		}
	}
}

// TestUnreadExtraVars: an extra variable that nothing reads is told, unless what is read
// is not known.
func TestUnreadExtraVars(t *testing.T) {
	for play, want := range map[string]string{
		"- hosts: all\n  tasks: [{debug: {msg: '{{ one }}'}}]\n":                                    "the extra variable two is read by nothing that is run on " + ThisNode,
		"- hosts: all\n  tasks: [{debug: {msg: '{{ vars }}'}}]\n":                                   "",
		"- hosts: '{{ two }}'\n  roles: []\n- hosts: all\n  tasks: [{debug: {msg: '{{ one }}'}}]\n": "",
	} {
		q := Query{Playbooks: []string{"p.yml"}, Host: "node", ExtraVars: map[string]any{"one": 1, "two": "all", "ansible_user": "x"}}
		r, err := Open(project("-- p.yml --\n"+play), NewParsed()).Reach(q, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, w := range r.Warnings {
			got += w.String()
		}
		if got != want {
			t.Errorf("%s: %q, not %q", play, got, want)
		}
	}
}
