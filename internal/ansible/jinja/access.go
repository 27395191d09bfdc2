package jinja

import (
	"slices"
	"strings"
)

// chain is an access to one of Ansible's own mappings: hostvars[a].b['c'].
type chain struct {
	root string
	keys []Shape
	// aside are the expressions in it that are read besides.
	aside []*expr
	// guarded: it may be not defined.
	guarded bool
}

// follow takes an access apart. The root is "" if it is to something else.
func (r *reader) follow(e *expr) chain {
	switch e.kind {
	case eName:
		if r.special(e.text) {
			return chain{root: e.text}
		}
	case eAttr:
		c := r.follow(e.kids[0])
		if c.root == "" {
			return c
		}
		if c.deciding() && method(e.text) {
			return chain{} // what it is depends on how it is called
		}
		c.keys = append(c.keys, Literal(e.text))
		return c
	case eItem:
		c := r.follow(e.kids[0])
		if c.root == "" {
			return c
		}
		c.keys = append(c.keys, r.shape(e.kids[1]))
		c.aside = append(c.aside, e.kids[1])
		return c
	case eCall:
		if callee := e.kids[0]; callee.kind == eAttr && callee.text == "get" && len(e.named) == 0 && len(e.kids) > 1 {
			c := r.follow(callee.kids[0])
			if c.root == "" || !c.deciding() {
				return chain{}
			}
			c.keys = append(c.keys, r.shape(e.kids[1]))
			c.aside = append(c.aside, e.kids[1:]...)
			return c
		}
	case eFilter:
		switch unqualified(e.text) {
		case "default", "d", "mandatory":
			if e.kids[0] == nil {
				break
			}
			c := r.follow(e.kids[0])
			c.guarded = c.guarded || unqualified(e.text) != "mandatory"
			c.aside = append(c.aside, e.kids[1:]...)
			for _, n := range e.named {
				c.aside = append(c.aside, n.value)
			}
			return c
		case "extract":
			return r.extract(e)
		}
	}
	return chain{}
}

// deciding reports whether the next key says which variable or group is read.
func (c chain) deciding() bool {
	if c.root == "hostvars" {
		return len(c.keys) < 2
	}
	return len(c.keys) < 1
}

// method reports whether a mapping of Python's, or Ansible's hostvars, has an
// attribute of a name: then that is not the key.
func method(name string) bool {
	switch name {
	case "clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values",
		"raw_get", "_vars", "_inventory", "_variable_manager", "_loader", "_find_host":
		return true
	}
	return strings.HasPrefix(name, "__")
}

// extract is `key | extract(container, morekeys)`.
func (r *reader) extract(e *expr) chain {
	if len(e.kids) < 2 || e.kids[0] == nil || slices.ContainsFunc(e.named, func(n named) bool { return n.name != "morekeys" }) {
		return chain{}
	}
	c := r.follow(e.kids[1])
	if c.root == "" {
		return c
	}
	c.keys = append(c.keys, r.shape(e.kids[0]))
	c.aside = append(c.aside, e.kids[0])
	more := e.kids[2:]
	for _, n := range e.named {
		more = append(slices.Clip(more), n.value)
	}
	r.moreKeys(&c, more)
	return c
}

// mapped is `keys | map('extract', container, morekeys)`.
func (r *reader) mapped(e *expr) chain {
	if len(e.kids) < 3 || e.kids[0] == nil || unqualified(e.text) != "map" || len(e.named) > 0 {
		return chain{}
	}
	if l, ok := r.shape(e.kids[1]).(Literal); !ok || unqualified(string(l)) != "extract" {
		return chain{}
	}
	c := r.follow(e.kids[2])
	if c.root == "" {
		return c
	}
	c.keys = append(c.keys, elements(r.shape(e.kids[0])))
	c.aside = append(c.aside, e.kids[0])
	r.moreKeys(&c, e.kids[3:])
	return c
}

func (r *reader) moreKeys(c *chain, more []*expr) {
	for _, m := range more {
		c.aside = append(c.aside, m)
		if l, ok := r.shape(m).(List); ok {
			c.keys = append(c.keys, l...)
		} else {
			c.keys = append(c.keys, r.shape(m))
		}
	}
}

// access notes what an expression reads if it is an access to one of Ansible's
// own mappings, or a lookup. Otherwise it reports false.
func (r *reader) access(e *expr) bool {
	if !r.mappings {
		return false
	}
	switch e.kind {
	case eAttr, eItem, eCall, eFilter:
		if c := r.follow(e); c.root != "" {
			r.noteChain(c, e.line)
			return true
		}
	}
	switch e.kind {
	case eCall:
		return r.lookup(e) || r.called(e)
	case eFilter:
		if c := r.mapped(e); c.root != "" {
			r.noteChain(c, e.line)
			return true
		}
		return r.counted(e)
	case eTest:
		return r.tested(e)
	case eCompare:
		return r.compared(e)
	}
	return false
}

