package ansible

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/trace"
)

// Most of what playbooks reach is the same for all nodes that they run on: the
// files that are named plainly, and the names in them. That part of a walk is
// done once, and each node goes on from there with the values of its own groups.

// beginnings are walks that others go on from: of one query but for the node, or,
// further on, of nodes for which what is computed comes to the same. There is more
// than one where plays match some nodes and not others.
type beginnings struct {
	mu  sync.Mutex
	all []*beginning
}

// beginning is a walk that went as far as it can without a node, or on with what
// some of its requests come to for several.
type beginning struct {
	*walk
	open   []int         // the requests whose answer is the node's
	number *atomic.Int32 // of beginnings of this query

	answered *openAnswers
	then     *tree.Memo[string, *beginnings] // by the answers
	own      func() []string                 // see livelyOfOwn
	gives    *tree.Memo[inventory.Part, []string]
	lacks    *tree.Memo[inventory.Part, bool] // whether it has none of the variables that must not be there
	resolves *tree.Memo[string, []definition]
	said     *common
}

// common is what is reached whatever the inventory gives a node.
type common struct {
	once      sync.Once
	files     []File
	variables []Variable
}

// followedNames are the variables of a scope's part that are followed for each node, as
// soon as they are reached.
type followedNames struct {
	lively   []string // those whose values may read others: most are plain
	implicit []string // those that Ansible reads by itself, reached or not
}

const (
	mostBeginnings = 64 // of a query
	mostQueries    = 12 // of a project whose beginnings are kept: nodes of one layer mostly come together
)

// matched is a play and whether it runs on the node.
type matched struct {
	play    *play
	matches bool
}

// begin returns the walk of a query, its playbooks followed as far as others have
// been on the same way; settle does the rest.
func (p *Project) begin(q Query, o Options) (*walk, error) {
	w, err := newWalk(p, q, o)
	if err != nil {
		return nil, err
	}
	if b := w.beginning(); b != nil {
		return b.goOn(w), nil
	}
	for _, name := range w.q.Playbooks {
		w.playbook(name, place{}, runs)
	}
	return w, nil
}

// beginning returns the one that leads furthest on the way of a walk, or nil.
func (w *walk) beginning() *beginning {
	if len(w.inv.Opaque) > 0 {
		return nil
	}
	same := w.q
	same.Host, same.Groups = "", nil
	set := w.beginnings.Get(fmt.Sprintf("%#v", same), func() *beginnings { return &beginnings{} })
	first := func() *beginning {
		b := &beginning{walk: w.copy(w), number: new(atomic.Int32), lacks: tree.NewMemo[inventory.Part, bool]()}
		b.files.Asked = &trace.Asked{} // what it asked so far, each asks by itself
		b.start()
		return b
	}
	var last *beginning
	for b := set.find(w, first); b != nil; {
		last = b
		answers, same := b.answers(w)
		if !same {
			break
		}
		set := b.then.Get(answers, func() *beginnings { return &beginnings{} })
		b = set.find(w, func() *beginning { return last.after(w) })
	}
	return last
}

// find returns the beginning that fits, made if need be, or nil if there cannot be
// one.
func (s *beginnings) find(w *walk, make func() *beginning) *beginning {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(b *beginning) bool { return b.fits(w) })
	if i < 0 {
		b := make()
		if b == nil {
			return nil
		}
		if s.all = append(s.all, b); !b.fits(w) {
			return nil
		}
		i = len(s.all) - 1
	}
	if len(s.all[i].faults) > 0 {
		return nil // it is told by a walk of the node's own
	}
	return s.all[i]
}

// fits reports whether a beginning is that of the node's walk, too: the same plays
// run on it, and its inventory has none of the variables that were asked for.
func (b *beginning) fits(w *walk) bool {
	for _, m := range b.matched {
		if w.matches(m.play) != m.matches {
			return false
		}
	}
	scope, err := w.scopeIn(b.dirs)
	if err != nil {
		return false
	}
	for part := range scope.Parts() {
		if !b.lacks.Get(part, func() bool { return len(part.Among(b.absent)) == 0 }) {
			return false
		}
	}
	return true
}

// scopeIn is what the inventory gives the node with playbooks in these directories.
func (w *walk) scopeIn(dirs []string) (*inventory.Scope, error) {
	if w.trial == nil || !slices.Equal(w.trial.dirs, dirs) {
		scope, err := w.node.Definitions(w.files, dirs)
		w.trial = &trial{dirs, scope, err}
	}
	return w.trial.scope, w.trial.err
}

