package inventory

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// constructed makes groups and variables of what was read before, as the plugin
// ansible.builtin.constructed does (plugins/inventory/constructed.py and Constructable
// of plugins/inventory/__init__.py). An expression that cannot be evaluated is named
// as opaque.
type constructed struct {
	b      *builder
	file   string
	config value.Value
	strict bool
	files  bool         // use_vars_plugins
	told   map[int]bool // lines of expressions that were named
	found  map[string]*scopeReader
}

// isConstructed reports whether a document configures the plugin.
func isConstructed(name string, v value.Value) bool {
	plugin := v.At("plugin").Text
	return (plugin == "constructed" || plugin == "ansible.builtin.constructed") && slices.Contains([]string{".yml", ".yaml"}, extension(name))
}

func (b *builder) constructed(name string, config value.Value) {
	c := &constructed{b: b, file: name, config: config, told: map[int]bool{}, found: map[string]*scopeReader{}}
	c.strict, c.files = c.flag("strict", false), c.flag("use_vars_plugins", false)
	if c.flag("use_extra_vars", false) {
		c.unsure(c.config.At("use_extra_vars").Line, "use_extra_vars: extra variables are not known where groups are made")
		return
	}
	if b.ancestors() != nil {
		return // it is told when all is read
	}
	for _, h := range slices.Clone(b.inv.hosts) {
		c.compose(h, c.variables(h))
		seen := c.variables(h) // with those that were composed, and in the groups that it was in
		c.conditional(h, seen)
		c.keyed(h, seen)
	}
}

// flag is an option that is on or off.
func (c *constructed) flag(name string, without bool) bool {
	v, ok := c.config.Get(name)
	if !ok || v.Kind == value.Null {
		return without
	}
	switch strings.ToLower(v.Text) {
	case "true", "yes", "on", "1", "y", "t":
		return true
	}
	return false
}

// unsure names what is not known of the inventory because of a line.
func (c *constructed) unsure(line int, format string, args ...any) {
	if !c.told[line] {
		c.told[line] = true
		c.b.inv.Opaque = append(c.b.inv.Opaque, Opaque{c.file, fmt.Sprintf(format, args...), line})
	}
}

// textOf is an expression as it stands in a template; false if it is none.
func (c *constructed) textOf(e value.Value) (string, bool) {
	switch e.Kind {
	case value.Bool:
		return strings.ToUpper(e.Text[:1]) + e.Text[1:], true
	case value.String, value.Int:
		return e.Text, true
	}
	c.unsure(e.Line, "%s is no expression", e.Shown(60))
	return "", false
}

// evaluate evaluates an expression for a host; false if it has no value, or none that is
// known.
func (c *constructed) evaluate(e value.Value, h *Host, seen variables) (any, bool) {
	text, ok := c.textOf(e)
	if !ok {
		return nil, false
	}
	v, out := jinja.Evaluate(text, seen)
	return v, c.knows(e, h, out)
}

// knows reports whether an expression has a value for a host.
func (c *constructed) knows(e value.Value, h *Host, out jinja.Outcome) bool {
	switch {
	case out == jinja.Unsure:
		c.unsure(e.Line, "what %q comes to for hosts is not followed", e.Text)
	case out == jinja.Failed && c.strict:
		c.unsure(e.Line, "%q fails for host %s, and with strict all of the file does", e.Text, h.Name)
	}
	return out == jinja.Known
}

// variables finds one of a host.
type variables = func(name string) (any, jinja.Outcome)

// compose sets variables of a host.
func (c *constructed) compose(h *Host, seen variables) {
	for _, p := range c.config.At("compose").Pairs() {
		v, ok := c.evaluate(p.Value, h, seen)
		if !ok {
			continue
		}
		made, ok := composed(p.Value.Text, v)
		if !ok {
			c.unsure(p.Value.Line, "what %q comes to for hosts is not followed", p.Value.Text)
			continue
		}
		placed(&made, p.Value.Line)
		_ = c.b.set(h.Name, variable(p.Key.Text, made, c.file, p.Key.Line))
	}
}

// conditional puts a host into groups by conditions.
func (c *constructed) conditional(h *Host, seen variables) {
	for _, p := range c.config.At("groups").Pairs() {
		text, ok := c.textOf(p.Value)
		if !ok {
			continue
		}
		if truth, out := jinja.EvaluateIf(text, seen); c.knows(p.Value, h, out) && truth {
			c.b.join(h, c.group(p.Key.Text, p.Key.Line))
		}
	}
}

// group is the group of a name, in which what no variable could be called is replaced:
// to_safe_group_name of ansible/inventory/group.py.
func (c *constructed) group(name string, line int) *Group {
	first := true
	name = strings.Map(func(r rune) rune {
		word := r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
		if !word || first && unicode.IsDigit(r) {
			r = '_'
		}
		first = false
		return r
	}, name)
	return c.b.group(name, place{c.file, line})
}

