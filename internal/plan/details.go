package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Details says every reason for building a node with its values and places:
// nodes that have the same reasons together, in the order of the plan.
func (p *Plan) Details() string {
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
			groups = append(groups, group{reasons: d.Reasons})
			i = len(groups) - 1
		}
		groups[i].nodes = append(groups[i].nodes, string(d.Node.ID))
	}
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(g.nodes, ", "))
		for _, r := range g.reasons {
			r.detail(&b)
		}
	}
	return b.String()
}

// Explain says every reason of one decision with its values and places.
func (d Decision) Explain() string {
	if d.Action != Build {
		return ""
	}
	var b strings.Builder
	for _, r := range d.Reasons {
		r.detail(&b)
	}
	return b.String()
}

// explains reports whether there is more to say than the tree says.
func explains(reasons []Reason) bool {
	return slices.ContainsFunc(reasons, func(r Reason) bool {
		return len(reasons) > 1 || r.File != "" && r.Kind != ReasonNew || r.Old != "" || r.New != ""
	})
}

func sameReason(a, b Reason) bool {
	return a.Kind == b.Kind && a.Name == b.Name && a.File == b.File && a.Line == b.Line && a.Old == b.Old && a.New == b.New && slices.Equal(a.Via, b.Via)
}

func (r Reason) detail(b *strings.Builder) {
	fmt.Fprintf(b, "  %s", r)
	if at := r.Place(); at != "" && at != r.Name {
		fmt.Fprintf(b, "  (%s)", at)
	}
	b.WriteByte('\n')
	old, now := apart(r.Old, r.New)
	if old != "" {
		fmt.Fprintf(b, "    - %s\n", old)
	}
	if now != "" {
		fmt.Fprintf(b, "    + %s\n", now)
	}
	if len(r.Via) > 0 {
		fmt.Fprintf(b, "    used in %s\n", strings.Join(r.Via, ", "))
	}
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
		return fmt.Sprintf("%d to build, %d kept.", build, p.Count(Keep))
	}
	return fmt.Sprintf("%d to build, %d maybe (only if the parent comes out different), %d kept.", build, maybe, p.Count(Keep))
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("all %d nodes", n)
}
