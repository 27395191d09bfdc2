package jinja

// tupleRules are where a tuple without brackets ends, and what is in it.
type tupleRules struct {
	end      string // a word
	simple   bool   // names and literals
	noCond   bool   // no `a if b else c`
	brackets bool   // it is in brackets, and may be empty
}

func (p *parser) tuple(r tupleRules) *expr {
	line := p.cur.line
	var items []*expr
	tuple := false
	for p.err == nil {
		if len(items) > 0 {
			p.expect(",")
		}
		if p.tupleEnd(r.end) {
			break
		}
		switch {
		case r.simple:
			items = append(items, p.primary())
		case r.noCond:
			items = append(items, p.or())
		default:
			items = append(items, p.expression())
		}
		if !p.cur.is(",") {
			break
		}
		tuple = true
	}
	if !tuple {
		if len(items) == 1 {
			return items[0]
		}
		if !r.brackets {
			p.refuseHere("an expression")
		}
	}
	return p.node(eTuple, line, items...)
}

func (p *parser) tupleEnd(end string) bool {
	switch p.cur.kind {
	case tVariableEnd, tBlockEnd, tEOF:
		return true
	}
	return p.cur.is(")") || end != "" && p.cur.word(end)
}

func (p *parser) expression() *expr {
	if !p.deeper() {
		return p.node(eNone, p.cur.line)
	}
	defer p.shallower()
	line := p.cur.line
	e := p.or()
	for p.skipWord("if") {
		test := p.or()
		if p.skipWord("else") {
			e = p.node(eCond, line, test, e, p.expression())
		} else {
			e = p.node(eCond, line, test, e)
		}
	}
	return e
}

func (p *parser) or() *expr {
	e := p.and()
	if !p.cur.word("or") {
		return e
	}
	kids := []*expr{e}
	for p.skipWord("or") {
		kids = append(kids, p.and())
	}
	return p.node(eOr, e.line, kids...)
}

func (p *parser) and() *expr {
	e := p.not()
	if !p.cur.word("and") {
		return e
	}
	kids := []*expr{e}
	for p.skipWord("and") {
		kids = append(kids, p.not())
	}
	return p.node(eAnd, e.line, kids...)
}

func (p *parser) not() *expr {
	line, n := p.cur.line, 0
	for p.skipWord("not") {
		n++
	}
	e := p.compare()
	if n > 0 {
		e = p.node(eNot, line, e)
	}
	return e
}

func (p *parser) compare() *expr {
	e := p.sum()
	var kids []*expr
	var ops []named
	for p.err == nil {
		op := ""
		if p.cur.kind == tOperator {
			switch p.cur.text {
			case "==", "!=", "<", "<=", ">", ">=":
				op = p.cur.text
			}
		} else if p.cur.word("in") {
			op = "in"
		} else if p.cur.word("not") && p.look().word("in") {
			op = "not in"
			p.advance()
		}
		if op == "" {
			break
		}
		p.advance()
		ops = append(ops, named{name: op})
		kids = append(kids, p.sum())
	}
	if ops == nil {
		return e
	}
	c := p.node(eCompare, e.line, append([]*expr{e}, kids...)...)
	c.named = ops
	return c
}

func (p *parser) sum() *expr {
	e := p.concat()
	for p.cur.is("+") || p.cur.is("-") {
		op := p.advance()
		right := p.concat()
		switch {
		case op.text == "-":
			e = p.node(eMath, e.line, e, right)
			e.text = "-"
		case e.kind == eAdd && e.text == "":
			e.kids = append(e.kids, right)
			p.above(e, right)
		default:
			e = p.node(eAdd, e.line, e, right)
		}
	}
	if e.kind == eAdd {
		e.text = "+" // whole: what is in brackets is not taken apart
	}
	return e
}

func (p *parser) concat() *expr {
	e := p.product()
	if !p.cur.is("~") {
		return e
	}
	kids := []*expr{e}
	for p.skip("~") {
		kids = append(kids, p.product())
	}
	return p.node(eConcat, e.line, kids...)
}

