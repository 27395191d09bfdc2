package jinja

// statement reads a tag. What is left is its end.
func (p *parser) statement() *stmt {
	t := p.expectKind(tName, "the name of a tag")
	s := &stmt{line: t.line, text: t.text}
	switch t.text {
	case "for":
		p.parseFor(s)
	case "if":
		p.parseIf(s)
	case "set":
		p.parseSet(s)
	case "with":
		p.parseWith(s)
	case "macro":
		s.kind, s.text = sMacro, p.target(tupleRules{}, true).text
		p.signature(s)
		s.body = p.whole("endmacro")
	case "call":
		p.parseCall(s)
	case "filter":
		s.kind, s.value = sFilter, p.filterChain(p.filter(nil))
		s.body = p.whole("endfilter")
	case "autoescape":
		s.kind, s.value = sScope, p.expression()
		s.body = p.whole("endautoescape")
	case "block":
		p.parseBlock(s)
	case "include", "import", "from", "extends":
		p.parseFile(s)
	case "print":
		s.kind, s.value = sOutput, p.node(eConcat, s.line)
		for p.err == nil && p.cur.kind != tBlockEnd {
			if len(s.value.kids) > 0 {
				p.expect(",")
			}
			s.value.kids = append(s.value.kids, p.expression())
		}
		p.measure(s.value)
	case "do":
		s.kind, s.value = sDo, p.tuple(tupleRules{})
	case "break", "continue":
		s.kind = sNothing
	case "debug":
		s.kind = sDebug
	case "trans":
		p.parseTrans(s)
	default:
		p.refuse(t.line, "unknown tag "+t.text)
	}
	return s
}

// target reads what is assigned to.
func (p *parser) target(r tupleRules, single bool) *expr {
	var e *expr
	if single {
		t := p.expectKind(tName, "a name")
		e = p.node(eName, t.line)
		e.text = t.text
	} else {
		r.simple = true
		e = p.tuple(r)
	}
	if p.err == nil && !assignable(e) {
		p.refuse(e.line, "cannot be assigned to")
	}
	return e
}

func assignable(e *expr) bool {
	if e.kind == eTuple {
		for _, k := range e.kids {
			if !assignable(k) {
				return false
			}
		}
		return true
	}
	return e.kind == eName
}

func (p *parser) parseFor(s *stmt) {
	s.kind = sFor
	s.target = p.target(tupleRules{end: "in"}, false)
	if !p.skipWord("in") {
		p.refuseHere("in")
	}
	s.value = p.tuple(tupleRules{end: "recursive", noCond: true})
	if p.skipWord("if") {
		s.test = p.expression()
	}
	s.recursive = p.skipWord("recursive")
	s.body = p.body("endfor", "else")
	if p.advance().text == "else" {
		s.orelse = p.whole("endfor")
	}
}

func (p *parser) parseIf(s *stmt) {
	s.kind = sIf
	for p.err == nil {
		a := arm{test: p.tuple(tupleRules{noCond: true})}
		a.body = p.body("elif", "else", "endif")
		s.arms = append(s.arms, a)
		switch p.advance().text {
		case "elif":
			continue
		case "else":
			s.orelse = p.whole("endif")
		}
		return
	}
}

func (p *parser) parseSet(s *stmt) {
	s.kind = sSet
	if p.cur.kind == tName && p.look().is(".") {
		// set ns.x: it changes what a namespace holds, and reads its name.
		of := p.word(p.advance())
		p.advance()
		s.target = p.node(eAttr, of.line, of)
		s.target.text = p.name()
	} else {
		s.target = p.target(tupleRules{}, false)
	}
	if p.skip("=") {
		s.value = p.tuple(tupleRules{})
		return
	}
	s.kind = sSetBlock
	s.value = p.filterChain(nil)
	s.body = p.whole("endset")
}

func (p *parser) parseWith(s *stmt) {
	s.kind = sWith
	for p.err == nil && p.cur.kind != tBlockEnd {
		if len(s.params) > 0 {
			p.expect(",")
		}
		s.params = append(s.params, p.target(tupleRules{}, false))
		p.expect("=")
		s.defaults = append(s.defaults, p.expression())
	}
	s.body = p.whole("endwith")
}

