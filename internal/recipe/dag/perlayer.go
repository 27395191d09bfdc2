package dag

import (
	"slices"
)

// placeTypes makes the graph of a file that lists image types below layers: a
// node is a layer in one image type, and its children are layers of that type.
func (g *graph) placeTypes() {
	for _, l := range g.doc.layers {
		for _, e := range l.types {
			g.placeType(l, e)
		}
	}
	if g.connect(); len(g.source.faults) > 0 {
		return
	}
	g.unused()
	g.checkTypes()
}

// placeType adds a layer in one image type.
func (g *graph) placeType(l *layerDoc, e *entry) {
	k := g.kind(l.name)
	k.entries = append(k.entries, e)
	g.shareRepo(k, e.repo)
	v := &vertex{kind: k, typ: e.name, pb: l.pb, groups: join(l.groups, e.groups), at: e.name.at}
	if e.pb != nil {
		if l.pb != nil && !samePlaybooks(l.pb, e.pb) {
			g.source.refuseAt(e.pb[0].at, "write them in one of the two places", "layer %s has playbooks on line %d, and others in its image type %s", quote(l.name.text), l.pb[0].at.Line, quote(e.name.text))
		}
		v.pb = e.pb
	}
	if e.first != nil && e.first.is {
		v.first = e.first
	}
	g.add(v)
}

// connect finds the children that are named.
func (g *graph) connect() {
	byLayer := map[string][]*vertex{}
	for _, v := range g.vertices {
		byLayer[v.kind.name.text] = append(byLayer[v.kind.name.text], v)
	}
	for _, v := range g.vertices {
		i := slices.IndexFunc(v.kind.entries, func(e *entry) bool { return e.name == v.typ })
		for _, c := range v.kind.entries[i].children {
			if !c.bare {
				g.source.refuseAt(c.name.at, "write only the layer's name here, and the rest where that layer is", "the children of an image type of a layer are names of layers")
				continue
			}
			g.connectChild(v, c.name, byLayer)
		}
	}
}

// connectChild puts the layer that a name stands for on a node.
func (g *graph) connectChild(v *vertex, name word, byLayer map[string][]*vertex) {
	choices := byLayer[name.text]
	i := slices.IndexFunc(choices, func(c *vertex) bool { return c.typ.text == v.typ.text })
	switch {
	case len(choices) == 0 && g.known[name.text] != nil:
		g.source.refuseAt(name.at, "list them below its \"image_types\"", "layer %s has no image types", quote(name.text))
		return
	case len(choices) == 0:
		g.source.refuseAt(name.at, g.didYouMean(name.text), "there is no layer %s", quote(name.text))
		return
	case i >= 0:
		choices = choices[i : i+1]
	case len(choices) > 1: // here the graph branches
		var types []string
		for _, c := range choices {
			types = append(types, quote(c.typ.text))
		}
		g.source.note(name.at, "layer %s has no image type %s, so each that it has stands on %s: %s", quote(name.text), quote(v.typ.text), quote(v.kind.name.text), few(types))
	}
	for _, child := range choices {
		g.stand(child, v, name)
	}
}

// stand puts a node on its parent, which names it there.
func (g *graph) stand(child, v *vertex, name word) {
	if child.parent != nil {
		g.source.refuseAt(name.at, "name it once for each image type", "layer %s in image type %s stands on two layers: %s and %s", quote(name.text), quote(child.typ.text), quote(child.parent.kind.name.text), quote(v.kind.name.text))
		return
	}
	child.parent, v.leaf = v, false
}

// checkTypes wants every node to stand on something, and to do something.
func (g *graph) checkTypes() {
	firsts := 0
	state := map[*vertex]int{} // 1: below a node being looked at, 2: looked at
	for _, v := range g.vertices {
		var trail []*vertex
		n := v
		for ; n != nil && state[n] == 0; n = n.parent {
			state[n] = 1
			trail = append(trail, n)
		}
		if n != nil && state[n] == 1 {
			g.refuseRing(trail[slices.Index(trail, n):])
		}
		for _, t := range trail {
			state[t] = 2
		}
		if v.first != nil {
			firsts++
		}
	}
	if firsts == 0 && len(g.source.faults) == 0 {
		g.source.refuseAt(g.doc.layers[0].name.at, "write \"firstlayer: true\" in the image types of the layer that the others stand on", "no layer is a first layer")
		return
	}
	for _, v := range g.vertices {
		name := quote(v.kind.name.text)
		switch {
		case v.parent == nil && v.first == nil:
			g.source.refuseAt(v.at, "name it in the \"children\" of another, or write \"firstlayer: true\" here", "layer %s in image type %s stands on nothing", name, quote(v.typ.text))
		case v.parent != nil && v.first != nil:
			g.source.refuseAt(v.first.at, "a first layer is no child; take out one of the two", "layer %s is a first layer, and a child of %s on line %d", name, quote(v.parent.kind.name.text), v.parent.at.Line)
		case v.first == nil && v.pb == nil:
			g.source.refuseAt(v.at, "write \"pb: PLAYBOOK\" here, or in the layer", "layer %s has no playbook in image type %s, and only a first layer can do without", name, quote(v.typ.text))
		}
	}
}

// refuseRing refuses nodes that stand on each other, given child first.
func (g *graph) refuseRing(ring []*vertex) {
	slices.Reverse(ring)
	var names []string
	for _, v := range append(ring, ring[0]) {
		names = append(names, v.kind.name.text)
	}
	g.source.refuseAt(ring[0].at, "each is a child of the one before; take one of them out", "the children form a cycle: %s", drawRing(names))
}
