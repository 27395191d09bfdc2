package plan

import (
	"slices"

	"github.com/strata-hpc/strata/internal/layer"
)

// Queue hands out the nodes of a plan that are to be built or maybe to be
// built, each when its parent is there, first those with the most work below
// them. It is a plain value that the builder drives: no goroutines, and not for
// use by several at once.
//
// Every node that Next hands out is answered by one call of Done or Fail.
type Queue struct {
	decisions map[layer.NodeID]Decision
	children  map[layer.NodeID][]layer.NodeID
	path      map[layer.NodeID]float64 // seconds from the node's start to the end of the longest path below
	ready     []layer.NodeID           // the next one last
	rank      map[layer.NodeID]int     // place in the plan, which decides between equals
	waiting   int                      // handed out by nobody yet, nor skipped
	running   int
}

// NewQueue returns the queue of a plan.
func NewQueue(p *Plan) *Queue {
	q := &Queue{
		decisions: map[layer.NodeID]Decision{},
		children:  map[layer.NodeID][]layer.NodeID{},
		path:      map[layer.NodeID]float64{},
		rank:      map[layer.NodeID]int{},
	}
	for i, d := range p.Nodes {
		q.rank[d.Node.ID] = i
		if d.Action != Keep {
			q.decisions[d.Node.ID] = d
			q.waiting++
		}
	}
	// Children come after parents, so that from the end every path is known.
	for _, d := range slices.Backward(p.Nodes) {
		id, parent := d.Node.ID, d.Node.Parent
		if d.Action == Keep {
			continue
		}
		q.path[id] += d.Seconds
		if _, ok := q.decisions[parent]; !ok {
			q.ready = append(q.ready, id)
			continue
		}
		q.children[parent] = append(q.children[parent], id)
		q.path[parent] = max(q.path[parent], q.path[id])
	}
	q.sort()
	return q
}

func (q *Queue) sort() {
	slices.SortFunc(q.ready, func(a, b layer.NodeID) int {
		switch {
		case q.path[a] < q.path[b]:
			return -1
		case q.path[a] > q.path[b]:
			return 1
		}
		return q.rank[b] - q.rank[a]
	})
}

// Next hands out a node that can be built now; false if none can.
func (q *Queue) Next() (Decision, bool) {
	if len(q.ready) == 0 {
		return Decision{}, false
	}
	id := q.ready[len(q.ready)-1]
	q.ready = q.ready[:len(q.ready)-1]
	q.waiting--
	q.running++
	return q.decisions[id], true
}

// Done says that a node is there, built or found; its children can be built.
func (q *Queue) Done(id layer.NodeID) {
	q.running--
	q.ready = append(q.ready, q.children[id]...)
	q.sort()
}

// Fail says that a node could not be built. It returns the nodes that are
// skipped because of it, parents before children; its siblings go on.
func (q *Queue) Fail(id layer.NodeID) []layer.NodeID {
	q.running--
	var skipped []layer.NodeID
	var down func(layer.NodeID)
	down = func(id layer.NodeID) {
		for _, child := range q.children[id] {
			skipped = append(skipped, child)
			q.waiting--
			down(child)
		}
	}
	down(id)
	slices.SortFunc(skipped, func(a, b layer.NodeID) int { return q.rank[a] - q.rank[b] })
	return skipped
}

// Running returns how many nodes were handed out and not answered yet.
func (q *Queue) Running() int { return q.running }

// Empty reports whether everything was handed out or skipped.
func (q *Queue) Empty() bool { return q.waiting == 0 }
