package jinja

import (
	"slices"
	"strings"
)

// filter is what a filter makes of a value. Only what Ansible and Jinja define
// themselves is known.
func (f *former) filter(e *expr) Shape {
	of := f.of(e.kids[0])
	s, name := f.filtered(of, e), unqualified(e.text)
	if !unknown(s) || !told[name] || slices.ContainsFunc(e.named, func(n named) bool { return n.name[0] == '*' }) {
		return s
	}
	full := Filtered{Of: of, Name: name, Args: f.all(e.kids[1:])}
	for _, n := range e.named {
		if full.Named == nil {
			full.Named = map[string]Shape{}
		}
		full.Named[n.name] = f.of(n.value)
	}
	return full
}

// filtered is what can be told of that without any variable.
func (f *former) filtered(of Shape, e *expr) Shape {
	args := e.kids[1:]
	name := unqualified(e.text)
	switch name {
	case "default", "d":
		return f.orDefault(of, e)
	case "string":
		if isText(of) {
			return of
		}
		return concat(of)
	case "mandatory":
		return of
	case "lower":
		return eachText(of, strings.ToLower)
	case "upper":
		return eachText(of, strings.ToUpper)
	case "trim":
		if len(args)+len(e.named) == 0 {
			return eachText(of, func(s string) string { return strings.TrimFunc(s, space) })
		}
	case "basename":
		return eachText(of, func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] })
	case "dirname":
		return eachText(of, dirname)
	case "list", "unique":
		if l, ok := of.(List); ok && len(args)+len(e.named) == 0 {
			return l
		}
	case "flatten":
		return flatten(of, len(args)+len(e.named) == 0)
	case "first", "last":
		return each(of, func(s Shape) Shape { return end(s, name == "last") })
	case "ternary":
		switch {
		case len(e.named) > 0 || len(args) < 2:
		case len(args) == 2:
			return choice(of, f.of(args[0]), f.of(args[1]))
		default: // the third is for None
			return either(f.all(args)...)
		}
	case "format":
		if len(e.named) == 0 {
			return format(of, f.all(args))
		}
	case "replace":
		return f.replace(of, e)
	case "join":
		return f.join(of, e)
	case "path_join":
		return pathJoin(of)
	case "dict2items":
		if len(args)+len(e.named) == 0 {
			return items(of)
		}
	case "union":
		if len(args) == 1 && len(e.named) == 0 {
			a, ok := of.(List)
			b, ok2 := f.of(args[0]).(List)
			if ok && ok2 {
				return append(append(List{}, a...), b...)
			}
		}
	}
	return Unknown{}
}

// orDefault is x | default(y). With omit, nothing is instead of a value.
func (f *former) orDefault(of Shape, e *expr) Shape {
	var instead *expr
	if len(e.kids) > 1 {
		instead = e.kids[1]
	}
	for _, n := range e.named {
		switch n.name {
		case "default_value":
			instead = n.value
		case "*", "**":
			return Unknown{}
		}
	}
	switch {
	case instead == nil:
		return either(of, Literal(""))
	case instead.kind == eName && instead.text == "omit" && f.bound["omit"] == nil:
		return of
	}
	then := f.of(instead)
	if v, ok := of.(Variable); ok && len(e.kids) == 2 && len(e.named) == 0 {
		return choice(Test{Of: v, Name: "defined"}, of, then)
	}
	return either(of, then)
}

func (f *former) replace(of Shape, e *expr) Shape {
	if len(e.kids) != 3 || len(e.named) > 0 {
		return Unknown{}
	}
	from, ok := f.of(e.kids[1]).(Literal)
	to, ok2 := f.of(e.kids[2]).(Literal)
	if !ok || !ok2 {
		return Unknown{}
	}
	return eachText(of, func(s string) string { return strings.ReplaceAll(s, string(from), string(to)) })
}

func (f *former) join(of Shape, e *expr) Shape {
	list, ok := of.(List)
	sep := Literal("")
	ok2 := true
	if len(e.kids) == 2 {
		sep, ok2 = f.of(e.kids[1]).(Literal)
	}
	if !ok || !ok2 || len(e.kids) > 2 || len(e.named) > 0 {
		return Unknown{}
	}
	var parts []Shape
	for i, s := range list {
		if i > 0 {
			parts = append(parts, sep)
		}
		parts = append(parts, s)
	}
	return concat(parts...)
}

// dirname is Python's os.path.dirname.
func dirname(s string) string {
	head := s[:strings.LastIndexByte(s, '/')+1]
	if t := strings.TrimRight(head, "/"); t != "" {
		return t
	}
	return head
}

func end(s Shape, last bool) Shape {
	l, ok := s.(List)
	if !ok || len(l) == 0 {
		return Unknown{}
	}
	if last {
		return l[len(l)-1]
	}
	return l[0]
}

func flatten(s Shape, deep bool) Shape {
	l, ok := s.(List)
	if !ok || !deep {
		return Unknown{}
	}
	var flat List
	for _, e := range l {
		switch e := e.(type) {
		case List:
			inner, ok := flatten(e, true).(List)
			if !ok {
				return Unknown{}
			}
			flat = append(flat, inner...)
		case Literal, Concat, Map, Scalar:
			flat = append(flat, e)
		default:
			return Unknown{} // it may be a list
		}
	}
	return flat
}

// items is dict2items of a mapping. The order is not told.
func items(s Shape) Shape {
	m, ok := s.(Map)
	if !ok || len(m) > maxEither {
		return Unknown{}
	}
	var list List
	for key, value := range m {
		list = append(list, Map{"key": Literal(key), "value": value})
	}
	return list
}

// pathJoin is Ansible's path_join: a part that begins with "/" makes what is
// before it go away. What is not known may begin with one.
func pathJoin(s Shape) Shape {
	l, ok := s.(List)
	if !ok || len(l) == 0 || len(l) > maxEither {
		return Unknown{}
	}
	joined := []Shape{l[0]}
	for _, part := range l[1:] {
		literal, known := part.(Literal)
		if known && strings.HasPrefix(string(literal), "/") {
			joined = []Shape{part}
			continue
		}
		for i, before := range joined {
			if endsInSlash(before) {
				joined[i] = concat(before, part)
			} else {
				joined[i] = concat(before, Literal("/"), part)
			}
		}
		if !known {
			joined = append(joined, part)
		}
	}
	return either(joined...)
}

func endsInSlash(s Shape) bool {
	if c, ok := s.(Concat); ok {
		s = c[len(c)-1]
	}
	l, ok := s.(Literal)
	return ok && (l == "" || strings.HasSuffix(string(l), "/"))
}