// trial is the inventory's variables with playbooks in these directories.
type trial struct {
	dirs  []string
	scope *inventory.Scope
	err   error
}

// start goes as far as the answers are the same for many nodes.
func (b *beginning) start() {
	b.number.Add(1)
	b.absent, b.asker = map[string]bool{}, &known{}
	b.shared = true
	for _, name := range b.q.Playbooks {
		b.playbook(name, place{}, runs)
	}
	scope, err := b.node.Definitions(b.Project.files, b.dirs)
	if err != nil {
		b.fail(err)
		return
	}
	b.share(scope)
}

// after is the beginning that comes after b, of all nodes for which its open
// requests come to what they do for this one; nil if there are too many.
func (b *beginning) after(of *walk) *beginning {
	if b.number.Add(1) > mostBeginnings {
		return nil
	}
	next := &beginning{walk: b.copy(of), number: b.number, lacks: tree.NewMemo[inventory.Part, bool]()}
	next.shared, next.absent, next.asker = true, maps.Clone(b.absent), &known{}
	next.matched = slices.Clone(b.matched)
	// What one of them leads to may give another one more values, which need not be
	// those of other nodes: then it is open again.
	next.before = b.seenBy(of)
	for _, i := range b.open {
		next.ask(i)
	}
	next.unveil(next.before)
	next.before = nil
	scope, err := of.scopeIn(next.dirs)
	if err != nil {
		return nil
	}
	next.share(scope)
	return next
}

// seenBy is b with what the inventory gives a node, to be read only.
func (b *beginning) seenBy(of *walk) *walk {
	w := *b.walk
	w.q, w.node, w.extra, w.files = of.q, of.node, of.extra, tree.NewSeen(of.files.Files)
	w.scope, _ = of.scopeIn(b.dirs) // it fits
	w.resolved, w.asker, w.evaluation, w.other, w.unveiled = map[string][]definition{}, nil, nil, nil, set[string]{}
	return &w
}

// share answers what no variable of the inventory has a part in.
func (b *beginning) share(scope *inventory.Scope) {
	w := b.walk
	for before := -1; before != w.progress(); {
		before = w.progress()
		for computed := range 2 { // what is named plainly first
			for i := 0; i < len(w.requests); i++ { // it grows meanwhile
				r := w.requests[i]
				plain := r.constant() && r.role == roleUse{}
				switch {
				case r.kind.alone():
				case plain && r.asked == w.places, !plain && (computed == 0 || w.current(r)):
				case plain:
					w.ask(i)
				default:
					asked := *r
					if w.foreseen(&asked, scope) {
						w.requests[i] = &asked
						w.ask(i)
					}
				}
			}
		}
	}
	for i, r := range w.requests {
		if !r.kind.alone() && !w.current(r) && !(r.constant() && r.asked == w.places) {
			b.open = append(b.open, i)
		}
	}
	w.shared, w.asker, w.evaluation = false, nil, nil
	w.circles()
	w.rest()
	b.answered, b.then = newOpenAnswers(len(b.open)), tree.NewMemo[string, *beginnings]()
	b.own, b.gives, b.resolves = sync.OnceValue(b.livelyOfOwn), tree.NewMemo[inventory.Part, []string](), tree.NewMemo[string, []definition]()
	b.said = &common{}
}

// current reports whether a computed request was answered with all that is known.
func (w *walk) current(r *request) bool { return r.asked == w.places && r.state == w.state(r.kind) }

// alone reports whether each node has to ask by itself.
func (k want) alone() bool {
	return k == wantVariable || k == wantHost || k == wantGroup || k == wantGroupBy || k == wantDelegate
}

// foreseen reports whether no variable of the inventory has a part in what a
// request comes to, nor the name of the node, and notes the variables that were
// asked for.
func (w *walk) foreseen(r *request, scope *inventory.Scope) bool {
	if r.kind == wantGuarded {
		return false
	}
	asker := &known{}
	w.asker = asker
	r.namesAt = 0
	w.comesTo(r)
	w.asker = &known{} // of who asks next
	var names []string
	own := asker.all(func(name string) { names = append(names, name) })
	if own || slices.ContainsFunc(names, scope.Has) {
		return false
	}
	for _, name := range names {
		w.absent[name] = true
	}
	return true
}

