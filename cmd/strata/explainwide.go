package main

import (
	"fmt"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
)

// explainWide prints what a plan could not follow, the one that costs most first.
func (a *app) explainWide(p *plan.Plan) error {
	switch a.output {
	case "json":
		return a.printJSON(map[string]any{"widenings": append([]plan.Widening{}, p.Widenings...), "nodes": len(p.Nodes)})
	case "text":
	default:
		return fault.New(fault.Input, "--explain-wide is printed as text or JSON")
	}
	if len(p.Widenings) == 0 {
		fmt.Fprintf(a.out, "Everything could be followed.\n")
		return nil
	}
	for _, w := range p.Widenings {
		at := w.File
		if w.Line > 0 {
			at = fmt.Sprintf("%s:%d", w.File, w.Line)
		}
		fmt.Fprintf(a.out, "%s\n  %s\n  in %s\n  %s\n", printable.Line(at), printable.Line(w.Why), someNodes(w.Nodes, len(p.Nodes)), printable.Line(w.Hint))
	}
	return nil
}

// someNodes names nodes, of all that there are.
func someNodes(ids []layer.NodeID, all int) string {
	const most = 6
	var names []string
	for i, id := range ids {
		if i == most && len(ids) > most+1 {
			names = append(names, fmt.Sprintf("and %d more", len(ids)-most))
			break
		}
		names = append(names, string(id))
	}
	return fmt.Sprintf("%d of %d nodes: %s", len(ids), all, strings.Join(names, ", "))
}
