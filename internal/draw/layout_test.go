package draw

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
)

// randomForest has n nodes; bushy says how likely they stand on one of the last few.
func randomForest(random *rand.Rand, n int) Graph {
	var g Graph
	bushy, reach := random.Float64(), 1+random.IntN(40)
	for i := range n {
		node := Node{ID: layer.NodeID(fmt.Sprintf("n%d", i))}
		if i > 0 && random.IntN(60) > 0 {
			p := random.IntN(i)
			if random.Float64() < bushy {
				p = max(0, i-1-random.IntN(reach))
			}
			node.Parent = g.Nodes[p].ID
		}
		g.Nodes = append(g.Nodes, node)
	}
	return g
}

func (r rect) overlaps(o rect) bool {
	return r.x < o.x+o.w && o.x < r.x+r.w && r.y < o.y+o.h && o.y < r.y+r.h
}

func (r rect) contains(o rect) bool {
	return r.x <= o.x && r.y <= o.y && o.x+o.w <= r.x+r.w && o.y+o.h <= r.y+r.h
}

// TestLayout draws random forests and holds each picture against what makes it
// readable: nothing overlaps, no line crosses a box, children are right of
// their parents, siblings in their order, and all is on the page.
func TestLayout(t *testing.T) {
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 3))
		g := randomForest(random, 1+random.IntN(500))
		f := g.forest()
		size := make([]extent, len(g.Nodes))
		for i := range size {
			box := 24 + random.IntN(60)
			size[i] = extent{150, box + imageLine*random.IntN(3), box / 2}
		}
		p := lay(f, size)
		boxes := make([]rect, len(size))
		for i, at := range p.at {
			boxes[i] = rect{at.x, at.y, size[i].w, size[i].h}
		}
		checkLayout(t, f, p, boxes, size)
		if t.Failed() {
			t.Fatalf("seed %d, %d nodes", seed, len(size))
		}
	}
}

func checkLayout(t *testing.T, f forest, p placed, boxes []rect, size []extent) {
	t.Helper()
	if n := len(f.order()); n != len(boxes) {
		t.Errorf("%d of %d nodes can be reached", n, len(boxes))
	}
	page := rect{0, 0, p.w, p.h}
	for i, b := range boxes {
		if !page.contains(b) {
			t.Errorf("node %d at %v is not on the page %v", i, b, page)
		}
		for j := range i {
			if b.overlaps(boxes[j]) {
				t.Errorf("nodes %d and %d overlap: %v %v", i, j, b, boxes[j])
			}
		}
		if parent := f.parent[i]; parent >= 0 && b.x < boxes[parent].x+boxes[parent].w+gapX {
			t.Errorf("node %d is not right of its parent", i)
		}
	}
	within := func(i, top int) bool {
		for ; i >= 0; i = f.parent[i] {
			if i == top {
				return true
			}
		}
		return false
	}
	for i := range boxes {
		from := point{boxes[i].x + size[i].w, boxes[i].y + size[i].anchor}
		var lines []rect
		if r := p.frames[i]; r.w > 0 {
			if from.y < r.y || from.y > r.y+r.h {
				t.Errorf("the line from node %d misses its frame", i)
			}
			lines = append(lines, rect{from.x, from.y, r.x - from.x, 1})
			for j, b := range boxes {
				if in := j != i && within(j, i); in && !r.contains(b) || !in && r.overlaps(b) {
					t.Errorf("node %d and the frame of node %d do not fit: %v %v", j, i, b, r)
				}
			}
		} else {
			for k, c := range f.children[i] {
				to := point{boxes[c].x, boxes[c].y + size[c].anchor}
				middle := (from.x + to.x) / 2
				lines = append(lines, rect{from.x, from.y, middle - from.x, 1}, rect{middle, to.y, to.x - middle, 1},
					rect{middle, min(from.y, to.y), 1, max(from.y, to.y) - min(from.y, to.y)})
				if k > 0 && boxes[f.children[i][k-1]].y >= boxes[c].y {
					t.Errorf("children %d of node %d are not in their order", k, i)
				}
			}
		}
		for _, line := range lines {
			for j, b := range boxes {
				if line.overlaps(b) {
					t.Errorf("a line from node %d crosses node %d: %v %v", i, j, line, b)
				}
			}
		}
	}
}

// TestLayoutOfMany keeps a parent of many from making a picture that is a strip.
func TestLayoutOfMany(t *testing.T) {
	g := Graph{Nodes: []Node{{ID: "top"}}}
	for i := range 300 {
		g.Nodes = append(g.Nodes, Node{ID: layer.NodeID(fmt.Sprint(i)), Parent: "top"})
	}
	size := make([]extent, len(g.Nodes))
	for i := range size {
		size[i] = extent{200, 44, 22}
	}
	p := lay(g.forest(), size)
	if p.w > 3*p.h || p.h > 3*p.w {
		t.Errorf("%d by %d", p.w, p.h)
	}
}

func TestLayoutIsQuick(t *testing.T) {
	g := Graph{}
	for i := range 10000 {
		n := Node{ID: layer.NodeID(fmt.Sprint(i))}
		if i > 0 {
			n.Parent = layer.NodeID(fmt.Sprint((i - 1) / 3))
		}
		g.Nodes = append(g.Nodes, n)
	}
	drawn(t, SVG, g)
	drawn(t, HTML, g)
}
