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
	Tests, Circles          []string
	Warnings                []Warning
	Widenings               []Widening
}

type encodedDecision struct {
	ID, Parent     layer.NodeID
	Layer, Variant string
	Action         Action
	Reason         string
	Reasons        []encodedReason
	Key, BaseKey   layer.Key
}

type encodedReason struct {
	Reason
	Became became
}

// Encode returns a plan between two commits as bytes that Decode reads, but for
// the inputs of its nodes.
func (p *Plan) Encode() ([]byte, error) {
	e := encoded{Unused: p.Unused, Removed: p.Removed, Images: p.Images, Tests: p.Tests, Circles: p.Circles, Warnings: p.Warnings, Widenings: p.Widenings}
	for _, d := range p.Nodes {
		n := d.Node
		one := encodedDecision{ID: n.ID, Parent: n.Parent, Layer: n.Layer, Variant: n.Variant, Action: d.Action, Reason: d.Reason, Key: d.Key, BaseKey: d.BaseKey}
		for _, r := range d.Reasons {
			one.Reasons = append(one.Reasons, encodedReason{r, r.became})
		}
		e.Nodes = append(e.Nodes, one)
	}
	return json.Marshal(e)
}

// Decode returns a plan that was encoded. Of its nodes it has what places them in the
// graph only.
func Decode(data []byte) (*Plan, error) {
	var e encoded
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decode a plan: %w", err)
	}
	p := &Plan{Unused: e.Unused, Removed: e.Removed, Images: e.Images, Tests: e.Tests, Circles: e.Circles, Warnings: e.Warnings, Widenings: e.Widenings}
	for _, one := range e.Nodes {
		node := layer.Node{ID: one.ID, Parent: one.Parent, Layer: one.Layer, Variant: one.Variant}
		d := Decision{Node: node, Action: one.Action, Reason: one.Reason, Key: one.Key, BaseKey: one.BaseKey, Seconds: 1}
		for _, r := range one.Reasons {
			r.Reason.became, r.Reason.by = r.Became, string(one.ID)
			d.Reasons = append(d.Reasons, r.Reason)
		}
		p.Nodes = append(p.Nodes, d)
	}
	return p, nil
}
