package jinja

import (
	"slices"
	"strings"
)

// former tells the shapes of expressions.
type former struct {
	free  func(name string) bool
	bound map[string][]binding
	// changes are nil if nothing is changed in place.
	changes *changes
	// busy are the names whose bindings are being looked at.
	busy []string
	// budget and total are how many expressions are still looked at, for one
	// shape and for all: shapes of shapes may grow without bound.
	budget, total int
}

const (
	shapeBudget = 1000
	textBudget  = 200_000
)

func newFormer(body []*stmt, mutates bool, free func(string) bool) *former {
	f := &former{free: free, total: textBudget}
	f.bind(body)
	if mutates {
		f.changed(body)
	}
	return f
}

// shape is what an expression can come to.
func (f *former) shape(e *expr) Shape {
	f.budget = min(shapeBudget, f.total)
	s := f.of(e)
	f.total -= min(shapeBudget, f.total) - max(f.budget, 0)
	return s
}

// binding is one way in which a text itself gives a name its value.
type binding struct {
	value *expr
	// path leads into the value: "*" is any of its elements.
	path []string
}

// bind notes everything that a body binds, at any depth.
func (f *former) bind(body []*stmt) {
	for _, s := range body {
		switch s.kind {
		case sFor:
			if s.recursive {
				f.assign(s.target, nil, nil) // loop(…) goes through other values
			} else {
				f.assign(s.target, s.value, []string{"*"})
			}
		case sSet:
			f.assign(s.target, s.value, nil)
		case sSetBlock:
			f.assign(s.target, nil, nil)
		case sWith:
			for i, t := range s.params {
				f.assign(t, s.defaults[i], nil)
			}
		case sMacro, sCallBlock:
			for _, t := range s.params {
				f.assign(t, nil, nil)
			}
			if s.kind == sMacro {
				f.add(s.text, binding{})
			}
		case sInclude:
			for _, n := range s.names {
				f.add(n, binding{})
			}
		}
		for _, a := range s.arms {
			f.bind(a.body)
		}
		f.bind(s.body)
		f.bind(s.orelse)
	}
}

func (f *former) assign(target, value *expr, path []string) {
	switch target.kind {
	case eName:
		f.add(target.text, binding{value, path})
	case eTuple:
		for i, k := range target.kids {
			f.assign(k, value, append(slices.Clip(path), itoa(i)))
		}
	case eAttr:
		// A namespace: what it holds is not followed.
		f.add(target.kids[0].text, binding{})
	}
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + itoa(i%10)
}

func (f *former) add(name string, b binding) {
	if f.bound == nil {
		f.bound = map[string][]binding{}
	}
	f.bound[name] = append(f.bound[name], b)
}

// name is what a name can stand for, anywhere in the text.
func (f *former) name(name string) Shape {
	if !f.changes.holds(name) {
		return Unknown{}
	}
	bindings, ok := f.bound[name]
	if !ok {
		if lookupName(&expr{text: name}) && f.free(name) {
			return Variable{Name: name} // it is not called
		}
		if isGlobal(name) || !f.free(name) || name == "vars" || name == "hostvars" {
			return Unknown{}
		}
		return Variable{Name: name}
	}
	if slices.Contains(f.busy, name) || len(bindings) > maxEither {
		return Unknown{}
	}
	f.busy = append(f.busy, name)
	defer func() { f.busy = f.busy[:len(f.busy)-1] }()
	var list []Shape
	for _, b := range bindings {
		if b.value == nil {
			return Unknown{}
		}
		s := f.of(b.value)
		for _, step := range b.path {
			if step == "*" {
				s = elements(s)
				continue
			}
			switch s.(type) {
			case Variable, Element:
				s = Unknown{} // it may be anything that can be taken apart
			default:
				s = at(s, step)
			}
		}
		list = append(list, s)
	}
	if f.free(name) {
		list = append(list, Variable{Name: name})
	}
	return either(list...)
}

