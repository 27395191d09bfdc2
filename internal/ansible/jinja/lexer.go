package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tEOF tokenKind = iota
	tData
	tVariable    // {{
	tVariableEnd // }}
	tBlock       // {%
	tBlockEnd    // %}
	tName
	tString // text is what is between the quotes
	tInteger
	tFloat
	tOperator
)

type token struct {
	kind tokenKind
	line int
	text string
}

func (t token) is(operator string) bool { return t.kind == tOperator && t.text == operator }
func (t token) word(name string) bool   { return t.kind == tName && t.text == name }

// lexer cuts a text into tokens as jinja2/lexer.py does, without copying.
type lexer struct {
	src     string
	pos     int
	line    int
	o       Syntax
	openers []opener
	mode    byte   // 0 in text, or 'v', 'b', 's' as in opener; 'x': a bare expression
	open    []byte // brackets
	err     *SyntaxError

	comments *[]span // those that were met; nil: they are not noted
}

func newLexer(src string, o Syntax) lexer {
	l := lexer{src: src, line: 1, o: o}
	if !o.plain() {
		l.openers = o.openers()
	}
	return l
}

func (l *lexer) fail(reason string) token {
	if l.err == nil {
		l.err = &SyntaxError{Line: l.line, Reason: reason}
	}
	l.pos, l.mode = len(l.src), 0
	return token{line: l.line}
}

// advance moves on to a position, and counts the lines up to there.
func (l *lexer) advance(to int) {
	l.line += lines(l.src[l.pos:to])
	l.pos = to
}

// lines counts the ends of lines: \n, \r\n, \r.
func lines(s string) int {
	n := strings.Count(s, "\n")
	if strings.IndexByte(s, '\r') >= 0 {
		n += strings.Count(s, "\r") - strings.Count(s, "\r\n")
	}
	return n
}

func (l *lexer) next() token {
	if l.mode != 0 {
		return l.inside()
	}
	for l.pos < len(l.src) {
		if what, n := l.opening(l.pos); what != 0 {
			if t, ok := l.enter(what, n); ok {
				return t
			}
			continue
		}
		start, line := l.pos, l.line
		end := l.nextOpening(l.pos + 1)
		l.advance(end)
		if text := l.stripped(l.src[start:end], end); text != "" {
			return token{tData, line, text}
		}
	}
	return token{line: l.line}
}

// stripped takes off what the opening at end takes of the text before it.
func (l *lexer) stripped(text string, end int) string {
	what, n := l.opening(end)
	if what == 0 {
		return text
	}
	if what == 'r' {
		n = len(l.o.BlockStart)
	}
	sign := byte(0)
	if end+n < len(l.src) && what != 's' && what != 'l' {
		sign = l.src[end+n]
	}
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, space)
	case l.o.LstripBlocks && sign != '+' && what != 'v':
		last := strings.LastIndexByte(text, '\n') + 1
		whole := len(text) == end || l.src[end-len(text)-1] == '\n'
		if (last > 0 || whole) && strings.TrimFunc(text[last:], space) == "" {
			return text[:last]
		}
	}
	return text
}

// nextOpening finds where text ends, from a position on.
func (l *lexer) nextOpening(from int) int {
	for i := from; i < len(l.src); i++ {
		if l.openers == nil {
			n := strings.IndexByte(l.src[i:], '{')
			if n < 0 {
				break
			}
			i += n
		}
		if what, _ := l.opening(i); what != 0 {
			return i
		}
	}
	return len(l.src)
}

// opening says what begins at a position and how long its mark is; for a raw
// block ('r'), up to the end of its tag.
func (l *lexer) opening(i int) (what byte, n int) {
	s := l.src[i:]
	if strings.HasPrefix(s, l.o.BlockStart) {
		if n := l.rawTag(i); n > 0 {
			return 'r', n
		}
	}
	if l.openers == nil {
		if len(s) < 2 || s[0] != '{' {
			return 0, 0
		}
		switch s[1] {
		case '{':
			return 'v', 2
		case '%':
			return 'b', 2
		case '#':
			return 'c', 2
		}
		return 0, 0
	}
	for _, o := range l.openers {
		if o.what == 's' {
			if i > 0 && l.src[i-1] != '\n' && l.src[i-1] != '\r' {
				continue
			}
			if t := strings.TrimLeft(s, " \t\v"); strings.HasPrefix(t, o.text) {
				return 's', len(s) - len(t) + len(o.text)
			}
		} else if strings.HasPrefix(s, o.text) {
			return o.what, len(o.text)
		}
	}
	return 0, 0
}

// rawTag returns the length of "{% raw %}" at a position, or 0.
func (l *lexer) rawTag(i int) int {
	j := l.tag(i, "raw")
	if j < 0 {
		return 0
	}
	s := l.src[j:]
	if t, ok := strings.CutPrefix(s, "-"); ok && strings.HasPrefix(t, l.o.BlockEnd) {
		t = t[len(l.o.BlockEnd):]
		return len(l.src) - i - len(strings.TrimLeftFunc(t, space))
	}
	if strings.HasPrefix(s, l.o.BlockEnd) {
		return j - i + len(l.o.BlockEnd)
	}
	return 0
}

