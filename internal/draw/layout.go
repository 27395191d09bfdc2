package draw

import "math"

// Distances of the layout, in pixels.
const (
	gapX  = 44  // between a node and what is below it
	gapY  = 14  // between neighbours
	pad   = 14  // between a frame and what it holds
	tall  = 900 // children that reach further are wrapped into columns
	fewer = 4   // than so many children are never wrapped
)

// extent is the size of what is drawn for a node, and how far from its top the
// edges meet it.
type extent struct {
	w, h   int
	anchor int
}

type point struct{ x, y int }

type rect struct{ x, y, w, h int }

// placed says where everything goes. Frames hold the children of the node of
// the same index where these are wrapped; others are empty.
type placed struct {
	at     []point
	frames []rect
	w, h   int
}

// contour is the upper or lower border of a subtree, from the left: up to "to"
// it is at y. It has no holes.
type contour []step

type step struct{ to, y int }

// moved is the contour further to the right and down; what is new on the left
// is as high as what follows.
func (c contour) moved(x, y int) contour {
	m := make(contour, len(c))
	for i, s := range c {
		m[i] = step{s.to + x, s.y + y}
	}
	return m
}

func (c contour) width() int { return c[len(c)-1].to }

// beyond is what of the contour lies right of x.
func (c contour) beyond(x int) contour {
	for i, s := range c {
		if s.to > x {
			return c[i:]
		}
	}
	return nil
}

// block is a laid out subtree, or several side by side, with the borders
// relative to its own origin.
type block struct {
	top, bottom contour
	anchor      int
}

func (b block) moved(y int) block {
	return block{b.top.moved(0, y), b.bottom.moved(0, y), b.anchor + y}
}

// bounds is the smallest rectangle around the block.
func (b block) bounds() rect {
	least, most := math.MaxInt, math.MinInt
	for _, s := range b.top {
		least = min(least, s.y)
	}
	for _, s := range b.bottom {
		most = max(most, s.y)
	}
	return rect{0, least, b.top.width(), most - least}
}

// layouter lays a forest out from left to right: a tidy tree after Reingold and
// Tilford (1981), where every subtree is as near to its neighbour as their
// contours allow and a parent is in the middle of its children. Children that
// would take too much height are wrapped into columns within a frame.
type layouter struct {
	forest
	size   []extent
	offset []point // of a node from its parent; of a root from the origin
	frame  []rect  // relative to the node
}

func lay(f forest, size []extent) placed {
	l := layouter{f, size, make([]point, len(size)), make([]rect, len(size))}
	p := placed{at: make([]point, len(size)), frames: make([]rect, len(size))}
	if len(size) == 0 {
		return p
	}
	all, _ := l.group(f.roots)
	bounds := all.bounds()
	for _, i := range f.order() {
		from := point{0, -bounds.y}
		if f.parent[i] >= 0 {
			from = p.at[f.parent[i]]
		}
		p.at[i] = point{from.x + l.offset[i].x, from.y + l.offset[i].y}
		if r := l.frame[i]; r.w > 0 {
			p.frames[i] = rect{p.at[i].x + r.x, p.at[i].y + r.y, r.w, r.h}
		}
	}
	p.w, p.h = bounds.w, bounds.h
	return p
}

// subtree lays out a node and all that is below it.
func (l *layouter) subtree(i int) block {
	e := l.size[i]
	b := block{contour{{e.w, 0}}, contour{{e.w, e.h}}, e.anchor}
	if len(l.children[i]) == 0 {
		return b
	}
	g, wrapped := l.group(l.children[i])
	x, y := e.w+gapX, e.anchor-g.anchor
	for _, c := range l.children[i] {
		l.offset[c].x += x
		l.offset[c].y += y
	}
	if wrapped {
		r := g.bounds()
		l.frame[i] = rect{x, y + r.y, r.w, r.h}
	}
	b.top = append(b.top, g.top.moved(x, y)...)
	b.bottom = append(b.bottom, g.bottom.moved(x, y)...)
	return b
}

// group lays out siblings and sets their offsets from the group's origin.
func (l *layouter) group(nodes []int) (b block, wrapped bool) {
	blocks := make([]block, len(nodes))
	for k, i := range nodes {
		blocks[k] = l.subtree(i)
	}
	b = blocks[0]
	l.offset[nodes[0]] = point{}
	last := b.anchor
	for k := 1; k < len(nodes); k++ {
		y := distance(b.bottom, blocks[k].top)
		next := blocks[k].moved(y)
		l.offset[nodes[k]] = point{0, y}
		last = next.anchor
		b.top = append(b.top[:len(b.top):len(b.top)], next.top.beyond(b.top.width())...)
		b.bottom = append(next.bottom, b.bottom.beyond(next.bottom.width())...)
	}
	b.anchor = (b.anchor + last) / 2
	if len(nodes) < fewer || b.bounds().h <= tall {
		return b, false
	}
	return l.columns(nodes, blocks), true
}

// distance is how far down a block must go so that it does not touch what is
// above it.
func distance(bottom, top contour) int {
	d := math.MinInt
	for i, j := 0, 0; i < len(bottom) && j < len(top); {
		d = max(d, bottom[i].y-top[j].y)
		switch a, b := bottom[i].to, top[j].to; {
		case a < b:
			i++
		case b < a:
			j++
		default:
			i++
			j++
		}
	}
	return d + gapY
}

// columns wraps siblings into columns of about the same height, so that all of
// it is about a square.
func (l *layouter) columns(nodes []int, blocks []block) block {
	bounds := make([]rect, len(blocks))
	area, tallest := 0.0, 0
	for k, b := range blocks {
		bounds[k] = b.bounds()
		area += float64((bounds[k].w + gapY) * (bounds[k].h + gapY))
		tallest = max(tallest, bounds[k].h)
	}
	height := max(tallest, int(math.Sqrt(area)))
	count := len(fill(bounds, height))
	for low := tallest; low < height; { // the lowest that takes no more columns
		if middle := (low + height) / 2; len(fill(bounds, middle)) <= count {
			height = middle
		} else {
			low = middle + 1
		}
	}
	x, k, h := pad, 0, 0
	for _, n := range fill(bounds, height) {
		y, w := pad, 0
		for range n {
			l.offset[nodes[k]] = point{x, y - bounds[k].y}
			y += bounds[k].h + gapY
			w = max(w, bounds[k].w)
			k++
		}
		x += w + 2*gapY
		h = max(h, y-gapY+pad)
	}
	w := x - 2*gapY + pad
	return block{contour{{w, 0}}, contour{{w, h}}, h / 2}
}

// fill says how many blocks go into each column of a height.
func fill(bounds []rect, height int) []int {
	var list []int
	used := 0
	for _, r := range bounds {
		if len(list) == 0 || used+gapY+r.h > height {
			list, used = append(list, 1), r.h
			continue
		}
		list[len(list)-1]++
		used += gapY + r.h
	}
	return list
}
