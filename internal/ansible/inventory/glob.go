package inventory

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// glob is a pattern of Python's fnmatch, with case.
type glob []globPart

type globPart struct {
	many    bool // *
	any     bool // ?
	char    rune
	class   []rune // pairs of first and last; nil for char
	negated bool
	set     bool // class counts
}

// newGlob reads a pattern; every string is one.
func newGlob(s string) glob {
	var g glob
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; c {
		case '*':
			if len(g) == 0 || !g[len(g)-1].many {
				g = append(g, globPart{many: true})
			}
		case '?':
			g = append(g, globPart{any: true})
		case '[':
			end := i + 1
			if end < len(runes) && runes[end] == '!' {
				end++
			}
			if end < len(runes) && runes[end] == ']' {
				end++
			}
			for end < len(runes) && runes[end] != ']' {
				end++
			}
			if end == len(runes) {
				g = append(g, globPart{char: c})
				continue
			}
			g = append(g, newClass(runes[i+1:end]))
			i = end
		default:
			g = append(g, globPart{char: c})
		}
	}
	return g
}

func newClass(inside []rune) globPart {
	p := globPart{set: true}
	if inside[0] == '!' {
		p.negated, inside = true, inside[1:]
	}
	for i := 0; i < len(inside); i++ {
		first, last := inside[i], inside[i]
		if i+2 < len(inside) && inside[i+1] == '-' {
			last = inside[i+2]
			i += 2
		}
		p.class = append(p.class, first, last)
	}
	return p
}

func (p globPart) matches(c rune) bool {
	if p.any {
		return true
	}
	if !p.set {
		return p.char == c
	}
	for i := 0; i < len(p.class); i += 2 {
		if p.class[i] <= c && c <= p.class[i+1] {
			return !p.negated
		}
	}
	return p.negated
}

// match reports whether the whole of s is as the pattern says.
func (g glob) match(s string) bool {
	i, star, retry := 0, -1, ""
	for {
		switch {
		case i < len(g) && g[i].many:
			star, retry = i, s
			i++
			continue
		case s == "" && i == len(g):
			return true
		case s != "" && i < len(g):
			if c, size := utf8.DecodeRuneInString(s); g[i].matches(c) {
				i, s = i+1, s[size:]
				continue
			}
		}
		if star < 0 || retry == "" {
			return false
		}
		_, size := utf8.DecodeRuneInString(retry)
		retry = retry[size:]
		i, s = star+1, retry
	}
}

// python is a regular expression of Python's.
type python struct {
	*regexp.Regexp      // nil for one that Go's does not read, or reads otherwise
	ascii          bool // it means the same for ASCII only
}

// pythonRegexp is for Python's search.
func pythonRegexp(s string) python { return compilePython(s, "(?:"+s+")") }

// pythonPrefix is for Python's match, which begins at the first character.
func pythonPrefix(s string) python { return compilePython(s, "^(?:"+s+")") }

// otherwise finds what both read, but not alike: repetitions without a minimum,
// classes of POSIX, escapes that only one of them has, and some flags.
var otherwise = regexp.MustCompile(`\{,|\[:|\\[pPQECzZ0-9]|\(\?[a-zA-Z]*[xULa]|\(\?<`)

func compilePython(s, anchored string) python {
	if otherwise.MatchString(s) {
		return python{}
	}
	re, err := regexp.Compile(anchored)
	if err != nil {
		return python{}
	}
	return python{re, strings.Contains(s, `\`) || strings.Contains(s, "(?i")}
}

// search reports whether the expression is found in s.
func (p python) search(s string) (found, sure bool) {
	if p.Regexp == nil {
		return true, false
	}
	if p.ascii {
		for i := 0; i < len(s); i++ {
			if s[i] >= utf8.RuneSelf {
				return true, false
			}
		}
	}
	return p.MatchString(s), true
}
