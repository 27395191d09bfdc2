package ansible

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// definition is a value that a variable may have.
type definition struct {
	value *value.Value
	file  string
	line  int
	class string // what kind of place defines it; part of the digest
	owner owner
	weak  bool // a role's default: the inventory is stronger
}

// local is a value that a task gives a name. It counts with the task; here it
// only helps to tell what computed names can be.
type local struct {
	value    value.Value
	elements bool   // the name stands for its elements, one after the other
	result   bool   // it is what is known of a task's result, see resultOf
	found    string // the key of that
	owner    owner
}

// implicit reports whether Ansible reads a variable though nobody names it.
func implicit(name string) bool { return strings.HasPrefix(name, "ansible_") }

// variable makes a variable count.
func (w *walk) variable(name string, at place) {
	known, ok := w.vars.get(name)
	if now := known.with(at); !ok || !slices.Equal(now, known) {
		w.vars.set(name, now)
		w.tellVariable(name, at)
	}
	if !ok {
		w.files.Asked.Ask(askVariable, name)
		w.follow(name)
	}
}

// define gives names values.
func (w *walk) define(pairs []value.Pair, like definition) {
	w.tellDefines(like)
	for i := range pairs {
		p := &pairs[i]
		name := p.Key.Text
		if name == "" {
			continue
		}
		if !like.ofFile() {
			w.tellEvaluated(name)
		}
		if like.class != "group_by" {
			w.runsHere(name, p.Value)
		}
		d := like
		d.value, d.line = &p.Value, p.Key.Line
		known := w.defs.at(name)
		if slices.ContainsFunc(known, func(o definition) bool {
			return o.file == d.file && o.line == d.line && o.class == d.class && o.owner.role == d.owner.role
		}) {
			continue
		}
		w.defs.set(name, append(slices.Clip(known), d))
		delete(w.resolved, name)
		w.forget(name)
		w.changes++
		if implicit(name) {
			w.variable(name, place{})
		}
		if w.vars.has(name) {
			w.follow(name)
		}
	}
}

// definitions are the values that a variable may have for the node, the
// strongest last. Of those that are always there, the weaker do not count. They take
// part in what is followed.
func (w *walk) definitions(name string) []definition {
	w.tellEvaluated(name)
	return w.plainly(name)
}

// plainly are the definitions of a variable where it makes no difference to what is
// followed which values they have, as long as there is no template in them.
func (w *walk) plainly(name string) []definition {
	if !w.vars.has(name) { // else it was asked when it was reached
		w.files.Asked.Ask(askVariable, name)
	}
	w.asksFor(name) // also of what is known already
	if all, known := w.resolved[name]; known {
		return all
	}
	var found []inventory.Definition
	if w.scope != nil {
		found = w.scope.Lookup(name)
	}
	if _, own := w.defs.own[name]; w.from != nil && len(found) == 0 && !own {
		return w.from.ungiven(name)
	}
	all := w.resolve(name, found)
	w.resolved[name] = all
	return all
}

// resolve is definitions with those that the inventory gives.
func (w *walk) resolve(name string, found []inventory.Definition) []definition {
	if extra := w.extra[name]; len(extra) > 0 {
		return extra
	}
	var all []definition
	certain := true // one value for all playbooks
	if len(found) > 0 {
		certain = !slices.ContainsFunc(found, w.besideSome)
		if len(found) > 1 && !w.cfg.merge && certain {
			found = found[len(found)-1:]
		}
		for _, d := range found {
			all = append(all, definition{value: &d.Value, file: d.File, line: d.Line(), class: "inventory", owner: owner{file: d.File}})
		}
	}
	overrides := len(all) > 0 && certain
	defs := w.defs.at(name)
	for _, d := range defs {
		if !d.weak {
			all = append(all, d)
		}
	}
	if overrides && !w.cfg.merge {
		return all
	}
	var weak []definition
	for _, d := range slices.Backward(defs) {
		if d.weak {
			weak = append(weak, d)
		}
	}
	return append(weak, all...)
}

