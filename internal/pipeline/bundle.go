package pipeline

import (
	"slices"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// bundle divides nodes into at most so many groups, each after the one that it
// stands on; without a limit (0), or below it, every node is a group. Nodes share
// a group only with others that stand on the same one, and with all that stands
// on these if it is one group: so what is left of the graph is still a forest,
// every group needs one other at most, and branches stay apart as long as they can.
func bundle(nodes []plan.Decision, most int) [][]plan.Decision {
	if most <= 0 || len(nodes) <= most {
		return slices.Collect(slices.Chunk(nodes, 1))
	}
	b := bundler{nodes: nodes, children: make([][]int, len(nodes))}
	at := make(map[layer.NodeID]int, len(nodes))
	var roots []int
	for i, d := range nodes {
		at[d.Node.ID] = i
		if p, ok := at[d.Node.Parent]; ok && d.Node.Parent != "" {
			b.children[p] = append(b.children[p], i)
		} else {
			roots = append(roots, i)
		}
	}
	for b.together = 1; ; b.together++ {
		b.groups = nil
		b.divide(roots)
		if len(b.groups) <= most || b.together >= len(nodes) {
			return b.groups
		}
	}
}

type bundler struct {
	nodes    []plan.Decision
	children [][]int
	together int // how many neighbours share a group
	groups   [][]plan.Decision
}

// divide makes groups of neighbours, and then of what stands on them.
func (b *bundler) divide(neighbours []int) {
	for chunk := range slices.Chunk(neighbours, b.together) {
		at := len(b.groups)
		b.groups = append(b.groups, nil)
		for {
			var below []int
			for _, i := range chunk {
				b.groups[at] = append(b.groups[at], b.nodes[i])
				below = append(below, b.children[i]...)
			}
			if len(below) == 0 || len(below) > b.together {
				b.divide(below)
				break
			}
			chunk = below
		}
	}
}

// shares divides the jobs that a pipeline may have between nodes and images: how
// many jobs may build, and how many may make images. Without a limit both are 0
// for nodes, and as many as there are for images.
func (m *maker) shares(nodes, images int) (mostNodes, mostImages int) {
	mostNodes, mostImages = max(nodes, 1), max(images, 1)
	if m.o.MostJobs == 0 {
		return mostNodes, mostImages
	}
	site := m.project.Pipeline
	perNode, perImage := 1+len(site.AfterNode), 2+len(site.AfterImage)
	left := m.o.MostJobs - len(site.Before)
	if m.o.MostNeeds > 0 {
		left -= len(site.Before)/m.o.MostNeeds + images/m.o.MostNeeds + 2 // those of join
	}
	all := nodes*perNode + images*perImage
	if all <= left {
		return mostNodes, mostImages
	}
	left = max(left, perNode+perImage)
	mostImages = max(1, left*images*perImage/all/perImage)
	mostNodes = max(1, (left-min(images, mostImages)*perImage)/perNode)
	return mostNodes, mostImages
}
