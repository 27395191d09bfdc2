package ansible

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Most of what playbooks reach is the same for all nodes that they run on: the
// files that are named plainly, and the names in them. That part of a walk is
// done once, and each node goes on from there with the values of its own groups.

// beginnings are the beginnings of walks with one query but for the node: more
// than one where plays match some nodes and not others.
type beginnings struct {
	mu  sync.Mutex
	all []*walk
}

const mostBeginnings = 16

// matched is a play and whether it runs on the node.
type matched struct {
	play    *play
	matches bool
}

// begin returns the walk of a query, its playbooks followed as far as it takes no
// value of a variable; settle does the rest.
func (p *Project) begin(q Query, o Options) (*walk, error) {
	w, err := newWalk(p, q, o)
	if err != nil {
		return nil, err
	}
	if len(w.inv.Opaque) == 0 {
		same := w.q
		same.Host, same.Groups = "", nil
		of := fmt.Sprintf("%p\x00%#v", o.Differences, same)
		b, err := p.beginnings.Get(of, func() *beginnings { return &beginnings{} }).find(w, q, o)
		if err != nil {
			return nil, err
		}
		if b != nil {
			return b.goOn(w), nil
		}
	}
	for _, name := range w.q.Playbooks {
		w.playbook(name, place{})
	}
	return w, nil
}

