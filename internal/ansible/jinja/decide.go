package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sized stands for a list or mapping of which only the length matters.
type Sized int

// Condition is a condition that may be decided without Ansible.
type Condition struct{ e *expr }

// ReadCondition reads a condition; nil if nothing can be told of it.
func ReadCondition(src string) *Condition {
	o := Syntax{}.complete()
	if o.starts(src) {
		return nil
	}
	p := newParser(src, o)
	e := p.bare()
	if p.err != nil || e == nil {
		return nil
	}
	return &Condition{e}
}

// Decide reports what a condition comes to, if that is certain: its variables
// are asked for with known, which returns a string, a bool, an int or a Sized, or
// false if nobody can know. Where a part of the condition may fail, the whole is
// certain only if it can then be nothing but that.
func (c *Condition) Decide(known func(name string) (any, bool)) (truth, certain bool) {
	return decider{known, false}.truth(c.e)
}

// Holds reports what a condition comes to, if it is certain that it does: that it
// does not fail, neither for a part of it nor because it is no truth.
func (c *Condition) Holds(known func(name string) (any, bool)) (truth, certain bool) {
	return decider{known, true}.truth(c.e)
}

type decider struct {
	known  func(name string) (any, bool)
	strict bool // nothing may fail
}

func (d decider) truth(e *expr) (truth, certain bool) {
	switch e.kind {
	case eNot:
		truth, certain = d.truth(e.kids[0])
		return !truth, certain
	case eAnd, eOr:
		all := true
		for _, k := range e.kids {
			truth, certain := d.truth(k)
			if certain && truth == (e.kind == eOr) {
				return truth, true
			}
			if all = all && certain; d.strict && !all {
				return false, false
			}
		}
		return e.kind == eAnd, all
	}
	v, ok := d.value(e)
	if !ok {
		return false, false
	}
	switch v := v.(type) {
	case bool:
		return v, true
	case int:
		return v != 0, !d.strict
	case Sized:
		return v != 0, !d.strict
	}
	return false, false // a text may be a condition itself
}

func (d decider) value(e *expr) (any, bool) {
	switch e.kind {
	case eName:
		return d.known(e.text)
	case eString:
		return e.text, e.raw == "" || e.raw == e.text
	case eBool:
		return strings.EqualFold(e.text, "true"), true
	case eNumber:
		n, err := strconv.Atoi(e.text)
		return n, err == nil
	case eFilter:
		return d.filter(e)
	case eCompare:
		return d.compare(e)
	case eNot, eAnd, eOr:
		truth, certain := d.truth(e)
		return truth, certain
	}
	return nil, false
}

func (d decider) filter(e *expr) (any, bool) {
	if e.kids[0] == nil {
		return nil, false
	}
	v, ok := d.value(e.kids[0])
	if !ok {
		return nil, false
	}
	switch unqualified(e.text) {
	case "default", "d":
		return v, len(e.kids) == 2 && len(e.named) == 0 // it is defined
	case "bool":
		switch v := v.(type) {
		case bool:
			return v, true
		case string:
			switch strings.ToLower(v) {
			case "yes", "on", "1", "true":
				return true, true
			}
			return false, true
		}
	case "length", "count":
		switch v := v.(type) {
		case Sized:
			return int(v), true
		case string:
			return utf8.RuneCountInString(v), true
		}
	}
	return nil, false
}

func (d decider) compare(e *expr) (any, bool) {
	if len(e.kids) != 2 || len(e.named) != 1 {
		return nil, false
	}
	a, ok := d.value(e.kids[0])
	b, ok2 := d.value(e.kids[1])
	if !ok || !ok2 {
		return nil, false
	}
	op := e.named[0].name
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok && (op == "==" || op == "!=") {
			return (a == b) == (op == "=="), true
		}
	case bool:
		if b, ok := b.(bool); ok && (op == "==" || op == "!=") {
			return (a == b) == (op == "=="), true
		}
	case int:
		if b, ok := b.(int); ok {
			switch op {
			case "==":
				return a == b, true
			case "!=":
				return a != b, true
			case "<":
				return a < b, true
			case "<=":
				return a <= b, true
			case ">":
				return a > b, true
			case ">=":
				return a >= b, true
			}
		}
	}
	return nil, false
}
