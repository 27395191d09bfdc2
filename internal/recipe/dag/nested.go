package dag

import (
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// placeNested makes the graph of a file with image types at its top: each is a
// layer, and its children stand on it, written in place or named.
func (g *graph) placeNested() {
	for _, e := range g.doc.types {
		g.collect(e)
	}
	g.unused()
	if g.nestedCycles(); len(g.source.faults) > 0 {
		return
	}
	roots := g.roots()
	if len(g.source.faults) > 0 {
		return
	}
	for _, e := range roots {
		g.expand(e, nil)
	}
}

// collect notes an entry and those below it, and settles what all entries of one
// name share.
func (g *graph) collect(e *entry) {
	k := g.kind(e.name)
	k.entries = append(k.entries, e)
	switch {
	case e.pb == nil:
	case k.pb == nil:
		k.pb = e.pb
	case !samePlaybooks(k.pb, e.pb):
		g.source.refuseAt(e.pb[0].at, "a layer has the same playbooks wherever it stands; rename one of them", "%s has other playbooks than on line %d", quote(e.name.text), k.pb[0].at.Line)
	}
	switch {
	case e.first == nil || !e.first.is:
	case k.first == nil:
		k.first = e.first
	case k.first.text != e.first.text:
		g.source.refuseAt(e.first.at, "make one of the two", "%s starts from something else than on line %d", quote(e.name.text), k.first.at.Line)
	}
	g.shareRepo(k, e.repo)
	for _, child := range e.children {
		g.collect(child)
	}
}

// nestedCycles refuses types that stand on themselves by name.
func (g *graph) nestedCycles() {
	below := map[string][]*entry{}
	for _, k := range g.order {
		for _, e := range k.entries {
			below[k.name.text] = append(below[k.name.text], e.children...)
		}
	}
	names := func(name string) []string {
		var all []string
		for _, e := range below[name] {
			all = append(all, e.name.text)
		}
		return all
	}
	done := map[string]bool{}
	for _, k := range g.order {
		ring := cycle(k.name.text, names, done)
		if ring == nil {
			continue
		}
		last := ring[len(ring)-2]
		i := slices.IndexFunc(below[last], func(e *entry) bool { return e.name.text == ring[0] })
		g.source.refuseAt(below[last][i].name.at, "each is a child of the one before; take one of them out", "the children form a cycle: %s", drawRing(ring))
	}
}

// roots returns the entries of the first layers, and checks that every layer is
// defined and stands on something.
func (g *graph) roots() []*entry {
	child := map[string]*entry{} // one entry that is a child, by name
	for _, k := range g.order {
		for _, e := range k.entries {
			for _, c := range e.children {
				child[c.name.text] = c
			}
		}
	}
	var roots []*entry
	var lost []*entry
	for _, e := range g.doc.types {
		k := g.kinds[e.name.text]
		switch {
		case child[e.name.text] != nil:
		case k.first == nil:
			lost = append(lost, e)
		default:
			roots = append(roots, e)
		}
	}
	g.checkRoots(roots, lost)
	for _, k := range g.order {
		c := child[k.name.text]
		switch {
		case c == nil:
		case k.first != nil:
			g.source.refuseAt(k.first.at, "a first layer is no child; take out one of the two", "%s is a first layer, and a child on line %d", quote(k.name.text), c.name.at.Line)
		case !g.defined(k):
			g.source.refuseAt(c.name.at, g.didYouMean(k.name.text), "%s is not defined", quote(k.name.text))
		case k.pb == nil:
			i := slices.IndexFunc(k.entries, func(e *entry) bool { return !e.bare })
			g.source.refuseAt(k.entries[max(i, 0)].name.at, "write \"pb: PLAYBOOK\" there, or in \"layers\"", "%s has no playbook, and only a first layer can do without", quote(k.name.text))
		}
	}
	return roots
}

// checkRoots wants every type that is no child to be a first layer.
func (g *graph) checkRoots(roots, lost []*entry) {
	if len(roots) == 0 {
		hint := "write \"firstlayer: true\" in the type that all others stand on"
		if len(lost) == 1 {
			hint = "write \"firstlayer: true\" in " + quote(lost[0].name.text)
		}
		for _, k := range g.order {
			if k.first != nil {
				return // a first layer that is a child: said elsewhere
			}
		}
		g.source.refuseAt(g.doc.typesAt, hint, "no type is a first layer")
		return
	}
	for _, e := range lost {
		g.source.refuseAt(e.name.at, "name it in the \"children\" of another, or write \"firstlayer: true\" in it", "%s stands on nothing: it is no child and no first layer", quote(e.name.text))
	}
}

// defined says whether a name is more than a name.
func (g *graph) defined(k *kind) bool {
	return k.doc != nil || g.top[k.name.text] != nil || slices.ContainsFunc(k.entries, func(e *entry) bool { return !e.bare })
}

func (g *graph) didYouMean(name string) string {
	if len(g.source.faults) > maxFaults {
		return "" // it takes time, and nobody will read it
	}
	var known []string
	for _, k := range g.order {
		if g.defined(k) {
			known = append(known, k.name.text)
		}
	}
	for _, l := range g.doc.layers {
		known = append(known, l.name.text)
	}
	if c := fault.Nearest(name, known); c != "" {
		return "did you mean " + quote(c) + "?"
	}
	if g.doc.perLayer() {
		return ""
	}
	return "write it as a mapping with \"type\" and \"pb\", or list it in \"layers\""
}

// expand adds an entry and all that stands on it to the graph.
func (g *graph) expand(e *entry, parent *vertex) {
	k := g.kinds[e.name.text]
	groups, children := g.content(k, e)
	if k.doc != nil {
		groups = join(k.doc.groups, asWords(groups))
	}
	v := g.add(&vertex{kind: k, pb: k.pb, first: k.first, groups: groups, parent: parent, at: e.name.at})
	for _, child := range children {
		if v == nil || len(g.source.faults) > 0 {
			return
		}
		g.expand(child, v)
	}
}

// content returns the groups and children of a type where an entry stands: a
// bare name stands for what is written elsewhere, and an entry at the top of the
// list holds everywhere.
func (g *graph) content(k *kind, e *entry) ([]string, []*entry) {
	top := g.top[k.name.text]
	var inside []*entry // written in place, as children
	for _, o := range k.entries {
		if o != top && !o.bare {
			inside = append(inside, o)
		}
	}
	switch {
	case e == top:
		return join(e.groups), e.children
	case !e.bare && top == nil:
		return join(e.groups), e.children
	case !e.bare && e.childful && top.childful:
		g.source.refuseAt(e.name.at, "keep them in one of the two", "the children of %s are written here and on line %d", quote(k.name.text), top.name.at.Line)
		return nil, nil
	case !e.bare && e.childful:
		return join(top.groups, e.groups), e.children
	case !e.bare || top != nil && !top.bare:
		return join(top.groups, e.groups), top.children
	case len(inside) == 0:
		return nil, nil
	}
	for _, o := range inside[1:] {
		if !slices.Equal(join(o.groups), join(inside[0].groups)) || len(o.children)+len(inside[0].children) > 0 {
			g.source.refuseAt(e.name.at, "write its groups and children here", "it is not clear which %s is meant: that of line %d or that of line %d", quote(k.name.text), inside[0].name.at.Line, o.name.at.Line)
			return nil, nil
		}
	}
	return join(inside[0].groups), inside[0].children
}

func asWords(texts []string) []word {
	words := make([]word, len(texts))
	for i, t := range texts {
		words[i] = word{text: t}
	}
	return words
}

// drawRing draws a ring, shortened in its middle.
func drawRing(ring []string) string {
	quoted := make([]string, len(ring))
	for i, name := range ring {
		quoted[i] = strings.Trim(quote(name), `"`)
	}
	const most = 12
	if n := len(quoted); n > most {
		return strings.Join(quoted[:most-2], " -> ") + " -> … (" + strconv.Itoa(n-most) + " more) -> " + strings.Join(quoted[n-2:], " -> ")
	}
	return strings.Join(quoted, " -> ")
}
