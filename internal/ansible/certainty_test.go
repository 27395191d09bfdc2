package ansible

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
)

// TestPossible has mistakes that Ansible may never come to: warnings, and the files
// count by their bytes.
func TestPossible(t *testing.T) {
	const simple = "-- p.yml --\n- hosts: all\n  roles: [r]\n-- roles/r/tasks/main.yml --\n[]\n"
	tests := []struct {
		name, write string
		want        string // warnings, each on a line
		counts      string // files that must be inputs
	}{
		{"a computed name", "-- roles/r/tasks/main.yml --\n- include_tasks: '{{ ansible_local.x }}.yml'\n-- roles/r/tasks/a.yml --\na: [\n-- roles/r/tasks/b.yml --\n- import_role: {name: nope}\n-- roles/r/tasks/c.yml --\n- name: x\n",
			"roles/r/tasks/a.yml:1: not YAML: did not find expected node content\nroles/r/tasks/b.yml:1: the role \"nope\" is not in the project\nroles/r/tasks/c.yml:1: a task without a module\n",
			"roles/r/tasks/a.yml roles/r/tasks/b.yml roles/r/tasks/c.yml"},
		{"an include with a condition", "-- roles/r/tasks/main.yml --\n- include_tasks: a.yml\n  when: x\n-- roles/r/tasks/a.yml --\n- import_tasks: nope.yml\n- import_tasks: b.yml\n-- roles/r/tasks/b.yml --\na: b\n",
			"roles/r/tasks/a.yml:1: the file of tasks nope.yml is not in the project\nroles/r/tasks/b.yml:1: not a list of tasks\n", "roles/r/tasks/a.yml roles/r/tasks/b.yml"},
		{"an include in a block with a condition", "-- roles/r/tasks/main.yml --\n- when: x\n  block: [{include_role: {name: nope}}]\n",
			"roles/r/tasks/main.yml:2: the role \"nope\" is not in the project\n", ""},
		{"an include in a rescue", "-- roles/r/tasks/main.yml --\n- block: [{ping: }]\n  rescue: [{include_role: {name: nope}}]\n",
			"roles/r/tasks/main.yml:2: the role \"nope\" is not in the project\n", ""},
		{"an include over a list", "-- roles/r/tasks/main.yml --\n- include_role: {name: nope}\n  loop: '{{ x }}'\n",
			"roles/r/tasks/main.yml:1: the role \"nope\" is not in the project\n", ""},
		{"an include in a file that a condition imports", "-- roles/r/tasks/main.yml --\n- import_tasks: a.yml\n  when: x\n-- roles/r/tasks/a.yml --\n- include_role: {name: nope}\n",
			"roles/r/tasks/a.yml:1: the role \"nope\" is not in the project\n", ""},
		{"an include of a role with a condition", "-- p.yml --\n- hosts: all\n  roles: [{role: r, when: x}]\n-- roles/r/tasks/main.yml --\n- include_role: {name: nope}\n",
			"roles/r/tasks/main.yml:1: the role \"nope\" is not in the project\n", ""},
		{"an include of a handler", "-- roles/r/handlers/main.yml --\n- name: x\n  include_role: {name: nope}\n-- roles/r/tasks/main.yml --\n- ping:\n  notify: x\n",
			"roles/r/handlers/main.yml:2: the role \"nope\" is not in the project\n", ""},
		{"an include of a play's handler", "-- p.yml --\n- hosts: all\n  handlers:\n  - name: x\n    include_role: {name: nope}\n  tasks: [{ping: , notify: x}]\n",
			"p.yml:4: the role \"nope\" is not in the project\n", ""},
		{"a role that is only included", "-- roles/r/tasks/main.yml --\n- include_role: {name: s}\n  when: x\n-- roles/s/tasks/main.yml --\n- a: b: c\n-- roles/s/defaults/main.yml --\n- a\n-- roles/s/vars/main.yml --\na: [\n-- roles/s/meta/main.yml --\na: {\n",
			"roles/s/defaults/main.yml:1: expected a mapping of variables, not a list\nroles/s/meta/main.yml:1: not YAML: did not find expected node content\nroles/s/tasks/main.yml:1: not YAML: mapping values are not allowed in this context\nroles/s/vars/main.yml:1: not YAML: did not find expected node content\n",
			"roles/s/defaults/main.yml roles/s/meta/main.yml roles/s/tasks/main.yml roles/s/vars/main.yml"},
		{"variables of a computed name", "-- roles/r/tasks/main.yml --\n- include_vars: '{{ ansible_local.x }}.yml'\n-- roles/r/vars/a.yml --\na: [\n",
			"roles/r/vars/a.yml:1: not YAML: did not find expected node content\n", "roles/r/vars/a.yml"},
		{"variables with a condition", "-- roles/r/tasks/main.yml --\n- include_vars: a.yml\n  when: x\n-- roles/r/vars/a.yml --\na: [\n",
			"roles/r/vars/a.yml:1: not YAML: did not find expected node content\n", "roles/r/vars/a.yml"},
		{"variables that are the second choice", "-- p.yml --\n- hosts: all\n  vars_files: [[a.yml, b.yml]]\n-- a.yml --\na: 1\n-- b.yml --\na: [\n",
			"b.yml:1: not YAML: did not find expected node content\n", "b.yml"},
		{"variables of a play that may not run", "-- p.yml --\n- hosts: '{{ x }}'\n  vars_files: [a.yml]\n-- a.yml --\na: [\n",
			"a.yml:1: not YAML: did not find expected node content\n", "a.yml"},
		{"a playbook of a computed name", "-- p.yml --\n- import_playbook: '{{ ansible_local.x }}.yml'\n-- q.yml --\n- hosts: all\n  roles: [nope]\n",
			"q.yml:2: the role \"nope\" is not in the project\n", "q.yml"},
		{"roles in a circle that may not be", "-- roles/r/tasks/main.yml --\n- include_role: {name: s}\n  when: x\n-- roles/s/meta/main.yml --\ndependencies: [s]\n",
			"roles/s/meta/main.yml:1: the roles depend on each other in a circle: s -> s\n", ""},
		{"tasks in a circle that may not be", "-- roles/r/tasks/main.yml --\n- include_tasks: a.yml\n  when: x\n-- roles/r/tasks/a.yml --\n- import_tasks: a.yml\n",
			"roles/r/tasks/a.yml:1: the files of tasks import each other in a circle: a.yml -> a.yml\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := reachInTime(t, simple+test.write, Query{Playbooks: []string{"p.yml"}, Host: "n"})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, w := range mistakes(r) {
				got += w.String() + "\n"
			}
			if got != test.want {
				t.Errorf("warnings are\n%swant\n%s", got, test.want)
			}
			for _, name := range strings.Fields(test.counts) {
				if !strings.Contains(paths(r), "\n"+name+"\n") {
					t.Errorf("%s does not count", name)
				}
			}
		})
	}
}