// of is the shape of an expression.
func (f *former) of(e *expr) Shape {
	f.budget--
	if e == nil || len(e.kids) > f.budget {
		return Unknown{}
	}
	switch e.kind {
	case eName:
		return f.name(e.text)
	case eString:
		// In a playbook a backslash stays what it is, in a file it escapes.
		return either(Literal(e.text), Literal(e.raw))
	case eNumber, eBool, eNone:
		return Scalar(e.text)
	case eList, eTuple:
		return List(f.all(e.kids))
	case eDict:
		return f.dict(e)
	case eAttr:
		return at(f.container(e.kids[0]), e.text)
	case eItem:
		return f.item(e)
	case eCond:
		if len(e.kids) == 2 {
			return choice(f.of(e.kids[0]), f.of(e.kids[1]), Literal(""))
		}
		return choice(f.of(e.kids[0]), f.of(e.kids[1]), f.of(e.kids[2]))
	case eOr, eAnd:
		all := f.all(e.kids)
		last := all[len(all)-1]
		for i := len(all) - 2; i >= 0; i-- {
			if e.kind == eOr {
				last = choice(all[i], all[i], last)
			} else {
				last = choice(all[i], last, all[i])
			}
		}
		return last
	case eNot:
		return choice(f.of(e.kids[0]), Scalar("False"), Scalar("True"))
	case eCompare:
		if len(e.kids) != 2 || len(e.named) != 1 {
			return truths
		}
		return Comparison{e.named[0].name, f.of(e.kids[0]), f.of(e.kids[1])}
	case eTest:
		if len(e.named) > 0 {
			return truths
		}
		return Test{f.of(e.kids[0]), unqualified(e.text), f.all(e.kids[1:])}
	case eConcat:
		if len(e.kids) == 0 {
			return Concat{Unknown{}}
		}
		return concat(f.all(e.kids)...)
	case eAdd:
		return plus(f.all(e.kids))
	case eMath:
		if e.text == "%" && len(e.kids) == 2 {
			args := []Shape{f.of(e.kids[1])}
			if l, ok := args[0].(List); ok {
				args = l
			}
			return format(f.of(e.kids[0]), args)
		}
	case eFilter:
		return f.filter(e)
	case eCall:
		return f.call(e)
	}
	return Unknown{}
}

// container is the shape of what something lies in: hostvars, too, which is nothing by itself.
func (f *former) container(e *expr) Shape {
	if e.kind == eName && e.text == "hostvars" && f.bound[e.text] == nil && f.changes.holds(e.text) {
		return Variable{Name: e.text}
	}
	return f.of(e)
}

func (f *former) all(list []*expr) []Shape {
	shapes := make([]Shape, len(list))
	for i, e := range list {
		shapes[i] = f.of(e)
	}
	return shapes
}

func (f *former) dict(e *expr) Shape {
	m := Map{}
	for i := 0; i+1 < len(e.kids); i += 2 {
		keys, ok := literals(f.of(e.kids[i]))
		if !ok || len(keys) != 1 {
			return Unknown{}
		}
		m[keys[0]] = f.of(e.kids[i+1])
	}
	return m
}

// item is a subscript with one or more constant keys.
func (f *former) item(e *expr) Shape {
	of := f.container(e.kids[0])
	key := e.kids[1]
	if key.kind == eMath && len(key.kids) == 1 && key.text == "-" && key.kids[0].kind == eNumber {
		return at(of, "-"+key.kids[0].text)
	}
	switch s := f.of(key).(type) {
	case Literal:
		return at(of, string(s))
	case Scalar:
		if s[0] < '0' || s[0] > '9' || strings.Trim(string(s), "0123456789") != "" {
			break
		}
		return at(of, string(s))
	case Either:
		keys, ok := literals(s)
		if !ok {
			break
		}
		list := make([]Shape, len(keys))
		for i, k := range keys {
			list[i] = at(of, k)
		}
		return either(list...)
	}
	if unknown(of) || key.kind == eSlice {
		return Unknown{}
	}
	return Item{of, f.of(key)}
}

// choice is one of two, by whether a value is true.
func choice(of, then, otherwise Shape) Shape {
	switch {
	case unknown(then) || unknown(otherwise):
		return Unknown{}
	case unknown(of) || same(then, otherwise):
		return either(then, otherwise)
	}
	return Choice{of, then, otherwise}
}

// plus is a sum. It is a text as soon as one of its terms is one.
func plus(terms []Shape) Shape {
	text, lists := false, true
	for _, t := range terms {
		if text = text || isText(t); text {
			return concat(terms...)
		}
		_, ok := t.(List)
		lists = lists && ok
	}
	if !lists {
		if slices.ContainsFunc(terms, unknown) {
			return Unknown{}
		}
		return Sum(terms)
	}
	var sum List
	for _, t := range terms {
		sum = append(sum, t.(List)...)
	}
	return sum
}

