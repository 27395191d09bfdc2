package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/strata-hpc/strata/internal/printable"
)

// DetailOptions of Details. The zero value keeps long lists short.
type DetailOptions struct {
	All bool // every node, every reason and every use
}

// How much of a long list is said.
const (
	mostNodes   = 8
	mostReasons = 12
	mostGroups  = 25
)

// Details says every reason for building a node with its values and places:
// nodes that have the same reasons together, in the order of the plan.
func (p *Plan) Details(o DetailOptions) string {
	type group struct {
		nodes   []string
		reasons []Reason
	}
	var groups []group
	for _, d := range p.Nodes {
		if d.Action != Build || !explains(d.Reasons) {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return slices.EqualFunc(g.reasons, d.Reasons, sameReason) })
		if i < 0 {
			groups = append(groups, group{reasons: slices.Clone(d.Reasons)})
			i = len(groups) - 1
		}
		groups[i].nodes = append(groups[i].nodes, string(d.Node.ID))
		for k, r := range d.Reasons {
			of := &groups[i].reasons[k]
			of.Via, of.by = together(of.Via, r.Via), listed(groups[i].nodes, mostNodes, o.All)
		}
	}
	var b strings.Builder
	for i, g := range groups {
		if left := len(groups) - i; i >= mostGroups && left > 1 && !o.All {
			fmt.Fprintf(&b, "\n… and reasons of %d more nodes, or groups of nodes (-v says all)\n", left)
			break
		}
		fmt.Fprintf(&b, "\n%s\n", listed(g.nodes, mostNodes, o.All))
		explain(&b, g.reasons, o)
	}
	return b.String()
}

// Explain says every reason of one decision with its values and places.
func (d Decision) Explain(o DetailOptions) string {
	if d.Action != Build {
		return ""
	}
	var b strings.Builder
	explain(&b, d.Reasons, o)
	return b.String()
}

func explain(b *strings.Builder, reasons []Reason, o DetailOptions) {
	for i, r := range reasons {
		if left := len(reasons) - i; i >= mostReasons && left > 1 && !o.All {
			fmt.Fprintf(b, "  … and %d more\n", left)
			break
		}
		r.detail(b, o)
	}
}

// listed joins names, the first few of many.
func listed(names []string, most int, all bool) string {
	if more := len(names) - most; more > 1 && !all {
		return fmt.Sprintf("%s … and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// together is a and what is in b only.
func together(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(slices.Clip(a), s)
		}
	}
	return a
}

// explains reports whether there is more to say than the tree says.
func explains(reasons []Reason) bool {
	return slices.ContainsFunc(reasons, func(r Reason) bool {
		return len(reasons) > 1 || r.placed() && r.Kind != ReasonNew || r.became != moved && r.Old+r.New != "" || len(r.Via) > 0
	})
}

// placed reports whether the place says more than the name.
func (r Reason) placed() bool { return r.File != "" && r.File != r.Name }

func sameReason(a, b Reason) bool {
	return a.Kind == b.Kind && a.Name == b.Name && a.File == b.File && a.Line == b.Line && a.Old == b.Old && a.New == b.New && a.became == b.became
}

func (r Reason) detail(b *strings.Builder, o DetailOptions) {
	fmt.Fprintf(b, "  %s", r)
	if r.placed() {
		fmt.Fprintf(b, "  (%s)", printable.Line(r.Place()))
	}
	b.WriteByte('\n')
	old, now := r.Difference()
	if r.became == moved {
		old, now = "", "" // it says it already
	}
	if old != "" {
		fmt.Fprintf(b, "    - %s\n", printed(old, o.All))
	}
	if now != "" {
		fmt.Fprintf(b, "    + %s\n", printed(now, o.All))
	}
	if len(r.Via) > 0 {
		fmt.Fprintf(b, "    used in %s\n", printable.Line(listed(r.Via, 3, o.All)))
	}
}

// printed is a value on a line of its own.
func printed(s string, all bool) string {
	const most = 160
	s = printable.Line(s)
	if r := []rune(s); len(r) > most && !all {
		return string(r[:most]) + "…"
	}
	return s
}

// Difference is the old and the new value where they differ: of packages, those
// that went and those that came.
func (r Reason) Difference() (old, now string) {
	if r.Kind == ReasonPackages && r.Old != "" && r.New != "" {
		was, is := strings.Fields(r.Old), strings.Fields(r.New)
		without := func(list, other []string) string {
			return strings.Join(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) }), " ")
		}
		old, now = without(was, is), without(is, was)
	}
	if old == "" && now == "" {
		old, now = apart(r.Old, r.New)
	}
	return old, now
}

// apart shortens two long values to where they differ.
func apart(a, b string) (string, string) {
	const around, short = 24, 72
	if a == "" || b == "" || len(a) <= short && len(b) <= short {
		return a, b
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	m := 0
	for m < len(a)-n && m < len(b)-n && a[len(a)-1-m] == b[len(b)-1-m] {
		m++
	}
	from, to := max(n-around, 0), max(m-around, 0)
	cut := func(s string) string {
		start, end := from, len(s)-to
		for start > 0 && !utf8.RuneStart(s[start]) {
			start--
		}
		for end < len(s) && !utf8.RuneStart(s[end]) {
			end++
		}
		out := s[start:end]
		if start > 0 {
			out = "…" + out
		}
		if end < len(s) {
			out += "…"
		}
		return out
	}
	return cut(a), cut(b)
}

// Summary counts what is to be done, in a sentence.
func (p *Plan) Summary() string {
	build, maybe := p.Count(Build), p.Count(Maybe)
	switch {
	case build == 0 && maybe == 0:
		return fmt.Sprintf("Nothing is to be built; %s as they are.", nodes(p.Count(Keep)))
	case maybe == 0:
		return fmt.Sprintf("%d to build, %d to keep.", build, p.Count(Keep))
	}
	return fmt.Sprintf("%d to build, %d maybe (only if the parent comes out different), %d to keep.", build, maybe, p.Count(Keep))
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("all %d nodes", n)
}
