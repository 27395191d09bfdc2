package jinja

import (
	"maps"
	"slices"
)

// reader says what a parsed text reads besides its names.
type reader struct {
	body []*stmt
	t    *Text
	// mappings: there is a name that reads more than itself.
	mappings bool
	// mutates: a method may be called that changes a value.
	mutates bool
	*former
}

// read returns what the body, and a bare expression if there is one, can read.
func (r *reader) read(bare *expr) *Text {
	r.t = &Text{}
	body := r.body
	if bare != nil {
		body = []*stmt{{kind: sOutput, line: bare.line, value: bare}}
	}
	r.t.Needs = needs(body)
	all := free(body)
	for i, u := range all {
		if isGlobal(u.Name) {
			r.t.Globals = append(r.t.Globals, u)
			continue
		}
		if r.t.Names == nil {
			r.t.Names = make([]Use, 0, len(all)-i)
		}
		r.t.Names = append(r.t.Names, u)
	}
	r.former = newFormer(body, r.mutates, func(name string) bool {
		_, ok := slices.BinarySearchFunc(all, name, func(u Use, n string) int { return compare(u.Name, n) })
		return ok
	})
	r.t.Binds = slices.Sorted(maps.Keys(r.bound))
	r.mappings = slices.ContainsFunc(all, func(u Use) bool { return r.special(u.Name) })
	r.t.Bounded = true
	r.statements(body)
	r.t.Bounded = r.t.Bounded && r.t.AnyVariable != ""
	if bare != nil {
		r.t.Shape = r.shape(bare)
	} else {
		r.t.Shape = r.whole(body)
	}
	r.t.settle()
	return r.t
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// any notes that any variable might be read.
func (r *reader) any(why string) {
	r.t.Bounded = false
	r.t.AnyVariable = why
}

// computed notes a name of a variable that is known in part, or not at all.
func (r *reader) computed(name Shape, line int, why string) {
	if !r.known(name) {
		r.any(why)
		return
	}
	r.t.Computed = append(r.t.Computed, Computed{name, line})
	if r.t.AnyVariable == "" {
		r.t.AnyVariable = why
	}
}

// known reports whether there is something to a shape.
func (r *reader) known(s Shape) bool {
	switch s := s.(type) {
	case Unknown, nil:
		return false
	case Concat:
		return slices.ContainsFunc(s, r.known)
	}
	return true
}

// named notes the variables that a shape can name.
func (r *reader) named(name Shape, line int, why string) {
	list, ok := literals(name)
	if !ok {
		r.computed(name, line, why)
		return
	}
	for _, n := range list {
		r.t.Names = append(r.t.Names, Use{n, line})
		switch n {
		case "vars", "hostvars", "groups":
			r.all(n, line)
		}
	}
}

// all notes that one of Ansible's own mappings is read, all of it.
func (r *reader) all(name string, line int) {
	switch name {
	case "vars":
		r.any("vars as a whole")
	case "hostvars":
		r.t.Hosts = append(r.t.Hosts, HostRead{Line: line})
		r.any("hostvars as a whole")
	case "groups":
		r.t.Groups = append(r.t.Groups, nil)
	case "lookup", "query", "q":
		r.t.Calls = append(r.t.Calls, Call{Open: true, Line: line})
		r.any("a lookup that is not told")
	}
}

func (r *reader) statements(body []*stmt) {
	for _, s := range body {
		if s.kind == sInclude {
			r.t.Files = append(r.t.Files, FileRef{
				Tag: s.text, Path: r.shape(s.value), Optional: s.optional, Context: s.context, Line: s.line,
			})
		}
		if s.kind == sDebug {
			r.any("{% debug %}")
		}
		if s.kind != sOutput || !lookupName(s.value) {
			r.visit(s.value)
		}
		r.visit(s.test)
		for _, e := range s.defaults {
			r.visit(e)
		}
		for _, a := range s.arms {
			r.visit(a.test)
			r.statements(a.body)
		}
		r.statements(s.body)
		r.statements(s.orelse)
	}
}

// visit goes through an expression.
func (r *reader) visit(e *expr) {
	if e == nil {
		return
	}
	switch e.kind {
	case eName:
		if r.special(e.text) {
			r.all(e.text, e.line)
		}
		return
	case eString, eNumber, eBool, eNone:
		return
	case eFilter:
		r.t.Filters = append(r.t.Filters, e.text)
		r.indirect(e)
	case eTest:
		r.t.Tests = append(r.t.Tests, e.text)
	}
	if r.access(e) {
		return
	}
	r.inside(e)
}

// inside goes through what an expression is made of. What is printed, compared or
// given to a filter is no lookup, but may be a variable of such a name.
func (r *reader) inside(e *expr) {
	for _, k := range e.kids {
		switch e.kind {
		case eTest, eFilter, eCompare, eAttr, eConcat, eAdd, eMath:
			if lookupName(k) {
				continue
			}
		}
		r.visit(k)
	}
	for _, n := range e.named {
		r.visit(n.value)
	}
}

func lookupName(e *expr) bool {
	return e != nil && e.kind == eName && (e.text == "lookup" || e.text == "query" || e.text == "q")
}

func (r *reader) visitAll(list []*expr) {
	for _, k := range list {
		r.visit(k)
	}
}

// special reports whether a name is one that reads more than itself, and is
// not always bound.
func (r *reader) special(name string) bool {
	switch name {
	case "vars", "hostvars", "groups", "lookup", "query", "q":
		return r.free(name)
	}
	return false
}

// indirect notes the filters and tests that filters name: map('x').
func (r *reader) indirect(e *expr) {
	at, list := 1, &r.t.Tests
	switch unqualified(e.text) {
	case "map":
		list = &r.t.Filters
		if len(e.kids) == 1 && !slices.ContainsFunc(e.named, func(n named) bool { return n.name[0] == '*' }) {
			return // map(attribute='x')
		}
	case "select", "reject":
	case "selectattr", "rejectattr":
		at = 2
	default:
		return
	}
	if len(e.kids) <= at {
		if slices.ContainsFunc(e.named, func(n named) bool { return n.name[0] == '*' }) {
			*list = append(*list, "")
		}
		return
	}
	names, ok := literals(r.shape(e.kids[at]))
	if !ok {
		names = []string{""}
	}
	*list = append(*list, names...)
}

// whole is what a template can come to.
func (r *reader) whole(body []*stmt) Shape {
	if len(body) == 1 && body[0].kind == sOutput {
		return r.shape(body[0].value)
	}
	s := r.joined(body)
	if c, ok := s.(Concat); ok {
		if l, ok := c[0].(Literal); ok && (l[0] == '[' || l[0] == '{') {
			return Unknown{} // Ansible may make a list or a mapping of it
		}
	}
	return s
}

// joined is the text that a part of a template comes to.
func (r *reader) joined(body []*stmt) Shape {
	const longest = 64
	var parts []Shape
	for _, s := range body {
		switch s.kind {
		case sData:
			parts = append(parts, Literal(newlines(s.text)))
		case sOutput:
			parts = append(parts, each(r.shape(s.value), printed))
		case sIf:
			var arms []Shape
			for _, a := range s.arms {
				arms = append(arms, r.joined(a.body))
			}
			parts = append(parts, either(append(arms, r.joined(s.orelse))...))
		case sWith, sScope:
			parts = append(parts, r.joined(s.body))
		case sSet, sSetBlock, sMacro, sDo, sNothing:
		default:
			return Unknown{}
		}
		if len(parts) > longest {
			return Unknown{}
		}
	}
	return concat(parts...)
}

// printed is a value as Ansible prints it, which is nothing for None.
func printed(s Shape) Shape {
	if s == Scalar("None") {
		return Literal("")
	}
	return s
}