// signature reads "(a, b=c)".
func (p *parser) signature(s *stmt) {
	p.expect("(")
	for p.err == nil && !p.cur.is(")") {
		if len(s.params) > 0 {
			p.expect(",")
		}
		s.params = append(s.params, p.target(tupleRules{}, true))
		if p.skip("=") {
			s.defaults = append(s.defaults, p.expression())
		} else if len(s.defaults) > 0 {
			p.refuseHere("a default value")
		}
	}
	p.expect(")")
}

func (p *parser) parseCall(s *stmt) {
	s.kind = sCallBlock
	if p.cur.is("(") {
		p.signature(s)
	}
	s.value = p.expression()
	if p.err == nil && s.value.kind != eCall {
		p.refuse(s.line, "expected a call")
	}
	s.body = p.whole("endcall")
}

func (p *parser) parseBlock(s *stmt) {
	s.kind, s.text = sBlock, p.name()
	p.skipWord("scoped")
	p.skipWord("required")
	s.body = p.whole("endblock")
	p.skipWord(s.text)
}

func (p *parser) parseFile(s *stmt) {
	s.kind = sInclude
	s.context = s.text == "include" || s.text == "extends"
	s.value = p.expression()
	switch s.text {
	case "include":
		if p.cur.word("ignore") && p.look().word("missing") {
			p.advance()
			p.advance()
			s.optional = true
		}
		p.withContext(s)
	case "import":
		if !p.skipWord("as") {
			p.refuseHere("as")
		}
		s.names = []string{p.name()}
		p.withContext(s)
	case "from":
		if !p.skipWord("import") {
			p.refuseHere("import")
		}
		p.imported(s)
	}
}

func (p *parser) withContext(s *stmt) bool {
	if (p.cur.word("with") || p.cur.word("without")) && p.look().word("context") {
		s.context = p.advance().text == "with"
		p.advance()
		return true
	}
	return false
}

func (p *parser) imported(s *stmt) {
	for p.err == nil {
		if len(s.names) > 0 {
			p.expect(",")
		}
		if p.cur.kind != tName {
			p.refuseHere("a name")
			return
		}
		if p.withContext(s) {
			return
		}
		name := p.name()
		if p.skipWord("as") {
			name = p.name()
		}
		s.names = append(s.names, name)
		if p.withContext(s) || !p.cur.is(",") {
			return
		}
	}
}

// parseTrans reads {% trans %} of Jinja's extension i18n, as what it reads.
func (p *parser) parseTrans(s *stmt) {
	s.kind = sDo
	s.value = p.node(eTuple, s.line)
	bound := map[string]bool{}
	add := func(e *expr) { s.value.kids = append(s.value.kids, e) }
	variable := func(t token) *expr { e := p.node(eName, t.line); e.text = t.text; return e }
	prefix := ""
	if p.cur.kind == tString {
		p.advance()
		prefix = "p"
	}
	for comma := false; p.err == nil && p.cur.kind != tBlockEnd; {
		if comma {
			p.expect(",")
		}
		if p.skip(":") {
			break
		}
		t := p.expectKind(tName, "a name")
		switch {
		case p.skip("="):
			add(p.expression())
		case !comma && (t.text == "trimmed" || t.text == "notrimmed"):
			continue
		default:
			add(variable(t))
		}
		bound[t.text], comma = true, true
	}
	p.expectKind(tBlockEnd, "end of statement block")
	for p.err == nil {
		switch p.cur.kind {
		case tData:
			p.advance()
			continue
		case tVariable:
			p.advance()
			if t := p.expectKind(tName, "a name"); !bound[t.text] {
				add(variable(t))
			}
			p.expectKind(tVariableEnd, "end of print statement")
			continue
		case tBlock:
			p.advance()
		}
		if p.skipWord("pluralize") {
			prefix = "n" + prefix
			if p.cur.kind == tName {
				p.advance()
			}
			p.expectKind(tBlockEnd, "end of statement block")
			continue
		}
		if !p.skipWord("endtrans") {
			p.refuseHere("{% endtrans %}")
		}
		break
	}
	// The functions that translate are looked up like variables.
	for _, f := range []string{prefix + "gettext", "gettext"} {
		add(variable(token{line: s.line, text: f}))
	}
	p.measure(s.value)
}
