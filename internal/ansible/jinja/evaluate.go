package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values of Evaluate are nil, bool, int, float64, string, []any and *Dict.

// Dict is a mapping, in its order.
type Dict struct {
	Keys   []string
	Values []any
}

// Get returns an entry.
func (d *Dict) Get(key string) (any, bool) {
	for i, k := range d.Keys {
		if k == key {
			return d.Values[i], true
		}
	}
	return nil, false
}

// Outcome says what came of an evaluation.
type Outcome uint8

// The outcomes. One that failed fails in Ansible, too.
const (
	Unsure  Outcome = iota // it has something that is not followed here
	Known                  // it has a value
	Failed                 // a variable is not defined, or a value has the wrong type
	missing                // it is not defined, which fails unless something takes it
)

// Evaluate evaluates an expression as Ansible does, as far as that is simple: names with
// their attributes, literals, comparisons, conditions, and filters and tests on text and
// lists. Known returns a variable; Failed if it is not defined.
func Evaluate(src string, known func(name string) (any, Outcome)) (any, Outcome) {
	o := Syntax{}.complete()
	if o.starts(src) {
		return nil, Unsure
	}
	p := newParser(src, o)
	e := p.bare()
	if p.err != nil || e == nil {
		return nil, Unsure
	}
	return (&evaluator{known}).strict(e)
}

// EvaluateIf is Evaluate for what stands behind the word if in a tag, where `a if b` is
// none but in brackets.
func EvaluateIf(src string, known func(name string) (any, Outcome)) (truth bool, out Outcome) {
	p := newParser(src, Syntax{}.complete())
	if e := p.bare(); p.err != nil || e == nil || e.kind == eCond {
		return false, Unsure
	}
	v, out := Evaluate(src, known)
	return Truth(v), out
}

// Truth is what Python takes a value for in a condition.
func Truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *Dict:
		return len(v.Keys) > 0
	}
	return true
}

type evaluator struct {
	known func(name string) (any, Outcome)
}

// value evaluates an expression. What is missing is passed on to what may take it.
func (ev *evaluator) value(e *expr) (any, Outcome) {
	switch e.kind {
	case eName:
		v, out := ev.known(e.text)
		switch {
		case out == Failed && isGlobal(e.text):
			return nil, Unsure
		case out == Failed:
			out = missing
		}
		return v, out
	case eString:
		if e.raw != "" && e.raw != e.text {
			return nil, Unsure
		}
		return e.text, Known
	case eNumber:
		if n, err := strconv.Atoi(e.text); err == nil {
			return n, Known
		}
		return nil, Unsure
	case eBool:
		return e.text == "True", Known
	case eNone:
		return nil, Known
	case eList, eTuple:
		return ev.list(e.kids)
	case eAttr:
		return ev.entry(e.kids[0], e.text)
	case eItem:
		key, out := ev.strict(e.kids[1])
		if out != Known {
			return nil, out
		}
		if i, ok := key.(int); ok {
			return ev.element(e.kids[0], i)
		}
		if s, ok := key.(string); ok {
			return ev.entry(e.kids[0], s)
		}
	case eCond:
		return ev.cond(e)
	case eAnd, eOr:
		return ev.junction(e)
	case eNot:
		v, out := ev.strict(e.kids[0])
		return !Truth(v), out
	case eCompare:
		return ev.comparison(e)
	case eConcat:
		return ev.joined(e)
	case eAdd:
		return ev.sum(e)
	case eFilter:
		return ev.filter(e)
	case eTest:
		return ev.test(e)
	case eCall:
		return ev.method(e)
	}
	return nil, Unsure
}

// strict is value where what is missing fails.
func (ev *evaluator) strict(e *expr) (any, Outcome) {
	v, out := ev.value(e)
	if out == missing {
		out = Failed
	}
	return v, out
}

func (ev *evaluator) list(kids []*expr) (any, Outcome) {
	list := []any{}
	for _, k := range kids {
		v, out := ev.strict(k)
		if out != Known {
			return nil, out
		}
		list = append(list, v)
	}
	return list, Known
}

// entry is x.name or x['name'].
func (ev *evaluator) entry(of *expr, name string) (any, Outcome) {
	v, out := ev.value(of)
	if out != Known {
		return nil, out
	}
	d, ok := v.(*Dict)
	if !ok || method(name) {
		return nil, Unsure // a method, maybe
	}
	if v, ok = d.Get(name); !ok {
		return nil, missing
	}
	return v, Known
}

func (ev *evaluator) element(of *expr, i int) (any, Outcome) {
	v, out := ev.value(of)
	if out != Known {
		return nil, out
	}
	list, ok := v.([]any)
	switch {
	case !ok:
		return nil, Unsure
	case i < 0:
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil, missing
	}
	return list[i], Known
}

func (ev *evaluator) cond(e *expr) (any, Outcome) {
	test, out := ev.strict(e.kids[0])
	switch {
	case out != Known:
		return nil, out
	case Truth(test):
		return ev.value(e.kids[1])
	case len(e.kids) > 2:
		return ev.value(e.kids[2])
	}
	return nil, missing
}

