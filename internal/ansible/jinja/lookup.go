package jinja

// lookup notes lookup('plugin', …), query(…) and q(…).
func (r *reader) lookup(e *expr) bool {
	callee := e.kids[0]
	if callee.kind != eName {
		return false
	}
	switch callee.text {
	case "lookup", "query", "q":
	default:
		return false
	}
	if !r.special(callee.text) {
		return false
	}
	c := Call{Line: e.line}
	args := e.kids[1:]
	if len(args) > 0 {
		if l, ok := r.shape(args[0]).(Literal); ok {
			c.Plugin = unqualified(string(l))
		}
		args = args[1:]
	}
	for _, a := range args {
		c.Args = append(c.Args, r.shape(a))
	}
	for _, n := range e.named {
		if n.name == "*" || n.name == "**" {
			c.Open = true
			continue
		}
		if c.Keywords == nil {
			c.Keywords = map[string]Shape{}
		}
		c.Keywords[n.name] = r.shape(n.value)
	}
	r.t.Calls = append(r.t.Calls, c)
	r.plugin(c)
	r.visitAll(e.kids[1:])
	for _, n := range e.named {
		r.visit(n.value)
	}
	return true
}

// plugin notes what the lookups read that read variables themselves.
func (r *reader) plugin(c Call) {
	switch c.Plugin {
	case "":
		r.any("a lookup whose name is computed")
	case "varnames":
		r.any("lookup('varnames')")
	case "inventory_hostnames":
		r.hosts()
	case "vars":
		if c.Open {
			r.any("lookup('vars') with computed names")
		}
		for _, name := range c.Args {
			// Ansible flattens no list here, but it costs nothing.
			if l, ok := name.(List); ok {
				name = either(l...)
			}
			r.named(name, c.Line, "lookup('vars') with a computed name")
		}
	}
}