// besideSome reports whether a definition lies beside some of the playbooks, and
// not beside others: then only some have it.
func (w *walk) besideSome(d inventory.Definition) bool {
	return len(w.dirs) > 1 && slices.ContainsFunc(w.dirs, func(dir string) bool {
		return !slices.Contains(w.inv.Dirs, dir) && (within(d.File, path.Join(dir, "group_vars")) || within(d.File, path.Join(dir, "host_vars")))
	})
}

// follow reads what the values of a reached variable read.
func (w *walk) follow(name string) {
	if !w.vars.has(name) || w.shared {
		return
	}
	for _, d := range w.plainly(name) {
		w.readValue(*d.value, d.owner)
		if w.strings.has(name) {
			var r reads
			r.expression(*d.value)
			w.read(&r, d.owner)
		}
	}
}

// readValue follows what the strings in a value read.
func (w *walk) readValue(v value.Value, o owner) {
	v.Strings(func(s string, line int) {
		if !computes(s) {
			return
		}
		r := w.readsOf(s, line)
		if r.plain() || w.readTexts.add(visitText{s, o.file, o.role, line}) {
			w.read(r, o)
		}
	})
}

// locally notes the values that a task gives names while it runs, or by what it
// is for.
func (w *walk) locally(t *task, o owner) {
	for _, p := range t.vars {
		w.local(p.Key.Text, local{value: p.Value, owner: o})
	}
	w.registers(t, o)
	w.setsOn(t)
	if t.loop != nil && t.loop.index != "" {
		w.getsAny(t.loop.index)
	}
	switch t.module {
	case "set_fact":
		for i, p := range t.args.Pairs() {
			if computes(p.Key.Text) {
				w.want(request{kind: wantFact, shape: shapeOf(p.Key), owner: o, line: p.Key.Line, task: t, fact: i})
				continue
			}
			w.local(p.Key.Text, local{value: p.Value, owner: o})
			w.runsHere(p.Key.Text, p.Value)
		}
		if t.computed { // of names that nobody knows
			w.getsAnyLike(unknownText)
		}
	case "include_tasks", "import_tasks", "include", "include_role", "import_role":
		for _, p := range variablesOf(t.args.At("apply").At("vars")) {
			w.local(p.Key.Text, local{value: p.Value, owner: o})
		}
		w.passed(t.free)
		if l := t.loop; l != nil {
			w.local(l.variable, local{value: l.items, elements: true, owner: o})
		}
	}
}

// passed notes the variables that an include or import passes in the old way,
// behind the name of the file.
func (w *walk) passed(v value.Value) {
	for i, word := range words(v.Text) {
		if name, _, ok := strings.Cut(word, "="); ok && i > 0 {
			w.getsAny(name)
		}
	}
}

func (w *walk) local(name string, l local) {
	w.locals.set(name, append(slices.Clip(w.locals.at(name)), l))
	w.forget(name)
	w.changes++
}

// getsAny notes that a name gets a value which nobody can know.
func (w *walk) getsAny(name string) {
	if w.unknown.add(name) {
		w.forget(name)
		w.changes++
	}
}

// getsAnyLike notes the same of all names that a pattern may mean.
func (w *walk) getsAnyLike(pattern string) {
	switch {
	case strings.Trim(pattern, wildcards) == "":
		if !w.opaque {
			w.opaque = true
			w.changes++
		}
	case !slices.Contains(w.unknownForms, pattern):
		w.unknownForms = append(w.unknownForms, pattern)
		w.changes++
	}
}

// mayBeAnything reports whether a name may get a value which nobody can know.
func (w *walk) mayBeAnything(name string) bool {
	return w.opaque || w.unknown.has(name) || slices.ContainsFunc(w.unknownForms, func(form string) bool { return matches(form, name) })
}

// setsFact notes what a task sets whose name is computed, as this name or as all that it
// may mean.
func (w *walk) setsFact(r *request, name string) {
	if computed(name) {
		w.getsAnyLike(name)
		return
	}
	l := local{value: r.task.args.Pairs()[r.fact].Value, owner: r.owner}
	if !slices.Contains(w.locals.at(name), l) {
		w.local(name, l)
		w.runsHere(name, l.value)
	}
}

// anyVariable makes all variables of the node count.
func (w *walk) anyVariable(reason string, at place) {
	w.widens(reason, at)
	if w.any == nil {
		at.note = reason
		w.any, w.anyAt = &why{text: reason, line: at.line}, at
		w.files.Asked.Ask(askVariablesLike, unknownText)
		w.news++
	}
}