// junction is `and` and `or`, whose value is that of one of the operands.
func (ev *evaluator) junction(e *expr) (v any, out Outcome) {
	for _, k := range e.kids {
		if v, out = ev.strict(k); out != Known || Truth(v) == (e.kind == eOr) {
			return v, out
		}
	}
	return v, out
}

func (ev *evaluator) comparison(e *expr) (any, Outcome) {
	if len(e.kids) != 2 {
		return nil, Unsure
	}
	a, out := ev.strict(e.kids[0])
	if out != Known {
		return nil, out
	}
	b, out := ev.strict(e.kids[1])
	if out != Known {
		return nil, out
	}
	switch op := e.named[0].name; op {
	case "==", "!=":
		if !plainValue(a) || !plainValue(b) {
			return nil, Unsure
		}
		return equal(a, b) == (op == "=="), Known
	case "in":
		return contains(b, a)
	default:
		return ordered(op, a, b)
	}
}

// plainValue reports whether a value is a scalar.
func plainValue(v any) bool {
	switch v.(type) {
	case []any, *Dict:
		return false
	}
	return true
}

// equal is Python's == of scalars.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return a == b
}

// number is a value as Python compares it with numbers.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return float64(v), math.Abs(float64(v)) < 1<<52
	case float64:
		return v, true
	}
	return 0, false
}

func contains(in, v any) (any, Outcome) {
	switch in := in.(type) {
	case string:
		s, ok := v.(string)
		if !ok {
			return nil, Failed
		}
		return strings.Contains(in, s), Known
	case *Dict:
		s, ok := v.(string)
		if !ok {
			return nil, Unsure
		}
		_, has := in.Get(s)
		return has, Known
	case []any:
		for _, item := range in {
			if !plainValue(item) || !plainValue(v) {
				return nil, Unsure
			}
			if equal(item, v) {
				return true, Known
			}
		}
		return false, Known
	}
	return nil, Failed
}

func ordered(op string, a, b any) (any, Outcome) {
	order := 0
	x, ok := number(a)
	y, ok2 := number(b)
	s, isText := a.(string)
	t, isText2 := b.(string)
	switch {
	case ok && ok2 && x < y, isText && isText2 && s < t:
		order = -1
	case ok && ok2 && x > y, isText && isText2 && s > t:
		order = 1
	case !(ok && ok2) && !(isText && isText2):
		return nil, Failed
	}
	return map[string]bool{"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[op], Known
}

// printedText is a value as `~` and join print it.
func printedText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int:
		return strconv.Itoa(v), true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	}
	return "", false
}

func (ev *evaluator) joined(e *expr) (any, Outcome) {
	text := ""
	for _, k := range e.kids {
		v, out := ev.strict(k)
		if out != Known {
			return nil, out
		}
		s, ok := printedText(v)
		if !ok {
			return nil, Unsure
		}
		text += s
	}
	return text, Known
}

func (ev *evaluator) sum(e *expr) (any, Outcome) {
	var total any
	for i, k := range e.kids {
		v, out := ev.strict(k)
		if out != Known {
			return nil, out
		}
		if i == 0 {
			total = v
			continue
		}
		switch a := total.(type) {
		case string:
			b, ok := v.(string)
			if !ok {
				return nil, Failed
			}
			total = a + b
		case int:
			b, ok := v.(int)
			if !ok {
				return nil, Unsure
			}
			total = a + b
		case []any:
			b, ok := v.([]any)
			if !ok {
				return nil, Failed
			}
			total = append(a[:len(a):len(a)], b...)
		default:
			return nil, Unsure
		}
	}
	return total, Known
}

func (ev *evaluator) test(e *expr) (any, Outcome) {
	name := unqualified(e.text)
	if len(e.named) > 0 {
		return nil, Unsure
	}
	v, out := ev.value(e.kids[0])
	switch {
	case out == Unsure || out == Failed:
		return nil, out
	case name == "defined" || name == "undefined":
		return (out == Known) == (name == "defined"), Known
	case out == missing:
		return nil, Failed
	case len(e.kids) == 2 && (name == "in" || name == "eq" || name == "equalto" || name == "=="):
		other, out := ev.strict(e.kids[1])
		switch {
		case out != Known:
			return nil, out
		case name == "in":
			return contains(other, v)
		case !plainValue(v) || !plainValue(other):
			return nil, Unsure
		}
		return equal(v, other), Known
	case len(e.kids) > 1:
		return nil, Unsure
	}
	switch name {
	case "none":
		return v == nil, Known
	case "string":
		_, is := v.(string)
		return is, Known
	case "mapping":
		_, is := v.(*Dict)
		return is, Known
	case "boolean":
		_, is := v.(bool)
		return is, Known
	case "true":
		return v == true, Known
	case "false":
		return v == false, Known
	}
	return nil, Unsure
}

