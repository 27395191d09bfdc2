package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// A frozen inventory is the JSON that ansible-inventory --list prints, and that
// inventory scripts print. Ansible reads it from programs only, and no file with it: as
// a source it is read here in the form of the plugin "yaml", and a build hands that
// form to Ansible.

// frozen reports whether a document is one.
func frozen(v value.Value) bool {
	_, ok := v.At("_meta").Get("hostvars")
	return ok
}

// mayBeFrozen says so of a text that need not be parsed to know that it is none. What a
// program begins with is a comment in YAML.
func mayBeFrozen(text []byte) bool {
	return bytes.Contains(text, []byte("_meta")) && !bytes.HasPrefix(text, []byte("#!"))
}

// Thaw returns a frozen inventory as Ansible reads it from a file; false for
// another text.
func Thaw(text []byte) (thawed []byte, ok bool, err error) {
	if !mayBeFrozen(text) {
		return nil, false, nil
	}
	doc, err := value.YAML(text)
	if err != nil || !frozen(doc) {
		return nil, false, nil // Ansible will say what is wrong with it
	}
	if doc, err = thaw(doc); err != nil {
		return nil, true, err
	}
	var out bytes.Buffer
	encodeJSON(&out, doc)
	return out.Bytes(), true, nil
}

// thaw turns a frozen inventory into the form of the plugin "yaml": groups at the top,
// and with a host, where it comes first, its variables.
func thaw(v value.Value) (value.Value, error) {
	f := thawing{hostvars: map[string]value.Value{}, seen: map[string]bool{}}
	for _, p := range v.At("_meta").At("hostvars").Pairs() {
		f.hostvars[p.Key.Text] = p.Value
	}
	var groups []value.Pair
	for _, p := range v.Pairs() {
		if p.Key.Text == "_meta" {
			continue
		}
		body, err := f.group(p)
		if err != nil {
			return value.Value{}, err
		}
		groups = append(groups, value.Pair{Key: p.Key, Value: body})
	}
	return v.WithPairs(groups), nil
}

type thawing struct {
	hostvars map[string]value.Value
	seen     map[string]bool // hosts
}

// group is a group in the other form. A list is one of hosts.
func (f thawing) group(p value.Pair) (value.Value, error) {
	body := p.Value
	if body.Kind == value.List {
		body = named(body, "hosts", body)
	}
	if body.Kind != value.Map {
		return body, refused(body, "group %s is a %s, not a mapping", p.Key.Shown(60), body.Kind)
	}
	var sections []value.Pair
	for _, s := range body.Pairs() {
		var err error
		switch s.Key.Text {
		case "hosts":
			s.Value, err = f.members(p, s, f.host)
		case "children":
			s.Value, err = f.members(p, s, func(child value.Value) (value.Value, error) {
				return value.Value{Line: child.Line, Col: child.Col}, nil
			})
		case "vars":
		default:
			err = refused(s.Key, "group %s has %s, which is none of hosts, children and vars", p.Key.Shown(60), s.Key.Shown(60))
		}
		if err != nil {
			return body, err
		}
		sections = append(sections, s)
	}
	return body.WithPairs(sections), nil
}

// members makes a mapping of a list of names.
func (f thawing) members(group, s value.Pair, of func(value.Value) (value.Value, error)) (value.Value, error) {
	if s.Value.Kind != value.List {
		return s.Value, refused(s.Value, "%s of group %s is a %s, not a list", s.Key.Text, group.Key.Shown(60), s.Value.Kind)
	}
	var pairs []value.Pair
	have := map[string]bool{}
	for _, name := range s.Value.Items() {
		if !text(name) || name.Text == "" {
			return s.Value, refused(name, "%s of group %s: %s is no name", s.Key.Text, group.Key.Shown(60), name.Shown(60))
		}
		if have[name.Text] {
			continue
		}
		have[name.Text] = true
		v, err := of(name)
		if err != nil {
			return s.Value, err
		}
		pairs = append(pairs, value.Pair{Key: name, Value: v})
	}
	return value.Value{Kind: value.Map, Line: s.Value.Line, Col: s.Value.Col}.WithPairs(pairs), nil
}

// host returns the variables of a host, where it comes first.
func (f thawing) host(name value.Value) (value.Value, error) {
	if p, err := expandPattern(name.Text); err != nil || p.port != "" || !slices.Equal(p.names, []string{name.Text}) {
		return value.Value{}, refused(name, "host %s has the form of a range, or of a host with its port", name.Shown(60))
	}
	if f.seen[name.Text] {
		return value.Value{Line: name.Line, Col: name.Col}, nil
	}
	f.seen[name.Text] = true
	v := f.hostvars[name.Text]
	if v.Kind != value.Map && v.Kind != value.Null {
		return v, refused(v, "hostvars of %s is a %s, not a mapping", name.Shown(60), v.Kind)
	}
	return v, nil
}

// named is a mapping with one entry.
func named(at value.Value, key string, v value.Value) value.Value {
	k := value.Value{Kind: value.String, Text: key, Line: at.Line, Col: at.Col}
	return value.Value{Kind: value.Map, Line: at.Line, Col: at.Col}.WithPairs([]value.Pair{{Key: k, Value: v}})
}

// refused is a fault in a file that the caller names.
func refused(at value.Value, format string, args ...any) error {
	return fault.New(fault.Input, format, args...).At("", at.Line, at.Col)
}

// encodeJSON writes a value as Ansible's own decoder of JSON reads it.
func encodeJSON(out *bytes.Buffer, v value.Value) {
	switch v.Kind {
	case value.Null:
		out.WriteString("null")
	case value.Bool, value.Int, value.Float:
		if json.Valid([]byte(v.Text)) {
			out.WriteString(v.Text)
		} else {
			out.WriteString(quoteJSON(v.Text)) // 0x1F, .inf: no JSON has them
		}
	case value.Vault:
		fmt.Fprintf(out, `{"__ansible_vault": %s}`, quoteJSON(v.Text))
	case value.Unsafe:
		fmt.Fprintf(out, `{"__ansible_unsafe": %s}`, quoteJSON(v.Text))
	case value.List:
		out.WriteByte('[')
		for i, item := range v.Items() {
			separate(out, i)
			encodeJSON(out, item)
		}
		out.WriteByte(']')
	case value.Map:
		out.WriteByte('{')
		for i, p := range v.Pairs() {
			separate(out, i)
			out.WriteString(quoteJSON(p.Key.Text) + ": ")
			encodeJSON(out, p.Value)
		}
		out.WriteByte('}')
	default:
		out.WriteString(quoteJSON(v.Text))
	}
}

func separate(out *bytes.Buffer, i int) {
	if i > 0 {
		out.WriteString(", ")
	}
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return strconv.Quote(s)
	}
	return string(b)
}
