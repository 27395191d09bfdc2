package dag

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// outLayer is a layer of the strata.yaml.
type outLayer struct {
	name   string
	at     *yaml.Node
	repo   *repo
	pb     []word
	first  *firstLayer
	groups []string  // that all its nodes have
	nodes  []*vertex // one, or one per variant
}

// outImage is an image of the strata.yaml.
type outImage struct {
	name string
	leaf *vertex
}

// arrange makes layers of the nodes, and images of the leaves, and gives names to
// both.
func (g *graph) arrange() {
	n := &namer{source: g.source, taken: map[string]map[string]word{}}
	for _, k := range g.order {
		var nodes []*vertex
		for _, v := range g.vertices {
			if v.kind == k {
				nodes = append(nodes, v)
			}
		}
		if len(nodes) > 0 {
			g.makeLayers(k, nodes, n)
		}
	}
	if len(g.source.faults) > 0 {
		return
	}
	g.sortLayers()
	for _, l := range g.layers {
		l.nameNodes()
		l.shareGroups()
	}
	g.checkIDs()
	g.nameImages(n)
	g.noteInherited()
}

// makeLayers makes one layer of the nodes of a kind, or one each if they differ
// in what variants cannot.
func (g *graph) makeLayers(k *kind, nodes []*vertex, n *namer) {
	name := n.name(k.name, "layer")
	for _, v := range nodes {
		if v.typ.text != "" {
			v.variant = n.name(v.typ, "image type")
		}
	}
	differ := slices.ContainsFunc(nodes, func(v *vertex) bool {
		return !samePlaybooks(v.pb, nodes[0].pb) || (v.first == nil) != (nodes[0].first == nil) || v.first != nil && v.first.text != nodes[0].first.text
	})
	if !differ {
		g.addLayer(name, nodes...)
		return
	}
	var names []string
	for _, v := range nodes {
		g.addLayer(name+"-"+v.variant, v)
		names = append(names, v.layer.name)
	}
	g.source.note(k.name.at, "layer %s becomes the layers %s: variants of one layer have the same playbooks and start", quote(k.name.text), few(names))
}

func (g *graph) addLayer(name string, nodes ...*vertex) {
	l := &outLayer{name: name, at: nodes[0].at, repo: nodes[0].kind.repo, pb: nodes[0].pb, first: nodes[0].first, nodes: nodes}
	for _, v := range nodes {
		v.layer = l
	}
	g.layers = append(g.layers, l)
}

