package ansible

import (
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
)

// evaluation keeps what variables come to, as far as a walk knows yet. It is what
// makes variables that lead to variables cheap, and those that lead to themselves
// end.
type evaluation struct {
	of     circumstances
	known  map[node][]outcome
	named  map[string][]node // what is known of a variable, or was asked for it
	leadTo map[node][]node   // those in whose values a node has a part
	stack  []node            // that are being evaluated, the innermost last

	// Nodes that are being evaluated, and those that were and lead to one of them,
	// with their places in order, as in Tarjan's algorithm for strongly connected
	// components; low is the first of them that the innermost one leads to.
	open  map[node]int
	order []node
	low   int
}

// circumstances are what evaluation depends on besides the values of variables.
type circumstances struct {
	scope                  *inventory.Scope
	dirs, forms            int
	opaque, facts, outside bool
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
	now := circumstances{w.scope, len(w.dirs), len(w.unknownForms), w.opaque, w.facts, w.outside}
	if w.evaluation == nil || w.evaluation.of != now {
		w.evaluation = &evaluation{
			of: now, known: map[node][]outcome{}, named: map[string][]node{}, leadTo: map[node][]node{}, open: map[node]int{},
		}
	}
	return w.evaluation
}

// once evaluates a node once. Nodes that lead to each other come to anything, each
// of them, whichever of them is asked for first.
func (e *evaluation) once(n node, evaluate func() []outcome) []outcome {
	if last := len(e.stack) - 1; last >= 0 {
		e.leadTo[n] = append(e.leadTo[n], e.stack[last])
	}
	if number, open := e.open[n]; open {
		e.low = min(e.low, number)
		return unknownOutcome()
	}
	if known, ok := e.known[n]; ok {
		return known
	}
	e.named[n.name] = append(e.named[n.name], n)
	if len(e.stack) >= deepestValue || strings.Count(n.path, "\x00") >= deepestPath {
		return unknownOutcome()
	}
	number, outer := len(e.order), e.low
	e.open[n] = number
	e.order = append(e.order, n)
	e.stack = append(e.stack, n)
	e.low = number + 1
	found := evaluate()
	e.stack = e.stack[:len(e.stack)-1]
	low := e.low
	e.low = outer
	if low <= number {
		found = unknownOutcome()
	}
	e.known[n] = found
	if low < number { // a part of what is not finished yet
		e.low = min(e.low, low)
		return found
	}
	for _, done := range e.order[number:] {
		delete(e.open, done)
	}
	e.order = e.order[:number]
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
		n := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], e.leadTo[n]...)
		delete(e.leadTo, n)
		delete(e.known, n)
	}
}

// take returns what is known of a variable, and those that lead on from it.
func (e *evaluation) take(name string) []node {
	all := e.named[name]
	delete(e.named, name)
	return all
}
