package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// Verdict is what came of building a node again.
type Verdict struct {
	ID      layer.NodeID `json:"id"`
	Key     layer.Key    `json:"key"`
	Digest  layer.Digest `json:"digest"`  // of what is there
	Rebuilt layer.Digest `json:"rebuilt"` // "" if it could not be built
	Seconds float64      `json:"seconds"`
}

// Same says whether the same came out.
func (v Verdict) Same() bool { return v.Digest == v.Rebuilt }

// Verify builds nodes again that a plan keeps, each on what is there of those
// below it, and says what came out. What is wrong with a build is the error.
func (b *Builder) Verify(ctx context.Context, p *plan.Plan, sample []layer.NodeID, jobs int) ([]Verdict, error) {
	needed := map[layer.NodeID]bool{}
	for _, id := range sample {
		for !needed[id] {
			d, ok := p.Find(id)
			if !ok {
				break
			}
			needed[id] = true
			id = d.Node.Parent
		}
	}
	there := *p
	there.Nodes = slices.DeleteFunc(slices.Clone(p.Nodes), func(d plan.Decision) bool { return !needed[d.Node.ID] })
	before, err := b.Run(ctx, &there, nil, Options{Silent: true})
	if err != nil {
		return nil, err
	}
	for i, d := range there.Nodes {
		if slices.Contains(sample, d.Node.ID) {
			if !d.Complete() {
				return nil, fmt.Errorf("verify %s: the plan has not followed its playbooks", d.Node.ID)
			}
			there.Nodes[i].Action, there.Nodes[i].Reason = plan.Build, "to compare with what is there"
		}
	}
	after, err := b.Run(ctx, &there, nil, Options{Jobs: jobs, KeepGoing: true, NoCache: true})
	if after == nil {
		return nil, err
	}
	var verdicts []Verdict
	for _, was := range before.Nodes {
		if !slices.Contains(sample, was.ID) {
			continue
		}
		v := Verdict{ID: was.ID, Key: was.Key, Digest: was.Digest}
		for _, is := range after.Nodes {
			if is.ID == was.ID {
				v.Rebuilt, v.Seconds = is.Digest, is.Seconds
			}
		}
		if v.Rebuilt == "" && err == nil {
			err = errors.New("node " + string(v.ID) + " was not built")
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, err
}
