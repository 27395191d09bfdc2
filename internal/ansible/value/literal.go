package value

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Literal reads a literal of Python, as Ansible reads values in INI inventories:
// numbers, strings, True, False, None, lists, tuples (as lists) and mappings. It
// is false for a text that is none, which Ansible takes as it is written.
//
// Numbers are as Python prints them. Sets, complex numbers and the ellipsis,
// which no template looks into, are of kind Unsafe with their text.
func Literal(text string) (Value, bool) {
	r := literal{text: strings.TrimRight(strings.TrimLeft(text, " \t"), " \t\r\n")}
	body := strings.TrimLeft(r.text, "\f")
	if strings.IndexByte(text, 0) >= 0 || len(body) < len(r.text) && strings.TrimLeft(body, " \t") != body {
		return Value{}, false // the second is an indented line for Python
	}
	v, ok := r.tuple(0)
	if !ok || r.skip() != 0 {
		return Value{}, false
	}
	return v.Value, true
}

// mostNested is how deep Python's tokenizer lets brackets nest.
const mostNested = 200

// literal is a text that is read.
type literal struct {
	text   string
	at     int
	nested int
}

// item is a value, and what Python still knows of it.
type item struct {
	Value
	bytes      bool
	number     bool // an int, float or complex constant
	imaginary  bool
	unhashable bool
}

// skip goes past blanks and comments; it returns the next byte, 0 at the end.
func (r *literal) skip() byte {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == ' ' || c == '\t' || c == '\f' || r.nested > 0 && (c == '\n' || c == '\r'):
			r.at++
		case c == '#':
			n := strings.IndexAny(r.text[r.at:], "\r\n")
			if n < 0 {
				n = len(r.text) - r.at
			}
			r.at += n
		default:
			return c
		}
	}
	return 0
}

func (r *literal) take(c byte) bool {
	if r.skip() != c || r.at == len(r.text) {
		return false
	}
	r.at++
	return true
}

// tuple reads expressions with commas up to a closing bracket, or to the end if
// it is 0: one alone, without a comma, is itself.
func (r *literal) tuple(closing byte) (item, bool) {
	items, comma, ok := r.items(closing)
	switch {
	case !ok || len(items) == 0 && closing == 0:
		return item{}, false
	case len(items) == 1 && !comma:
		return items[0], closing == 0 || !items[0].bytes
	}
	v := item{Value: Value{Kind: List}}
	for _, i := range items {
		v.unhashable = v.unhashable || i.unhashable
		v.Value = v.WithItems(append(v.Items(), i.Value))
		ok = ok && !i.bytes // bytes become text only where they stand alone
	}
	return v, ok
}

func (r *literal) items(closing byte) (items []item, comma, ok bool) {
	for comma = true; r.skip() != closing || closing == 0 && r.at < len(r.text); {
		if !comma {
			return nil, false, false
		}
		v, ok := r.expression()
		if !ok {
			return nil, false, false
		}
		items = append(items, v)
		comma = r.take(',')
	}
	return items, comma, true
}

// expression reads one value, with a sign, or a complex number.
func (r *literal) expression() (item, bool) {
	r.skip()
	start := r.at
	left, ok := r.signed()
	if !ok {
		return item{}, false
	}
	if c := r.skip(); c == '+' || c == '-' {
		r.at++
		right, ok := r.atom()
		if !ok || !left.number || left.imaginary || !right.number || !right.imaginary {
			return item{}, false
		}
		left.Value, left.imaginary, left.number = Value{Kind: Unsafe, Text: r.text[start:r.at]}, false, false
	}
	return left, true
}

func (r *literal) signed() (item, bool) {
	sign := r.skip()
	if sign != '+' && sign != '-' {
		return r.atom()
	}
	r.at++
	v, ok := r.atom()
	if !ok || !v.number {
		return item{}, false
	}
	if sign == '-' && v.Text != "0" {
		v.Text = "-" + v.Text
	}
	v.number = v.Kind != Unsafe
	return v, true
}

func (r *literal) atom() (item, bool) {
	c := r.skip()
	switch {
	case c == '(' || c == '[' || c == '{':
		if r.nested++; r.nested > mostNested {
			return item{}, false
		}
		r.at++
		v, ok := r.bracketed(c)
		r.nested--
		r.at++ // the closing one
		return v, ok
	case c >= '0' && c <= '9' || c == '.':
		return r.number()
	case c == '"' || c == '\'' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		return r.wordOrString()
	}
	return item{}, false
}

// bracketed reads up to a closing bracket, which it leaves.
func (r *literal) bracketed(opening byte) (item, bool) {
	switch opening {
	case '(':
		return r.tuple(')')
	case '[':
		items, _, ok := r.items(']')
		v := item{Value: Value{Kind: List}, unhashable: true}
		for _, i := range items {
			v.Value = v.WithItems(append(v.Items(), i.Value))
			ok = ok && !i.bytes
		}
		return v, ok
	}
	return r.braces()
}

