package jinja

// Needs are names that a text cannot do without: it evaluates them whatever they and
// others are, and fails where one is not defined.

// needs returns the free names that a template needs, each once.
func needs(body []*stmt) []Use {
	n := &needing{bound: &nameSet{}}
	n.statements(body)
	return once(n.names)
}

// needing collects them. A name that is bound anywhere in the text is left out.
type needing struct {
	names []Use
	bound *nameSet
}

func (n *needing) statements(body []*stmt) {
	for _, s := range body {
		n.statement(s)
	}
}

func (n *needing) statement(s *stmt) {
	switch s.kind {
	case sOutput, sDo:
		n.expr(s.value)
	case sIf:
		n.expr(s.arms[0].test) // which arm is taken is not known
	case sFor:
		n.expr(s.value)
	case sSet:
		n.expr(s.value)
		n.bind(s.target)
	case sSetBlock:
		n.bind(s.target)
	case sInclude:
		if !s.optional {
			n.expr(s.value)
		}
		for _, name := range s.names {
			n.bound.add(name)
		}
	case sMacro:
		n.bound.add(s.text)
	case sScope:
		n.statements(s.body)
	}
}

func (n *needing) bind(e *expr) {
	switch {
	case e == nil:
	case e.kind == eName:
		n.bound.add(e.text)
	case e.kind == eTuple:
		for _, k := range e.kids {
			n.bind(k)
		}
	}
}

// expr adds what an expression needs.
func (n *needing) expr(e *expr) {
	if e == nil {
		return
	}
	switch e.kind {
	case eName:
		if !n.bound.has(e.text) && !isGlobal(e.text) {
			n.names = append(n.names, Use{e.text, e.line})
		}
		return
	case eAnd, eOr, eCond: // what comes after the first may not be looked at
		n.expr(e.kids[0])
		return
	case eFilter:
		if n.guards(e.text) {
			return
		}
	case eTest:
		if name := unqualified(e.text); name == "defined" || name == "undefined" {
			return
		}
	}
	for _, k := range e.kids {
		n.expr(k)
	}
	for _, a := range e.named {
		n.expr(a.value)
	}
}

// guards reports whether a filter takes what is not defined.
func (n *needing) guards(filter string) bool {
	switch unqualified(filter) {
	case "default", "d", "type_debug", "undef":
		return true
	}
	return false
}
