package inventory

import (
	"time"

	"github.com/BurntSushi/toml"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// toml reads the TOML form, as the plugin "toml" does: groups at the top, with vars,
// children (a list) and hosts.
func (b *builder) toml(name string, text []byte) error {
	var data map[string]any
	meta, err := toml.Decode(string(text), &data)
	if err != nil {
		line := 0
		if parse, ok := err.(toml.ParseError); ok {
			line = parse.Position.Line
		}
		return fault.New(fault.Input, "not TOML: %s", err).At(name, line, 0)
	}
	r := tomlReader{b, name, meta.Keys(), data}
	for _, key := range r.keys(nil, data) {
		if err := r.group(key); err != nil {
			return err
		}
	}
	return nil
}

type tomlReader struct {
	b     *builder
	file  string
	order []toml.Key
	data  map[string]any
}

// keys are those of a table in the order in which they are written.
func (r tomlReader) keys(at toml.Key, table map[string]any) []string {
	var all []string
	seen := map[string]bool{}
	for _, key := range r.order {
		if len(key) <= len(at) || key[:len(at)].String() != at.String() {
			continue
		}
		if name := key[len(at)]; !seen[name] {
			if _, ok := table[name]; ok {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	return all
}

func (r tomlReader) fail(format string, args ...any) error {
	return fault.New(fault.Input, format, args...).At(r.file, 0, 0)
}

func (r tomlReader) group(name string) error {
	body, ok := r.data[name].(map[string]any)
	if !ok {
		return nil // Ansible warns
	}
	g := r.b.group(name, place{file: r.file})
	for _, section := range r.keys(toml.Key{name}, body) {
		var err error
		switch section {
		case "vars":
			err = r.vars(g.Name, toml.Key{name, "vars"}, body[section])
		case "children":
			err = r.children(g, body[section])
		case "hosts":
			err = r.hosts(g, toml.Key{name, "hosts"}, body[section])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r tomlReader) vars(entity string, at toml.Key, v any) error {
	table, ok := v.(map[string]any)
	if !ok {
		return r.fail("vars of group %s is no table", entity)
	}
	for _, key := range r.keys(at, table) {
		if err := r.b.set(entity, variable(key, tomlValue(table[key]), r.file, 0)); err != nil {
			return err
		}
	}
	return nil
}

func (r tomlReader) children(g *Group, v any) error {
	list, ok := v.([]any)
	if !ok {
		return r.fail("children of group %s is no list", g.Name)
	}
	for _, item := range list {
		name, ok := item.(string)
		if !ok || name == "" {
			return r.fail("a child of group %s has no name", g.Name)
		}
		r.b.child(g, r.b.group(name, place{file: r.file}), place{file: r.file})
	}
	return nil
}

func (r tomlReader) hosts(g *Group, at toml.Key, v any) error {
	table, ok := v.(map[string]any)
	if !ok {
		return r.fail("hosts of group %s is no table", g.Name)
	}
	for _, key := range r.keys(at, table) {
		pattern, err := expandPattern(key)
		if err != nil {
			return r.fail("host %q: %w", key, err)
		}
		of, ok := table[key].(map[string]any)
		if !ok {
			return r.fail("host %s is no table of variables", key)
		}
		var variables []Variable
		for _, name := range r.keys(append(at[:len(at):len(at)], key), of) {
			variables = append(variables, variable(name, tomlValue(of[name]), r.file, 0))
		}
		if err := r.b.hosts(pattern, variables, g, place{file: r.file}); err != nil {
			return err
		}
	}
	return nil
}

// tomlValue is a value as Python's tomllib has it. Times are of a kind that no template
// looks into.
func tomlValue(v any) value.Value {
	switch v := v.(type) {
	case time.Time:
		return value.Value{Kind: value.Time, Text: v.Format(time.RFC3339Nano)}
	case []map[string]any:
		items := make([]value.Value, len(v))
		for i, item := range v {
			items[i] = tomlValue(item)
		}
		return value.Value{Kind: value.List}.WithItems(items)
	case []any:
		items := make([]value.Value, len(v))
		for i, item := range v {
			items[i] = tomlValue(item)
		}
		return value.Value{Kind: value.List}.WithItems(items)
	case map[string]any:
		var pairs []value.Pair
		for _, p := range value.From(v).Pairs() {
			pairs = append(pairs, value.Pair{Key: p.Key, Value: tomlValue(v[p.Key.Text])})
		}
		return value.Value{Kind: value.Map}.WithPairs(pairs)
	}
	return value.From(v)
}
