package soundness

import (
	"maps"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible"
)

// largest is how many changes run together at most.
const largest = 24

// batch is changes of different files that the plan all takes for nothing. They
// run together: a tree that is as it was clears them all, and otherwise each
// runs by itself.
type batch struct {
	together *trial
	members  []*trial
}

// batches puts together what can run together.
func batches(trials []*trial) (all []*batch) {
	if os.Getenv("STRATA_SOUNDNESS") == "all" {
		return nil
	}
	open := map[*node][]*batch{}
	for _, x := range trials {
		if !x.run || x.says != keep || x.groups != nil {
			continue
		}
		var b *batch
		for _, one := range open[x.node] {
			if one.takes(x) {
				b = one
				break
			}
		}
		if b == nil {
			b = &batch{together: &trial{mutation: &mutation{name: "together", change: files{}}, project: x.project, node: x.node, says: keep, run: true}}
			open[x.node] = append(open[x.node], b)
			all = append(all, b)
		}
		b.members = append(b.members, x)
		maps.Copy(b.together.change, x.change)
	}
	return all
}

// takes reports whether a change is of another file than those of the batch, and
// of none with the same name: that could stand in the place of one of them.
func (b *batch) takes(x *trial) bool {
	if len(b.members) >= largest {
		return false
	}
	for name := range x.change {
		for other := range b.together.change {
			if path.Base(name) == path.Base(other) && (path.Base(name) != "main.yml" || name == other) ||
				strings.HasPrefix(name, other+"/") || strings.HasPrefix(other, name+"/") {
				return false
			}
		}
	}
	return true
}

// runTogether runs what may run together, and leaves to run by itself what that
// does not clear.
func (d *drivers) runTogether(t *testing.T, trials []*trial) {
	t.Helper()
	all := batches(trials)
	var runs []*trial
	for _, b := range all {
		p := b.together.project
		_, reached, err := p.revision(p.files.with(b.together.change), ansible.NewParsed()).ask(t, b.together.node, b.together.node.groups)
		if err == nil && digest(reached) == digest(b.together.node.reach) && len(b.members) > 1 {
			runs = append(runs, b.together)
		} else {
			b.together.run = false
		}
	}
	d.runAll(t, runs)
	cleared := 0
	for _, b := range all {
		if !b.together.run || b.together.node.before.difference(b.together.outcome) != "" {
			continue
		}
		for _, x := range b.members {
			x.outcome, x.done = b.together.outcome, true
			cleared++
		}
	}
	t.Logf("%d trials are cleared by %d runs", cleared, len(runs))
}
