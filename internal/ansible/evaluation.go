package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
)

// evaluation keeps what variables come to, as far as a walk knows yet. It is what
// makes variables that lead to variables cheap, and those that lead to themselves
// end.
type evaluation struct {
	of    circumstances
	known map[node]*known
	named map[string][]*known // what is known of a variable, or was asked for it
	stack []*known            // that are being evaluated, the innermost last
	asker *known              // who asks outside of all of them; nil where nobody wants to know

	// Nodes that are being evaluated, and those that were and lead to one of them,
	// in order, as in Tarjan's algorithm for strongly connected components; low is the
	// first of them that the innermost one leads to.
	order []*known
	low   int
}

// known is what a node comes to, and on what that depends.
type known struct {
	asks
	name   string
	found  []outcome
	done   bool     // found is all of it
	listed bool     // it is among those of its name
	number int      // of its place in order, from 1; 0 if it is not being evaluated
	leadTo []*known // in whose values it has a part
}

// asks are what was asked to evaluate something.
type asks struct {
	names  []string // variables
	own    bool     // something that only the node can say
	needs  []*known // what has a part in it
	looked *asks    // who looked through it last
}

// all calls f for the variables that were asked for, for some more than once. It reports
// whether only the node can say what that comes to.
func (a *asks) all(f func(name string)) (own bool) {
	var look func(one *asks)
	look = func(one *asks) {
		if one.looked == a {
			return
		}
		one.looked = a
		own = own || one.own
		for _, name := range one.names {
			f(name)
		}
		for _, n := range one.needs {
			look(&n.asks)
		}
	}
	look(a)
	return own
}

// circumstances are what evaluation depends on besides the values of variables.
type circumstances struct {
	scope                  *inventory.Scope
	dirs, forms            int
	opaque, facts, outside bool
	sealing                bool
}

// node is what lies at a path in a variable. What does not depend on who asks has
// no owner.
type node struct {
	name, path string
	owner      owner
}

const (
	deepestPath  = 8    // keys of keys; what lies deeper is as good as unknown
	deepestValue = 1000 // variables that lead to variables
)

// evaluated is what is known now.
func (w *walk) evaluated() *evaluation {
	now := circumstances{w.scope, len(w.dirs), len(w.unknownForms), w.opaque, w.facts, w.outside, w.sealing}
	if w.evaluation == nil || w.evaluation.of != now {
		w.evaluation = &evaluation{of: now, known: map[node]*known{}, named: map[string][]*known{}}
	}
	w.evaluation.asker = w.asker
	return w.evaluation
}

// asking is what asks now, or nil.
func (e *evaluation) asking() *known {
	if last := len(e.stack) - 1; last >= 0 {
		return e.stack[last]
	}
	return e.asker
}

// asksFor notes that a variable has a part in what is evaluated.
func (w *walk) asksFor(name string) {
	if w.asker == nil {
		return
	}
	if by := w.evaluated().asking(); len(by.names) == 0 || by.names[len(by.names)-1] != name {
		by.names = append(by.names, name)
	}
}

// asksOwn notes that only the node can say what something comes to.
func (w *walk) asksOwn() {
	if w.asker != nil {
		w.evaluated().asking().own = true
	}
}

// at returns what is known of a node, perhaps nothing yet.
func (e *evaluation) at(n node) *known {
	k := e.known[n]
	if k == nil {
		k = &known{name: n.name}
		e.known[n] = k
	}
	return k
}

// once evaluates a node once. Nodes that lead to each other come to anything, each
// of them, whichever of them is asked for first.
func (e *evaluation) once(n node, evaluate func() []outcome) []outcome {
	k := e.at(n)
	if by := e.asking(); by != nil && !slices.Contains(by.needs, k) {
		by.needs = append(by.needs, k)
		if by != e.asker {
			k.leadTo = append(k.leadTo, by)
		}
	}
	if k.number > 0 {
		e.low = min(e.low, k.number)
		return unknownOutcome()
	}
	if k.done {
		return k.found
	}
	if !k.listed {
		e.named[n.name] = append(e.named[n.name], k)
		k.listed = true
	}
	if len(e.stack) >= deepestValue || strings.Count(n.path, "\x00") >= deepestPath {
		return unknownOutcome()
	}
	e.order = append(e.order, k)
	number, outer := len(e.order), e.low
	k.number = number
	e.stack = append(e.stack, k)
	e.low = number + 1
	found := evaluate()
	e.stack = e.stack[:len(e.stack)-1]
	low := e.low
	e.low = outer
	if low <= number {
		found = unknownOutcome()
	}
	k.found, k.done = found, true
	if low < number { // a part of what is not finished yet
		e.low = min(e.low, low)
		return found
	}
	for _, finished := range e.order[number-1:] {
		finished.number = 0
	}
	e.order = e.order[:number-1]
	return found
}

// forget drops what a variable has a part in, which has got another value.
func (w *walk) forget(name string) {
	for _, e := range []*evaluation{w.evaluation, w.other} {
		if e != nil {
			e.forget(name)
		}
	}
}

func (e *evaluation) forget(name string) {
	todo := e.take(name)
	for _, also := range []string{"ansible_facts", "ansible_" + name} { // set_fact may mean that, too
		todo = append(todo, e.take(also)...)
	}
	for len(todo) > 0 {
		k := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], k.leadTo...)
		k.leadTo, k.found, k.done = nil, nil, false
		k.asks = asks{}
	}
}

// take returns what is known of a variable, and those that lead on from it.
func (e *evaluation) take(name string) []*known {
	all := e.named[name]
	delete(e.named, name)
	for _, k := range all {
		k.listed = false
	}
	return all
}
