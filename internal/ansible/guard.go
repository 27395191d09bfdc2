package ansible

import (
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// guarded is a task with a condition. Where this is false for certain, what the
// task would do decides nothing; that it is there still does.
type guarded struct {
	conditions []*jinja.Condition
	off        bool        // one of its conditions is false as it is written
	tasks      *taskList   // it alone
	bare       value.Value // the task without its module's arguments
	digest     string      // of the task as it is, its name aside
	named      string      // the same with its name
}

// guard returns nil for a task that always counts: one without a condition, one
// whose result others may look at, and one that reads files before anything runs.
func guard(v value.Value) *guarded {
	when, ok := v.Get("when")
	if !ok || v.Kind != value.Map {
		return nil
	}
	g := &guarded{tasks: &taskList{valid: true}, bare: value.Value{Kind: value.Map, Line: v.Line, Col: v.Col}}
	for _, one := range when.List() {
		g.off = g.off || one.Kind == value.Bool && one.Text == "false"
		if one.Kind == value.String {
			if c := jinja.ReadCondition(one.Text); c != nil {
				g.conditions = append(g.conditions, c)
			}
		}
	}
	if len(g.conditions) == 0 && !g.off {
		return nil
	}
	whole := value.Value{Kind: value.List, Items: []value.Value{v}}
	g.digest, g.named = normalTasks(whole, false).Digest(), normalTasks(whole, true).Digest()
	g.tasks.task(v, context{})
	for _, t := range g.tasks.tasks {
		if t.register != "" || strings.HasPrefix(t.module, "import_") || t.module == "include" || t.module == "meta" {
			return nil
		}
	}
	for _, p := range v.Pairs {
		switch key := p.Key.Text; {
		case key == "block" || key == "rescue" || key == "always":
			p.Value = value.Value{Kind: value.List, Items: make([]value.Value, min(len(p.Value.Items), 1))}
		case !keywords[key] && !strings.HasPrefix(key, "with_") && p.Value.Kind == value.Map:
			p.Value = value.Value{Kind: value.Map}
		}
		g.bare.Pairs = append(g.bare.Pairs, p)
	}
	return g
}

// keywords adds what a task without arguments reads.
func (r *reads) keywords(v value.Value) {
	for _, p := range v.Pairs {
		switch {
		case bare[p.Key.Text]:
			r.expression(p.Value)
		case strings.HasPrefix(p.Key.Text, "with_") && p.Value.Kind == value.String && !computes(p.Value.Text):
			r.expression(p.Value)
		default:
			r.value(p.Value)
		}
	}
}

// guardedTask is a guarded task in a file that is followed; without role and form,
// in any.
type guardedTask struct {
	*guarded
	role string
	form form
}

// guardedTask follows a guarded task unless it never runs.
func (w *walk) guardedTask(g *guarded, r *request) {
	at := guardedTask{g, r.owner.role, r.form}
	if w.runs.has(at) || w.never(g, r.owner) {
		return
	}
	w.runs.add(at)
	w.runs.add(guardedTask{guarded: g})
	w.news++
	w.list(g.tasks, r.owner, r.form)
}

// never reports whether the condition of a task is false for certain.
func (w *walk) never(g *guarded, o owner) bool {
	return g.off || slices.ContainsFunc(g.conditions, func(c *jinja.Condition) bool {
		truth, certain := c.Decide(func(name string) (any, bool) { return w.certain(name, g, o) })
		return certain && !truth
	})
}

// certain is the value of a variable that has only one, whatever runs before.
func (w *walk) certain(name string, g *guarded, o owner) (any, bool) {
	switch {
	case w.opaque || w.facts || w.unknown.has(name) || len(w.locals.at(name)) > 0 || implicit(name) || len(w.dirs) != 1:
		return nil, false
	}
	for _, t := range g.tasks.tasks {
		if t.loop != nil && t.loop.variable == name || slices.ContainsFunc(t.vars, func(p value.Pair) bool { return p.Key.Text == name }) {
			return nil, false
		}
	}
	defs := w.definitions(name)
	if len(defs) == 0 && name == ImageGroup {
		return true, true
	}
	if len(defs) != 1 || name == ImageGroup {
		return nil, false
	}
	switch d := defs[0]; {
	case d.class == "inventory" || d.class == "extra":
	case d.weak && o.role != "" && d.owner.role == o.role:
	default:
		return nil, false
	}
	return plain(defs[0].value)
}

// plain is a value that is no template.
func plain(v value.Value) (any, bool) {
	templates := false
	v.Strings(func(s string, _ int) { templates = templates || computes(s) })
	switch {
	case templates:
	case v.Kind == value.Bool:
		return v.Text == "true", true
	case v.Kind == value.Int:
		n, err := strconv.Atoi(v.Text)
		return n, err == nil
	case v.Kind == value.String:
		return v.Text, true
	case v.Kind == value.List:
		return jinja.Sized(len(v.Items)), true
	case v.Kind == value.Map:
		return jinja.Sized(len(v.Pairs)), true
	}
	return nil, false
}
