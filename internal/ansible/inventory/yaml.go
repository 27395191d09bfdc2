package inventory

import (
	"errors"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// yaml reads the YAML form, as the plugin "yaml" does; JSON too. A document
// that is null, which Ansible warns about, has nothing in it.
func (b *builder) yaml(name string, doc *tree.Document) error {
	v := doc.Value
	switch {
	case doc.Err != nil:
		return notYAML(name, doc.Err)
	case v.Kind == value.Null:
		return nil
	case v.Kind != value.Map || len(v.Pairs()) == 0:
		return fault.New(fault.Input, "expected a mapping of groups, not a %s", v.Kind).At(name, v.Line, v.Col)
	}
	r := yamlReader{b, name}
	for _, p := range v.Pairs() {
		if _, err := r.group(p.Key, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// notYAML is the fault for a document that could not be read.
func notYAML(name string, err error) error {
	f := fault.New(fault.Input, "%w", err).At(name, 0, 0)
	if syntax, ok := errors.AsType[*value.SyntaxError](err); ok {
		f = fault.New(fault.Input, "not YAML: %s", syntax.Message).At(name, syntax.Line, 0)
	}
	return f
}

type yamlReader struct {
	b    *builder
	file string
}

func (r yamlReader) fail(v value.Value, format string, args ...any) error {
	return fault.New(fault.Input, format, args...).At(r.file, v.Line, v.Col)
}

// text reports whether a value is a string for Ansible.
func text(v value.Value) bool { return v.Kind == value.String || v.Kind == value.Unsafe }

// group reads a group; nil if it is none, which Ansible warns about.
func (r yamlReader) group(key, body value.Value) (*Group, error) {
	if body.Kind != value.Map && body.Kind != value.Null {
		return nil, nil
	}
	if !text(key) || key.Text == "" {
		return nil, r.fail(key, "the name of a group is %s, which is no string", key.Shown(60))
	}
	g := r.b.group(key.Text, place{r.file, key.Line})
	sections := make([]value.Value, len(body.Pairs()))
	for i, p := range body.Pairs() {
		section, err := r.section(g, p)
		if err != nil {
			return nil, err
		}
		sections[i] = section
	}
	for i, p := range body.Pairs() {
		if err := r.entries(g, p.Key, sections[i]); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// section returns what is in hosts, children or vars; a string is a name alone.
func (r yamlReader) section(g *Group, p value.Pair) (value.Value, error) {
	if !text(p.Key) || p.Key.Text != "hosts" && p.Key.Text != "children" && p.Key.Text != "vars" {
		return value.Value{}, nil
	}
	v := p.Value
	if text(v) {
		v = value.Value{Kind: value.Map, Line: v.Line, Col: v.Col}.WithPairs([]value.Pair{{Key: v, Value: value.Value{Line: v.Line, Col: v.Col}}})
	}
	if v.Kind != value.Map && v.Kind != value.Null {
		if v.Line == 0 {
			v.Line, v.Col = p.Key.Line, p.Key.Col
		}
		return v, r.fail(v, "%s of group %s is a %s, not a mapping", p.Key.Text, g.Name, v.Kind)
	}
	return v, nil
}

func (r yamlReader) entries(g *Group, key, section value.Value) error {
	for _, p := range section.Pairs() {
		var err error
		switch key.Text {
		case "vars":
			err = r.b.set(g.Name, Variable{&p, r.file})
		case "children":
			err = r.child(g, p)
		case "hosts":
			err = r.hosts(g, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r yamlReader) child(g *Group, p value.Pair) error {
	sub, err := r.group(p.Key, p.Value)
	if err != nil {
		return err
	}
	at := place{r.file, p.Key.Line}
	if sub == nil { // Ansible takes the name all the same, of a group or a host
		sub = r.b.inv.Groups[p.Key.Text]
		if h := r.b.inv.Hosts[p.Key.Text]; sub == nil && h != nil {
			r.b.join(h, g)
			return nil
		}
		if sub == nil {
			return r.fail(p.Value, "group %s is a %s, not a mapping", p.Key.Shown(60), p.Value.Kind)
		}
	}
	r.b.child(g, sub, at)
	return nil
}

func (r yamlReader) hosts(g *Group, p value.Pair) error {
	if !text(p.Key) {
		return r.fail(p.Key, "the name of a host is %s, which is no string", p.Key.Shown(60))
	}
	pattern, err := expandPattern(p.Key.Text)
	if err != nil {
		return r.fail(p.Key, "host %q: %w", p.Key.Text, err)
	}
	if p.Value.Kind != value.Map && !falsy(p.Value) {
		return r.fail(p.Value, "host %s is a %s, not a mapping of variables", p.Key.Text, p.Value.Kind)
	}
	variables := make([]Variable, len(p.Value.Pairs()))
	for i, v := range p.Value.Pairs() {
		variables[i] = Variable{&v, r.file}
	}
	return r.b.hosts(pattern, variables, g, place{r.file, p.Key.Line})
}
