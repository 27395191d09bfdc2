package plan

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/strata-hpc/strata/internal/layer"
)

// Text draws the plan as a tree: children below their parents and further to
// the right, each with what is done and why.
func (p *Plan) Text() string {
	nodes := make([]layer.Node, len(p.Nodes))
	for i, d := range p.Nodes {
		nodes[i] = d.Node
	}
	lines, width := branches(nodes)
	var b strings.Builder
	for _, l := range lines {
		d := p.Nodes[l.node]
		fmt.Fprintf(&b, "%-*s  %-5s  %s\n", width, l.name, d.Action, d.Reason)
	}
	return b.String()
}

// Tree draws a project's nodes in the same way, with the images that stand on
// them.
func Tree(p *layer.Project) string {
	images := map[layer.NodeID][]string{}
	for _, im := range p.Images {
		images[im.Node] = append(images[im.Node], im.Name)
	}
	lines, width := branches(p.Nodes)
	var b strings.Builder
	for _, l := range lines {
		line := l.name
		if on := images[p.Nodes[l.node].ID]; len(on) > 0 {
			line = fmt.Sprintf("%-*s  image %s", width, l.name, strings.Join(on, ", "))
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// line is a node in a drawn tree.
type line struct {
	name string // with the branches before it
	node int
}

// branches draws the branches of nodes, and returns the width of the widest line.
func branches(nodes []layer.Node) (lines []line, width int) {
	there := map[layer.NodeID]bool{}
	for _, n := range nodes {
		there[n.ID] = true
	}
	children := map[layer.NodeID][]int{}
	for i, n := range nodes {
		parent := n.Parent
		if !there[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], i)
	}
	var down func(parent layer.NodeID, before string)
	down = func(parent layer.NodeID, before string) {
		list := children[parent]
		for i, node := range list {
			branch, further := "├─ ", "│  "
			if i == len(list)-1 {
				branch, further = "└─ ", "   "
			}
			if parent == "" {
				branch, further = "", ""
			}
			name := before + branch + string(nodes[node].ID)
			width = max(width, utf8.RuneCountInString(name))
			lines = append(lines, line{name, node})
			down(nodes[node].ID, before+further)
		}
	}
	down("", "")
	return lines, width
}