// keyed puts a host into groups that are called after values.
func (c *constructed) keyed(h *Host, seen variables) {
	for _, k := range c.config.At("keyed_groups").Items() {
		key, ok := c.evaluate(k.At("key"), h, seen)
		if !ok {
			continue
		}
		key, ok = printedAs(k.At("key").Text, key)
		if !ok {
			c.unsure(k.Line, "what %q comes to for hosts is not followed", k.At("key").Text)
			continue
		}
		names, ok := keyNames(k, key)
		if !ok {
			c.unsure(k.Line, "what %q comes to for hosts is no name", k.At("key").Text)
			continue
		}
		parent := k.At("parent_group").Text
		if strings.Contains(parent, "{{") || strings.Contains(parent, "{%") {
			c.unsure(k.Line, "the parent group %s is computed", parent)
			continue
		}
		prefix, separator := k.At("prefix").Text, textOr(k, "separator", "_")
		if prefix == "" && !c.flag("leading_separator", true) {
			separator = ""
		}
		if slices.Contains(names, "") && prefix+separator == "" {
			c.unsure(k.Line, "what %q comes to for hosts is no name", k.At("key").Text)
			continue
		}
		for _, name := range names {
			g := c.group(prefix+separator+name, k.Line)
			c.b.join(h, g)
			if parent != "" {
				c.b.child(c.group(parent, k.Line), g, place{c.file, k.Line})
			}
		}
	}
}

func textOr(v value.Value, name, without string) string {
	if found, ok := v.Get(name); ok {
		return found.Text
	}
	return without
}

// keyNames are the names of the groups of a key, without prefix; false if Ansible would
// refuse it.
func keyNames(k value.Value, key any) (names []string, ok bool) {
	instead, hasInstead := k.Get("default_value")
	hasInstead = hasInstead && instead.Kind != value.Null
	trailing, hasTrailing := k.Get("trailing_separator")
	if hasTrailing = hasTrailing && trailing.Kind != value.Null; hasTrailing && hasInstead {
		return nil, false
	}
	orInstead := func(s string) string {
		if s == "" && hasInstead {
			return instead.Text
		}
		return s
	}
	if !jinja.Truth(key) && (key != "" || !hasInstead) {
		return nil, true
	}
	switch key := key.(type) {
	case string:
		return []string{orInstead(key)}, true
	case []any:
		for _, item := range key {
			s, isText := nameText(item)
			if !isText {
				return nil, false
			}
			names = append(names, orInstead(s))
		}
		return names, true
	case *jinja.Dict:
		separator := textOr(k, "separator", "_")
		for i, name := range key.Keys {
			s, isText := nameText(key.Values[i])
			switch {
			case !isText:
				return nil, false
			case s == "" && !hasInstead && hasTrailing && trailing.Text == "false":
				names = append(names, name)
			default:
				names = append(names, name+separator+orInstead(s))
			}
		}
		return names, true
	}
	return nil, false
}

// nameText is an element of a key as a part of a name.
func nameText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int:
		return strconv.Itoa(v), true
	case bool:
		return map[bool]string{true: "True", false: "False"}[v], true
	}
	return "", false
}

var variableName = regexp.MustCompile(`^\s*[a-zA-Z_][a-zA-Z0-9_]*\s*$`)

// printedAs is what a template with nothing but an expression comes to. A variable alone
// is what it is; of others Ansible before 2.19 prints the value, and reads again what
// looks like a list, a mapping or a bool.
func printedAs(text string, v any) (any, bool) {
	if variableName.MatchString(text) {
		return v, true
	}
	switch v := v.(type) {
	case nil:
		return "", true
	case int:
		return strconv.Itoa(v), true
	case string:
		switch {
		case v == "True" || v == "False":
			return v == "True", true
		case strings.HasPrefix(v, "[") || strings.HasPrefix(v, "{"):
			return nil, false
		}
		return v, true
	case bool, []any, *jinja.Dict:
		return v, true
	}
	return nil, false
}

// composed is the same as a value.
func composed(text string, v any) (value.Value, bool) {
	v, ok := printedAs(text, v)
	if !ok {
		return value.Value{}, false
	}
	return valueOf(v)
}

func valueOf(v any) (value.Value, bool) {
	switch v := v.(type) {
	case []any:
		items := make([]value.Value, len(v))
		for i, item := range v {
			var ok bool
			if items[i], ok = valueOf(item); !ok {
				return value.Value{}, false
			}
		}
		return value.Value{Kind: value.List}.WithItems(items), true
	case *jinja.Dict:
		var pairs []value.Pair
		for i, key := range v.Keys {
			inner, ok := valueOf(v.Values[i])
			if !ok {
				return value.Value{}, false
			}
			pairs = append(pairs, value.Pair{Key: value.From(key), Value: inner})
		}
		return value.Value{Kind: value.Map}.WithPairs(pairs), true
	case nil, bool, int, string:
		return value.From(v), true
	}
	return value.Value{}, false
}

