package draw

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
)

// mermaidMost is how much text Mermaid draws without being told otherwise, and
// only who shows the picture can tell it so.
const mermaidMost = 50000

// mermaidWide is how many nodes next to each other still are readable.
const mermaidWide = 6

// Mermaid writes the graph as a flow chart. Reasons are left out if there would
// be more text than Mermaid takes.
func Mermaid(w io.Writer, g Graph) error {
	text := mermaid(g, true)
	if len(text) >= mermaidMost {
		text = mermaid(g, false)
	}
	_, err := w.Write(text)
	return err
}

func mermaid(g Graph, reasons bool) []byte {
	var b bytes.Buffer
	f := g.forest()
	direction := "TB" // images are below their nodes
	if f.leaves() > mermaidWide {
		direction = "LR"
	}
	fmt.Fprintf(&b, "flowchart %s\n", direction)
	for i, n := range g.Nodes {
		lines := []string{printable.Line(string(n.ID))}
		switch {
		case n.Action != "" && reasons:
			lines = append(lines, wrap(said(n), 60, 1)...)
		case n.Action != "":
			lines = append(lines, string(n.Action))
		}
		fmt.Fprintf(&b, "  n%d[%s]%s\n", i, label(lines...), mermaidClass(n.Action))
		for k, image := range n.Images {
			fmt.Fprintf(&b, "  n%d -.- i%d_%d([%s])\n", i, i, k, label(printable.Line(image)))
		}
		if p := f.parent[i]; p >= 0 {
			fmt.Fprintf(&b, "  n%d --> n%d\n", p, i)
		}
	}
	if g.Plan {
		fmt.Fprintf(&b, "  subgraph legend[\" \"]\n")
		for _, a := range actions() {
			fmt.Fprintf(&b, "    legend_%s[%s]%s\n", a.Action, label(fmt.Sprintf("%s: %d", a.Action, g.count(a.Action))), mermaidClass(a.Action))
		}
		if len(g.About) > 0 {
			fmt.Fprintf(&b, "    legend_about[%s]\n", label(printed(g.About)...))
		}
		fmt.Fprintf(&b, "    legend_image([%s])\n  end\n", label("image"))
		b.WriteString("  style legend fill:none,stroke:#7d8590\n")
		// No fill: the page's theme, dark or light, keeps text readable.
		b.WriteString("  classDef build stroke:#3b82f6,stroke-width:2.5px\n")
		b.WriteString("  classDef maybe stroke:#b7791f,stroke-width:2px,stroke-dasharray:7 4\n")
		b.WriteString("  classDef keep stroke:#7d8590,stroke-width:2px,stroke-dasharray:1 4,stroke-linecap:round\n")
	}
	return b.Bytes()
}

func mermaidClass(a plan.Action) string {
	if c := class(a); c != "" {
		return ":::" + c
	}
	return ""
}

// label is a string with lines as Mermaid reads it: whatever is no letter,
// digit or harmless sign becomes the number of the sign, so that neither
// Mermaid nor the page's HTML or Markdown sees it.
func label(lines ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, line := range lines {
		if i > 0 {
			b.WriteString("<br>")
		}
		for at, r := range line {
			list := strings.ContainsRune("-.", r) && strings.HasPrefix(line[at+1:], " ") // "1. " and "- " begin a list
			if !list && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" -/.,:→…", r)) {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(&b, "#%d;", r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
