package value

import (
	"strings"
)

// Most files of an Ansible project use little of YAML: mappings and lists by
// indentation, and in them plain and quoted scalars of one line each. Such a text is
// read here, several times as fast as by a parser of everything and with a fraction of
// the memory. Whatever else there is in a text, this reader leaves all of it to the
// other one: what it accepts means the same to both.

const (
	simpleLength = 1 << 19 // bytes; fewer than may come to too many values
	simpleDepth  = 40
	simpleKey    = 128 // bytes of a key
)

// simple reads a text of that kind; false if it may be another one.
func simple(text []byte) (Value, bool) {
	if len(text) > simpleLength {
		return Value{}, false
	}
	for _, c := range text {
		if (c < ' ' || c > '~') && c != '\n' {
			return Value{}, false
		}
	}
	r := simpleReader{lines: simpleLines(string(text))}
	if len(r.lines) > 0 && r.lines[0].text == "---" && r.lines[0].indent == 0 {
		r.lines = r.lines[1:]
	}
	if len(r.lines) == 0 {
		return Value{}, false
	}
	v, ok := r.block(r.lines[0].indent, 0)
	return v, ok && r.at == len(r.lines)
}

// simpleLine is a line with something else than a comment in it.
type simpleLine struct {
	text           string // without the spaces around it
	number, indent int
}

func simpleLines(text string) []simpleLine {
	lines := make([]simpleLine, 0, strings.Count(text, "\n")+1)
	for number := 1; text != ""; number++ {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		indent := 0
		for indent < len(line) && line[indent] == ' ' {
			indent++
		}
		if line = strings.TrimRight(line[indent:], " "); line != "" && line[0] != '#' {
			lines = append(lines, simpleLine{line, number, indent})
		}
	}
	return lines
}

type simpleReader struct {
	lines []simpleLine
	at    int // the line that is next
}

// indent is that of the next line, -1 at the end.
func (r *simpleReader) indent() int {
	if r.at == len(r.lines) {
		return -1
	}
	return r.lines[r.at].indent
}

// alike is how many elements of a list, or of a mapping, follow at an indentation.
func (r *simpleReader) alike(indent int, list bool) int {
	n := 0
	for _, line := range r.lines[r.at:] {
		switch {
		case line.indent < indent, list && line.indent == indent && !line.inList():
			return n
		case line.indent == indent && line.inList() == list:
			n++
		}
	}
	return n
}

// inList reports whether the line is an element of a list.
func (l simpleLine) inList() bool { return l.text == "-" || strings.HasPrefix(l.text, "- ") }

// inList reports whether the next line is one.
func (r *simpleReader) inList() bool { return r.lines[r.at].inList() }

// block reads a mapping or list at an indentation.
func (r *simpleReader) block(indent, depth int) (Value, bool) {
	if depth > simpleDepth {
		return Value{}, false
	}
	if r.inList() {
		return r.list(indent, depth)
	}
	return r.mapping(indent, depth)
}

func (r *simpleReader) mapping(indent, depth int) (Value, bool) {
	first := r.lines[r.at]
	pairs := pairs{list: make([]Pair, 0, r.alike(indent, false))}
	for r.indent() == indent && !r.inList() {
		line := &r.lines[r.at]
		key, rest, ok := cutKey(line.text)
		if !ok {
			return Value{}, false
		}
		k := Value{Line: line.number, Col: indent + 1}
		k.Kind, k.Text = plain(key)
		v, ok := r.entry(rest, indent+len(line.text)-len(rest), indent, depth)
		if !ok {
			return Value{}, false
		}
		pairs.set(k, v)
	}
	return Value{Kind: Map, Line: first.number, Col: indent + 1}.WithPairs(pairs.list), r.indent() <= indent
}

// cutKey takes a line apart behind the sign that makes its first word a key.
func cutKey(line string) (key, rest string, ok bool) {
	i := 0
	for i < len(line) && (word(line[i]) || i > 0 && line[i] == '-') {
		i++
	}
	if i == 0 || i > simpleKey || i == len(line) || line[i] != ':' || i+1 < len(line) && line[i+1] != ' ' {
		return "", "", false
	}
	return line[:i], strings.TrimLeft(line[i+1:], " "), true
}

func word(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '/'
}

// entry reads the value of a key at an indentation: what follows it in its line, at a
// column that counts from 0, or the lines below it.
func (r *simpleReader) entry(rest string, col, indent, depth int) (Value, bool) {
	line := r.lines[r.at]
	r.at++
	if rest != "" {
		v, ok := inLine(rest, line.number, col)
		return v, ok && r.indent() <= indent
	}
	switch {
	case r.indent() > indent:
		return r.block(r.indent(), depth+1)
	case r.indent() == indent && r.inList():
		return r.list(indent, depth+1)
	}
	return Value{}, false
}