func (p *parser) product() *expr {
	e := p.power()
	for p.cur.is("*") || p.cur.is("/") || p.cur.is("//") || p.cur.is("%") {
		op := p.advance()
		e = p.node(eMath, e.line, e, p.power())
		e.text = op.text
	}
	return e
}

func (p *parser) power() *expr {
	e := p.unary(true)
	for p.skip("**") {
		e = p.node(eMath, e.line, e, p.unary(true))
		e.text = "**"
	}
	return e
}

func (p *parser) unary(filters bool) *expr {
	var e *expr
	if p.cur.is("-") || p.cur.is("+") {
		if !p.deeper() {
			return p.node(eNone, p.cur.line)
		}
		op := p.advance()
		e = p.node(eMath, op.line, p.unary(false))
		e.text = op.text
		p.shallower()
	} else {
		e = p.primary()
	}
	e = p.postfix(e)
	if filters {
		e = p.filters(e)
	}
	return e
}

func (p *parser) primary() *expr {
	t := p.cur
	switch t.kind {
	case tName:
		p.advance()
		return p.word(t)
	case tString:
		return p.strings()
	case tInteger, tFloat:
		p.advance()
		e := p.node(eNumber, t.line)
		e.text = t.text
		return e
	}
	if !p.deeper() {
		return p.node(eNone, t.line)
	}
	defer p.shallower()
	switch {
	case p.skip("("):
		e := p.tuple(tupleRules{brackets: true})
		p.expect(")")
		return e
	case p.skip("["):
		return p.list(t.line)
	case p.skip("{"):
		return p.dict(t.line)
	}
	p.refuseHere("an expression")
	return p.node(eNone, t.line)
}

func (p *parser) word(t token) *expr {
	e := p.node(eName, t.line)
	e.text = t.text
	switch t.text {
	case "true", "True":
		e.kind, e.text = eBool, "True"
	case "false", "False":
		e.kind, e.text = eBool, "False"
	case "none", "None":
		e.kind, e.text = eNone, "None"
	}
	return e
}

// strings reads one or more strings, which are one.
func (p *parser) strings() *expr {
	e := p.node(eString, p.cur.line)
	e.text = p.cur.text
	known := true
	escaped := false
	text := ""
	for first := true; p.cur.kind == tString; first = false {
		s, ok := unescape(p.cur.text)
		known = known && ok
		escaped = escaped || s != p.cur.text
		if first {
			text, e.raw = s, p.cur.text
		} else {
			text, e.raw = text+s, e.raw+p.cur.text
		}
		p.advance()
	}
	if !known {
		// It has an escape that is not known here: text, but not which.
		e.kind = eConcat
		return e
	}
	e.text = text
	if !escaped {
		e.raw = text
	}
	return e
}

func (p *parser) list(line int) *expr {
	var items []*expr
	for p.err == nil && !p.cur.is("]") {
		if len(items) > 0 {
			p.expect(",")
			if p.cur.is("]") {
				break
			}
		}
		items = append(items, p.expression())
	}
	p.expect("]")
	return p.node(eList, line, items...)
}

func (p *parser) dict(line int) *expr {
	var items []*expr
	for p.err == nil && !p.cur.is("}") {
		if len(items) > 0 {
			p.expect(",")
			if p.cur.is("}") {
				break
			}
		}
		items = append(items, p.expression())
		p.expect(":")
		items = append(items, p.expression())
	}
	p.expect("}")
	return p.node(eDict, line, items...)
}

func (p *parser) postfix(e *expr) *expr {
	for p.err == nil {
		switch {
		case p.cur.is("."):
			e = p.attribute(e)
		case p.cur.is("["):
			e = p.subscript(e)
		case p.cur.is("("):
			e = p.call(e)
		default:
			return e
		}
	}
	return e
}

// filters reads filters, tests, and calls of what they come to.
func (p *parser) filters(e *expr) *expr {
	for p.err == nil {
		switch {
		case p.cur.is("|"):
			p.advance()
			e = p.filter(e)
		case p.cur.word("is"):
			e = p.test(e)
		case p.cur.is("("):
			e = p.call(e)
		default:
			return e
		}
	}
	return e
}
