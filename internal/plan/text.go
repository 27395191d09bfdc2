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
	children := map[layer.NodeID][]Decision{}
	for _, d := range p.Nodes {
		children[d.Node.Parent] = append(children[d.Node.Parent], d)
	}
	type line struct {
		name string
		d    Decision
	}
	var lines []line
	width := 0
	var down func(parent layer.NodeID, before string)
	down = func(parent layer.NodeID, before string) {
		list := children[parent]
		for i, d := range list {
			branch, further := "├─ ", "│  "
			if i == len(list)-1 {
				branch, further = "└─ ", "   "
			}
			if parent == "" {
				branch, further = "", ""
			}
			name := before + branch + string(d.Node.ID)
			width = max(width, utf8.RuneCountInString(name))
			lines = append(lines, line{name, d})
			down(d.Node.ID, before+further)
		}
	}
	down("", "")
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%-*s  %-5s  %s\n", width, l.name, l.d.Action, l.d.Reason)
	}
	return b.String()
}
