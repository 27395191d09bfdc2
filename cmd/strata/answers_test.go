package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/cache"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// TestAnswersKept: what two commits alone do not decide is not kept.
func TestAnswersKept(t *testing.T) {
	kept, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	site := plan.Revision{Name: "c", Project: &layer.Project{Nodes: []layer.Node{{ID: "n"}}}}
	with := site
	with.Repos = []plan.Repo{{Name: "slurm", Commit: "d"}}
	none := plan.Revision{Name: "c", Project: &layer.Project{}}
	node := plan.Decision{Node: layer.Node{ID: "n", Parent: "p"}}
	fresh := node
	fresh.Inputs = []plan.Input{{Kind: plan.KindFile, Name: "f", Digest: "d"}}
	for i, c := range []struct {
		what     string
		node     plan.Decision
		was, now plan.Revision
		kept     bool
	}{
		{"a plan", node, site, site, true},
		{"repositories at the base", node, with, site, false},
		{"repositories at the head", node, site, with, false},
		{"no project at the base", node, none, site, false},
		{"inputs that something is made of", fresh, site, site, false},
	} {
		a := &answer{kept, cache.ActionID{byte(i)}, "b", "h"}
		a.keep(&plan.Plan{Nodes: []plan.Decision{c.node}}, c.was, c.now)
		if got := a.get(); (got != nil) != c.kept || c.kept && (got.Base != "b" || got.Head != "h" || got.Nodes[0].Node.ID != "n") {
			t.Errorf("%s: %+v", c.what, got)
		}
	}
}