// find returns the beginning that fits, or nil if there cannot be one.
func (b *beginnings) find(w *walk, q Query, o Options) (*walk, error) {
	usable := func(one *walk) *walk {
		if len(one.faults) > 0 {
			return nil // it is told by a walk of the node's own
		}
		return one
	}
	b.mu.Lock()
	known := b.all
	b.mu.Unlock()
	for _, one := range known {
		if one.fits(w) {
			return usable(one), nil
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.all[len(known):] {
		if one.fits(w) {
			return usable(one), nil
		}
	}
	if len(b.all) >= mostBeginnings {
		return nil, nil
	}
	one, err := newWalk(w.Project, q, o)
	if err != nil {
		return nil, err
	}
	one.absent, one.asked = map[string]bool{}, map[string]bool{}
	one.share()
	for name, list := range one.defs {
		one.defs[name] = slices.Clip(list)
	}
	for name, list := range one.locals {
		one.locals[name] = slices.Clip(list)
	}
	one.lively = tree.NewMemo[any, []string]()
	b.all = append(slices.Clip(b.all), one)
	if !one.fits(w) {
		return nil, nil
	}
	return usable(one), nil
}

// fits reports whether a beginning is that of the node's walk, too: the same plays
// run on it, and its inventory has none of the variables that were asked for.
func (b *walk) fits(w *walk) bool {
	for _, m := range b.matched {
		if w.matches(m.play) != m.matches {
			return false
		}
	}
	if w.trial == nil || !slices.Equal(w.trial.dirs, b.dirs) {
		scope, err := w.node.Definitions(w.files, b.dirs)
		w.trial = &trial{b.dirs, scope, err}
	}
	if w.trial.err != nil {
		return false
	}
	for name := range b.absent {
		if w.trial.scope.Has(name) {
			return false
		}
	}
	return true
}

// trial is the inventory's variables with playbooks in these directories.
type trial struct {
	dirs  []string
	scope *inventory.Scope
	err   error
}

// share goes as far as the answers are the same for many nodes.
func (w *walk) share() {
	w.shared = true
	for _, name := range w.q.Playbooks {
		w.playbook(name, place{})
	}
	scope, err := w.node.Definitions(w.files, w.dirs)
	if err != nil {
		w.fail(err)
		return
	}
	for before := -1; before != w.changes; {
		before = w.changes
		for computed := range 2 { // what is named plainly first
			for i := 0; i < len(w.requests); i++ { // it grows meanwhile
				r := w.requests[i]
				plain := r.constant() && r.role == roleUse{}
				switch {
				case plain && r.asked == w.places, !plain && (computed == 0 || r.asked == w.places && r.state == w.state()):
				case plain || w.foreseen(&r, scope):
					w.ask(i)
				}
			}
		}
	}
	w.shared = false
}

// foreseen reports whether no variable of the inventory has a part in what a
// request comes to, nor the name of the node, and notes the variables that were
// asked for.
func (w *walk) foreseen(r *request, scope *inventory.Scope) bool {
	switch r.kind {
	case wantVariable, wantHost, wantGroup, wantGroupBy, wantGuarded:
		return false
	}
	w.asked, w.own = map[string]bool{}, false
	for _, s := range []jinja.Shape{r.shape, r.role.tasks, r.role.vars, r.role.defaults, r.role.handlers} {
		if s != nil {
			w.texts(s, r.owner)
		}
	}
	for name := range w.asked {
		w.own = w.own || scope.Has(name)
	}
	if w.own {
		return false
	}
	maps.Copy(w.absent, w.asked)
	return true
}

// goOn is the walk of another node, from where b ends.
func (b *walk) goOn(of *walk) *walk {
	w := *b
	w.q, w.node, w.extra = of.q, of.node, of.extra
	w.files = &tree.Seen{Files: b.files.Files, Differences: b.files.Differences, Touched: b.files.Touched || of.files.Touched}
	w.matched, w.asked = nil, nil
	w.found = copied(b.found, func(c *counted) { c.via.places = slices.Clip(c.via.places) })
	w.vars = copied(b.vars, func(v *reachedVariable) { v.via.places = slices.Clip(v.via.places) })
	w.hostReads = copied(b.hostReads, func(v *via) { v.places = slices.Clip(v.places) })
	w.groups = copied(b.groups, func(v *via) { v.places = slices.Clip(v.places) })
	w.roles = copied(b.roles, func(r *role) { r.callers, r.used = maps.Clone(r.callers), maps.Clone(r.used) })
	w.defs, w.locals = maps.Clone(b.defs), maps.Clone(b.locals)
	w.resolved, w.readTexts = map[string][]definition{}, map[visitText]bool{}
	w.unknown, w.strings, w.visited = maps.Clone(b.unknown), maps.Clone(b.strings), maps.Clone(b.visited)
	w.namePatterns, w.dirs, w.joins = slices.Clone(b.namePatterns), slices.Clone(b.dirs), slices.Clone(b.joins)
	w.requests = append(make([]request, 0, len(b.requests)+32), b.requests...)
	w.runs, w.notified = maps.Clone(b.runs), maps.Clone(b.notified)
	w.imported = maps.Clone(b.imported)
	for from, list := range w.imported {
		w.imported[from] = slices.Clip(list)
	}
	w.books = make([]*bookRead, len(b.books))
	for i, book := range b.books {
		one := *book
		one.followed = slices.Clone(one.followed)
		w.books[i] = &one
	}
	w.plugins = b.plugins.clone()
	if len(w.dirs) > 0 {
		w.useScope(of.trial.scope)
	}
	w.absent = nil
	for _, name := range b.livelyNames(w.scope) {
		w.follow(name)
	}
	return &w
}

// copied is a map with values of its own.
func copied[K comparable, V any](m map[K]*V, part func(*V)) map[K]*V {
	values := make([]V, 0, len(m))
	all := make(map[K]*V, len(m))
	for k, v := range m {
		values = append(values, *v)
		own := &values[len(values)-1]
		part(own)
		all[k] = own
	}
	return all
}

func (p plugins) clone() plugins {
	p.modules, p.lookups, p.named = maps.Clone(p.modules), maps.Clone(p.lookups), maps.Clone(p.named)
	p.collections, p.read = maps.Clone(p.collections), maps.Clone(p.read)
	dirs := make(map[string]map[string]bool, len(p.dirs))
	for kind, set := range p.dirs {
		dirs[kind] = maps.Clone(set)
	}
	p.dirs = dirs
	return p
}

// livelyNames are the variables, sorted, that were reached and whose values may
// read others, in a scope or by themselves: most are plain.
func (b *walk) livelyNames(s *inventory.Scope) []string {
	all := b.lively.Get(nil, func() []string {
		var names []string
		for name := range b.vars {
			if b.strings[name] || slices.ContainsFunc(b.defs[name], func(d definition) bool { return computesIn(d.value) }) {
				names = append(names, name)
			}
		}
		if len(b.extra) > 0 {
			names = append(names, slices.Collect(maps.Keys(b.vars))...)
		}
		return names
	})
	all = slices.Clone(all)
	if s != nil {
		s.Parts(func(key any, definitions []inventory.Definition) {
			all = append(all, b.lively.Get(key, func() []string {
				var names []string
				for _, d := range definitions {
					if b.vars[d.Name] != nil && computesIn(d.Value) {
						names = append(names, d.Name)
					}
				}
				return names
			})...)
		})
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// computesIn reports whether there may be a template in a value.
func computesIn(v value.Value) bool {
	found := false
	v.Strings(func(text string, _ int) { found = found || computes(text) })
	return found
}
