package draw

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
)

// Dot writes the graph in the language of Graphviz (dot(1)).
func Dot(w io.Writer, g Graph) error {
	var b bytes.Buffer
	title := printable.Line(g.Title)
	if c := g.compared(); c != "" {
		title += ": " + printable.Line(c)
	}
	fmt.Fprintf(&b, "digraph strata {\n")
	fmt.Fprintf(&b, "\tgraph [rankdir=LR, nodesep=0.2, ranksep=0.45, labelloc=t, fontname=\"Helvetica\", label=%s];\n", quoted(append([]string{title}, printed(g.About)...)...))
	fmt.Fprintf(&b, "\tnode [shape=box, fontname=\"Helvetica\", fontsize=11, height=0.3, margin=\"0.14,0.07\", color=\"#59636e\"];\n")
	fmt.Fprintf(&b, "\tedge [arrowsize=0.6, color=\"#59636e\"];\n")
	f := g.forest()
	for i, n := range g.Nodes {
		lines := wrap(string(n.ID), mostCells, 0)
		tip := string(n.ID)
		if n.Action != "" {
			lines = append(lines, wrap(said(n), mostCells, 3)...)
			tip += ": " + said(n)
		}
		fmt.Fprintf(&b, "\tn%d [label=%s, tooltip=%s%s];\n", i, quoted(lines...), quoted(printable.Line(tip)), dotStyle(n.Action))
		for k, image := range n.Images {
			fmt.Fprintf(&b, "\ti%d_%d [label=%s, tooltip=%s, style=rounded];\n", i, k, quoted(wrap(image, mostCells, 0)...), quoted("image "+printable.Line(image)))
			above := fmt.Sprintf("n%d", i)
			if k > 0 { // one below the other, and all below the node
				above = fmt.Sprintf("i%d_%d", i, k-1)
			}
			fmt.Fprintf(&b, "\t{ rank=same; %s -> i%d_%d [arrowhead=none]; }\n", above, i, k)
		}
		if p := f.parent[i]; p >= 0 {
			fmt.Fprintf(&b, "\tn%d -> n%d;\n", p, i)
		}
	}
	dotLegend(&b, g)
	b.WriteString("}\n")
	_, err := w.Write(b.Bytes())
	return err
}

func dotLegend(b *bytes.Buffer, g Graph) {
	b.WriteString("\tsubgraph cluster_legend {\n\t\tlabel=\"\"; color=\"#d1d9e0\";\n")
	if g.Plan {
		for _, a := range actions() {
			count := fmt.Sprintf("%s: %d", a.Action, g.count(a.Action))
			fmt.Fprintf(b, "\t\tlegend_%s [label=%s, tooltip=%s%s];\n", a.Action, quoted(count), quoted(a.Means), dotStyle(a.Action))
		}
	}
	fmt.Fprintf(b, "\t\tlegend_image [label=%s, style=rounded];\n\t}\n", quoted(fmt.Sprintf("images: %d", g.images())))
}

func dotStyle(a plan.Action) string {
	switch a {
	case plan.Build:
		return `, style=solid, penwidth=2, color="#0b57d0"`
	case plan.Maybe:
		return `, style=dashed, penwidth=1.5, color="#8a5a00"`
	case plan.Keep:
		return `, style=dotted, penwidth=1.5`
	}
	return ""
}

// quoted is a string with lines as dot reads it: a backslash begins an escape,
// and an ampersand the name of a sign.
func quoted(lines ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`)
	for i, line := range lines {
		lines[i] = escape.Replace(line)
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
