package jinja

import "slices"

// scope is a frame of names as jinja2/idtracking.py has it: names that are
// assigned in it are not looked up outside once they are.
type scope struct {
	parent *scope
	bound  nameSet
	// branch: this is an arm of an `if`, whose names its parent takes over.
	branch bool
	// later are the frames within this one. Jinja compiles them when it has seen
	// all that this one assigns.
	later []func(*scope)
}

// scoper collects the names that are looked up outside.
type scoper struct {
	names  []Use
	blocks []*stmt
}

// free returns the free names of a template, each once.
func free(body []*stmt) []Use {
	w := &scoper{}
	root := &scope{}
	w.special(root, body, nil, "self")
	w.frame(root, body)
	// Blocks see nothing of what is around them.
	for i := 0; i < len(w.blocks); i++ {
		b := &scope{}
		w.special(b, w.blocks[i].body, nil, "self", "super")
		w.frame(b, w.blocks[i].body)
	}
	return once(w.names)
}

// frame goes through what is in a frame, then through the frames within.
func (w *scoper) frame(s *scope, body []*stmt) {
	w.statements(s, body)
	for i := 0; i < len(s.later); i++ {
		s.later[i](s)
	}
	s.later = nil
}

// inner puts a frame off until this one is known.
func (s *scope) inner(f func(parent *scope)) {
	for s.branch {
		s = s.parent
	}
	s.later = append(s.later, f)
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.parent {
		if s.bound.has(name) {
			return true
		}
	}
	return false
}

func (s *scope) bind(name string) { s.bound.add(name) }

// nameSet is a set of names, of which there are mostly few.
type nameSet struct {
	list []string
	more map[string]bool // all of list, if it is long
}

func (n *nameSet) has(name string) bool {
	if n.more != nil {
		return n.more[name]
	}
	return slices.Contains(n.list, name)
}

func (n *nameSet) add(name string) {
	const few = 12
	if n.has(name) {
		return
	}
	n.list = append(n.list, name)
	if n.more == nil && len(n.list) > few {
		n.more = map[string]bool{}
		for _, l := range n.list {
			n.more[l] = true
		}
	} else if n.more != nil {
		n.more[name] = true
	}
}

// target binds the names that are assigned to.
func (w *scoper) target(s *scope, e *expr) {
	switch e.kind {
	case eName:
		s.bind(e.text)
	case eTuple:
		for _, k := range e.kids {
			w.target(s, k)
		}
	default:
		w.loads(s, e)
	}
}

func (w *scoper) loads(s *scope, e *expr) {
	if e == nil {
		return
	}
	if e.kind == eName && !s.has(e.text) {
		w.names = append(w.names, Use{e.text, e.line})
	}
	for _, k := range e.kids {
		w.loads(s, k)
	}
	for _, n := range e.named {
		w.loads(s, n.value)
	}
}

func (w *scoper) statements(s *scope, body []*stmt) {
	for _, st := range body {
		w.statement(s, st)
	}
}

func (w *scoper) statement(s *scope, st *stmt) {
	switch st.kind {
	case sOutput, sDo:
		w.loads(s, st.value)
	case sIf:
		w.branches(s, st)
	case sFor:
		w.loads(s, st.value)
		w.loop(s, st)
	case sSet:
		w.loads(s, st.value)
		w.target(s, st.target)
	case sSetBlock:
		w.loads(s, st.value)
		w.target(s, st.target)
		w.nested(s, st.body)
	case sMacro:
		s.bind(st.text)
		w.macro(s, st)
	case sCallBlock:
		w.loads(s, st.value)
		w.macro(s, st)
	case sFilter:
		w.loads(s, st.value)
		w.nested(s, st.body)
	case sWith:
		for _, v := range st.defaults {
			w.loads(s, v)
		}
		s.inner(func(parent *scope) {
			in := &scope{parent: parent}
			for _, t := range st.params {
				w.target(in, t)
			}
			w.frame(in, st.body)
		})
	case sScope:
		s.inner(func(parent *scope) {
			in := &scope{parent: parent}
			w.loads(in, st.value)
			w.frame(in, st.body)
		})
	case sBlock:
		w.blocks = append(w.blocks, st)
	case sInclude:
		w.loads(s, st.value)
		for _, n := range st.names {
			s.bind(n)
		}
	}
}

func (w *scoper) nested(s *scope, body []*stmt) {
	s.inner(func(parent *scope) { w.frame(&scope{parent: parent}, body) })
}

// branches binds what every arm assigns. What only some do is looked up
// outside before them, as Jinja does it; it takes an `if` without `elif` for
// one that has an arm without assignments.
func (w *scoper) branches(s *scope, st *stmt) {
	var arms []*scope
	arm := func(test *expr, body []*stmt) {
		in := &scope{parent: s, branch: true}
		w.loads(in, test)
		w.statements(in, body)
		arms = append(arms, in)
	}
	w.loads(s, st.arms[0].test)
	for i, a := range st.arms {
		if i == 0 {
			a.test = nil
		}
		arm(a.test, a.body)
	}
	arm(nil, st.orelse)
	if len(st.arms) == 1 {
		arms = append(arms, &scope{})
	}
	count := map[string]int{}
	for _, a := range arms {
		for _, name := range a.bound.list {
			count[name]++
		}
	}
	for name, n := range count {
		if s.has(name) {
			continue
		}
		if n < len(arms) {
			w.names = append(w.names, Use{name, st.line})
		}
		// Known from here on: bound, or looked up already.
		s.bind(name)
	}
}

func (w *scoper) loop(s *scope, st *stmt) {
	if st.test != nil {
		s.inner(func(parent *scope) {
			in := &scope{parent: parent}
			w.target(in, st.target)
			w.loads(in, st.test)
		})
	}
	s.inner(func(parent *scope) {
		in := &scope{parent: parent}
		w.special(in, st.body, nil, "loop")
		w.target(in, st.target)
		w.frame(in, st.body)
	})
	if len(st.orelse) > 0 {
		w.nested(s, st.orelse)
	}
}

func (w *scoper) macro(s *scope, st *stmt) {
	s.inner(func(parent *scope) {
		in := &scope{parent: parent}
		for _, t := range st.params {
			w.target(in, t)
		}
		for _, v := range st.defaults {
			w.loads(in, v)
		}
		w.special(in, st.body, st.params, "caller", "kwargs", "varargs")
		w.frame(in, st.body)
	})
}

// special binds names that Jinja itself gives to a frame, unless something in
// it assigns to them: then it does not always.
func (w *scoper) special(s *scope, body []*stmt, params []*expr, names ...string) {
	for _, n := range names {
		if !assigns(body, n) && !slices.ContainsFunc(params, func(e *expr) bool { return e.text == n }) {
			s.bind(n)
		}
	}
}

// assigns reports whether something in a body, at any depth, assigns to a name.
func assigns(body []*stmt, name string) bool {
	return slices.ContainsFunc(body, func(st *stmt) bool {
		if targets(st.target, name) || slices.Contains(st.names, name) || st.kind == sMacro && st.text == name {
			return true
		}
		if slices.ContainsFunc(st.params, func(e *expr) bool { return targets(e, name) }) ||
			slices.ContainsFunc(st.arms, func(a arm) bool { return assigns(a.body, name) }) {
			return true
		}
		return assigns(st.body, name) || assigns(st.orelse, name)
	})
}

func targets(e *expr, name string) bool {
	if e == nil {
		return false
	}
	if e.kind == eTuple {
		return slices.ContainsFunc(e.kids, func(k *expr) bool { return targets(k, name) })
	}
	return e.kind == eName && e.text == name
}