// TestPossibleAndCertain comes to the same mistake in both ways, in either order.
func TestPossibleAndCertain(t *testing.T) {
	for _, uses := range []string{
		"- include_tasks: a.yml\n  when: x\n- import_tasks: a.yml\n", "- import_tasks: a.yml\n- include_tasks: a.yml\n  when: x\n",
		"- include_tasks: '{{ y }}.yml'\n- include_tasks: a.yml\n", "- import_role: {name: s}\n- include_role: {name: s}\n  when: x\n",
		"- include_role: {name: s}\n  when: x\n- import_role: {name: s}\n",
	} {
		_, err := reachInTime(t, "-- p.yml --\n- hosts: all\n  roles: [r]\n-- roles/r/tasks/main.yml --\n"+uses+
			"-- roles/r/tasks/a.yml --\n- import_role: {name: nope}\n-- roles/s/meta/main.yml --\ndependencies: [nope]\n", Query{Playbooks: []string{"p.yml"}, Host: "n"})
		if faults := fault.All(err); len(faults) != 1 || faults[0].Message != `the role "nope" is not in the project` {
			t.Errorf("%s: %v", uses, err)
		}
	}
}

// TestPossibleTooBig wants everything to count where a file may be read by Ansible,
// and is not by Strata.
func TestPossibleTooBig(t *testing.T) {
	r, err := reachInTime(t, "-- p.yml --\n- hosts: all\n  tasks:\n  - include_tasks: a.yml\n    when: x\n-- other --\n-- a.yml --\n"+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+"\n",
		Query{Playbooks: []string{"p.yml"}, Host: "n"})
	if err != nil || len(mistakes(r)) != 1 || !strings.Contains(paths(r), "\nother\n") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestPlaybookDir compares with Ansible which files come of playbook_dir, of roles and of
// names beside playbooks, in playbooks that are imported into others.
func TestPlaybookDir(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not installed")
	}
	archive := `
-- ansible.cfg --
-- top.yml --
- import_playbook: "{{ playbook_dir }}/one/a.yml"
- hosts: all
  gather_facts: false
  tasks: [{include_vars: "{{ playbook_dir }}/where.yml"}, {debug: {var: where}}]
-- one/a.yml --
- import_playbook: "{{ playbook_dir }}/two/b.yml"
- import_playbook: ../three/c.yml
- hosts: all
  gather_facts: false
  tasks: [{include_vars: "{{ playbook_dir }}/where.yml"}, {debug: {var: where}}]
-- one/two/b.yml --
- hosts: all
  gather_facts: false
  vars_files: ["{{ playbook_dir }}/where.yml"]
  roles: [r, shared]
  tasks:
  - debug: {var: where}
  - import_tasks: "{{ playbook_dir }}/more.yml"
-- one/two/more.yml --
- include_vars: where.yml
- debug: {var: where}
-- three/c.yml --
- hosts: all
  gather_facts: false
  roles: [shared]
  tasks: [{include_vars: where.yml}, {debug: {var: where}}, {include_role: {name: r}}]
-- roles/shared/tasks/main.yml --
- include_vars: "{{ playbook_dir }}/of_shared.yml"
- debug: {var: where}
-- one/two/roles/r/tasks/main.yml --
- include_vars: "{{ playbook_dir }}/of_role.yml"
- debug: {var: where}
-- three/roles/r/tasks/main.yml --
- include_vars: "{{ role_path }}/../../of_role.yml"
- debug: {var: where}
`
	for _, dir := range []string{".", "one", "one/two", "three", "one/three", "one/two/two", "one/one", "roles"} {
		for _, name := range []string{"where.yml", "of_shared.yml", "of_role.yml"} {
			file := filepath.Join(dir, name)
			archive += "-- " + file + " --\nwhere: AT " + file + "\n"
		}
	}
	dir := t.TempDir()
	files := project(archive)
	for name, f := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("ansible-playbook", "-i", "n,", "-c", "local", "top.yml")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_CONFIG=ansible.cfg", "ANSIBLE_ROLES_PATH=roles", "ANSIBLE_LOCAL_TEMP="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		if _, at, ok := strings.Cut(line, `"AT `); ok {
			want = append(want, strings.Trim(at, "\"\n"))
		}
	}
	r, err := Open(files, NewParsed()).Reach(Query{Playbooks: []string{"top.yml"}, Host: "n", RolesPath: []string{"roles"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range r.Variables {
		for _, d := range v.Definitions {
			if v.Name == "where" {
				got = append(got, d.File)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if want = slices.Compact(want); len(want) < 7 || !slices.Equal(want, slices.Compact(got)) {
		t.Errorf("Ansible reads\n%s\nand these count\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// mistakes are the warnings about what may never be come to.
func mistakes(r *Reached) []Warning {
	return slices.DeleteFunc(slices.Clone(r.Warnings), func(w Warning) bool { return w.Kind != "" })
}
