package python

import (
	"slices"
	"strings"
)

// token is a word, a text, a number or a sign of code. The end of a statement is a
// token, too.
type token struct {
	kind   kind
	text   string // of a text without its quotes, of the end of a statement ""
	column int    // of the line that it is in
}

type kind byte

const (
	end kind = iota
	word
	text
	number
	sign
)

// tokens takes code apart, false if it cannot be told.
func tokens(code string) ([]token, bool) {
	l := lexer{code: code}
	for l.at < len(l.code) {
		if !l.next() {
			return nil, false
		}
	}
	l.end()
	return l.all, l.depth == 0
}

type lexer struct {
	code  string
	at    int
	line  int // where it begins
	depth int // of brackets, in which lines go on
	all   []token
}

func (l *lexer) add(k kind, text string) bool {
	l.all = append(l.all, token{k, text, l.column()})
	return true
}

// column is how far the line is indented that is being read.
func (l *lexer) column() int {
	line := l.code[l.line:]
	return len(line) - len(strings.TrimLeft(line, " \t"))
}

func (l *lexer) end() {
	if len(l.all) > 0 && l.all[len(l.all)-1].kind != end {
		l.add(end, "")
	}
}

func (l *lexer) next() bool {
	switch c := l.code[l.at]; {
	case c == '\n' || c == ';' && l.depth == 0:
		if l.depth == 0 {
			l.end()
		}
		if l.at++; c == '\n' && l.depth == 0 {
			l.line = l.at
		}
	case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		l.at++
	case c == '\\' && strings.HasPrefix(l.code[l.at:], "\\\n"):
		l.at += 2
	case c == '#':
		l.skip(func(c byte) bool { return c != '\n' })
	case c == '"' || c == '\'':
		return l.text("")
	case letter(c):
		from := l.at
		l.skip(func(c byte) bool { return letter(c) || digit(c) })
		name := l.code[from:l.at]
		if l.at < len(l.code) && (l.code[l.at] == '"' || l.code[l.at] == '\'') {
			return len(name) <= 2 && l.text(strings.ToLower(name))
		}
		return l.add(word, name)
	case digit(c):
		from := l.at
		l.skip(func(c byte) bool { return letter(c) || digit(c) || c == '.' })
		return l.add(number, l.code[from:l.at])
	default:
		return l.sign(c)
	}
	return true
}

func (l *lexer) sign(c byte) bool {
	if !strings.ContainsRune("()[]{}.,:=+-*/%<>!&|^~@", rune(c)) {
		return false
	}
	s := string(c)
	for _, two := range []string{"==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", ":=", "->", "**", "//", "<<", ">>"} {
		if strings.HasPrefix(l.code[l.at:], two) {
			s = two
		}
	}
	switch s {
	case "(", "[", "{":
		l.depth++
	case ")", "]", "}":
		l.depth--
	}
	l.at += len(s)
	return l.depth >= 0 && l.add(sign, s)
}

func (l *lexer) skip(while func(byte) bool) {
	for l.at < len(l.code) && while(l.code[l.at]) {
		l.at++
	}
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
func digit(c byte) bool { return c >= '0' && c <= '9' }

// text reads a text with these letters before it. One that has expressions in it is
// no text of which anything is known, but they are code like any.
func (l *lexer) text(prefix string) bool {
	if strings.Trim(prefix, "rbuf") != "" {
		return false
	}
	quote := l.code[l.at : l.at+1]
	if three := strings.Repeat(quote, 3); strings.HasPrefix(l.code[l.at:], three) {
		quote = three
	}
	from := l.at + len(quote)
	for i := from; i < len(l.code); i++ {
		switch {
		case l.code[i] == '\\':
			i++
		case l.code[i] == '\n' && len(quote) == 1:
			return false
		case strings.HasPrefix(l.code[i:], quote):
			l.at = i + len(quote)
			said := l.code[from:i]
			if strings.Contains(prefix, "f") {
				return l.formatted(said)
			}
			return l.add(text, said)
		}
	}
	return false
}

func (l *lexer) formatted(said string) bool {
	l.add(sign, "(")
	for {
		start := strings.IndexByte(said, '{')
		if start < 0 {
			break
		}
		if strings.HasPrefix(said[start:], "{{") {
			said = said[start+2:]
			continue
		}
		length := strings.IndexByte(said[start:], '}')
		if length < 0 {
			return false
		}
		inner := said[start+1 : start+length]
		if strings.ContainsAny(inner, "{\\") {
			return false
		}
		all, ok := tokens(inner)
		if !ok {
			return false
		}
		l.add(sign, "(")
		l.all = append(l.all, slices.DeleteFunc(all, func(t token) bool { return t.kind == end })...)
		l.add(sign, ")")
		l.add(sign, "+")
		said = said[start+length+1:]
	}
	l.add(number, "0") // no text that is known
	return l.add(sign, ")")
}

// is reports whether tokens begin with these, in which NAME is any word, and TEXT any
// text.
func is(all []token, like ...string) bool {
	if len(all) < len(like) {
		return false
	}
	for i, want := range like {
		switch want {
		case "NAME":
			if all[i].kind != word {
				return false
			}
		case "TEXT":
			if all[i].kind != text {
				return false
			}
		default:
			if all[i].text != want || all[i].kind == text {
				return false
			}
		}
	}
	return true
}

// bracket is how many tokens there are from a bracket that opens to the one that
// closes it.
func bracket(all []token) int {
	depth := 0
	for i, t := range all {
		if t.kind == sign {
			switch t.text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	return len(all)
}

// split takes tokens apart at a sign or word that stands in no bracket.
func split(all []token, at string) [][]token {
	var parts [][]token
	from := 0
	for i := 0; i < len(all); i++ {
		if all[i].kind == sign && strings.Contains("([{", all[i].text) {
			i += bracket(all[i:]) - 1
			continue
		}
		if all[i].kind != text && all[i].text == at {
			parts = append(parts, all[from:i])
			from = i + 1
		}
	}
	return append(parts, all[from:])
}
