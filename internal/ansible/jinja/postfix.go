package jinja

func (p *parser) attribute(of *expr) *expr {
	line := p.advance().line
	t := p.cur
	if t.kind == tInteger {
		p.advance()
		index := p.node(eNumber, t.line)
		index.text = t.text
		return p.node(eItem, line, of, index)
	}
	e := p.node(eAttr, line, of)
	e.text = p.expectKind(tName, "a name or a number").text
	p.mutates = p.mutates || mutator(e.text)
	return e
}

func (p *parser) subscript(of *expr) *expr {
	line := p.advance().line
	if !p.deeper() {
		return of
	}
	defer p.shallower()
	var args []*expr
	for p.err == nil && !p.cur.is("]") {
		if len(args) > 0 {
			p.expect(",")
		}
		args = append(args, p.subscribed())
	}
	p.expect("]")
	if len(args) == 1 {
		return p.node(eItem, line, of, args[0])
	}
	return p.node(eItem, line, of, p.node(eTuple, line, args...))
}

// subscribed reads an index or a slice.
func (p *parser) subscribed() *expr {
	line := p.cur.line
	var parts []*expr
	colons := 0
	for p.err == nil {
		switch {
		case p.cur.is(":") && colons < 2:
			p.advance()
			colons++
			continue
		case p.cur.is("]"), p.cur.is(","):
			if colons == 0 {
				p.refuseHere("an expression")
			}
			return p.node(eSlice, line, parts...)
		}
		if len(parts) > colons {
			p.refuseHere("']'")
			break
		}
		e := p.expression()
		if colons == 0 && !p.cur.is(":") {
			return e
		}
		parts = append(parts, e)
	}
	return p.node(eSlice, line, parts...)
}

func (p *parser) call(of *expr) *expr {
	e := p.node(eCall, p.cur.line, of)
	p.arguments(e)
	return e
}

// arguments reads "(…)" and adds it to a call, a filter or a test.
func (p *parser) arguments(to *expr) {
	p.expect("(")
	if !p.deeper() {
		return
	}
	defer p.shallower()
	for first := true; p.err == nil && !p.cur.is(")"); first = false {
		if !first {
			p.expect(",")
			if p.cur.is(")") {
				break
			}
		}
		switch {
		case p.cur.is("*"), p.cur.is("**"):
			star := p.advance().text
			to.named = append(to.named, named{star, p.expression()})
		case p.cur.kind == tName && p.look().is("="):
			key := p.advance().text
			p.advance()
			to.named = append(to.named, named{key, p.expression()})
		default:
			if len(to.named) > 0 {
				p.refuseHere("an argument with a name")
				return
			}
			to.kids = append(to.kids, p.expression())
		}
	}
	p.expect(")")
	p.measure(to)
}

// filter reads a filter after its "|".
func (p *parser) filter(of *expr) *expr {
	e := p.node(eFilter, p.cur.line, of)
	e.text = p.dotted()
	p.mutates = p.mutates || unqualified(e.text) == "attr"
	if p.cur.is("(") {
		p.arguments(e)
	}
	return e
}

// filterChain reads the filters of a block: "| a | b(c)". It is nil if there
// is none.
func (p *parser) filterChain(e *expr) *expr {
	for p.skip("|") {
		e = p.filter(e)
	}
	return e
}

func (p *parser) test(of *expr) *expr {
	line := p.advance().line
	negated := p.skipWord("not")
	e := p.node(eTest, line, of)
	e.text = p.dotted()
	switch t := p.cur; {
	case t.is("("):
		p.arguments(e)
	case t.word("else"), t.word("or"), t.word("and"):
	case t.word("is"):
		p.refuse(t.line, "tests cannot be chained with is")
	case t.kind == tName, t.kind == tString, t.kind == tInteger, t.kind == tFloat, t.is("["), t.is("{"):
		e.kids = append(e.kids, p.postfix(p.primary()))
		p.measure(e)
	}
	if negated {
		return p.node(eNot, line, e)
	}
	return e
}

func (p *parser) dotted() string {
	name := p.name()
	for p.skip(".") {
		name += "." + p.name()
	}
	return name
}
