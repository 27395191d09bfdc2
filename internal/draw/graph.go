package draw

import (
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// Graph is what is drawn.
type Graph struct {
	Title  string
	Plan   bool     // whether it says what is to be done; without, it is the bare graph
	Base   string   // the commit compared with; "" for what the store has
	Head   string   // the commit planned; "" for the files on disk
	About  []string // what is to know of the commits and repositories that are compared, in lines
	Nodes  []Node   // parents before children; one whose parent does not come before it is drawn as a root
	Unused []string // changed files that decide nothing
	// Removed are nodes, and images as "image NAME", that were there; Images
	// those that are new, or whose artifacts are made in another way; Tests those
	// of which only the tests are others.
	Removed, Images, Tests []string
	Unset                  []string // secrets that could not be read
	Circles                []string // links to directories that they are in
	Warnings               []string // what is no mistake, and should be known
}

// Node is one node with what is known about it. Only the ID must be there.
type Node struct {
	ID      layer.NodeID
	Layer   string
	Variant string
	Parent  layer.NodeID
	Groups  []string
	Place   string // where it is written, as file:line
	Images  []string
	Action  plan.Action // "" in a bare graph
	Reason  string
	Reasons []plan.Reason
	Inputs  []Input
	Key     layer.Key
	BaseKey layer.Key
}

// Input is one thing that decides a node's content.
type Input struct {
	Kind   string
	Name   string
	Digest string   // without its algorithm
	Shown  string   // the value, where it may be shown
	File   string   // where it is written; "" where that says nothing
	Line   int      // counts from 1; 0 means the file as a whole
	Via    []string // what uses it, the first few places
}

// Of is the graph of a plan, with the images that stand on its nodes.
func Of(p *plan.Plan, images []layer.Image) Graph {
	g := Graph{
		Title: "Plan", Plan: true, Base: p.Base, Head: p.Head, Unused: p.Unused,
		Removed: p.Removed, Images: p.Images, Tests: p.Tests, Unset: p.Unset, Circles: p.Circles,
		About: strings.FieldsFunc(p.SinceText()+p.ReposText(), func(r rune) bool { return r == '\n' }),
	}
	for _, w := range p.Warnings {
		g.Warnings = append(g.Warnings, w.String())
	}
	on := imagesOn(images)
	for _, d := range p.Nodes {
		n := node(d.Node, on)
		n.Action, n.Reason, n.Reasons = d.Action, d.Reason, d.Reasons
		n.Key, n.BaseKey = d.Key, d.BaseKey
		for _, in := range d.Inputs {
			n.Inputs = append(n.Inputs, input(in))
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

// Layers is the bare graph of a project.
func Layers(p *layer.Project) Graph {
	g := Graph{Title: p.Cluster.Name}
	on := imagesOn(p.Images)
	for _, n := range p.Nodes {
		g.Nodes = append(g.Nodes, node(n, on))
	}
	return g
}

func imagesOn(images []layer.Image) map[layer.NodeID][]string {
	on := map[layer.NodeID][]string{}
	for _, im := range images {
		on[im.Node] = append(on[im.Node], im.Name)
	}
	return on
}

func node(n layer.Node, on map[layer.NodeID][]string) Node {
	place := layer.Pos{File: n.Pos.File, Line: n.Pos.Line}.String()
	return Node{
		ID: n.ID, Layer: n.Layer, Variant: n.Variant, Parent: n.Parent,
		Groups: n.Groups, Place: place, Images: on[n.ID],
	}
}

// input is the one place that knows what a plan tells about an input.
func input(in plan.Input) Input {
	return Input{
		Kind: in.Kind, Name: in.Name, Digest: strings.TrimPrefix(in.Digest, "sha256:"), Shown: in.Shown,
		File: in.File, Line: in.Line, Via: in.Via,
	}
}

// count returns how many nodes have an action.
func (g Graph) count(a plan.Action) int {
	n := 0
	for _, node := range g.Nodes {
		if node.Action == a {
			n++
		}
	}
	return n
}

// images returns how many images there are.
func (g Graph) images() int {
	n := 0
	for _, node := range g.Nodes {
		n += len(node.Images)
	}
	return n
}

// compared says in words what a plan compares; "" of a bare graph.
func (g Graph) compared() string {
	if !g.Plan {
		return ""
	}
	base, head := "what is there", "the files on disk"
	if g.Base != "" {
		base = short(g.Base)
	}
	if g.Head != "" {
		head = short(g.Head)
	}
	return base + " → " + head
}

// short abridges a commit's name; other revisions stay as they are.
func short(rev string) string {
	if len(rev) >= 40 && strings.Trim(rev, "0123456789abcdef") == "" {
		return rev[:12]
	}
	return rev
}

// action is how an action is presented.
type action struct {
	Action plan.Action
	Means  string
}

// actions are those of a plan, the weightiest first.
func actions() []action {
	return []action{
		{plan.Build, "what decides its content has changed, or it is not there"},
		{plan.Maybe, "only what it stands on is rebuilt, and may come out as before"},
		{plan.Keep, "it is there"},
	}
}
