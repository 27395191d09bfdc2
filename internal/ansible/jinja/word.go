package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// word returns the token that begins with r, which is no blank.
func (l *lexer) word(r rune) token {
	s := l.src[l.pos:]
	switch {
	case r >= '0' && r <= '9':
		return l.number(s)
	case nameStart(r):
		return l.take(tName, nameLength(s))
	case r == '\'' || r == '"':
		return l.quoted(s)
	}
	n := 1
	if len(s) > 1 {
		switch s[:2] {
		case "//", "**", "==", "!=", ">=", "<=":
			n = 2
		}
	}
	if n == 1 && strings.IndexByte("+-/*%~[](){}><=.:|,;", s[0]) < 0 {
		return l.fail("unexpected character " + strconv.QuoteRune(r))
	}
	switch s[0] {
	case '(':
		l.open = append(l.open, ')')
	case '[':
		l.open = append(l.open, ']')
	case '{':
		l.open = append(l.open, '}')
	case ')', ']', '}':
		last := len(l.open) - 1
		if last < 0 || l.open[last] != s[0] {
			return l.fail("unexpected '" + s[:1] + "'")
		}
		l.open = l.open[:last]
	}
	return l.take(tOperator, n)
}

func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind, l.line, l.src[l.pos : l.pos+n]}
	l.pos += n
	return t
}

func (l *lexer) quoted(s string) token {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			t := token{tString, l.line, s[1:i]}
			l.advance(l.pos + i + 1)
			return t
		}
	}
	return l.fail("missing end of string")
}

// number reads an integer or a float as jinja2/lexer.py has them.
func (l *lexer) number(s string) token {
	if whole := digits(s); whole > 0 && (l.pos == 0 || l.src[l.pos-1] != '.') {
		n := whole
		if n < len(s) && s[n] == '.' {
			if f := digits(s[n+1:]); f > 0 {
				n += 1 + f
			}
		}
		if e := exponent(s[n:]); e > 0 {
			n += e
		}
		if n > whole {
			return l.take(tFloat, n)
		}
	}
	return l.take(tInteger, integer(s))
}

// digits returns the length of digits with single underscores between them.
func digits(s string) int {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '_' && n > 0 && s[n-1] != '_') {
		n++
	}
	if n > 0 && s[n-1] == '_' {
		n--
	}
	return n
}

func exponent(s string) int {
	if s == "" || s[0]|0x20 != 'e' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	if d := digits(s[n:]); d > 0 {
		return n + d
	}
	return 0
}

func integer(s string) int {
	if s[0] != '0' {
		return digits(s)
	}
	allowed, start := "0", 1
	if len(s) > 2 {
		switch s[1] | 0x20 {
		case 'b':
			allowed, start = "01", 2
		case 'o':
			allowed, start = "01234567", 2
		case 'x':
			allowed, start = "0123456789abcdefABCDEF", 2
		}
	}
	n := start
	for n < len(s) {
		if strings.IndexByte(allowed, s[n]) >= 0 {
			n++
		} else if s[n] == '_' && n+1 < len(s) && strings.IndexByte(allowed, s[n+1]) >= 0 {
			n += 2
		} else {
			break
		}
	}
	if n == start && start == 2 {
		return 1
	}
	return n
}

func nameStart(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || r|0x20 >= 'a' && r|0x20 <= 'z'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.Is(unicode.Nl, r))
}

func namePart(r rune) bool {
	return nameStart(r) || r >= '0' && r <= '9' ||
		r >= utf8.RuneSelf && (unicode.IsMark(r) || unicode.IsNumber(r) || unicode.Is(unicode.Pc, r) || r == '·')
}

// nameLength returns the length of the name that a text begins with.
func nameLength(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if !namePart(r) {
			return i
		}
		i += n
	}
	return len(s)
}

// unescape reads what is between the quotes of a string as Python's
// unicode-escape does.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return newlines(s), true
	}
	s = newlines(s)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		n, ok := escape(&b, s[i:])
		if !ok {
			return "", false
		}
		i += n - 1
	}
	return b.String(), true
}

// escape writes what an escape after its backslash stands for, and returns its
// length.
func escape(b *strings.Builder, s string) (int, bool) {
	if i := strings.IndexByte(`\'"abfnrtv`, s[0]); i >= 0 {
		b.WriteByte("\\'\"\a\b\f\n\r\t\v"[i])
		return 1, true
	}
	length := 0
	switch s[0] {
	case '\n':
		return 1, true
	case 'x':
		length = 2
	case 'u':
		length = 4
	case 'U':
		length = 8
	case 'N':
		return 0, false // names of characters are not known here
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := 1
		for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(s[:n], 8, 32)
		b.WriteRune(rune(v))
		return n, true
	default:
		b.WriteByte('\\')
		b.WriteByte(s[0])
		return 1, true
	}
	if len(s) <= length {
		return 0, false
	}
	v, err := strconv.ParseUint(s[1:1+length], 16, 32)
	if err != nil || v > unicode.MaxRune {
		return 0, false
	}
	b.WriteRune(rune(v))
	return 1 + length, true
}

// newlines makes every end of line "\n".
func newlines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}
