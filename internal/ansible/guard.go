package ansible

import (
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// guarded is a task with conditions, or a handler. Where it is certain that it
// does not run, what it would do decides nothing; where it is certain that it
// runs, its conditions do not.
type guarded struct {
	conditions []condition
	asks       reads      // what the conditions read
	tasks      *taskList  // it alone, without them
	said       digestPair // all that it says
	always     digestPair // without its conditions
	bare       digestPair // what Ansible reads of it though it does not run; nothing if that cannot fail
	bareReads  reads
	stopped    digestPair  // the same with the conditions
	loop       string      // the variable that it is repeated over, or ""
	emptied    digestPair  // bare, if that has no element
	names      []string    // of a handler: what it is notified by
	first      []jinja.Use // what its first condition needs
	vars       []value.Pair
	apart      bool    // it is a block: what it does is what each of its tasks does
	results    []*task // whose results others may look at, also where it does not run
	registered string  // digest of these, "" for none
}

// condition is an element of a task's when.
type condition struct {
	*jinja.Condition // nil if nothing can be told of it
	shape            jinja.Shape
	names            []string // that it reads
	literal          *bool
}

// doing is what is known of whether a guarded task runs.
type doing int

const (
	unasked doing = iota + 1 // a handler that nothing notifies
	empty                    // there is nothing in the list that it is repeated over
	skipped                  // a condition is false
	stopped                  // the same, unless one before it fails
	doesRun                  // all conditions are true
	mayRun
)

// guard returns nil for a task that always counts: one of whose conditions
// nothing can be told, and one that reads files before anything runs.
func guard(v value.Value) *guarded {
	if v.Kind != value.Map {
		return nil
	}
	if v.At("when").Kind == value.Null && loopVariable(v) == "" {
		return nil
	}
	g := newGuarded(v)
	if g != nil && g.loop != "" || g != nil && slices.ContainsFunc(g.conditions, func(c condition) bool { return c.Condition != nil || c.literal != nil }) {
		return g
	}
	return nil
}

// newGuarded returns nil for a task that always counts; names are those of a
// handler.
func newGuarded(v value.Value, names ...string) *guarded {
	g := &guarded{names: names, tasks: &taskList{valid: true, guarded: true}, said: digestsOf(v), vars: variablesOf(v.At("vars"))}
	without := v.WithPairs(slices.DeleteFunc(slices.Clone(v.Pairs()), func(p value.Pair) bool { return p.Key.Text == "when" }))
	if when, ok := v.Get("when"); ok {
		g.asks.expression(when)
		if list := when.List(); len(list) > 0 {
			var r reads
			r.expression(list[0])
			g.first = r.needs
		}
		for _, one := range when.List() {
			g.conditions = append(g.conditions, readCondition(one))
		}
	}
	if inner, ok := apart(v); ok && len(names) == 0 {
		g.apart = true
		g.tasks.guard(inner)
		g.tasks.done()
	} else {
		g.tasks.task(without, context{conditional: len(g.conditions) > 0})
	}
	if !g.collect(g.tasks) {
		return nil
	}
	g.always = digestsOf(without)
	g.bareReads.keywords(bareTask(without))
	g.stopped = digestsOf(bareTask(v))
	if !loads(without, len(names) > 0) {
		g.bare = digestsOf(bareTask(without))
	}
	if g.loop = loopVariable(v); !loads(withoutLoop(without), len(names) > 0) {
		g.emptied = g.bare
	}
	return g
}

// collect notes the tasks of a list whose results others may look at; false if one of
// them counts in any case.
func (g *guarded) collect(l *taskList) bool {
	for i := range l.tasks {
		t := &l.tasks[i]
		if strings.HasPrefix(t.module, "import_") || t.module == "include" || t.module == "meta" {
			return false
		}
		if t.register != "" {
			g.results = append(g.results, t)
			g.registered = sum(g.registered, t.register)
			if t.loop != nil {
				g.registered = sum(g.registered, t.loop.kind, t.loop.variable, t.loop.items.Digest())
			}
		}
	}
	for _, inner := range l.guards {
		if !g.collect(inner.tasks) {
			return false
		}
	}
	return true
}

// skips follows what is left of tasks that do not run: results that say so, one for each
// element that they would be repeated over.
func (w *walk) skips(g *guarded, o owner) {
	for _, t := range g.results {
		w.getsAny(t.register)
		if t.loop == nil {
			continue
		}
		var r reads
		if items := t.loop.items; items.Kind == value.String && !computes(items.Text) {
			r.expression(items) // a bare name
		} else {
			r.value(items)
		}
		w.read(&r, o)
		w.looped(t, o)
	}
}

func readCondition(v value.Value) condition {
	switch v.Kind {
	case value.Bool:
		truth := v.Text == "true"
		return condition{literal: &truth}
	case value.String:
		t, _ := jinja.Expression(v.Text)
		c := condition{Condition: jinja.ReadCondition(v.Text), shape: t.Shape}
		for _, n := range t.Names {
			c.names = append(c.names, n.Name)
		}
		return c
	}
	return condition{}
}

// bareTask is a task without its module's arguments.
func bareTask(v value.Value) value.Value {
	var pairs []value.Pair
	for _, p := range v.Pairs() {
		switch key := p.Key.Text; {
		case key == "block" || key == "rescue" || key == "always":
			p.Value = value.Value{Kind: value.List}.WithItems(make([]value.Value, min(len(p.Value.Items()), 1)))
		case !keywords[key] && !strings.HasPrefix(key, "with_") && p.Value.Kind == value.Map:
			p.Value = value.Value{Kind: value.Map}
		}
		pairs = append(pairs, p)
	}
	return v.WithPairs(pairs)
}

// keywords adds what a task without arguments reads.
func (r *reads) keywords(v value.Value) {
	for _, p := range v.Pairs() {
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

// followed is a guarded task in a file that is followed for a role in a form, and
// how far.
type followed struct {
	role, book            string
	form                  form
	sure                  certainty
	here                  bool
	doing                 doing
	tasks, asks, keywords bool // these were read
	skipped               bool // what is left of it that does not run
}

// guardedTask follows a guarded task as far as it may run.
func (w *walk) guardedTask(g *guarded, r *request) {
	list := slices.Clone(w.runs.at(g))
	i := slices.IndexFunc(list, func(f followed) bool {
		return f.role == r.owner.role && f.book == r.owner.book && f.form == r.form && f.sure == r.owner.sure && f.here == r.owner.here
	})
	if i < 0 {
		i = len(list)
		list = append(list, followed{role: r.owner.role, book: r.owner.book, form: r.form, sure: r.owner.sure, here: r.owner.here})
	}
	own := list[i]
	before := own
	if own.doing = max(own.doing, w.earlier().doing(g, r.owner)); own != before {
		list[i] = own
		w.runs.set(g, list)
		w.decided++
	}
	all := w.doingAnywhere(g)
	if own.doing < doesRun && !own.skipped {
		own.skipped = true
		w.skips(g, r.owner)
	}
	if own.doing >= doesRun && !own.tasks {
		own.tasks = true
		w.list(g.tasks, r.owner, r.form)
	}
	if (all == stopped || all == mayRun) && !own.asks {
		own.asks = true
		w.read(&g.asks, r.owner)
	}
	if all <= stopped && !own.keywords && g.digest(all).said != "" {
		own.keywords = true
		w.read(&g.bareReads, r.owner)
	}
	if own != before {
		list[i] = own
		w.runs.set(g, list)
		w.news++
	}
}

// doingAnywhere is the same for wherever it is followed: where that differs,
// nobody can know.
func (w *walk) doingAnywhere(g *guarded) doing {
	var all doing
	for _, f := range w.runs.at(g) {
		if all != 0 && all != f.doing {
			return mayRun
		}
		all = f.doing
	}
	return all
}

// doing is what is known of whether a task runs.
func (w *walk) doing(g *guarded, o owner) doing {
	if g.names != nil && !w.notifies(g.names) {
		return unasked
	}
	known := func(name string) (any, bool) { return w.certain(name, g, o) }
	if list, ok := w.only(g.loop, g, o); g.loop != "" && ok && list.Kind == value.List && len(list.Items()) == 0 {
		return empty
	}
	now := doesRun
	for _, c := range g.conditions {
		var truth, holds bool
		switch {
		case c.literal != nil:
			truth, holds = *c.literal, true
		case c.Condition != nil:
			truth, holds = c.Holds(known)
			if !holds {
				if truth, certain := c.Decide(known); certain && !truth || w.never(c, g, o) {
					return stopped
				}
			}
		}
		switch {
		case holds && !truth && now == doesRun:
			return skipped
		case holds && !truth:
			return stopped
		case !holds:
			now = mayRun
		}
	}
	return now
}

// never reports whether a condition is false whatever its variables come to, as far
// as that is known: also of those that have more than one value, and of facts.
func (w *walk) never(c condition, g *guarded, o owner) bool {
	if w.opaque || w.facts {
		return false
	}
	if slices.ContainsFunc(c.names, g.binds) { // its own names are not followed yet
		return false
	}
	var can truths
	w.cautiously(func() { can = w.conditionOf(c.shape, o) })
	return can.no && !can.yes
}

// binds reports whether a task gives a name a value by itself.
func (g *guarded) binds(name string) bool {
	named := func(p value.Pair) bool { return p.Key.Text == name }
	return slices.ContainsFunc(g.vars, named) || slices.ContainsFunc(g.tasks.tasks, func(t task) bool {
		return t.loop != nil && (name == t.loop.variable || name == t.loop.index) || slices.ContainsFunc(t.vars, named)
	})
}

// conditionOf is truthsOf of a whole condition, where a text may be one itself.
func (w *walk) conditionOf(s jinja.Shape, o owner) truths {
	switch s := s.(type) {
	case jinja.Comparison, jinja.Test:
		return w.truthsOf(s, o)
	case jinja.Choice:
		return w.branches(s, o, func(s jinja.Shape) truths { return w.conditionOf(s, o) })
	}
	var all truths
	for _, out := range w.outcomes(s, nil, o) {
		if out.kind != value.Bool || !out.exact() {
			return both
		}
		all = all.or(out.truths())
	}
	return all
}

// digest is of what counts of a task that does this.
func (g *guarded) digest(does doing) digestPair {
	d := g.saying(does)
	if does < doesRun && does != 0 && g.registered != "" {
		d = digestPair{sum(d.said, g.registered), sum(d.named, g.registered)}
	}
	return d
}

func (g *guarded) saying(does doing) digestPair {
	switch does {
	case unasked:
		return g.bare
	case empty:
		if g.emptied.said == "" && g.names != nil {
			return g.called()
		}
		return g.emptied
	case skipped:
		if g.bare.said == "" && g.names != nil {
			return g.called()
		}
		return g.bare
	case stopped:
		return g.stopped
	case doesRun:
		return g.always
	}
	return g.said
}

// called is of the names of a handler: whoever notifies it must find it.
func (g *guarded) called() digestPair {
	called := sum(g.names...)
	return digestPair{called, called}
}

// loopVariable is the variable whose elements a task is repeated over, if it is
// nothing but that; else "".
func loopVariable(v value.Value) string {
	loop := v.At("loop")
	if _, block := v.Get("block"); block || loop.Kind != value.String || !strings.HasPrefix(loop.Text, "{{") {
		return ""
	}
	if name, ok := shapeOf(loop).(jinja.Variable); ok && len(name.Path) == 0 && loop.Text == "{{ "+name.Name+" }}" {
		return name.Name
	}
	return ""
}

// withoutLoop is a task without what it is repeated over, if Ansible takes that for
// certain.
func withoutLoop(v value.Value) value.Value {
	control := v.At("loop_control")
	for _, p := range control.Pairs() {
		if p.Key.Text != "label" && p.Key.Text != "loop_var" || p.Value.Kind != value.String {
			return v
		}
	}
	if _, ok := v.Get("loop_control"); ok && control.Kind != value.Map {
		return v
	}
	v = v.WithPairs(slices.DeleteFunc(slices.Clone(v.Pairs()), func(p value.Pair) bool { return p.Key.Text == "loop" || p.Key.Text == "loop_control" }))
	return v
}

// certain is the value of a variable that has only one, whatever runs before.
func (w *walk) certain(name string, g *guarded, o owner) (any, bool) {
	v, ok := w.only(name, g, o)
	if !ok {
		return nil, false
	}
	return plain(v)
}

// only is the same value as it is written.
func (w *walk) only(name string, g *guarded, o owner) (v value.Value, ok bool) {
	switch {
	case w.facts || w.mayBeAnything(name) || len(w.locals.at(name)) > 0 || implicit(name) || len(w.dirs) != 1 || w.sealedAnyhow(name):
		return v, false
	}
	if g.binds(name) {
		return v, false
	}
	defs := w.definitions(name)
	if len(defs) == 0 && name == ImageGroup {
		return value.Value{Kind: value.Bool, Text: "true"}, true
	}
	if len(defs) != 1 || name == ImageGroup {
		return v, false
	}
	switch d := defs[0]; {
	case d.class == "inventory" || d.class == "extra":
	case d.weak && o.role != "" && d.owner.role == o.role:
	default:
		return v, false
	}
	return *defs[0].value, true
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
		return jinja.Sized(len(v.Items())), true
	case v.Kind == value.Map:
		return jinja.Sized(len(v.Pairs())), true
	}
	return nil, false
}
