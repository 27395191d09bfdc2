package recipe

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalar decodes a string, number or boolean.
func (w *walker) scalar(n *yaml.Node, s *shape, out reflect.Value, at site) {
	switch s.kind {
	case kindScalar:
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			w.wrongType(n, "a string", "", at)
			return
		}
		if w.clean(n, s, at) {
			out.SetString(n.Value)
		}
	case kindBool:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			w.wrongType(n, "true or false", boolHint(n), at)
			return
		}
		out.SetBool(strings.EqualFold(n.Value, "true"))
	case kindInt:
		w.number(n, s, out, at)
	case kindText:
		if text, ok := w.text(n, s, at); ok {
			out.SetString(text)
		}
	case kindWord:
		if text, ok := w.text(n, s, at); ok {
			out.Set(reflect.ValueOf(word{text, w.place(n)}))
		}
	}
}

func boolHint(n *yaml.Node) string {
	switch strings.ToLower(n.Value) {
	case "yes", "y", "on", "1", "true":
		return "write true"
	case "no", "n", "off", "0", "false":
		return "write false"
	}
	return ""
}

// number decodes an integer in plain decimal, the one form that every YAML
// reader reads alike.
func (w *walker) number(n *yaml.Node, s *shape, out reflect.Value, at site) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		hint := ""
		if _, err := strconv.Atoi(n.Value); err == nil && n.Kind == yaml.ScalarNode {
			hint = "write " + n.Value + " without quotes"
		}
		w.wrongType(n, "a whole number", hint, at)
		return
	}
	value, err := strconv.Atoi(n.Value)
	switch {
	case err != nil || strconv.Itoa(value) != n.Value:
		w.faults.add(w.place(n), "write it in plain decimal digits", "%s: %s is not a plain whole number", at.path, quote(n.Value))
	case s.enum != nil && !slices.Contains(s.enum, n.Value):
		w.faults.add(w.place(n), "legal is "+strings.Join(s.enum, ", "), "%s: %s is not legal", at.path, n.Value)
	case s.min != 0 && value < s.min:
		w.faults.add(w.place(n), "the least is "+strconv.Itoa(s.min), "%s: %s is too little", at.path, n.Value)
	default:
		out.SetInt(int64(value))
	}
}

// text returns a string that has the form that the shape asks for.
func (w *walker) text(n *yaml.Node, s *shape, at site) (string, bool) {
	form := w.formats[s.format]
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null":
		w.wrongType(n, "a string", "", at)
		return "", false
	case !isString(n):
		hint := "put it in quotes: " + quote(n.Value)
		if s.format == "mode" {
			hint = "put it in quotes, since YAML would read it as another number: " + quote(octal(n.Value))
		}
		w.wrongType(n, "a string", hint, at)
		return "", false
	case n.Value == "" && !form.empty:
		w.faults.add(w.place(n), "write a value, or take the key out", "%s is empty", at.path)
		return "", false
	case s.enum != nil && !slices.Contains(s.enum, n.Value):
		hint := didYouMean(n.Value, s.enum, "legal values are")
		if alias := archNames()[n.Value]; slices.Contains(s.enum, alias) {
			hint = "Debian's name of it is " + quote(alias)
		}
		w.faults.add(w.place(n), hint, "%s: %s is not a legal value", at.path, quote(n.Value))
		return "", false
	case !w.clean(n, s, at):
		return "", false
	case s.legal != nil && !s.legal.MatchString(n.Value) && strings.HasPrefix(n.Value, unfilled):
		w.faults.add(w.place(n), "in its place, write "+form.means, "%s is still to be filled in: %s", at.path, strings.TrimPrefix(n.Value, unfilled))
		return "", false
	case s.legal != nil && !s.legal.MatchString(n.Value):
		w.faults.add(w.place(n), "it must be "+form.means, "%s: %s is not legal", at.path, quote(n.Value))
		return "", false
	}
	if form.check == nil {
		return n.Value, true
	}
	return form.check(w, word{n.Value, w.place(n)}, at.path), true
}

// unfilled is what the value begins with that somebody has yet to write, in a
// strata.yaml that another configuration was made into. No format with a pattern takes it.
const unfilled = "FILL IN "

// clean refuses a zero byte, which no argument, variable or path can hold.
func (w *walker) clean(n *yaml.Node, s *shape, at site) bool {
	if s.format == "content" || !strings.Contains(n.Value, "\x00") {
		return true
	}
	w.faults.add(w.place(n), `take out the \0`, "%s holds a zero byte", at.path)
	return false
}

// octal turns what somebody wrote as a number into the mode that was meant.
func octal(digits string) string {
	return "0" + strings.TrimLeft(strings.TrimPrefix(digits, "0o"), "0")
}

// archNames maps the kernel's names of architectures to Debian's.
func archNames() map[string]string {
	return map[string]string{
		"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armv7l": "armhf",
		"i686": "i386", "x86": "i386", "ppc64le": "ppc64el",
	}
}

// any decodes a value of any type into nil, bool, int, float64, string, []any
// and map[string]any.
func (w *walker) any(n *yaml.Node, at site) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, p := range w.pairs(n, at) {
			m[p.key.Value] = w.anyBelow(p.value, at.key(p.key.Value, p.key))
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = w.anyBelow(item, at.item(i, item))
		}
		return list
	}
	if isString(n) {
		return n.Value
	}
	var value any
	if err := n.Decode(&value); err != nil {
		w.faults.add(w.place(n), "put it in quotes: "+quote(n.Value), "%s: %s cannot be read", at.path, quote(n.Value))
		return nil
	}
	if f, ok := value.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		w.faults.add(w.place(n), "put it in quotes: "+quote(n.Value), "%s: %s is not a number", at.path, n.Value)
		return nil
	}
	return value
}

func (w *walker) anyBelow(n *yaml.Node, at site) any {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if !w.enter(n, at) {
		return nil
	}
	defer delete(w.open, n)
	return w.any(n, at)
}
