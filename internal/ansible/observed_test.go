package ansible

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/layer"
)

const observedSite = `
-- play.yml --
- hosts: all
  tasks:
    - copy: {dest: /etc/x, content: "{{ lookup('pipe', 'gen') }} {{ used }}"}
-- unused.md --
x
-- data/a --
a
-- data/sub/b --
b
-- inventory/hosts --
n
[all:vars]
used=1
unused=2
`

// decides returns what decides with what was seen: files with their digests.
func decides(t *testing.T, m fstest.MapFS, seen *layer.Observed) (map[string]string, *Reached) {
	t.Helper()
	q := Query{Playbooks: []string{"play.yml"}, Host: "n", Inventory: []string{"inventory"}}
	if seen != nil {
		q.Seen, q.Observed = true, *seen
	}
	r, err := Open(m, NewParsed()).Reach(q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range r.Files {
		all[f.Path] = f.Digest
	}
	return all, r
}

// TestObserved: what programs were seen to ask decides, and nothing else of the project.
func TestObserved(t *testing.T) {
	seen := layer.Observed{Contents: []string{"data/a", "data/later", "data"}, Kinds: []string{"data/sub/b", "none"}, Names: []string{"data"}, Links: []string{"data", "data/a"}}
	wide, r := decides(t, project(observedSite), nil)
	if wide["unused.md"] == "" || len(r.Programs) != 1 || r.Programs[0].Place() != "play.yml:3" {
		t.Errorf("without what was seen: %v, %v", wide, r.Programs)
	}
	if wide["inventory/hosts"] == "" {
		t.Error("without what was seen, files of variables do not count by their bytes")
	}
	before, r := decides(t, project(observedSite), &seen)
	if before["unused.md"] != "" || len(r.Programs) != 1 {
		t.Errorf("with what was seen: %v, %v", before, r.Programs)
	}
	if slices.ContainsFunc(r.Variables, func(v Variable) bool { return v.Name == "unused" }) {
		t.Error("with what was seen, all variables count")
	}
	nothing, _ := decides(t, project(observedSite), &layer.Observed{})
	for _, name := range []string{"data", "data/", "data/a", "data/later", "data/sub/b", "none"} {
		if nothing[name] != "" || before[name] == "" {
			t.Errorf("%s: %q, and %q if nothing was seen", name, before[name], nothing[name])
		}
	}
	for edit, other := range map[string]string{
		"-- unused.md --\ny\n":                 "",
		"-- new --\n":                          "",
		"-- data/sub/c --\n":                   "",
		"-- data/sub/b --\nother\n":            "",
		"-- data/a --\nother\n":                "data/a",
		"-- data/a --\ngone\n":                 "data/a",
		"-- data/a (executable) --\na\n":       "data/a",
		"-- data/later --\n":                   "data/later",
		"-- data/c --\n":                       "data/",
		"-- none --\n":                         "none",
		"-- none/x --\n":                       "none",
		"-- data/sub/b --\ngone\n":             "data/sub/b",
		"-- data/sub/b (executable) --\nb\n":   "data/sub/b",
		"-- data/a --\ngone\n-- data/a/x --\n": "data/",
	} {
		after, _ := decides(t, project(observedSite+edit), &seen)
		if other == "" {
			for name := range after {
				if after[name] != before[name] {
					t.Errorf("%q: %s is another", edit, name)
				}
			}
		} else if after[other] == before[other] {
			t.Errorf("%q: %s is the same", edit, other)
		}
	}
}
