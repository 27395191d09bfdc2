package draw

import (
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// forest is a graph's nodes as indices, so that drawing needs no names.
type forest struct {
	parent   []int // -1 of a root
	children [][]int
	roots    []int
}

func (g Graph) forest() forest {
	f := forest{parent: make([]int, len(g.Nodes)), children: make([][]int, len(g.Nodes))}
	at := make(map[layer.NodeID]int, len(g.Nodes))
	for i, n := range g.Nodes {
		f.parent[i] = -1
		if p, ok := at[n.Parent]; ok && n.Parent != "" {
			f.parent[i] = p
			f.children[p] = append(f.children[p], i)
		} else {
			f.roots = append(f.roots, i)
		}
		at[n.ID] = i
	}
	return f
}

// order lists the nodes as one reads a tree: each before what is below it.
func (f forest) order() []int {
	list := make([]int, 0, len(f.parent))
	var down func(nodes []int)
	down = func(nodes []int) {
		for _, i := range nodes {
			list = append(list, i)
			down(f.children[i])
		}
	}
	down(f.roots)
	return list
}

// leaves counts the nodes that nothing stands on.
func (f forest) leaves() int {
	n := 0
	for _, c := range f.children {
		if len(c) == 0 {
			n++
		}
	}
	return n
}

// below counts for each node those that stand on it, and says whether all of
// them are kept.
func (g Graph) below(f forest) (count []int, kept []bool) {
	count, kept = make([]int, len(g.Nodes)), make([]bool, len(g.Nodes))
	for i := range kept {
		kept[i] = true
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- { // children come after their parents
		if p := f.parent[i]; p >= 0 {
			count[p] += count[i] + 1
			kept[p] = kept[p] && kept[i] && g.Nodes[i].Action == plan.Keep
		}
	}
	return count, kept
}
