package ansible

import (
	"slices"
	"strings"
	"testing"
)

// TestFirstFoundOfOneName: tasks of several roles call what they look for by one name,
// and each looks for files, not for any file.
func TestFirstFoundOfOneName(t *testing.T) {
	const role = `
-- roles/NAME/tasks/main.yml --
- include_vars: "{{ lookup('first_found', found) }}"
  vars:
    found: {files: ["{{ ansible_distribution }}.yml", main.yml], paths: [vars]}
-- roles/NAME/vars/main.yml --
NAME: 1
-- roles/NAME/README.md --
read me
-- roles/NAME/defaults/main.yml --
of_NAME: 1
`
	text := "-- p.yml --\n- hosts: all\n  roles: [a, b, c]\n-- hosts --\n[web]\n"
	for _, name := range []string{"a", "b", "c"} {
		text += strings.ReplaceAll(role, "NAME", name)
	}
	got, err := Open(project(text), NewParsed()).Reach(Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	counts := func(name string) bool {
		return slices.ContainsFunc(got.Files, func(f File) bool { return f.Path == name })
	}
	for _, name := range []string{"a", "b", "c"} {
		if !counts("roles/" + name + "/vars/main.yml") {
			t.Errorf("role %s: the file that is found does not count", name)
		}
		if counts("roles/"+name+"/README.md") || counts("roles/"+name+"/defaults/main.yml") {
			t.Errorf("role %s: files count that nobody looks for", name)
		}
	}
}
