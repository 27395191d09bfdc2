package ansible

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestLeaves: which answers change one input and nothing else, so that it is told, and
// which may change what is followed.
func TestLeaves(t *testing.T) {
	const site = `
-- p.yml --
- hosts: web
  vars: {of_play: 1}
  roles: [one]
  tasks:
    - debug: {msg: "{{ port }} {{ size }} {{ of_play }} {{ two }} {{ list }} {{ strong }} {{ leads }} {{ inline }} {{ given }} {{ mode }}"}
    - copy: {src: copied, dest: /a}
    - copy: {src: linked, dest: /b}
    - template: {src: t.j2, dest: /t}
    - include_tasks: "{{ kind }}.yml"
    - debug: {msg: x}
      when: wanted
    - debug: {msg: "{{ hostvars['d1'].foreign }}"}
    - debug: {msg: "{{ lookup('file', 'looked') }}"}
-- a.yml --
- debug: {msg: a}
-- b.yml --
- debug: {msg: "{{ only_b }}"}
-- copied --
a
-- looked --
a
-- real --
a
-- t.j2 --
Port {{ port }}
-- roles/one/tasks/main.yml --
- debug: {msg: "{{ weak }} {{ strong }}"}
- command: echo x
  loop: "{{ rows }}"
-- roles/one/defaults/main.yml --
weak: 1
overridden: 1
port: 1
-- roles/one/vars/main.yml --
strong: 1
-- hosts --
[web]
h1 inline=1
[db]
d1
-- group_vars/all.yml --
two: 1
foreign: 1
size: 5
-- group_vars/web.yml --
port: 80
two: 2
list: [a, b]
leads: word
inline: 2
given: 1
mode: "0644"
of_play: 2
kind: a
wanted: true
rows: [a]
strong: 2
-- group_vars/db.yml --
foreign: 2
`
	base := project(site)
	base["linked"] = &fstest.MapFile{Data: []byte("real"), Mode: fs.ModeSymlink | 0o777}
	sed := func(name, old, new string) func(m fstest.MapFS) {
		return func(m fstest.MapFS) {
			if !strings.Contains(string(m[name].Data), old) {
				t.Fatalf("%s has no %q", name, old)
			}
			m[name] = saying(m[name], strings.Replace(string(m[name].Data), old, new, 1))
		}
	}
	const told, followed, nothing = "told", "followed", "nothing"
	for _, c := range []struct {
		what string
		edit func(m fstest.MapFS)
		want string
	}{
		{"a value", sed("group_vars/web.yml", "port: 80", "port: 81"), told},
		{"a value as a text", sed("group_vars/web.yml", "port: 80", "port: '80'"), told},
		{"a list", sed("group_vars/web.yml", "[a, b]", "[a, c]"), told},
		{"a list that is a mapping now", sed("group_vars/web.yml", "[a, b]", "{a: c}"), told},
		{"a value and what nobody reads", sed("group_vars/web.yml", "port: 80", "port: 81\nunread: 1"), told},
		{"a value of a weaker group that counts", sed("group_vars/all.yml", "size: 5", "size: 6"), told},
		{"a default", sed("roles/one/defaults/main.yml", "weak: 1", "weak: 2"), told},
		{"a default that a group overrides", sed("roles/one/defaults/main.yml", "port: 1", "port: 2"), nothing},
		{"a value that becomes a template", sed("group_vars/web.yml", "port: 80", "port: '{{ size }}'"), followed},
		{"a value that is encrypted now", sed("group_vars/web.yml", "port: 80", "port: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6161"), followed},
		{"a value that is gone", sed("group_vars/web.yml", "port: 80\n", ""), followed},
		{"a value that a stronger group has now", sed("group_vars/web.yml", "two: 2", "two: 2\nsize: 6"), followed},
		{"a value of two groups", sed("group_vars/web.yml", "two: 2", "two: 3"), followed},
		{"a value that is twice in a file", sed("group_vars/web.yml", "port: 80", "port: 81\n\"port\": 82"), told},
		{"a value of a role and a group", sed("roles/one/vars/main.yml", "strong: 1", "strong: 3"), followed},
		{"a value that a play sets, too", sed("group_vars/web.yml", "of_play: 2", "of_play: 3"), followed},
		{"a value that the inventory sets, too", sed("group_vars/web.yml", "inline: 2", "inline: 3"), followed},
		{"a value that is given", sed("group_vars/web.yml", "given: 1", "given: 2"), followed},
		{"the name of a file", sed("group_vars/web.yml", "kind: a", "kind: b"), followed},
		{"a condition", sed("group_vars/web.yml", "wanted: true", "wanted: false"), followed},
		{"what a task is repeated over", sed("group_vars/web.yml", "rows: [a]", "rows: []"), followed},
		{"another host's value", sed("group_vars/db.yml", "foreign: 2", "foreign: 3"), followed},
		{"a file that is copied", sed("copied", "a", "b"), told},
		{"its mode", func(m fstest.MapFS) { m["copied"] = &fstest.MapFile{Data: m["copied"].Data, Mode: 0o755} }, told},
		{"one that is a link now", func(m fstest.MapFS) {
			m["copied"] = &fstest.MapFile{Data: []byte("real"), Mode: fs.ModeSymlink | 0o777}
		}, followed},
		{"one that is a directory now", func(m fstest.MapFS) {
			delete(m, "copied")
			m["copied/x"] = &fstest.MapFile{Data: []byte("x"), Mode: 0o644}
		}, followed},
		{"a file that a link leads to", sed("real", "a", "b"), told},
		{"where a link leads", func(m fstest.MapFS) {
			m["linked"] = &fstest.MapFile{Data: []byte("looked"), Mode: fs.ModeSymlink | 0o777}
		}, followed},
		{"a template's text", sed("t.j2", "Port {{ port }}\n", "Port {{ port }}\nmore\n"), told},
		{"a template's text, on other lines", sed("t.j2", "Port", "more\nPort"), followed},
		{"a template that reads more", sed("t.j2", "Port", "{{ size }}"), followed},
		{"a template's mode", func(m fstest.MapFS) { m["t.j2"] = &fstest.MapFile{Data: m["t.j2"].Data, Mode: 0o755} }, followed},
		{"a file that a lookup reads", sed("looked", "a", "b"), told},
	} {
		other := maps.Clone(base)
		c.edit(other)
		changed := changedIn(base, other)
		was, now := Open(base, NewParsed()), Open(other, NewParsed())
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}, ExtraVars: map[string]any{"given": 5}}
		before, err := was.Analyse(q, Options{Changed: changed})
		if err != nil {
			t.Fatal(err)
		}
		say, got := touches(t, was, now, changed, before), nothing
		switch {
		case say.Follow.Has(0):
			got = followed
		case say.Has(0):
			got = told
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		after, err := now.Analyse(q, Options{Changed: changed})
		if err != nil {
			t.Fatal(err)
		}
		differs := !maps.Equal(digests(before.Reached()), digests(after.Reached()))
		if differs != (got == told) && got != followed {
			t.Errorf("%s: %s, and it differs: %v", c.what, got, differs)
		}
		if got == told && !maps.Equal(say.told(before, now), digests(after.Reached())) {
			t.Errorf("%s: told to be\n%v, and is\n%v", c.what, say.told(before, now), digests(after.Reached()))
		}
	}
}