func (r *simpleReader) list(indent, depth int) (Value, bool) {
	first := r.lines[r.at]
	items := make([]Value, 0, r.alike(indent, true))
	for r.indent() == indent && r.inList() {
		line := &r.lines[r.at]
		rest := strings.TrimLeft(line.text[1:], " ")
		col := indent + len(line.text) - len(rest)
		var v Value
		ok := false
		if _, _, pair := cutKey(rest); pair { // a mapping that begins in this line
			line.text, line.indent = rest, col
			v, ok = r.block(col, depth+1)
		} else if rest != "" {
			r.at++
			v, ok = inLine(rest, line.number, col)
		}
		if !ok || r.indent() > indent {
			return Value{}, false
		}
		items = append(items, v)
	}
	return Value{Kind: List, Line: first.number, Col: indent + 1}.WithItems(items), true
}

// inLine reads a scalar, or a list of scalars in brackets, at a column that counts from 0.
func inLine(text string, line, col int) (Value, bool) {
	v, rest, ok := Value{Line: line, Col: col + 1}, "", true
	switch c := text[0]; {
	case c == '"' || c == '\'':
		v.Kind = String
		v.Text, rest, ok = cutQuoted(text)
	case c == '[':
		v, rest, ok = cutList(text, v)
	case word(c), (c == '-' || c == '+') && len(text) > 1 && word(text[1]):
		text, _, _ = strings.Cut(text, " #")
		text = strings.TrimRight(text, " ")
		v.Kind, v.Text = plain(text)
		ok = !strings.Contains(text, ": ") && text[len(text)-1] != ':'
	default:
		return v, false
	}
	rest = strings.TrimLeft(rest, " ")
	return v, ok && (rest == "" || rest[0] == '#')
}

// cutQuoted takes a quoted text without escapes apart behind its end. What follows is a
// comment only after a space.
func cutQuoted(text string) (inside, rest string, ok bool) {
	quote := text[:1]
	inside, rest, ok = strings.Cut(text[1:], quote)
	if strings.Contains(inside, `\`) && quote == `"` || rest != "" && strings.Contains(`'"#`, rest[:1]) {
		ok = false
	}
	return inside, rest, ok
}

// cutList takes a list of plain and quoted scalars apart behind its end.
func cutList(text string, at Value) (list Value, rest string, ok bool) {
	at.Kind = List
	items := []Value{}
	rest = text[1:]
	for {
		rest = strings.TrimLeft(rest, " ")
		if rest == "" {
			return at, "", false
		}
		if rest[0] == ']' && len(items) == 0 {
			break
		}
		item := Value{Line: at.Line, Col: at.Col + len(text) - len(rest), Kind: String}
		if rest[0] == '"' || rest[0] == '\'' {
			if item.Text, rest, ok = cutQuoted(rest); !ok {
				return at, "", false
			}
		} else {
			i := 0
			for i < len(rest) && (word(rest[i]) || i > 0 && rest[i] == '-') {
				i++
			}
			item.Kind, item.Text = plain(rest[:i])
			rest = rest[i:]
			if i == 0 {
				return at, "", false
			}
		}
		items = append(items, item)
		rest = strings.TrimLeft(rest, " ")
		if rest == "" || rest[0] != ',' && rest[0] != ']' {
			return at, "", false
		}
		if rest[0] == ']' {
			break
		}
		rest = rest[1:]
	}
	rest = rest[1:]
	if rest != "" && rest[0] == '#' {
		return at, "", false
	}
	return at.WithItems(items), rest, true
}

// pairs are entries of a map, of which the last one of a key counts, at the place of the
// first one.
type pairs struct {
	list []Pair
	at   map[pairKey]int // nil as long as there are few
}

// pairKey is the same for keys that are the same.
type pairKey struct {
	kind Kind
	text string
}

func keyOf(v Value) pairKey {
	if v.Scalar() {
		return pairKey{v.Kind, v.Text}
	}
	return pairKey{v.Kind, v.Digest()}
}

func (p *pairs) set(key, value Value) {
	const few = 8 // are compared sooner than they are put into a map
	of := keyOf(key)
	i, known := p.at[of]
	if p.at == nil {
		for i = range p.list {
			if known = keyOf(p.list[i].Key) == of; known {
				break
			}
		}
	}
	if known {
		p.list[i] = Pair{key, value}
		return
	}
	p.list = append(p.list, Pair{key, value})
	if p.at != nil {
		p.at[of] = len(p.list) - 1
	} else if len(p.list) > few {
		p.at = make(map[pairKey]int, 4*few)
		for i := range p.list {
			p.at[keyOf(p.list[i].Key)] = i
		}
	}
}
