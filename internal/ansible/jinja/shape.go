package jinja

import (
	"slices"
	"strings"
)

// Shape is the form of a value, as far as it can be told: one of Literal,
// Scalar, List, Map, Variable, Concat, Either, Found and Unknown, and of those that
// depend on what variables hold: Filtered, Part, Item, Element, Sum, Choice, Comparison
// and Test.
type Shape interface{ shape() }

type (
	// Literal is a text.
	Literal string
	// Scalar is a number, True, False or None, as it looks in a text.
	Scalar string
	// List is a list or tuple of these elements.
	List []Shape
	// Map is a mapping with these keys.
	Map map[string]Shape
	// Variable is what a variable holds, or something within: attributes and
	// constant subscripts, as written, are its Path. Nothing in the text binds
	// its name; a text that includes it may (Text.Binds).
	Variable struct {
		Name string
		Path []string
	}
	// Concat is a text of these parts. A List or a Map in it is a part that is
	// written as Python does.
	Concat []Shape
	// Either is one of these.
	Either []Shape
	// Found is the name of a file: what lookup('first_found') comes to.
	Found struct {
		Terms        []Shape // names, lists of them, mappings with files and paths
		Files, Paths Shape   // given by name; nil if they are not
	}
	// Filtered is what a filter of Ansible's or Jinja's own makes of a value.
	Filtered struct {
		Of    Shape
		Name  string // without "ansible.builtin."
		Args  []Shape
		Named map[string]Shape
	}
	// Part is what lies at a path in a value, as of a Variable.
	Part struct {
		Of   Shape
		Path []string
	}
	// Item is what lies at a computed key in a value.
	Item struct{ Of, Key Shape }
	// Element is what a loop over a value goes through, any of it: the elements of a
	// list, the keys of a mapping.
	Element struct{ Of Shape }
	// Sum is a + b: a text, a list or a number.
	Sum []Shape
	// Choice is Then if a value is true, else Else.
	Choice struct{ If, Then, Else Shape }
	// Comparison is the truth of A Op B: ==, !=, <, <=, >, >=, in or not in.
	Comparison struct {
		Op   string
		A, B Shape
	}
	// Test is the truth of "Of is Name(Args)".
	Test struct {
		Of   Shape
		Name string
		Args []Shape
	}
	// Unknown can be anything.
	Unknown struct{}
)

func (Literal) shape()  {}
func (Scalar) shape()   {}
func (List) shape()     {}
func (Map) shape()      {}
func (Variable) shape() {}
func (Concat) shape()   {}
func (Either) shape()   {}
func (Found) shape()    {}
func (Unknown) shape()  {}

func (Filtered) shape()   {}
func (Part) shape()       {}
func (Item) shape()       {}
func (Element) shape()    {}
func (Sum) shape()        {}
func (Choice) shape()     {}
func (Comparison) shape() {}
func (Test) shape()       {}

// told are the filters of which more is known than that they make something: with
// Filtered, whoever knows the variables can go on.
var told = map[string]bool{
	"basename": true, "bool": true, "capitalize": true, "combine": true, "count": true, "dict2items": true, "difference": true, "dirname": true,
	"first": true, "flatten": true, "int": true, "quote": true, "intersect": true, "items2dict": true, "join": true, "keys": true, "last": true,
	"length": true, "list": true, "lower": true, "map": true, "random": true, "regex_replace": true, "reject": true, "rejectattr": true,
	"replace": true, "select": true, "selectattr": true, "shuffle": true, "sort": true, "split": true, "string": true,
	"symmetric_difference": true, "trim": true, "union": true, "unique": true, "upper": true, "values": true,
}

// truths are both of them.
var truths = Either{Scalar("True"), Scalar("False")}

const (
	maxEither  = 32   // possibilities that are told apart
	maxLiteral = 8192 // bytes of a text that is computed
)

func unknown(s Shape) bool {
	_, ok := s.(Unknown)
	return ok
}

// known is nil for what is not known at all.
func known(s Shape) Shape {
	if unknown(s) {
		return nil
	}
	return s
}

// either is one of some shapes. It knows nothing if one of them does not.
func either(shapes ...Shape) Shape {
	var list Either
	for _, s := range shapes {
		if len(list) > maxEither {
			break
		}
		switch s := s.(type) {
		case nil: // no value
		case Unknown:
			return Unknown{}
		case Either:
			for _, t := range s {
				list = list.with(t)
			}
		default:
			list = list.with(s)
		}
	}
	switch {
	case len(list) == 0 || len(list) > maxEither:
		return Unknown{}
	case len(list) == 1:
		return list[0]
	}
	return list
}

func (e Either) with(s Shape) Either {
	if slices.ContainsFunc(e, func(t Shape) bool { return same(s, t) }) {
		return e
	}
	return append(e, s)
}

