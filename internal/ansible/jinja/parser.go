package jinja

import "slices"

const (
	maxDepth   = 400 // of an expression; Python gives up at about the same
	maxNesting = 200 // of brackets and of blocks within each other
)

// parser follows jinja2/parser.py. After an error, every token is the end.
type parser struct {
	lexer
	cur     token
	ahead   token
	looked  bool
	nesting int
	spare   []expr
	mutates bool // there is a method, or a filter, that could change a value
}

func newParser(src string, o Syntax) *parser {
	return &parser{lexer: newLexer(src, o)}
}

func (p *parser) advance() token {
	t := p.cur
	if p.err != nil {
		p.cur = token{line: t.line}
	} else if p.looked {
		p.cur, p.looked = p.ahead, false
	} else {
		p.cur = p.lexer.next()
	}
	return t
}

func (p *parser) look() token {
	if !p.looked && p.err == nil {
		p.ahead, p.looked = p.lexer.next(), true
	}
	return p.ahead
}

func (p *parser) refuse(line int, reason string) {
	if p.err == nil {
		p.err = &SyntaxError{Line: line, Reason: reason}
	}
	p.cur, p.looked = token{line: line}, false
}

// refuseHere complains of the current token.
func (p *parser) refuseHere(wanted string) {
	found := p.cur.text
	switch p.cur.kind {
	case tEOF:
		found = "end of template"
	case tVariableEnd, tBlockEnd:
		found = "end of tag"
	}
	p.refuse(p.cur.line, "expected "+wanted+", found "+found)
}

func (p *parser) skip(operator string) bool {
	if p.cur.is(operator) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) skipWord(word string) bool {
	if p.cur.word(word) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) expect(operator string) {
	if !p.skip(operator) {
		p.refuseHere("'" + operator + "'")
	}
}

func (p *parser) expectKind(k tokenKind, wanted string) token {
	if p.cur.kind != k {
		p.refuseHere(wanted)
		return token{line: p.cur.line}
	}
	return p.advance()
}

func (p *parser) name() string { return p.expectKind(tName, "a name").text }

// deeper guards what calls itself; shallower undoes it.
func (p *parser) deeper() bool {
	p.nesting++
	if p.nesting > maxNesting {
		p.refuse(p.cur.line, "nested too deeply")
		return false
	}
	return true
}

func (p *parser) shallower() { p.nesting-- }

// node returns an expression, which is above its kids.
func (p *parser) node(kind exprKind, line int, kids ...*expr) *expr {
	if len(p.spare) == 0 {
		p.spare = make([]expr, 8)
	}
	e := &p.spare[0]
	p.spare = p.spare[1:]
	e.kind, e.line, e.kids = kind, line, kids
	p.measure(e)
	return e
}

func (p *parser) measure(e *expr) {
	p.above(e, e.kids...)
	for _, n := range e.named {
		p.above(e, n.value)
	}
}

// above makes an expression higher than some of its kids.
func (p *parser) above(e *expr, kids ...*expr) {
	for _, k := range kids {
		if k != nil {
			e.depth = max(e.depth, k.depth+1)
		}
	}
	if e.depth > maxDepth {
		p.refuse(e.line, "nested too deeply")
	}
}

func (p *parser) bare() *expr {
	p.mode = 'x'
	p.advance()
	e := p.tuple(tupleRules{})
	if p.err == nil && p.cur.kind != tEOF {
		p.refuseHere("end of expression")
	}
	return e
}

func (p *parser) template() []*stmt {
	p.advance()
	body := p.statements()
	if p.err == nil && p.cur.kind != tEOF {
		p.refuseHere("text")
	}
	return body
}

// statements reads up to a tag that is one of the ends, whose name is then the
// current token.
func (p *parser) statements(ends ...string) []*stmt {
	var body []*stmt
	if !p.deeper() {
		return nil
	}
	defer p.shallower()
	for p.err == nil {
		switch p.cur.kind {
		case tData:
			body = append(body, &stmt{kind: sData, line: p.cur.line, text: p.cur.text})
			p.advance()
		case tVariable:
			line := p.advance().line
			value := p.tuple(tupleRules{})
			p.expectKind(tVariableEnd, "end of print statement")
			body = append(body, &stmt{kind: sOutput, line: line, value: value})
		case tBlock:
			p.advance()
			if p.cur.kind == tName && slices.Contains(ends, p.cur.text) {
				return body
			}
			if s := p.statement(); s != nil {
				body = append(body, s)
			}
			p.expectKind(tBlockEnd, "end of statement block")
		default:
			if len(ends) > 0 {
				p.refuseHere("{% " + ends[len(ends)-1] + " %}")
			}
			return body
		}
	}
	return body
}

// body reads the rest of a tag, and what is up to one of the ends.
func (p *parser) body(ends ...string) []*stmt {
	p.skip(":")
	p.expectKind(tBlockEnd, "end of statement block")
	if p.err != nil {
		return nil
	}
	return p.statements(ends...)
}

// whole is body, with the tag's end.
func (p *parser) whole(end string) []*stmt {
	b := p.body(end)
	p.advance()
	return b
}
