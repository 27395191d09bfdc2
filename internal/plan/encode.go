package plan

import (
	"encoding/json"
	"fmt"

	"github.com/strata-hpc/strata/internal/layer"
)

// encoded is what a plan says beyond its project's graph.
type encoded struct {
	Nodes                   []encodedDecision
	Unused, Removed, Images []string
}

type encodedDecision struct {
	ID           layer.NodeID
	Action       Action
	Reason       string
	Reasons      []encodedReason
	Key, BaseKey layer.Key
}

type encodedReason struct {
	Reason
	Became became
}

// Encode returns a plan between two commits as bytes that Decode reads, but for
// the inputs of its nodes.
func (p *Plan) Encode() ([]byte, error) {
	e := encoded{Unused: p.Unused, Removed: p.Removed, Images: p.Images}
	for _, d := range p.Nodes {
		one := encodedDecision{ID: d.Node.ID, Action: d.Action, Reason: d.Reason, Key: d.Key, BaseKey: d.BaseKey}
		for _, r := range d.Reasons {
			one.Reasons = append(one.Reasons, encodedReason{r, r.became})
		}
		e.Nodes = append(e.Nodes, one)
	}
	return json.Marshal(e)
}

// Decode returns the plan that was encoded when a revision was compared with this
// base before.
func Decode(data []byte, base string, head Revision) (*Plan, error) {
	var e encoded
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decode a plan: %w", err)
	}
	nodes := make(map[layer.NodeID]layer.Node, len(head.Project.Nodes))
	for _, n := range head.Project.Nodes {
		nodes[n.ID] = n
	}
	p := &Plan{Base: base, Head: head.Name, Repos: head.Repos, Unused: e.Unused, Removed: e.Removed, Images: e.Images}
	for _, one := range e.Nodes {
		node, ok := nodes[one.ID]
		if !ok {
			return nil, fmt.Errorf("decode a plan: there is no node %q", one.ID)
		}
		d := Decision{Node: node, Action: one.Action, Reason: one.Reason, Key: one.Key, BaseKey: one.BaseKey, Seconds: 1}
		for _, r := range one.Reasons {
			r.Reason.became = r.Became
			d.Reasons = append(d.Reasons, r.Reason)
		}
		p.Nodes = append(p.Nodes, d)
	}
	return p, nil
}