// method calls one of a text or a mapping.
func (ev *evaluator) method(e *expr) (any, Outcome) {
	callee := e.kids[0]
	if callee.kind != eAttr || len(e.named) > 0 {
		return nil, Unsure
	}
	of, out := ev.strict(callee.kids[0])
	if out != Known {
		return nil, out
	}
	args, out := ev.list(e.kids[1:])
	if out != Known {
		return nil, out
	}
	list := args.([]any)
	if d, ok := of.(*Dict); ok && callee.text == "get" && len(list) >= 1 && len(list) <= 2 {
		key, ok := list[0].(string)
		v, has := d.Get(key)
		switch {
		case !ok:
			return nil, Unsure
		case has:
			return v, Known
		case len(list) == 2:
			return list[1], Known
		}
		return nil, Known
	}
	s, ok := of.(string)
	if !ok {
		return nil, Unsure
	}
	arg := ""
	if len(list) == 1 {
		if arg, ok = list[0].(string); !ok {
			return nil, Unsure
		}
	}
	return textMethod(s, callee.text, arg, len(list))
}

func textMethod(s, name, arg string, args int) (any, Outcome) {
	switch {
	case name == "startswith" && args == 1:
		return strings.HasPrefix(s, arg), Known
	case name == "endswith" && args == 1:
		return strings.HasSuffix(s, arg), Known
	case name == "split" && args == 1 && arg != "":
		return texts(strings.Split(s, arg)), Known
	case name == "lower" && args == 0:
		return strings.ToLower(s), Known
	case name == "upper" && args == 0:
		return strings.ToUpper(s), Known
	}
	return nil, Unsure
}

func texts(list []string) []any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return all
}

func (ev *evaluator) filter(e *expr) (any, Outcome) {
	name := unqualified(e.text)
	if e.kids[0] == nil || len(e.named) > 0 {
		return nil, Unsure
	}
	v, out := ev.value(e.kids[0])
	if name == "default" || name == "d" {
		return ev.orDefault(v, out, e.kids[1:])
	}
	if out == missing {
		out = Failed
	}
	if out != Known {
		return nil, out
	}
	args, out := ev.list(e.kids[1:])
	if out != Known {
		return nil, out
	}
	return filtered(name, v, args.([]any))
}

func (ev *evaluator) orDefault(v any, out Outcome, args []*expr) (any, Outcome) {
	if out == Unsure || out == Failed || len(args) > 2 {
		return nil, min(out, Failed)
	}
	falsy := false
	if len(args) == 2 {
		b, out := ev.strict(args[1])
		if out != Known {
			return nil, out
		}
		falsy = Truth(b)
	}
	if out == Known && (Truth(v) || !falsy) {
		return v, Known
	}
	if len(args) == 0 {
		return "", Known
	}
	return ev.value(args[0])
}

// filtered is what a filter makes of a value.
func filtered(name string, v any, args []any) (any, Outcome) {
	s, isText := v.(string)
	list, isList := v.([]any)
	switch {
	case name == "bool" && len(args) == 0:
		switch v := v.(type) {
		case bool:
			return v, Known
		case string:
			lower := strings.ToLower(v)
			return lower == "yes" || lower == "on" || lower == "1" || lower == "true", Known
		}
	case name == "int" && len(args) == 0 && !isText:
		if n, ok := v.(int); ok {
			return n, Known
		}
	case name == "mandatory" && len(args) == 0:
		return v, Known
	case (name == "length" || name == "count") && len(args) == 0:
		switch {
		case isText:
			return utf8.RuneCountInString(s), Known
		case isList:
			return len(list), Known
		}
	case (name == "first" || name == "last") && isList && len(args) == 0 && len(list) > 0:
		if name == "first" {
			return list[0], Known
		}
		return list[len(list)-1], Known
	case name == "join" && isList:
		return joinedList(list, args)
	case name == "list" && isList && len(args) == 0:
		return v, Known
	case !isText && (name == "string" || name == "lower" || name == "upper"):
		if text, ok := printedText(v); ok && len(args) == 0 {
			return filtered(name, text, nil)
		}
	case isText && len(args) == 0:
		switch name {
		case "lower":
			return strings.ToLower(s), Known
		case "upper":
			return strings.ToUpper(s), Known
		case "string":
			return s, Known
		case "trim":
			return strings.TrimFunc(s, space), Known
		case "int":
			if n, err := strconv.Atoi(strings.TrimFunc(s, space)); err == nil {
				return n, Known
			}
		}
	case isText && name == "replace" && len(args) == 2:
		from, ok := args[0].(string)
		to, ok2 := args[1].(string)
		if ok && ok2 && from != "" {
			return strings.ReplaceAll(s, from, to), Known
		}
	case isText && name == "split" && len(args) == 1:
		if sep, ok := args[0].(string); ok && sep != "" {
			return texts(strings.Split(s, sep)), Known
		}
	}
	return nil, Unsure
}

func joinedList(list, args []any) (any, Outcome) {
	sep := ""
	if len(args) > 1 {
		return nil, Unsure
	}
	if len(args) == 1 {
		var ok bool
		if sep, ok = args[0].(string); !ok {
			return nil, Unsure
		}
	}
	var all []string
	for _, item := range list {
		s, ok := printedText(item)
		if !ok {
			return nil, Unsure
		}
		all = append(all, s)
	}
	return strings.Join(all, sep), Known
}
