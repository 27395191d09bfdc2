package ansible

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestLinks reads a project in which three names lead to each file of a role: each counts
// once, and so does each link, by where it leads.
func TestLinks(t *testing.T) {
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
	}
	site := func() fstest.MapFS {
		m := project(`
-- roles/r/tasks/main.yml --
- include_tasks: "{{ ansible_os_family }}.yml"
- copy: {src: a, dest: /a}
- copy: {src: b, dest: /b}
-- roles/r/tasks/RedHat.yml --
- template: {src: x.j2, dest: /x}
-- roles/r/templates/x.j2 --
{{ v }}
-- roles/r/files/one --
1
-- roles/r/files/two --
2
-- other/r/tasks/main.yml --
[]
-- group_vars/all.yml --
v: 1
-- books/one/p.yml --
- hosts: all
  roles: [r]
- import_playbook: ../two/q.yml
-- books/two/q.yml --
- hosts: all
  roles: [r]
`)
		m["books/one/roles"], m["books/two/roles"] = link("../../roles"), link("../one/roles")
		m["books/one/group_vars"] = link("../../group_vars")
		m["roles/r/tasks/Rocky.yml"] = link("RedHat.yml")
		m["roles/r/files/a"], m["roles/r/files/b"] = link("one"), link("two")
		return m
	}
	q := Query{Playbooks: []string{"books/one/p.yml"}, Host: "n"}
	before := site()
	r, err := Open(before, NewParsed()).Reach(q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`books/one/p.yml books/one/roles books/two/q.yml books/two/roles
		roles/r/files/a roles/r/files/b roles/r/files/one roles/r/files/two
		roles/r/tasks/RedHat.yml roles/r/tasks/Rocky.yml roles/r/tasks/main.yml roles/r/templates/x.j2`)
	if got := strings.Fields(paths(r)); !slices.Equal(got, want) {
		t.Errorf("these count:\n%s", strings.Join(got, "\n"))
	}
	was := digestOf(t, before, q)
	for name, change := range map[string]func(m fstest.MapFS){
		"two links change places":           func(m fstest.MapFS) { m["roles/r/files/a"], m["roles/r/files/b"] = link("two"), link("one") },
		"the links to roles lead elsewhere": func(m fstest.MapFS) { m["books/one/roles"] = link("../../other") },
		"a file that a link leads to":       func(m fstest.MapFS) { m["roles/r/files/one"] = &fstest.MapFile{Data: []byte("3")} },
		"a link that is a file now":         func(m fstest.MapFS) { m["roles/r/tasks/Rocky.yml"] = m["roles/r/tasks/RedHat.yml"] },
		"a value behind a link":             func(m fstest.MapFS) { m["group_vars/all.yml"] = &fstest.MapFile{Data: []byte("v: 2")} },
	} {
		m := site()
		change(m)
		if digestOf(t, m, q) == was {
			t.Errorf("%s: nothing of what counts differs", name)
		}
	}
	m := site()
	m["elsewhere/more"] = link("../roles")
	if digestOf(t, m, q) != was {
		t.Error("another link that nothing uses counts")
	}
}