// same compares what is cheap to compare.
func same(a, b Shape) bool {
	switch a := a.(type) {
	case Literal:
		b, ok := b.(Literal)
		return ok && a == b
	case Scalar:
		b, ok := b.(Scalar)
		return ok && a == b
	case Variable:
		b, ok := b.(Variable)
		return ok && a.Name == b.Name && slices.Equal(a.Path, b.Path)
	}
	return false
}

// concat joins texts.
func concat(parts ...Shape) Shape {
	list := make(Concat, 0, len(parts))
	size := 0
	for _, p := range parts {
		if size += length(p); size > maxLiteral {
			return Unknown{}
		}
		switch p := p.(type) {
		case nil:
		case Concat:
			for _, q := range p {
				list = list.with(q)
			}
		case Scalar:
			list = list.with(Literal(p))
		default:
			list = list.with(p)
		}
	}
	switch {
	case len(list) == 0:
		return Literal("")
	case len(list) == 1:
		switch list[0].(type) {
		case Literal, Unknown:
			return list[0]
		}
	}
	return list
}

func (c Concat) with(s Shape) Concat {
	if l, ok := s.(Literal); ok {
		if l == "" {
			return c
		}
		if n := len(c) - 1; n >= 0 {
			if before, ok := c[n].(Literal); ok {
				c[n] = before + l
				return c
			}
		}
	}
	return append(c, s)
}

// length is how long the known parts of a text are.
func length(s Shape) int {
	switch s := s.(type) {
	case Literal:
		return len(s)
	case Concat:
		n := len(s)
		for _, p := range s {
			n += length(p)
		}
		return n
	}
	return 0
}

// literals returns the texts that a shape can come to, if all are known.
func literals(s Shape) ([]string, bool) {
	switch s := s.(type) {
	case Literal:
		return []string{string(s)}, true
	case Either:
		list := make([]string, 0, len(s))
		for _, t := range s {
			l, ok := t.(Literal)
			if !ok {
				return nil, false
			}
			list = append(list, string(l))
		}
		return list, true
	}
	return nil, false
}

// each applies f to every possibility.
func each(s Shape, f func(Shape) Shape) Shape {
	if e, ok := s.(Either); ok {
		list := make([]Shape, len(e))
		for i, t := range e {
			list[i] = f(t)
		}
		return either(list...)
	}
	return f(s)
}

// eachText computes with every text, if all are known.
func eachText(s Shape, f func(string) string) Shape {
	return each(s, func(s Shape) Shape {
		if l, ok := s.(Literal); ok && len(l) <= maxLiteral {
			if t := f(string(l)); len(t) <= maxLiteral {
				return Literal(t)
			}
		}
		return Unknown{}
	})
}

// at is what a key of a value holds.
func at(s Shape, key string) Shape {
	return each(s, func(s Shape) Shape {
		switch s := s.(type) {
		case Variable:
			return Variable{s.Name, append(slices.Clip(s.Path), key)}
		case Map:
			if v, ok := s[key]; ok {
				return v
			}
		case List:
			if i, ok := index(key, len(s)); ok {
				return s[i]
			}
		case Part:
			return Part{s.Of, append(slices.Clip(s.Path), key)}
		case Filtered, Item, Element, Sum, Choice:
			return Part{s, []string{key}}
		}
		return Unknown{}
	})
}

// index reads a subscript of a list.
func index(key string, length int) (int, bool) {
	n := 0
	digits := strings.TrimPrefix(key, "-")
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' || n > length {
			return 0, false
		}
		n = n*10 + int(digits[i]-'0')
	}
	if digits != key {
		n = length - n
	}
	return n, digits != "" && n >= 0 && n < length
}

// elements is what a loop over a value goes through.
func elements(s Shape) Shape {
	return each(s, func(s Shape) Shape {
		switch s := s.(type) {
		case List:
			if len(s) > 0 {
				return either(s...)
			}
		case Variable, Part, Filtered, Item, Element, Sum, Choice:
			return Element{s}
		}
		return Unknown{}
	})
}

// looped reports whether a loop has a part in a shape.
func looped(s Shape) bool {
	switch s := s.(type) {
	case Element:
		return true
	case List:
		return slices.ContainsFunc(s, looped)
	case Concat:
		return slices.ContainsFunc(s, looped)
	case Either:
		return slices.ContainsFunc(s, looped)
	case Sum:
		return slices.ContainsFunc(s, looped)
	case Filtered:
		return looped(s.Of) || slices.ContainsFunc(s.Args, looped)
	case Part:
		return looped(s.Of)
	case Item:
		return looped(s.Of) || looped(s.Key)
	case Choice:
		return looped(s.If) || looped(s.Then) || looped(s.Else)
	}
	return false
}
