package ansible

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const withExtra = `
-- p.yml --
- hosts: all
  vars: {strong: play}
  tasks:
    - debug: {msg: "{{ one }} {{ two }} {{ strong }} {{ whole }}"}
    - include_vars: vars.yml
    - include_tasks: "{{ kind }}.yml"
-- vars.yml --
{one: vars}
-- a.yml --
[]
-- b.yml --
[]
-- hosts --
node
-- group_vars/all.yml --
{one: all, unread: 1, whole: {z: 1}}
-- first.yml --
# what is given with -e @first.yml
one: first
two: first
strong: "{{ inner }}"
inner: 1
kind: a
unread: 1
whole: {x: 1, y: 1}
-- second.yml --
two: second
whole: {y: 2}
`

// TestExtraVarsFiles changes files of extra variables.
func TestExtraVarsFiles(t *testing.T) {
	q := Query{
		Playbooks: []string{"p.yml"}, Host: "node", Inventory: []string{"hosts"},
		ExtraVarsFiles: []string{"first.yml", "second.yml"}, ExtraVars: map[string]any{"given": 1},
	}
	before := digestOf(t, project(withExtra), q)
	for _, c := range []struct {
		what, file, old, new string
		build                bool
	}{
		{"a value that is read", "first.yml", "one: first", "one: x", true},
		{"a value that a value reads", "first.yml", "inner: 1", "inner: 2", true},
		{"a value that nothing reads", "first.yml", "unread: 1", "unread: 2", false},
		{"a comment", "first.yml", "# what", "# That", false},
		{"a value that the second file overrides", "first.yml", "two: first", "two: x", false},
		{"the second file's value", "second.yml", "two: second", "two: x", true},
		{"a value less in the second file", "second.yml", "two: second\n", "", true},
		{"a value that the files override", "group_vars/all.yml", "one: all", "one: x", false},
		{"a value of a play that they override", "p.yml", "strong: play", "strong: x", false},
		{"a value that include_vars cannot override", "vars.yml", "one: vars", "one: x", false},
		{"the name of a file", "first.yml", "kind: a", "kind: b", true},
		{"a file that is named", "a.yml", "[]", "[{debug: }]", true},
		{"a file that is not named", "b.yml", "[]", "[{debug: }]", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := project(withExtra)
			text := strings.Replace(string(m[c.file].Data), c.old, c.new, 1)
			if text == string(m[c.file].Data) {
				t.Fatalf("%s has no %s", c.file, c.old)
			}
			m[c.file] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
			if after := digestOf(t, m, q); (after != before) != c.build {
				t.Errorf("the digest must change: %v, of\n%s\nwith\n%s", c.build, before, after)
			}
		})
	}
	q.ExtraVars = map[string]any{"two": "inline"}
	inline := digestOf(t, project(withExtra), q)
	q.ExtraVarsFiles = []string{"first.yml"}
	if digestOf(t, project(withExtra+"-- first.yml --\n{one: first, two: first, strong: '{{ inner }}', inner: 1, kind: a, whole: {y: 2}}\n"), q) != inline {
		t.Error("a variable that is given inline is weaker than one of a file")
	}
}

// TestExtraVarsMerged: with hash_behaviour=merge a mapping of an earlier file counts, too.
func TestExtraVarsMerged(t *testing.T) {
	q := Query{Playbooks: []string{"p.yml"}, Host: "node", Inventory: []string{"hosts"}, ExtraVarsFiles: []string{"first.yml", "second.yml"}}
	const merge = "-- ansible.cfg --\n[defaults]\nhash_behaviour = merge\n"
	changed := "-- first.yml --\n{one: first, two: first, strong: '{{ inner }}', inner: 1, kind: a, whole: {x: 2, y: 1}}\n"
	if digestOf(t, project(withExtra+merge), q) == digestOf(t, project(withExtra+merge+changed), q) {
		t.Error("x of the first file does not count")
	}
	if digestOf(t, project(withExtra), q) != digestOf(t, project(withExtra+changed), q) {
		t.Error("x of the first file counts where mappings replace each other")
	}
}

// TestExtraVarsFaults: what Ansible does not take is a mistake that names the file.
func TestExtraVarsFaults(t *testing.T) {
	for text, want := range map[string]string{
		"-- first.yml --\ngone\n":     "the file of extra variables first.yml does not exist",
		"-- first.yml --\n- a\n":      "expected a mapping of variables, not a list",
		"-- first.yml --\n# empty\n":  "expected a mapping of variables, not a null",
		"-- first.yml --\na: [\n":     "not YAML",
		"-- first.yml --\n{}\n":       "",
		"-- first.yml --\n{\"a\": 1}": "",
	} {
		q := Query{Playbooks: []string{"p.yml"}, Host: "node", Inventory: []string{"hosts"}, ExtraVarsFiles: []string{"first.yml"}}
		_, err := Open(project(withExtra+text), NewParsed()).Reach(q, Options{})
		if got := ""; err != nil {
			if got = err.Error(); want == "" || !strings.Contains(got, want) {
				t.Errorf("%q: %s", text, got)
			}
		} else if want != "" {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestExtraVarsOracle asks the real Ansible which value wins.
func TestExtraVarsOracle(t *testing.T) {
	program, err := exec.LookPath("ansible-playbook")
	if err != nil {
		t.Skip("ansible-playbook is not installed")
	}
	dir := t.TempDir()
	for name, f := range project(withExtra) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-i", "hosts", "-c", "local", "-e", "@first.yml", "-e", "@second.yml", "-e", `{"inner": "inline"}`, "p.yml")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "ANSIBLE_GATHERING=explicit")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "first second inline {'y': 2}") {
		t.Fatalf("%v\n%s", err, out)
	}
	q := Query{
		Playbooks: []string{"p.yml"}, Host: "node", Inventory: []string{"hosts"},
		ExtraVarsFiles: []string{"first.yml", "second.yml"}, ExtraVars: map[string]any{"inner": "inline"},
	}
	r, err := Open(project(withExtra), NewParsed()).Reach(q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range r.Variables {
		if len(v.Definitions) > 0 {
			got[v.Name] = v.Definitions[len(v.Definitions)-1].Shown
		}
	}
	for name, want := range map[string]string{"one": "first", "two": "second", "inner": "inline", "whole": "{y: 2}"} {
		if got[name] != want {
			t.Errorf("%s is %s, and %s to Ansible", name, got[name], want)
		}
	}
}
