package ansible

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// modules is a project with directories of which only a commit is known.
type modules struct {
	fstest.MapFS
	pins map[string]string
}

// Pinned implements the interface of units.
func (m modules) Pinned(dir string) (string, bool) { pin, ok := m.pins[dir]; return pin, ok }

// TestUnits reaches submodules that were not fetched in every way: none is an error, what is
// followed there makes everything count, and their commits always do.
func TestUnits(t *testing.T) {
	const simple = "-- p.yml --\n- hosts: all\n  roles: [r]\n-- roles/r/tasks/main.yml --\n[]\n-- other --\n1\n"
	for name, test := range map[string]struct {
		write      string
		everything bool
	}{
		"a role":                    {"-- p.yml --\n- hosts: all\n  roles: [sub]\n", true},
		"a role in one":             {"-- p.yml --\n- hosts: all\n  roles: [sub/x]\n", true},
		"a role that may be":        {"-- roles/r/tasks/main.yml --\n- include_role: {name: '{{ ansible_x }}'}\n", true},
		"a dependency":              {"-- roles/r/meta/main.yml --\ndependencies: [sub]\n", true},
		"a role through a link":     {"-- p.yml --\n- hosts: all\n  roles: [linked]\n", true},
		"tasks":                     {"-- roles/r/tasks/main.yml --\n- import_tasks: ../../sub/x.yml\n", true},
		"tasks that may be":         {"-- roles/r/tasks/main.yml --\n- include_tasks: '../../sub/{{ ansible_x }}.yml'\n", true},
		"variables":                 {"-- p.yml --\n- hosts: all\n  vars_files: [roles/sub/x.yml]\n", true},
		"a template":                {"-- roles/r/tasks/main.yml --\n- template: {src: ../../sub/x, dest: /x}\n", true},
		"a playbook":                {"-- p.yml --\n- import_playbook: roles/sub/x.yml\n", true},
		"a file":                    {"-- roles/r/tasks/main.yml --\n- copy: {src: ../../sub/x, dest: /x}\n", false},
		"a directory with one":      {"-- roles/r/tasks/main.yml --\n- copy: {src: ../../../roles, dest: /x}\n", false},
		"files of a computed name":  {"-- roles/r/tasks/main.yml --\n- copy: {src: '../../sub/{{ ansible_x }}', dest: /x}\n", false},
		"a program on this machine": {"-- roles/r/tasks/main.yml --\n- command: unknown-program\n  delegate_to: localhost\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			reach := func(commit string) (*Reached, []string) {
				m := modules{project(simple + test.write), map[string]string{"roles/sub": commit}}
				m.MapFS["roles/sub"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
				m.MapFS["roles/linked"] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte("sub")}
				if name == "a role through a link" {
					m.pins["roles/linked"] = commit // as file systems that follow links have it
				}
				r, err := Open(m, NewParsed()).Reach(Query{Playbooks: []string{"p.yml"}, Host: "n"}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				var all []string
				for _, f := range r.Files {
					all = append(all, f.Path+" "+f.Digest)
				}
				return r, all
			}
			r, one := reach("1111111111")
			_, two := reach("2222222222")
			if slices.Equal(one, two) {
				t.Error("its commit does not count")
			}
			if got := strings.Contains(paths(r), "\nother\n"); got != test.everything {
				t.Errorf("everything counts: %t", got)
			}
			if !slices.ContainsFunc(r.Warnings, func(w Warning) bool {
				return strings.Contains(w.Message, "it counts as a whole, by its commit 1111111")
			}) {
				t.Errorf("warnings: %v", r.Warnings)
			}
		})
	}
	m := modules{project(simple), map[string]string{"roles/sub": "1"}}
	m.MapFS["roles/sub"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	r, err := Open(m, NewParsed()).Reach(Query{Playbooks: []string{"p.yml"}, Host: "n"}, Options{})
	if err != nil || len(r.Warnings) > 0 || strings.Contains(paths(r), "sub") {
		t.Errorf("one that nothing uses counts: %v, %v", r, errors.Join(err))
	}
}