// braces reads a mapping or a set.
func (r *literal) braces() (item, bool) {
	start := r.at - 1
	v := item{Value: Value{Kind: Map}, unhashable: true}
	at := map[string]int{}
	set, comma := false, true
	for n := 0; r.skip() != '}'; n++ {
		if !comma {
			return item{}, false
		}
		key, ok := r.expression()
		if !ok || key.unhashable || key.bytes {
			return item{}, false
		}
		if colon := r.skip() == ':'; n == 0 {
			set = !colon
		} else if set == colon {
			return item{}, false
		}
		if !set {
			r.at++
			value, ok := r.expression()
			if !ok || value.bytes {
				return item{}, false
			}
			if i, have := at[key.sameAs()]; have {
				v.Pairs()[i].Value = value.Value
			} else {
				at[key.sameAs()] = len(v.Pairs())
				v.Value = v.WithPairs(append(v.Pairs(), Pair{key.Value, value.Value}))
			}
		}
		comma = r.take(',')
	}
	if set {
		v.Value = Value{Kind: Unsafe, Text: r.text[start : r.at+1]}
	}
	return v, true
}

// sameAs is the same for keys that Python takes for equal: 1, 1.0 and True.
func (v item) sameAs() string {
	switch v.Kind {
	case Bool:
		return map[string]string{"true": "1", "false": "0"}[v.Text]
	case Int, Float:
		if f, ok := new(big.Float).SetString(v.Text); ok {
			return new(big.Float).Add(f, new(big.Float)).Text('g', -1) // -0 + 0 is 0
		}
	}
	return "=" + v.Digest()
}

// number reads a number of Python's.
func (r *literal) number() (item, bool) {
	start := r.at
	for r.at < len(r.text) {
		c := r.text[r.at]
		exponent := (c == '+' || c == '-') && strings.ContainsRune("eE", rune(r.text[max(start, r.at-1)])) &&
			!strings.HasPrefix(strings.ToLower(r.text[start:]), "0x")
		if !exponent && c != '_' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c < utf8.RuneSelf {
			break
		}
		r.at++
	}
	text := r.text[start:r.at]
	if text == "..." {
		return item{Value: Value{Kind: Unsafe, Text: text}}, true
	}
	digits, ok := plainDigits(text)
	if !ok {
		return item{}, false
	}
	v := item{number: true}
	lower := strings.ToLower(digits)
	if body, ok := strings.CutSuffix(lower, "j"); ok && !strings.HasPrefix(lower, "0x") {
		_, err := strconv.ParseFloat(body, 64)
		v.Value, v.imaginary = Value{Kind: Unsafe, Text: text}, true
		return v, isDecimal(body) && (err == nil || isRange(err))
	}
	if strings.HasPrefix(lower, "0x") || strings.HasPrefix(lower, "0o") || strings.HasPrefix(lower, "0b") || !strings.ContainsAny(lower, ".e") {
		n, ok := new(big.Int).SetString(lower, 0)
		leadingZero := len(lower) > 1 && lower[0] == '0' && lower[1] >= '0' && lower[1] <= '9'
		if !ok && leadingZero || leadingZero && n.Sign() != 0 || !ok || len(lower) > 4300 {
			return item{}, false
		}
		v.Value = Value{Kind: Int, Text: n.String()}
		return v, true
	}
	f, err := strconv.ParseFloat(lower, 64)
	v.Value = Value{Kind: Float, Text: floatText(f)}
	return v, isDecimal(lower) && (err == nil || isRange(err))
}

func isRange(err error) bool { return strings.HasSuffix(err.Error(), strconv.ErrRange.Error()) }

// isDecimal keeps out what Go's reading of floats knows beyond Python's.
func isDecimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.e+-") == "" && strings.ContainsAny(s, "0123456789") &&
		(s[0] == '.' || s[0] >= '0' && s[0] <= '9')
}

// plainDigits removes underscores, which may stand between two digits and after
// the sign of a base.
func plainDigits(s string) (string, bool) {
	isDigit := func(i int) bool {
		return i >= 0 && i < len(s) && (s[i] >= '0' && s[i] <= '9' || (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'f') && len(s) > 1 && s[1]|0x20 == 'x')
	}
	for i := range s {
		base := i == 2 && s[0] == '0' && strings.ContainsRune("xXoObB", rune(s[1]))
		if s[i] == '_' && (!isDigit(i-1) && !base || !isDigit(i+1)) {
			return "", false
		}
	}
	return strings.ReplaceAll(s, "_", ""), true
}