// sortLayers puts every layer behind those that it stands on, else as written.
func (g *graph) sortLayers() {
	var sorted []*outLayer
	placed := map[*outLayer]bool{}
	rest := slices.Clone(g.layers)
	for len(rest) > 0 {
		i := slices.IndexFunc(rest, func(l *outLayer) bool {
			return !slices.ContainsFunc(l.nodes, func(v *vertex) bool { return v.parent != nil && !placed[v.parent.layer] })
		})
		// Layers, unlike nodes, may stand on each other: in two image types the
		// other way round. Their order decides nothing.
		i = max(i, 0)
		placed[rest[i]] = true
		sorted = append(sorted, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	g.layers = sorted
}

// nameNodes names a layer's nodes; those of the layers below it have names. A
// variant is called like its image type, or like what it stands on.
func (l *outLayer) nameNodes() {
	if len(l.nodes) == 1 {
		l.nodes[0].variant, l.nodes[0].id = "", l.name
		return
	}
	if l.nodes[0].typ.text == "" {
		used := map[string]int{}
		for _, v := range l.nodes {
			if v.variant = v.parent.variant; v.variant == "" {
				v.variant = v.parent.layer.name
			}
			used[v.variant]++
		}
		if len(used) < len(l.nodes) {
			for _, v := range l.nodes {
				v.variant = v.parent.id
			}
		}
	}
	for _, v := range l.nodes {
		v.id = l.name + "-" + v.variant
	}
}

// shareGroups moves to the layer the groups that all its nodes have.
func (l *outLayer) shareGroups() {
	for _, group := range l.nodes[0].groups {
		if !slices.ContainsFunc(l.nodes, func(v *vertex) bool { return !slices.Contains(v.groups, group) }) {
			l.groups = append(l.groups, group)
		}
	}
}

// checkIDs refuses two nodes of one name.
func (g *graph) checkIDs() {
	seen := map[string]*vertex{}
	names := map[string]*outLayer{}
	for _, l := range g.layers {
		if first := names[l.name]; first != nil {
			g.source.refuseAt(l.at, "rename one of them", "two layers would both be called %s; the first is on line %d", quote(l.name), first.at.Line)
		}
		names[l.name] = l
		for _, v := range l.nodes {
			if first := seen[v.id]; first != nil && first.layer.name != l.name {
				g.source.refuseAt(v.at, "rename one of the layers", "layers %s and %s would both have a node %s", quote(first.layer.name), quote(l.name), quote(v.id))
			}
			seen[v.id] = v
		}
	}
}

// nameImages makes an image of every leaf, called like its image type, or like
// its node where several have that type.
func (g *graph) nameImages(n *namer) {
	for _, v := range g.vertices {
		if !v.leaf {
			continue
		}
		name := v.layer.name
		switch {
		case v.typ.text != "":
			name = n.name(v.typ, "image type")
		case v.variant != "":
			name = v.variant
		}
		g.images = append(g.images, outImage{name, v})
	}
	for again := true; again; {
		again = false
		used := map[string]int{}
		for _, im := range g.images {
			used[im.name]++
		}
		for i, im := range g.images {
			if used[im.name] > 1 && im.name != im.leaf.id {
				g.images[i].name, again = im.leaf.id, true
			}
		}
	}
}

// noteInherited notes the nodes that get into more groups than are written.
func (g *graph) noteInherited() {
	var more []string
	var first *vertex
	for _, v := range g.vertices {
		for p := v.parent; p != nil; p = p.parent {
			if slices.ContainsFunc(p.groups, func(group string) bool { return !slices.Contains(v.groups, group) }) {
				more = append(more, v.id)
				if first == nil || v.at.Line < first.at.Line {
					first = v
				}
				break
			}
		}
	}
	if first != nil {
		slices.Sort(more)
		g.source.note(first.at, "groups are inherited in Strata: these nodes are also in the groups of what they stand on: %s", few(more))
	}
}

// namer turns names into those that Strata takes.
type namer struct {
	source *source
	taken  map[string]map[string]word // by what is named, and the name in Strata
}

// name returns the name that something has in Strata. A name that had to be
// changed is noted once; one that then is another's is refused.
func (n *namer) name(w word, what string) string {
	name := legalName(w.text)
	if name == "" {
		n.source.refuseAt(w.at, "a name is lower-case letters, digits, dots, underscores and hyphens, with a letter or digit first", "%s cannot be the name of a layer in Strata, and nothing like it can", quote(w.text))
		return ""
	}
	if n.taken[what] == nil {
		n.taken[what] = map[string]word{}
	}
	first, ok := n.taken[what][name]
	switch {
	case !ok:
		n.taken[what][name] = w
		if name != w.text {
			n.source.note(w.at, "%s %s is called %s: names in Strata are lower-case letters, digits, dots, underscores and hyphens", what, quote(w.text), name)
		}
	case first.text != w.text:
		n.source.refuseAt(w.at, "rename one of them, the other can be "+name, "%s %s and %s of line %d would both be called %s in Strata", what, quote(w.text), quote(first.text), first.at.Line, name)
	}
	return name
}

// legalName returns the nearest name that Strata takes, or "".
func legalName(text string) string {
	name := regexp.MustCompile(`[^a-z0-9._-]+`).ReplaceAllString(strings.ToLower(text), "-")
	if name != text {
		name = strings.TrimRight(name, "-")
	}
	return strings.TrimLeft(name, "._-")
}