// tag returns where the name of a tag at a position, and blanks, end; -1 if it
// is another.
func (l *lexer) tag(i int, name string) int {
	i += len(l.o.BlockStart)
	if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+') {
		i++
	}
	s := strings.TrimLeftFunc(l.src[i:], space)
	if !strings.HasPrefix(s, name) {
		return -1
	}
	return len(l.src) - len(strings.TrimLeftFunc(s[len(name):], space))
}

// enter begins what was found. It is not ok if there is no token of it.
func (l *lexer) enter(what byte, n int) (token, bool) {
	line := l.line
	start := l.pos + n
	signed := what == 'v' || what == 'b' || what == 'c'
	if signed && start < len(l.src) && (l.src[start] == '-' || l.src[start] == '+') {
		start++
	}
	l.advance(start)
	switch what {
	case 'c':
		return l.comment()
	case 'l':
		end := strings.IndexAny(l.src[start:], "\r\n")
		if end < 0 {
			end = len(l.src) - start
		}
		l.advance(start + end)
		return token{}, false
	case 'r':
		return l.raw()
	}
	l.mode, l.open = what, l.open[:0]
	if what == 'v' {
		return token{tVariable, line, ""}, true
	}
	return token{tBlock, line, ""}, true
}

func (l *lexer) comment() (token, bool) {
	n := strings.Index(l.src[l.pos:], l.o.CommentEnd)
	if n < 0 {
		return l.fail("missing end of comment"), true
	}
	end := l.pos + n
	if l.comments != nil {
		said := end
		if n > 0 && (l.src[end-1] == '-' || l.src[end-1] == '+') {
			said--
		}
		*l.comments = append(*l.comments, span{l.pos, said})
	}
	l.leave(end, end+len(l.o.CommentEnd), n > 0 && l.src[end-1] == '-', n > 0 && l.src[end-1] == '+')
	return token{}, false
}

// leave goes on after a closing mark, with what it takes of the text behind it.
func (l *lexer) leave(at, end int, strip, keep bool) {
	switch {
	case strip:
		end = len(l.src) - len(strings.TrimLeftFunc(l.src[end:], space))
	case keep || l.o.NoTrimBlocks:
	case strings.HasPrefix(l.src[end:], "\r\n"):
		end += 2
	case end < len(l.src) && (l.src[end] == '\n' || l.src[end] == '\r'):
		end++
	}
	l.advance(max(at, end))
}

// raw returns the text up to "{% endraw %}".
func (l *lexer) raw() (token, bool) {
	start, line := l.pos, l.line
	for i := start; ; i += len(l.o.BlockStart) {
		n := strings.Index(l.src[i:], l.o.BlockStart)
		if n < 0 {
			return l.fail("missing end of raw block"), true
		}
		i += n
		j := l.tag(i, "endraw")
		if j < 0 || j >= len(l.src) {
			continue
		}
		sign, at := l.src[j], j
		if sign == '-' || sign == '+' {
			j++
		}
		if !strings.HasPrefix(l.src[j:], l.o.BlockEnd) {
			continue
		}
		text := l.src[start:i]
		if l.src[i+len(l.o.BlockStart)] == '-' {
			text = strings.TrimRightFunc(text, space)
		}
		l.leave(at, j+len(l.o.BlockEnd), sign == '-', sign == '+')
		return token{tData, line, text}, text != ""
	}
}

// inside returns the next token between marks.
func (l *lexer) inside() token {
	for {
		if t, ok := l.closing(); ok {
			return t
		}
		if l.pos >= len(l.src) {
			l.mode = 0
			return token{line: l.line}
		}
		r, n := rune(l.src[l.pos]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(l.src[l.pos:])
		}
		if !space(r) {
			return l.word(r)
		}
		l.advance(l.pos + n)
	}
}

// closing looks for the mark that ends what was entered. Within brackets, it
// is not one.
func (l *lexer) closing() (token, bool) {
	if len(l.open) > 0 || l.mode == 'x' {
		return token{}, false
	}
	line := l.line
	if l.mode == 's' {
		s := strings.TrimLeft(l.src[l.pos:], " \t\v\f")
		if s != "" && s[0] != '\n' && s[0] != '\r' {
			return token{}, false
		}
		l.advance(len(l.src) - len(s))
		if len(l.src) > l.pos {
			l.leaveLine()
		}
		l.mode = 0
		return token{tBlockEnd, line, ""}, true
	}
	kind, mark := tVariableEnd, l.o.VariableEnd
	if l.mode == 'b' {
		kind, mark = tBlockEnd, l.o.BlockEnd
	}
	s := l.src[l.pos:]
	if strings.HasPrefix(s, mark) {
		end := l.pos + len(mark)
		l.leave(l.pos, end, false, l.mode == 'v')
	} else if s != "" && (s[0] == '-' || s[0] == '+' && l.mode == 'b') && strings.HasPrefix(s[1:], mark) {
		end := l.pos + 1 + len(mark)
		l.leave(l.pos, end, s[0] == '-', true)
	} else {
		return token{}, false
	}
	l.mode = 0
	return token{kind, line, ""}, true
}

func (l *lexer) leaveLine() {
	n := 1
	if strings.HasPrefix(l.src[l.pos:], "\r\n") {
		n = 2
	}
	l.advance(l.pos + n)
}

// space reports what Python's \s matches.
func space(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f
	}
	return unicode.IsSpace(r)
}