// computedName makes the variables count whose name may be what a shape comes
// to.
func (w *walk) computedName(c jinja.Computed, o owner) {
	for _, name := range w.texts(c.Name, o) {
		switch {
		case strings.Trim(name, wildcards) == "":
			w.anyVariable("the name of a variable is computed", o.at(c.Line))
		case computed(name):
			w.variablesLike(name, o.at(c.Line))
		default:
			w.variable(name, o.at(c.Line))
		}
	}
}

// variablesLike makes the variables count whose names a pattern may mean.
func (w *walk) variablesLike(pattern string, at place) {
	if p := (namePattern{pattern, at}); !slices.Contains(w.namePatterns, p) {
		w.namePatterns = append(w.namePatterns, p)
		w.files.Asked.Ask(askVariablesLike, pattern)
		w.news++
	}
}

// namePattern is the pattern of a computed name of a variable.
type namePattern struct {
	pattern string
	at      place
}

// patterned reaches the variables that are not reached by their own name.
func (w *walk) patterned() {
	if w.any == nil && len(w.namePatterns) == 0 {
		return
	}
	reach := func(name string) {
		if w.any != nil {
			w.variable(name, w.anyAt)
			return
		}
		for _, p := range w.namePatterns {
			if matches(p.pattern, name) {
				w.variable(name, p.at)
			}
		}
	}
	if w.scope != nil {
		for d := range w.scope.Definitions() {
			reach(d.Name())
		}
	}
	for name := range w.defs.keys() {
		reach(name)
	}
	for name := range w.extra {
		reach(name)
	}
}

// magic is the value of a variable of Ansible's own that says which node this
// is.
func (w *walk) magic(name string) (string, bool) {
	switch name { // all of them are in ownNames
	case "inventory_hostname", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_batch", "play_hosts":
		return w.q.Host, true
	case "inventory_hostname_short":
		short, _, _ := strings.Cut(w.q.Host, ".")
		return short, true
	case "group_names":
		return strings.Join(w.node.GroupNames(), ","), true
	}
	return "", false
}

// ownNames are the variables that magic has a value of.
var ownNames = []string{
	"inventory_hostname", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_batch", "play_hosts",
	"inventory_hostname_short", "group_names",
}

// hostRead is a variable of another host that is read; "" for all variables,
// and patterns for several of them and for several hosts.
type hostRead struct{ host, name string }

func (w *walk) hostRead(h jinja.HostRead, o owner) {
	names := []string{""}
	if h.Variable != nil {
		names = w.texts(h.Variable, o)
	}
	hosts := []string{unknownText}
	if h.Host != nil {
		hosts = w.texts(h.Host, o)
	}
	for _, host := range hosts {
		for _, name := range names {
			if strings.Trim(name, wildcards) == "" {
				name = ""
			}
			w.foreignRead(hostRead{host, name}, o.at(h.Line))
			if bare := (hostRead{host, name}); !computed(name) && !h.Guarded && o.sure != possible && !w.bareReads.has(bare) {
				w.bareReads.set(bare, o.at(h.Line))
			}
		}
	}
}

func (w *walk) foreignRead(h hostRead, at place) {
	if matches(h.host, w.q.Host) {
		switch {
		case h.name == "":
			w.anyVariable("hostvars of this node as a whole", at)
		case computed(h.name):
			w.variablesLike(h.name, at)
		default:
			w.variable(h.name, at)
		}
		if h.host == w.q.Host {
			return
		}
	}
	w.tellEvaluated(cmp.Or(h.name, nul))
	known, ok := w.hostReads.get(h)
	if !ok {
		w.news++
	}
	w.hostReads.set(h, known.with(at))
}

// groupRead makes the members of the groups count that a read may mean.
func (w *walk) groupRead(g pathText, o owner) {
	names := []string{""}
	if g.shape != nil {
		names = w.texts(g.shape, o)
	}
	for _, name := range names {
		if computed(name) {
			name = ""
		}
		known, ok := w.groups.get(name)
		if !ok {
			w.news++
		}
		w.groups.set(name, known.with(o.at(g.line)))
	}
}