func isText(s Shape) bool {
	switch s := s.(type) {
	case Literal, Concat:
		return true
	case Either:
		return !slices.ContainsFunc(s, func(t Shape) bool { return !isText(t) })
	}
	return false
}

// format is Python's "%s and %s" % (a, b), with nothing but %s.
func format(pattern Shape, args []Shape) Shape {
	l, ok := pattern.(Literal)
	if !ok {
		return Unknown{}
	}
	pieces := strings.Split(string(l), "%s")
	if len(pieces) != len(args)+1 || strings.Contains(strings.Join(pieces, ""), "%") {
		return Unknown{}
	}
	parts := []Shape{Literal(pieces[0])}
	for i, a := range args {
		parts = append(parts, a, Literal(pieces[i+1]))
	}
	return concat(parts...)
}

// call is what a call comes to: x.get('y'), dict(a=b), lookup('vars', 'x').
func (f *former) call(e *expr) Shape {
	callee := e.kids[0]
	args := e.kids[1:]
	if callee.kind == eAttr && callee.text == "get" && len(e.named) == 0 && (len(args) == 1 || len(args) == 2) {
		v := f.item(&expr{kids: []*expr{callee.kids[0], args[0]}})
		if len(args) == 2 {
			return either(v, f.of(args[1]))
		}
		return v
	}
	if callee.kind == eAttr && len(e.named) == 0 {
		return f.method(callee, args)
	}
	if callee.kind != eName || f.bound[callee.text] != nil {
		return Unknown{}
	}
	switch callee.text {
	case "dict":
		if len(args) > 0 {
			break
		}
		m := Map{}
		for _, n := range e.named {
			if n.name[0] == '*' {
				return Unknown{}
			}
			m[n.name] = f.of(n.value)
		}
		return m
	case "query", "q":
		if len(args) > 0 && !slices.ContainsFunc(e.named, func(n named) bool { return n.name[0] == '*' }) {
			if plugin, _ := f.of(args[0]).(Literal); unqualified(string(plugin)) == "first_found" { // perhaps none
				return Filtered{Of: List{f.found(args[1:], e.named)}, Name: "select"}
			}
		}
	case "lookup":
		if len(args) == 0 || slices.ContainsFunc(e.named, func(n named) bool { return n.name[0] == '*' }) {
			break
		}
		plugin, _ := f.of(args[0]).(Literal)
		if unqualified(string(plugin)) == "first_found" {
			return f.found(args[1:], e.named)
		}
		if len(args) != 2 || unqualified(string(plugin)) != "vars" {
			break
		}
		name, ok := f.of(args[1]).(Literal)
		if !ok {
			break
		}
		v := Shape(Variable{Name: string(name)})
		for _, n := range e.named {
			if n.name == "default" {
				v = either(v, f.of(n.value))
			}
		}
		return v
	}
	return Unknown{}
}

// method is what a method of Python's that is a filter, too, comes to.
func (f *former) method(callee *expr, args []*expr) Shape {
	of := f.of(callee.kids[0])
	if unknown(of) {
		return of
	}
	switch name := callee.text; name {
	case "startswith", "endswith", "isdigit":
		return truths
	case "strip":
		if len(args) == 0 {
			return Filtered{Of: of, Name: "trim"}
		}
	case "lower", "upper", "capitalize", "keys", "values":
		if len(args) == 0 {
			return Filtered{Of: of, Name: name}
		}
	case "split", "replace":
		return Filtered{Of: of, Name: name, Args: f.all(args)}
	}
	return Unknown{}
}

// found is what a lookup of the first file that is there comes to.
func (f *former) found(terms []*expr, keywords []named) Shape {
	var s Found
	for _, t := range terms {
		s.Terms = append(s.Terms, f.of(t))
	}
	for _, k := range keywords {
		switch k.name {
		case "files":
			s.Files = f.of(k.value)
		case "paths":
			s.Paths = f.of(k.value)
		case "terms":
			s.Terms = append(s.Terms, f.of(k.value))
		}
	}
	return s
}