// floatText is Python's repr of a float.
func floatText(f float64) string {
	s := strconv.FormatFloat(f, 'e', -1, 64)
	if strings.HasSuffix(s, "Inf") {
		return "inf"
	}
	if _, exponent, ok := strings.Cut(s, "e"); ok {
		if n, _ := strconv.Atoi(exponent); n < -4 || n >= 16 {
			return s
		}
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// wordOrString reads a constant's name, set(), or strings one after the other.
func (r *literal) wordOrString() (item, bool) {
	end := r.at
	for end < len(r.text) {
		c, size := utf8.DecodeRuneInString(r.text[end:])
		if c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.IsMark(c) {
			break
		}
		end += size
	}
	word := r.text[r.at:end]
	if end < len(r.text) && (r.text[end] == '"' || r.text[end] == '\'') {
		return r.strings()
	}
	start := r.at
	r.at = end
	switch word {
	case "True":
		return item{Value: Value{Kind: Bool, Text: "true"}}, true
	case "False":
		return item{Value: Value{Kind: Bool, Text: "false"}}, true
	case "None":
		return item{}, true
	case "set":
		if r.skip() == '(' {
			r.nested++
			r.at++
			empty := r.take(')')
			r.nested--
			return item{Value: Value{Kind: Unsafe, Text: r.text[start:r.at]}, unhashable: true}, empty
		}
	}
	return item{}, false
}

// strings reads adjacent strings.
func (r *literal) strings() (item, bool) {
	v := item{Value: Value{Kind: String}}
	var b strings.Builder
	for n := 0; ; n++ {
		c := r.skip()
		if n > 0 && c != '"' && c != '\'' && !r.prefixed() {
			break
		}
		bytes, ok := r.oneString(&b)
		if !ok || n > 0 && bytes != v.bytes {
			return item{}, false
		}
		v.bytes = bytes
	}
	v.Text = b.String()
	return v, utf8.ValidString(v.Text)
}

// prefixed reports whether a string with a prefix follows.
func (r *literal) prefixed() bool {
	rest := r.text[r.at:]
	n := strings.IndexAny(rest, `"'`)
	return n > 0 && n < 3 && strings.Trim(rest[:n], "rRbBuU") == ""
}

// oneString adds one string, without what is around it.
func (r *literal) oneString(to *strings.Builder) (bytes, ok bool) {
	n := strings.IndexAny(r.text[r.at:], `"'`)
	prefix := strings.ToLower(r.text[r.at : r.at+n])
	raw := strings.Contains(prefix, "r")
	bytes = strings.Contains(prefix, "b")
	switch prefix {
	case "", "r", "u", "b", "br", "rb":
	default:
		return false, false // f strings are no literals
	}
	r.at += n
	quote := r.text[r.at : r.at+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(r.text[r.at:], long) {
		quote = long
	}
	r.at += len(quote)
	for {
		rest := r.text[r.at:]
		switch {
		case strings.HasPrefix(rest, quote):
			r.at += len(quote)
			return bytes, true
		case rest == "", len(quote) == 1 && (rest[0] == '\n' || rest[0] == '\r'), bytes && rest[0] >= utf8.RuneSelf:
			return false, false
		case rest[0] == '\\' && len(rest) > 1:
			if raw {
				_, size := utf8.DecodeRuneInString(rest[1:])
				if bytes && rest[1] >= utf8.RuneSelf {
					return false, false
				}
				to.WriteString(rest[:1+size])
				r.at += 1 + size
			} else if !r.escape(to, bytes) {
				return false, false
			}
		default:
			to.WriteByte(rest[0])
			r.at++
		}
	}
}

// escape adds what a backslash and what follows it stand for.
func (r *literal) escape(to *strings.Builder, bytes bool) bool {
	c := r.text[r.at+1]
	r.at += 2
	if i := strings.IndexByte(`\'"abfnrtv`, c); i >= 0 {
		to.WriteByte("\\'\"\a\b\f\n\r\t\v"[i])
		return true
	}
	length := 0
	switch {
	case c == '\n':
		return true
	case c == 'N' && !bytes:
		return false // names of characters are not known here
	case c == 'x':
		length = 2
	case c == 'u' && !bytes:
		length = 4
	case c == 'U' && !bytes:
		length = 8
	case c >= '0' && c <= '7':
		end := r.at
		for end < len(r.text) && end < r.at+2 && r.text[end] >= '0' && r.text[end] <= '7' {
			end++
		}
		n, _ := strconv.ParseUint(r.text[r.at-1:end], 8, 32)
		r.at = end
		return writeChar(to, n, bytes)
	default:
		to.WriteByte('\\')
		r.at--
		return c < utf8.RuneSelf || !bytes
	}
	if len(r.text) < r.at+length {
		return false
	}
	n, err := strconv.ParseUint(r.text[r.at:r.at+length], 16, 32)
	r.at += length
	return err == nil && writeChar(to, n, bytes)
}

func writeChar(to *strings.Builder, n uint64, bytes bool) bool {
	switch {
	case bytes:
		to.WriteByte(byte(n))
	case n > unicode.MaxRune || n >= 0xd800 && n < 0xe000:
		return false
	default:
		to.WriteRune(rune(n))
	}
	return true
}
