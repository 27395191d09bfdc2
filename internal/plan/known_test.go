package plan

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/trace"
)

// wordSite is a project that says some words: one by a variable that the first of two
// playbooks of a layer reads, one that the second does, one by another layer's, one in a
// file that no playbook has to do with, and a layer by a link, and one that the layer gives.
func wordSite(words [5]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range map[string]string{
		"strata.yaml": `{strata: 1, cluster: {name: c}, repositories: {debian: {type: apt, suite: bookworm}}, layers: {
 base: {from: {bootstrap: {distribution: debian, repositories: [debian]}}},
 two: {parent: base, ansible: {playbooks: [a.yml, b.yml], extra_vars: {extra: ` + words[4] + `}}},
 other: {parent: base, ansible: {playbooks: [c.yml]}},
 linked: {parent: base, files: [{src: motd, dest: /etc/motd, template: true}], ansible: {playbooks: [c.yml]}}}}`,
		"a.yml":      "- hosts: all\n  vars_files: [a.vars.yml]\n  tasks: [{debug: {msg: '{{ a }} {{ undefined_one }}'}}, {include_vars: 'set-{{ a }}.yml'}, {debug: {msg: '{{ d }}'}}]\n",
		"set-x.yml":  "d: x\n",
		"set-y.yml":  "d: " + words[3] + "\n", // asked for only where a is y
		"a.vars.yml": "a: " + words[0] + "\n",
		"b.yml":      "- hosts: all\n  vars_files: [b.vars.yml]\n  tasks: [{debug: {msg: '{{ b }} {{ extra }}'}}]\n",
		"b.vars.yml": "b: " + words[1] + "\n",
		"c.yml":      "- hosts: all\n  vars_files: [c.vars.yml]\n  tasks: [{debug: {msg: '{{ c }}'}}]\n",
		"c.vars.yml": "c: " + words[2] + "\n",
		"README":     words[3],
	} {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	m["motd"] = &fstest.MapFile{Data: []byte("README"), Mode: fs.ModeSymlink | 0o777}
	return m
}

func changedNames(was, now fstest.MapFS) []string {
	changed := []string{}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if was[name] == nil || !bytes.Equal(was[name].Data, now[name].Data) {
			changed = append(changed, name)
		}
	}
	return changed
}

// TestKnownTraces: a comparison with traces of any third revision is the one without, and so
// it is with those that it leaves, which carry on what still holds.
func TestKnownTraces(t *testing.T) {
	var all []fstest.MapFS
	for _, words := range [][5]string{{"x", "x", "x", "x", "x"}, {"y", "x", "x", "x", "x"}, {"x", "y", "x", "x", "x"}, {"x", "x", "y", "y", "x"}, {"x", "x", "x", "y", "x"}, {"x", "x", "x", "x", "y"}, {"y", "x", "x", "y", "x"}} {
		all = append(all, wordSite(words))
	}
	every := []layer.NodeID{"base", "two", "other", "linked"}
	want := every
	without := map[string]string{} // what plans are without traces
	projects := map[string]*layer.Project{}
	for _, brief := range []bool{true, false} {
		// plan compares two revisions with traces of a third, and returns those that it makes.
		plan := func(base, head int, fresh bool, known []byte, of int) (said string, made []byte, at int) {
			t.Helper()
			key := fmt.Sprint(brief, base, head)
			if said, ok := without[key]; ok && fresh {
				return said, nil, 0
			}
			parsed := ansible.NewParsed()
			revision := func(i int) Revision {
				r, err := revisionOf(all[i], parsed)
				if err != nil {
					t.Fatal(err)
				}
				r.Name = fmt.Sprint("revision ", i)
				if same := projects[string(all[i]["strata.yaml"].Data)]; same != nil {
					r.Project = same // as commands have it
				}
				projects[string(all[i]["strata.yaml"].Data)] = r.Project
				return r
			}
			o := CompareOptions{Changed: changedNames(all[base], all[head]), Brief: brief, Fresh: fresh, Carry: true}
			o.Made = func(r Revision, file []byte) {
				made = file
				_, _ = fmt.Sscanf(r.Name, "revision %d", &at)
			}
			if known != nil {
				f, err := trace.Open(bytes.NewReader(known), int64(len(known)))
				if err != nil {
					t.Fatal(err)
				}
				o.Known = []Known{{f, revision(of).Source, changedNames(all[of], all[base]), changedNames(all[of], all[head])}}
			}
			p, err := Compare(revision(base), revision(head), want, o)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, d := range p.Nodes {
				fmt.Fprintln(&b, d.Node.ID, d.Action, d.Reason, d.Key)
				for _, r := range d.Reasons {
					fmt.Fprintf(&b, "  %+v %+v\n", r, *r.Question)
				}
			}
			fmt.Fprintln(&b, p.Unused, p.Warnings, p.Widenings)
			if fresh {
				without[key] = b.String()
			}
			return b.String(), made, at
		}
		for of := range all {
			_, traces, at := plan(of, of, false, nil, 0)
			if traces == nil || at != of {
				t.Fatal("no traces are made")
			}
			for base := range all {
				for head := range all {
					fresh, _, _ := plan(base, head, true, nil, 0)
					got, made, _ := plan(base, head, false, traces, of)
					if got != fresh {
						t.Fatalf("brief %v: %d to %d with traces of %d is\n%s\nwithout\n%s", brief, base, head, of, got, fresh)
					}
					if made == nil {
						continue
					}
					want = []layer.NodeID{"base"} // of the others, what is known is carried on if it holds
					_, made, at := plan(base, head, false, traces, of)
					if want = every; made == nil {
						continue
					}
					for _, next := range []int{base, of} {
						fresh, _, _ := plan(next, head, true, nil, 0)
						if got, _, _ := plan(next, head, false, made, at); got != fresh {
							t.Fatalf("brief %v: %d to %d with what %d to %d made of %d is\n%s\nwithout\n%s", brief, next, head, base, head, of, got, fresh)
						}
					}
				}
			}
		}
	}
}

// TestTraceKey: traces are of all that playbooks of a node are asked, in order.
func TestTraceKey(t *testing.T) {
	a, b := ansible.Query{Playbooks: []string{"a.yml"}, Host: "n"}, ansible.Query{Playbooks: []string{"b.yml"}, Host: "n"}
	other := b
	other.Groups = []string{"g"}
	keys := map[trace.Key]int{}
	for i, queries := range [][]ansible.Query{{a}, {b}, {a, b}, {b, a}, {a, a}, {a, other}} {
		key, ok, err := traceKey(queries)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if same, known := keys[key]; known {
			t.Errorf("queries %d have the key of %d", i, same)
		}
		keys[key] = i
	}
	if _, ok, err := traceKey(nil); ok || err != nil {
		t.Errorf("none have a key: %v", err)
	}
}