// TestLeavesOfMergedHashes: where mappings are merged, no value stands for itself.
func TestLeavesOfMergedHashes(t *testing.T) {
	base := project("-- p.yml --\n- hosts: all\n  tasks:\n    - debug: msg={{ x }}\n-- hosts --\n[a]\n-- group_vars/a.yml --\nx: {a: 1}\n-- ansible.cfg --\n[defaults]\nhash_behaviour = merge\n")
	other := maps.Clone(base)
	other["group_vars/a.yml"] = saying(base["group_vars/a.yml"], "x: {a: 2}\n")
	was, now := Open(base, NewParsed()), Open(other, NewParsed())
	a, err := was.Analyse(Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"a"}, Inventory: []string{"hosts"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if say := touches(t, was, now, []string{"group_vars/a.yml"}, a); !say.Follow.Has(0) {
		t.Error("it need not be followed")
	}
}

// TestLeafVia: the places at which a leaf is used are those that an analysis finds.
func TestLeafVia(t *testing.T) {
	var uses strings.Builder
	for i := range 5 {
		fmt.Fprintf(&uses, "    - debug: {msg: \"{{ x }} %d\"}\n", i)
	}
	base := project("-- p.yml --\n- hosts: all\n  tasks:\n" + uses.String() + "-- hosts --\n[a]\n-- group_vars/a.yml --\nx: 1\n")
	other := maps.Clone(base)
	other["group_vars/a.yml"] = saying(base["group_vars/a.yml"], "x: 2\n")
	was, now := Open(base, NewParsed()), Open(other, NewParsed())
	a, err := was.Analyse(Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"a"}, Inventory: []string{"hosts"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	say := touches(t, was, now, []string{"group_vars/a.yml"}, a)
	if len(say.Leaves) != 1 || !slices.Equal(say.Leaves[0].Via(0), []string{"p.yml:3", "p.yml:4", "p.yml:5"}) {
		t.Errorf("%+v", say.Leaves)
	}
}
