package plan

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/recipe"
)

// programs is a project one of whose layers runs a program on the machine that builds.
func programs() fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range map[string]string{
		"strata.yaml": `strata: 1
cluster: {name: c}
repositories: {d: {type: apt, suite: bookworm}}
layers:
  base: {from: {bootstrap: {distribution: debian, repositories: [d]}}}
  mid: {parent: base, run: [{script: scripts/mid.sh}]}
  top: {parent: mid, ansible: {playbooks: [play.yml]}, env: {A: b}}
  other: {parent: top, run: ["true"]}
`,
		"play.yml":       "- hosts: all\n  tasks: [{raw: \"{{ lookup('pipe', 'gen') }}\"}]\n",
		"data/a":         "a",
		"README":         "about",
		"scripts/mid.sh": "true",
	} {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o755}
	}
	return m
}

func edited(m fstest.MapFS, name, text string) fstest.MapFS {
	other := fstest.MapFS{}
	for n, f := range m {
		other[n] = f
	}
	other[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o755}
	return other
}

// TestObservedCompare: between commits, a node is kept if what a build of the base saw
// its programs read is the same, and all else that decides about it, and about what it
// stands on.
func TestObservedCompare(t *testing.T) {
	base := programs()
	seen := layer.Observed{Contents: []string{"data/a"}, Names: []string{"data"}}
	known := buildsOf(t, base, seen)
	for _, c := range []struct {
		name, file, text string
		find             Observations
		want             Action
	}{
		{"an unrelated file", "README", "more", known, Keep},
		{"a new one", "docs/x", "x", known, Keep},
		{"what it read", "data/a", "other", known, Build},
		{"a name where it listed", "data/b", "b", known, Build},
		{"what else decides", "strata.yaml", strings.Replace(string(base["strata.yaml"].Data), "A: b", "A: c", 1), known, Build},
		{"the playbook", "play.yml", "- hosts: all\n  tasks: [{raw: \"{{ lookup('pipe', 'other') }}\"}]\n", known, Build},
		{"the parent", "scripts/mid.sh", "false", known, Build},
		{"nothing known", "README", "more", func(layer.NodeID, layer.Key) (*layer.Observed, error) { return nil, nil }, Build},
		{"nobody asked", "README", "more", nil, Build},
		{"another base", "README", "more", buildsOf(t, edited(base, "scripts/mid.sh", "other"), seen), Build},
		{"other answers than the base's", "README", "more", buildsOf(t, edited(base, "data/a", "see README"), seen), Build},
		{"not all seen", "README", "more", buildsOf(t, base, layer.Observed{Unknown: "why"}), Build},
	} {
		for _, brief := range []bool{false, true} {
			parsed := ansible.NewParsed()
			was, err := revisionOf(base, parsed)
			if err != nil {
				t.Fatal(err)
			}
			now, err := revisionOf(edited(base, c.file, c.text), parsed)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compare(was, now, []layer.NodeID{"other"}, CompareOptions{Changed: []string{c.file}, Brief: brief, Observed: c.find})
			if err != nil {
				t.Fatal(err)
			}
			if d, _ := p.Find("top"); d.Action != c.want {
				t.Errorf("%s: %s (%s); want %s", c.name, d.Action, d.Reason, c.want)
			}
		}
	}
}

// buildsOf is what is known once the nodes of a project were built.
func buildsOf(t *testing.T, m fstest.MapFS, seen layer.Observed) Observations {
	t.Helper()
	p, err := recipe.Load(m, "strata.yaml", recipe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src := &Source{Files: m, Exclude: p.Files}
	known := map[string]*layer.Observed{}
	lineages, chains := map[layer.NodeID]layer.Key{}, map[layer.NodeID]layer.Digest{}
	for _, n := range p.Nodes {
		inputs, u, err := Bounds(p, n, src)
		if err != nil {
			t.Fatal(err)
		}
		if u != nil {
			for _, at := range []layer.Key{u.AddressOf(lineages[n.Parent]), u.Address(chains[n.Parent])} {
				known[fmt.Sprint(n.ID, at)] = &seen
			}
			if inputs, err = u.Under(seen); err != nil {
				t.Fatal(err)
			}
			seen.Inputs = DigestOf(inputs)
		}
		lineages[n.ID] = Lineage(lineages[n.Parent], inputs)
		chains[n.ID] = layer.Digest("sha256:" + sum(string(KeyOf(chains[n.Parent], inputs))))
	}
	return func(id layer.NodeID, at layer.Key) (*layer.Observed, error) { return known[fmt.Sprint(id, at)], nil }
}

// TestObservedMake: what is there under the answers to what was seen is kept.
func TestObservedMake(t *testing.T) {
	base := programs()
	seen := layer.Observed{Contents: []string{"data/a"}}
	there := map[layer.Key]layer.Digest{} // what was built of base
	make := func(m fstest.MapFS, find Observations, have Have) *Plan {
		t.Helper()
		p, err := recipe.Load(m, "strata.yaml", recipe.Options{})
		if err != nil {
			t.Fatal(err)
		}
		made, err := Make(p, []layer.NodeID{"top"}, &Source{Files: m, Exclude: p.Files}, have, Options{Observed: find})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	known := buildsOf(t, base, seen)
	build := func(_ layer.NodeID, key layer.Key) (There, error) {
		there[key] = layer.Digest("sha256:" + sum(string(key)))
		return There{Where: InStore, Chain: there[key]}, nil
	}
	have := func(_ layer.NodeID, key layer.Key) (There, error) {
		if chain, ok := there[key]; ok {
			return There{Where: InStore, Chain: chain}, nil
		}
		return There{}, nil
	}
	make(base, known, build)
	for _, c := range []struct {
		file, text string
		find       Observations
		want       Action
	}{
		{"README", "about", known, Keep},
		{"README", "more", known, Keep},
		{"data/b", "b", known, Keep},
		{"data/a", "other", known, Build},
		{"README", "more", nil, Build},
	} {
		if d, _ := make(edited(base, c.file, c.text), c.find, have).Find("top"); d.Action != c.want {
			t.Errorf("%s %s: %s (%s); want %s", c.file, c.text, d.Action, d.Reason, c.want)
		}
	}
}
