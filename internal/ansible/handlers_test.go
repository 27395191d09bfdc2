package ansible

import (
	"strings"
	"testing"
)

// TestHandlers changes what a handler does, with tasks that notify it or not.
func TestHandlers(t *testing.T) {
	const (
		keep  = false
		build = true
	)
	tests := []struct {
		name, tasks, handler string // the handler is named "it"
		more                 string
		build                bool
	}{
		{"nobody notifies it", "- debug:", "", "", keep},
		{"notified", "- debug:\n  notify: it", "", "", build},
		{"notified with others", "- debug:\n  notify: [x, it]", "", "", build},
		{"notified with its role's name", "- debug:\n  notify: 'one : it'", "", "", build},
		{"by what it listens to", "- debug:\n  notify: topic", "  listen: [other, topic]\n", "", build},
		{"by what it does not listen to", "- debug:\n  notify: topic", "  listen: other\n", "", keep},
		{"by a name that nobody knows", "- debug:\n  notify: '{{ x }}'", "", "", build},
		{"by a task in a block", "- block:\n  - debug:\n    notify: it", "", "", build},
		{"by a block", "- block:\n  - debug:\n  notify: it", "", "", build},
		{"by a task that never runs", "- debug:\n  notify: it\n  when: not strata_image", "", "", keep},
		{"by a task that may run", "- debug:\n  notify: it\n  when: x", "", "", build},
		{"by another role", "- debug:", "", "-- roles/two/tasks/main.yml --\n- debug:\n  notify: it\n", build},
		{"by tasks that are included", "- include_tasks: {file: x.yml, apply: {notify: it}}", "", "", build},
		{"by a role of the machine", "- include_role: {name: a.b.c}", "", "", build},
		{"by a plugin", "- x:", "", "-- action_plugins/x.py --\n", build},
		{"by a plugin that tells what it does", "- x:", "", "-- action_plugins/x.py --\nfrom ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n    KEY = '_ansible_notify'\n", build},
		{"not by a plugin of which it is known what it does", "- x:", "", "-- action_plugins/x.py --\nfrom ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n    pass\n", keep},
		{"not by a plugin that nothing uses", "- debug:", "", "-- action_plugins/x.py --\n", keep},
		{"included as tasks", "- include_tasks: ../handlers/main.yml", "", "", build},
		{"a name that nobody knows", "- debug:", "", "-- roles/one/handlers/main.yml --\n- name: '{{ x }}'\n  command: CMD\n", build},
		{"one that others look at", "- debug:", "  register: x\n", "", build},
		{"notified, and it never runs", "- debug:\n  notify: it", "  when: not strata_image\n", "", keep},
	}
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Inventory: []string{"hosts"}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			with := func(arg string) string {
				return "-- hosts --\n-- p.yml --\n- hosts: all\n  roles: [one, two]\n-- roles/two/tasks/main.yml --\n-- roles/one/tasks/main.yml --\n" + test.tasks +
					"\n-- roles/one/handlers/main.yml --\n- name: it\n  command: " + arg + "\n" + test.handler + strings.ReplaceAll(test.more, "CMD", arg)
			}
			before := digestOf(t, project(with("x")), q)
			if after := digestOf(t, project(with("y")), q); (after != before) != test.build {
				t.Errorf("the digest must change: %v", test.build)
			}
		})
	}
	t.Run("as good as none", func(t *testing.T) {
		const base = "-- hosts --\n-- p.yml --\n- hosts: all\n  roles: [one]\n-- roles/one/tasks/main.yml --\n- debug:\n"
		before := digestOf(t, project(base), q)
		for handlers, same := range map[string]bool{
			"main.yml --\n- name: it\n  fail:\n":    true,
			"main.yml --\n":                         true,
			"main.yml --\n- name: it\n  nothing:\n": false, // Ansible may not know it
			"main.yml --\n- fail:\n":                false,
			"main/x.yml --\n- name: it\n  fail:\n":  false,
			"main.yml --\n[]\n-- roles/one/handlers/main.yaml --\n- name: it\n  fail:\n": false,
		} {
			if after := digestOf(t, project(base+"-- roles/one/handlers/"+handlers), q); (after == before) != same {
				t.Errorf("%q is as good as none: %v", handlers, same)
			}
		}
		notified := "-- roles/one/tasks/main.yml --\n- debug:\n  notify: it\n"
		never := "-- roles/one/handlers/main.yml --\n- name: it\n  fail:\n  when: not strata_image\n"
		if digestOf(t, project(base+notified+never), q) == digestOf(t, project(base+notified), q) {
			t.Error("whoever notifies a handler must find it")
		}
	})
}
