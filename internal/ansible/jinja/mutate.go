package jinja

import "strings"

// mutator reports whether a list, mapping or set of Python's changes when a
// method of a name is called.
func mutator(name string) bool {
	switch name {
	case "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault",
		"sort", "update":
		return true
	}
	return strings.HasPrefix(name, "__")
}

// changes collects the names whose values a text changes in place: of these,
// what they were given says nothing about what they hold.
type changes struct {
	names map[string]bool
	// all: a value that came from elsewhere is changed, so it may be any.
	all bool
}

// changed goes through a body for calls of methods that change something.
func (f *former) changed(body []*stmt) {
	c := &changes{names: map[string]bool{}}
	c.statements(body, f.bound != nil)
	// What a changed name was made of is changed with it.
	var todo []string
	for n := range c.names {
		todo = append(todo, n)
	}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		for _, b := range f.bound[name] {
			if b.value == nil {
				c.all = true
				continue
			}
			eachName(b.value, func(n string) {
				if !c.names[n] {
					c.names[n] = true
					todo = append(todo, n)
				}
			})
		}
	}
	f.changes = c
}

func (c *changes) statements(body []*stmt, aliases bool) {
	for _, s := range body {
		for _, e := range append([]*expr{s.value, s.test}, s.defaults...) {
			c.expr(e, aliases, false)
		}
		for _, a := range s.arms {
			c.expr(a.test, aliases, false)
			c.statements(a.body, aliases)
		}
		c.statements(s.body, aliases)
		c.statements(s.orelse, aliases)
	}
}

// expr looks for such a method that is called, or, if the text has names of its
// own, might be called by another name.
func (c *changes) expr(e *expr, aliases, called bool) {
	if e == nil {
		return
	}
	switch {
	case e.kind == eAttr && mutator(e.text) && (called || aliases):
		eachName(e.kids[0], func(n string) { c.names[n] = true })
	case e.kind == eFilter && unqualified(e.text) == "attr":
		c.all = true
	}
	for i, k := range e.kids {
		c.expr(k, aliases, e.kind == eCall && i == 0)
	}
	for _, n := range e.named {
		c.expr(n.value, aliases, false)
	}
}

// holds reports whether a name holds what it was given.
func (c *changes) holds(name string) bool {
	return c == nil || !c.all && !c.names[name]
}

func eachName(e *expr, f func(string)) {
	if e == nil {
		return
	}
	if e.kind == eName {
		f(e.text)
	}
	for _, k := range e.kids {
		eachName(k, f)
	}
	for _, n := range e.named {
		eachName(n.value, f)
	}
}
