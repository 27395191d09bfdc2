package jinja

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Text is what a template or an expression can read.
type Text struct {
	// Names are the free variables that it may read, each once, with its first
	// line, sorted by name. Constant names in vars['x'] and lookup('vars', 'x')
	// are among them.
	Names []Use
	// Needs are those of Names that are evaluated in any case, and without which the
	// text fails: neither behind default() or a condition, nor in a loop.
	Needs []Use
	// Globals are the functions of Jinja and Ansible that it uses by name (see
	// the function Globals). In Ansible, a variable of that name hides them.
	Globals []Use
	Calls   []Call     // lookup(…), query(…), q(…)
	Hosts   []HostRead // hostvars[…]
	// Groups are the groups whose hosts it reads; nil stands for all of them.
	Groups []Shape
	Files  []FileRef
	// Filters and Tests are the names used, as written, sorted; map('x') and
	// select('x') count. An empty name stands for a computed one.
	Filters, Tests []string
	// Binds are the names that it binds itself somewhere, sorted. In a template
	// that it includes they may stand for something else than a variable.
	Binds []string
	// AnyVariable says why any variable might be read, or is "".
	AnyVariable string
	// Computed are the forms of computed names of variables: vars['a_' ~ b].
	Computed []Computed
	// Bounded: whoever can follow every Computed (and Shape, if Again) knows
	// all that AnyVariable stands for.
	Bounded bool
	// Again: this is a condition with delimiters in it. Ansible evaluates what
	// it comes to (Shape) as an expression once more.
	Again bool
	// Shape is what the whole text can come to.
	Shape Shape
}

// Use is a name and the first line that has it.
type Use struct {
	Name string
	Line int
}

// Call is a lookup.
type Call struct {
	// Plugin is its name without "ansible.builtin."; "" if it is computed.
	Plugin   string
	Args     []Shape // after the plugin's name
	Keywords map[string]Shape
	// Open: there may be more arguments than these (*args, **kwargs).
	Open bool
	Line int
}

// HostRead is a read of another host's variables; the host may be the node
// itself. A Host of nil is any host, a Variable of nil any variable of it.
type HostRead struct {
	Host, Variable Shape
	Line           int
	Guarded        bool // by default(): it may be not defined
}

// FileRef is another template that this one reads.
type FileRef struct {
	Tag string // include, import, from or extends
	// Path is its name as written. Of a List, the first that exists is read.
	Path Shape
	// Optional: nothing happens if it is missing.
	Optional bool
	// Context: it sees the variables of this one.
	Context bool
	Line    int
}

// Computed is the form of a computed name of a variable.
type Computed struct {
	Name Shape
	Line int
}

// SyntaxError is why a text could not be followed.
type SyntaxError struct {
	Line   int
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Globals are the names that Jinja and Ansible define themselves, sorted. As
// long as no variable has such a name, using it reads none.
func Globals() []string {
	return []string{
		"cycler", "dict", "joiner", "lipsum", "lookup", "namespace", "now", "omit", "q", "query", "range", "undef",
	}
}

func isGlobal(name string) bool {
	switch name {
	case "cycler", "dict", "joiner", "lipsum", "lookup", "namespace", "now", "omit", "q", "query", "range", "undef":
		return true
	}
	return false
}

// Parse reads a template: text with {{ }}, {% %}, {# #}. The Text can be used
// in any case. Where the syntax cannot be followed, the error (a *SyntaxError)
// says so, and every word that could be a name counts.
func Parse(src string, o Syntax) (*Text, error) {
	o = o.complete()
	if !o.starts(src) {
		return &Text{Shape: Literal(src)}, nil
	}
	p := newParser(src, o)
	body := p.template()
	if p.err != nil {
		return words(src, o), p.err
	}
	r := &reader{body: body, mutates: p.mutates}
	return r.read(nil), nil
}

// Expression reads a bare expression, as in `when`, `until`, `that` and
// `changed_when`. As with Parse, the Text can be used in any case.
func Expression(src string) (*Text, error) {
	o := Syntax{}.complete()
	if o.starts(src) {
		return condition(src, o)
	}
	p := newParser(src, o)
	e := p.bare()
	if p.err != nil {
		return words(src, o), p.err
	}
	r := &reader{mutates: p.mutates}
	return r.read(e), nil
}

// condition reads a condition with delimiters in it.
func condition(src string, o Syntax) (*Text, error) {
	p := newParser(src, o)
	body := p.template()
	if p.err != nil {
		return words(src, o), p.err
	}
	r := &reader{body: body, mutates: p.mutates}
	t := r.read(nil)
	outputs := slices.DeleteFunc(slices.Clone(body), func(s *stmt) bool {
		return s.kind == sData && strings.TrimFunc(s.text, space) == ""
	})
	if len(outputs) == 1 && outputs[0].kind == sOutput && truth(outputs[0].value) {
		return t, nil
	}
	for _, s := range data(body, nil) {
		t.merge(words(s.text, o))
	}
	t.Again = true
	if t.AnyVariable == "" {
		t.AnyVariable, t.Bounded = "the condition is itself computed", true
	}
	return t, nil
}

// truth reports whether an expression comes to true or false, never to text.
func truth(e *expr) bool {
	switch e.kind {
	case eCompare, eTest, eNot, eBool:
		return true
	case eFilter:
		return unqualified(e.text) == "bool"
	case eAnd, eOr:
		return !slices.ContainsFunc(e.kids, func(k *expr) bool { return !truth(k) })
	}
	return false
}

// data collects the plain text of a template.
func data(body, list []*stmt) []*stmt {
	for _, s := range body {
		if s.kind == sData {
			list = append(list, s)
		}
		for _, a := range s.arms {
			list = data(a.body, list)
		}
		list = data(s.orelse, data(s.body, list))
	}
	return list
}

// merge adds what another text reads.
func (t *Text) merge(u *Text) {
	t.Names = append(t.Names, u.Names...)
	t.Globals = append(t.Globals, u.Globals...)
	t.Calls = append(t.Calls, u.Calls...)
	t.Hosts = append(t.Hosts, u.Hosts...)
	t.Groups = append(t.Groups, u.Groups...)
	t.Files = append(t.Files, u.Files...)
	t.Filters = append(t.Filters, u.Filters...)
	t.Tests = append(t.Tests, u.Tests...)
	if u.AnyVariable != "" {
		t.AnyVariable, t.Bounded = u.AnyVariable, false
	}
	t.settle()
}

// settle sorts, and leaves each name once.
func (t *Text) settle() {
	t.Names, t.Globals = once(t.Names), once(t.Globals)
	t.Filters, t.Tests = distinct(t.Filters), distinct(t.Tests)
}

func once(uses []Use) []Use {
	if len(uses) < 2 {
		return uses
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Line, b.Line))
	})
	return slices.CompactFunc(uses, func(a, b Use) bool { return a.Name == b.Name })
}

func distinct(names []string) []string {
	if len(names) < 2 {
		return names
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unqualified is the name of a plugin without the collection that Ansible
// itself is.
func unqualified(name string) string {
	name = strings.TrimPrefix(name, "ansible.builtin.")
	return strings.TrimPrefix(name, "ansible.legacy.")
}