// goOn is the walk of another node, from where b ends.
func (b *beginning) goOn(of *walk) *walk {
	w := b.copy(of)
	w.files.Asked.Include(of.files.Asked)
	if len(w.dirs) > 0 {
		scope, _ := of.scopeIn(w.dirs) // it fits
		w.useScope(scope)
	}
	w.unveil(of)
	w.absent = nil
	w.from = b
	if w.scope != nil {
		for part := range w.scope.Parts() {
			for _, name := range b.follows(part).implicit {
				w.variable(name, place{})
			}
		}
	}
	for _, name := range b.lively(w.scope) {
		w.follow(name)
	}
	return w
}

// ungiven is definitions of a variable that the inventory does not give a node.
func (b *beginning) ungiven(name string) []definition {
	return b.resolves.Get(name, func() []definition { return b.resolve(name, nil) })
}

// rest is that of layered maps: of all that a walk has.
func (w *walk) rest() {
	for _, m := range []interface{ rest() }{
		&w.found, &w.vars, &w.hostReads, &w.groups, &w.defs, &w.locals, &w.unknown, &w.strings, &w.readTexts,
		&w.visited, &w.roles, &w.callers, &w.uses, &w.parts, &w.warned, &w.without, &w.runs, &w.notified, &w.imported, &w.plugins, &w.vaults, &w.needs, &w.bareReads,
		&w.calls, &w.widened, &w.used, &w.setOthers, &w.results, &w.unveiled,
	} {
		m.rest()
	}
}

// copy is b as the walk of another node. Both may go on.
func (b *walk) copy(of *walk) *walk {
	b.rest()
	w := *b
	w.q, w.node, w.extra = of.q, of.node, of.extra
	w.Project, w.inv, w.cfg = of.Project, of.inv, of.cfg
	w.files = &tree.Seen{Files: of.files.Files, Asked: b.files.Asked.After(), Bad: slices.Concat(of.files.Bad, b.files.Bad)}
	w.matched, w.asker, w.from, w.evaluation, w.other = nil, nil, nil, nil, nil
	w.resolved, w.readTexts = map[string][]definition{}, set[visitText]{}
	w.namePatterns, w.dirs, w.joins, w.joinForms = slices.Clip(b.namePatterns), slices.Clip(b.dirs), slices.Clip(b.joins), slices.Clip(b.joinForms)
	w.unknownForms = slices.Clip(b.unknownForms)
	w.requests, w.programs = slices.Clone(b.requests), slices.Clip(b.programs)
	w.books = make([]*bookRead, len(b.books))
	for i, book := range b.books {
		one := *book
		one.followed = slices.Clone(one.followed)
		w.books[i] = &one
	}
	return &w
}

// follows are the names of a scope's part that are followed.
func (p *Project) follows(part inventory.Part) followedNames {
	return p.inParts.Get(part, func() followedNames {
		var f followedNames
		for _, d := range part.Definitions() {
			if implicit(d.Name()) {
				f.implicit = append(f.implicit, d.Name())
			}
			if computesIn(d.Value) {
				f.lively = append(f.lively, d.Name())
			}
		}
		return f
	})
}

// lively are the variables that were reached, sorted, whose values may read others,
// those of a scope included.
func (b *beginning) lively(s *inventory.Scope) []string {
	all := slices.Clone(b.own())
	if s != nil {
		for part := range s.Parts() {
			for _, name := range b.follows(part).lively {
				if b.vars.has(name) {
					all = append(all, name)
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// livelyOfOwn are those of the variables that were reached that may read others whatever
// the inventory gives a node.
func (b *beginning) livelyOfOwn() []string {
	var all []string
	for name := range b.vars.keys() {
		if b.strings.has(name) || len(b.extra) > 0 || slices.ContainsFunc(b.defs.at(name), func(d definition) bool { return computesIn(*d.value) }) {
			all = append(all, name)
		}
	}
	return all
}

// given are the variables that were reached and that a scope has, some more than once.
func (b *beginning) given(s *inventory.Scope) []string {
	var all []string
	if s == nil {
		return nil
	}
	for part := range s.Parts() {
		all = append(all, b.gives.Get(part, func() []string {
			var names []string
			for _, d := range part.Definitions() {
				if b.vars.has(d.Name()) {
					names = append(names, d.Name())
				}
			}
			return names
		})...)
	}
	return all
}

func (b *beginning) common() *common {
	b.said.once.Do(func() { b.said.files, b.said.variables = b.reachedFiles(), b.reachedVariables() })
	return b.said
}

// computesIn reports whether there may be a template in a value.
func computesIn(v value.Value) bool {
	found := false
	v.Strings(func(text string, _ int) { found = found || computes(text) })
	return found
}