func (r *reader) noteChain(c chain, line int) {
	r.note(c, line)
	r.visitAll(c.aside)
}

// note says what an access reads.
func (r *reader) note(c chain, line int) {
	if len(c.keys) == 0 {
		r.all(c.root, line)
		return
	}
	switch c.root {
	case "vars":
		r.named(c.keys[0], line, "a computed name in vars")
	case "groups":
		r.t.Groups = append(r.t.Groups, known(c.keys[0]))
	case "hostvars":
		r.host(c, line)
	default:
		r.all(c.root, line) // an attribute of a function
	}
}

func (r *reader) host(c chain, line int) {
	h := HostRead{Host: known(c.keys[0]), Line: line, Guarded: c.guarded}
	if looped(h.Host) {
		h.Host = nil // of many hosts, one by one would be dear, and say no more
	}
	self := false
	if v, ok := h.Host.(Variable); ok {
		self = v.Name == "inventory_hostname" && len(v.Path) == 0
	}
	_, literal := literals(c.keys[0])
	var variable Shape = Unknown{}
	if len(c.keys) > 1 {
		variable = c.keys[1]
	}
	h.Variable = known(variable)
	r.t.Hosts = append(r.t.Hosts, h)
	names, ok := literals(variable)
	switch {
	case ok && self:
		for _, n := range names {
			r.t.Names = append(r.t.Names, Use{n, line})
		}
	case !ok && !literal:
		// The host may be the node itself.
		r.computed(variable, line, "hostvars of a host as a whole")
	}
}

// hosts notes that it matters which hosts there are.
func (r *reader) hosts() { r.t.Groups = append(r.t.Groups, nil) }

// called is a method of a mapping: vars.items(), hostvars[h].keys().
func (r *reader) called(e *expr) bool {
	callee := e.kids[0]
	if callee.kind != eAttr || !method(callee.text) {
		return false
	}
	c := r.follow(callee.kids[0])
	if c.root == "" {
		return false
	}
	if c.root == "hostvars" && len(c.keys) == 0 && callee.text == "keys" {
		r.hosts()
	} else {
		r.note(c, e.line)
	}
	r.visitAll(c.aside)
	r.visitAll(e.kids[1:])
	for _, n := range e.named {
		r.visit(n.value)
	}
	return true
}

// counted is a filter that reads the names of hosts only.
func (r *reader) counted(e *expr) bool {
	if e.kids[0] == nil || e.kids[0].kind != eName || e.kids[0].text != "hostvars" || !r.special("hostvars") {
		return false
	}
	switch unqualified(e.text) {
	case "length", "count", "list", "sort", "first", "last":
	default:
		return false
	}
	r.hosts()
	r.visitAll(e.kids[1:])
	for _, n := range e.named {
		r.visit(n.value)
	}
	return true
}

// tested is a test of whether something is there.
func (r *reader) tested(e *expr) bool {
	switch unqualified(e.text) {
	case "defined", "undefined":
		if len(e.kids) != 1 || e.kids[0].kind == eFilter {
			return false
		}
		c := r.follow(e.kids[0])
		switch {
		case c.root == "hostvars" && len(c.keys) < 2:
			r.hosts()
		case c.root != "" && len(c.keys) == 0:
		default:
			return false
		}
		r.visitAll(c.aside)
		return true
	case "in":
		if len(e.kids) == 2 && len(e.named) == 0 {
			return r.contains(e.kids[0], e.kids[1], e.line)
		}
	}
	return false
}

// compared is `a in b`, or `a not in b`.
func (r *reader) compared(e *expr) bool {
	if len(e.kids) != 2 || !strings.HasSuffix(e.named[0].name, "in") {
		return false
	}
	return r.contains(e.kids[0], e.kids[1], e.line)
}

// contains is a question for a key of a mapping.
func (r *reader) contains(key, of *expr, line int) bool {
	c := r.follow(of)
	if c.root == "" || !c.deciding() || c.root != "vars" && c.root != "hostvars" && c.root != "groups" {
		return false
	}
	if c.root == "hostvars" && len(c.keys) == 0 {
		r.hosts()
	} else {
		c.keys = append(c.keys, r.shape(key))
		r.note(c, line)
	}
	r.visitAll(c.aside)
	r.visit(key)
	return true
}