// variables are those that a host has by now.
func (c *constructed) variables(h *Host) variables {
	groups := c.groupsOf(h)
	return func(name string) (any, jinja.Outcome) {
		switch name {
		case "inventory_hostname":
			return h.Name, jinja.Known
		case "inventory_hostname_short":
			short, _, _ := strings.Cut(h.Name, ".")
			return short, jinja.Known
		case "group_names":
			var all []string
			for _, g := range groups {
				if g.Name != "all" {
					all = append(all, g.Name)
				}
			}
			slices.Sort(all)
			return anyOf(all), jinja.Known
		case "inventory_file", "inventory_dir":
			return nil, jinja.Unsure // paths of the machine
		}
		return c.lookup(h, groups, name)
	}
}

func anyOf(texts []string) []any {
	all := make([]any, len(texts))
	for i, s := range texts {
		all[i] = s
	}
	return all
}

// lookup finds a variable: of the host by the files beside what was read, if they are
// used, and by the inventory, then of its groups.
func (c *constructed) lookup(h *Host, groups []*Group, name string) (any, jinja.Outcome) {
	if c.files {
		if v, out := c.inFiles("host_vars", []string{h.Name}, name); out != jinja.Failed {
			return v, out
		}
	}
	if v, ok := last(h.Variables, name); ok {
		return pythonValue(v)
	}
	if c.files {
		if v, out := c.inFiles("group_vars", names(groups, func(g *Group) string { return g.Name }), name); out != jinja.Failed {
			return v, out
		}
	}
	for _, g := range slices.Backward(groups) {
		if v, ok := last(g.Variables, name); ok {
			return pythonValue(v)
		}
	}
	return nil, jinja.Failed
}

// inFiles finds a variable of entities in the files beside the sources that were read.
func (c *constructed) inFiles(kind string, entities []string, name string) (v any, out jinja.Outcome) {
	out = jinja.Failed
	for _, dir := range slices.Compact(slices.Clone(c.b.processed)) {
		for _, entity := range entities {
			base := path.Join(dir, kind, entity)
			r := c.found[base]
			if r == nil {
				r = &scopeReader{files: c.b.files, inv: c.b.inv, scope: &Scope{}}
				r.variables(path.Join(dir, kind), entity, kind+"/"+entity)
				c.found[base] = r
			}
			if len(r.scope.Sealed) > 0 {
				return nil, jinja.Unsure
			}
			if d, ok := r.scope.Winner(name); ok {
				if out != jinja.Failed {
					return nil, jinja.Unsure // which of them wins is not known
				}
				v, out = pythonValue(d.Value)
			}
		}
	}
	return v, out
}

// groupsOf are a host's groups by now, in the order in which their variables are merged.
func (c *constructed) groupsOf(h *Host) []*Group {
	var all []*Group
	add := func(g *Group) {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	var up func(g *Group)
	up = func(g *Group) {
		add(g)
		for _, parent := range g.parents {
			if !slices.Contains(all, parent) {
				up(parent)
			}
		}
	}
	for _, g := range h.groups {
		up(g)
	}
	slices.SortFunc(all, inOrder)
	return all
}

func last(variables []Variable, name string) (v value.Value, ok bool) {
	for _, one := range slices.Backward(variables) {
		if one.Name() == name {
			return one.Value, true
		}
	}
	return v, false
}

// pythonValue is a value that is no template.
func pythonValue(v value.Value) (any, jinja.Outcome) {
	switch v.Kind {
	case value.Null:
		return nil, jinja.Known
	case value.Bool:
		return v.Text == "true", jinja.Known
	case value.Int:
		if n, err := strconv.Atoi(v.Text); err == nil {
			return n, jinja.Known
		}
	case value.Unsafe:
		return v.Text, jinja.Known
	case value.String:
		if !strings.Contains(v.Text, "{{") && !strings.Contains(v.Text, "{%") && !strings.Contains(v.Text, "{#") {
			return v.Text, jinja.Known
		}
	case value.List:
		list := []any{}
		for _, item := range v.Items() {
			inner, out := pythonValue(item)
			if out != jinja.Known {
				return nil, out
			}
			list = append(list, inner)
		}
		return list, jinja.Known
	case value.Map:
		d := &jinja.Dict{}
		for _, p := range v.Pairs() {
			inner, out := pythonValue(p.Value)
			if out != jinja.Known || p.Key.Kind != value.String {
				return nil, jinja.Unsure
			}
			d.Keys, d.Values = append(d.Keys, p.Key.Text), append(d.Values, inner)
		}
		return d, jinja.Known
	}
	return nil, jinja.Unsure
}
