package plan

import (
	"slices"

	"github.com/strata-hpc/strata/internal/layer"
)

// assume takes secrets that could not be read for what they were at the last build of
// a node: who plans need not have them.
func (m *maker) assume(id layer.NodeID, inputs []Input) []Input {
	if !unset(inputs) {
		return inputs
	}
	var last []Input
	if m.o.Last != nil {
		last = m.o.Last(id)
	}
	inputs = slices.Clone(inputs)
	for i, in := range inputs {
		if !in.unset() {
			continue
		}
		m.plan.Unset = append(m.plan.Unset, in.Name)
		at := slices.IndexFunc(last, func(was Input) bool { return was.Kind == in.Kind && was.Name == in.Name })
		if at >= 0 {
			inputs[i].Digest = last[at].Digest
		}
	}
	return inputs
}

// unset reports whether a secret could not be read, of which nothing is known.
func unset(inputs []Input) bool { return slices.ContainsFunc(inputs, Input.unset) }

func (in Input) unset() bool { return in.Kind == KindSecret && in.Digest == "" }
