package ansible

import (
	"strings"
	"testing"
)

// TestComputedHosts: what a play's computed hosts come to with extra variables decides
// whether it runs; where that is not known, it may.
func TestComputedHosts(t *testing.T) {
	const archive = "-- hosts --\n[web]\nw1\n[db]\nd1\n-- group_vars/all.yml --\ntarget: web\n-- roles/r/tasks/main.yml --\n[]\n-- a.yml --\n[]\n"
	for _, c := range []struct {
		play  string
		extra map[string]any
		runs  bool
	}{
		{"hosts: '{{ target }}'", map[string]any{"target": "web"}, true},
		{"hosts: '{{ target }}'", map[string]any{"target": "db"}, false},
		{"hosts: '{{ target }}'", map[string]any{"target": "all:!db"}, true},
		{"hosts: \"{{ target | default('db') }}\"", map[string]any{"target": "web"}, true},
		{"hosts: \"{{ target | default('db') }}\"", nil, false}, // the inventory's is not there yet
		{"hosts: \"{{ target | default('db') }}\"\n  roles: [r]", nil, true},
		{"hosts: \"{{ target }}\"\n  vars: {target: db}", nil, false},
		{"hosts: \"{{ target }}\"\n  vars_prompt: [{name: target}]", nil, true},
		{"hosts: '{{ target }}'", nil, true},
		{"hosts: ['{{ target }}', '!web']", map[string]any{"target": "web"}, false},
		{"hosts: '{{ target }}'", map[string]any{"target": []any{"db", "web"}}, true},
		{"hosts: 'x{{ target }}'", map[string]any{"target": "db"}, true},
		{"hosts: \"{{ groups['db'] }}\"", nil, true},
	} {
		q := Query{Playbooks: []string{"p.yml"}, Host: "node", Groups: []string{"web"}, Inventory: []string{"hosts"}, ExtraVars: c.extra}
		r, err := Open(project(archive+"-- p.yml --\n- "+c.play+"\n  tasks: [{import_tasks: a.yml}]\n"), NewParsed()).Reach(q, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.play, err)
			continue
		}
		if got := strings.Contains(paths(r), "\na.yml\n"); got != c.runs {
			t.Errorf("%s with %v runs: %v", c.play, c.extra, got)
		}
		for _, w := range r.Warnings {
			if w.Kind == WarnUnread {
				t.Errorf("%s: %s", c.play, w)
			}
		}
	}
}

// TestPossibleVault: an encrypted file that a computed name may mean counts by its bytes,
// but where tasks are kept.
func TestPossibleVault(t *testing.T) {
	const archive = "-- p.yml --\n- hosts: all\n  tasks:\n    - include_tasks: \"{{ ansible_x }}.yml\"\n-- other.yml --\nx: 1\n"
	const vault = "$ANSIBLE_VAULT;1.1;AES256\n31\n"
	for name, everything := range map[string]bool{"secret.yml": false, "tasks/secret.yml": true} {
		r, err := Open(project(archive+"-- "+name+" --\n"+vault), NewParsed()).Reach(Query{Playbooks: []string{"p.yml"}, Host: "n"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(paths(r), "\n"+name+"\n") || strings.Contains(paths(r), "\nother.yml\n") != everything {
			t.Errorf("%s: %s", name, paths(r))
		}
	}
}
