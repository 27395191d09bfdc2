package dag

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes is how many nodes a graph may have. A layer stands once below each of
// its parents, so a few lines could ask for millions.
const maxNodes = 5000

// graph is what a file says, as nodes with one parent each.
type graph struct {
	source   *source
	doc      *document
	known    map[string]*layerDoc // the entries of "layers"
	top      map[string]*entry    // those of the list of image types at the top
	kinds    map[string]*kind
	order    []*kind // as written
	vertices []*vertex
	layers   []*outLayer
	images   []outImage
	full     bool // there are too many nodes, which was said
}

// kind is a layer by its name, and what is the same wherever it stands.
type kind struct {
	name    word
	doc     *layerDoc // its entry in "layers", or nil
	entries []*entry  // all that have its name
	pb      []word
	first   *firstLayer // nil if it is none
	repo    *repo
}

// vertex is a layer in one place of the graph.
type vertex struct {
	kind   *kind
	typ    word // the image type, where those are listed below layers
	pb     []word
	first  *firstLayer
	groups []string
	parent *vertex
	leaf   bool
	at     *yaml.Node

	layer   *outLayer
	variant string // "" in a layer without variants
	id      string
}

// kind returns the kind with a name, and makes it.
func (g *graph) kind(name word) *kind {
	k := g.kinds[name.text]
	if k == nil {
		k = &kind{name: name, doc: g.known[name.text]}
		if d := k.doc; d != nil {
			k.pb, k.repo = d.pb, d.repo
		}
		g.kinds[name.text] = k
		g.order = append(g.order, k)
	}
	return k
}

// add adds a node to the graph; nil when there are too many.
func (g *graph) add(v *vertex) *vertex {
	if g.full {
		return nil
	}
	if len(g.vertices) == maxNodes {
		g.full = true
		g.source.refuseAt(v.at, "a layer is built once below each of its parents; give it fewer", "the graph has more than %d nodes", maxNodes)
		return nil
	}
	v.leaf = true
	if v.parent != nil {
		v.parent.leaf = false
	}
	g.vertices = append(g.vertices, v)
	return v
}

// shareRepo settles the repository of a layer that is written in several places.
func (g *graph) shareRepo(k *kind, r *repo) {
	switch {
	case r == nil:
	case k.repo == nil:
		k.repo = r
	case k.repo.url != r.url || k.repo.ref != r.ref || k.repo.path != r.path:
		g.source.refuseAt(r.at, "a layer has one repository; rename one of them", "%s has another repo than on line %d", quote(k.name.text), k.repo.at.Line)
	}
}

// unused notes the layers that no image type has.
func (g *graph) unused() {
	for _, l := range g.doc.layers {
		if g.kinds[l.name.text] == nil {
			g.source.note(l.name.at, "layer %s is not carried over: it is in no image type", quote(l.name.text))
		}
	}
}

// cycle returns the names of a cycle, the first one again at its end, that can be
// reached from start; nil if there is none. done are those looked at before.
func cycle(start string, below func(string) []string, done map[string]bool) []string {
	var path []string
	on := map[string]bool{}
	var walk func(name string) []string
	walk = func(name string) []string {
		if on[name] {
			return append(slices.Clone(path[slices.Index(path, name):]), name)
		}
		if done[name] {
			return nil
		}
		done[name], on[name] = true, true
		path = append(path, name)
		for _, child := range below(name) {
			if ring := walk(child); ring != nil {
				return ring
			}
		}
		path = path[:len(path)-1]
		delete(on, name)
		return nil
	}
	return walk(start)
}

func samePlaybooks(a, b []word) bool {
	return slices.EqualFunc(a, b, func(v, w word) bool { return v.text == w.text })
}

// join returns the texts of lists of words, each once, in order.
func join(lists ...[]word) []string {
	var all []string
	for _, list := range lists {
		for _, w := range list {
			if !slices.Contains(all, w.text) {
				all = append(all, w.text)
			}
		}
	}
	return all
}

// few lists the first of some words.
func few(words []string) string {
	const most = 6
	if len(words) > most {
		return strings.Join(words[:most], ", ") + ", …"
	}
	return strings.Join(words, ", ")
}
