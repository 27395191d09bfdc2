package ansible

import "strings"

// evaluation keeps what variables come to in one state of a walk. It is what makes
// variables that lead to variables cheap, and those that lead to themselves end.
type evaluation struct {
	state state
	known map[node][]outcome
	// Nodes that are being evaluated, and those that were and lead to one of them,
	// with their places in order, as in Tarjan's algorithm for strongly connected
	// components; low is the first of them that the innermost one leads to.
	open  map[node]int
	order []node
	low   int
	depth int
}

// state is what evaluation depends on.
type state struct {
	changes, places int
	opaque, facts   bool
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

// evaluated is what is known in the state in which the walk is.
func (w *walk) evaluated() *evaluation {
	now := state{w.changes, w.places, w.opaque, w.facts}
	if w.evaluation == nil || w.evaluation.state != now {
		w.evaluation = &evaluation{state: now, known: map[node][]outcome{}, open: map[node]int{}}
	}
	return w.evaluation
}

// once evaluates a node once. Nodes that lead to each other come to anything, each
// of them, whichever of them is asked for first.
func (e *evaluation) once(n node, evaluate func() []outcome) []outcome {
	if number, open := e.open[n]; open {
		e.low = min(e.low, number)
		return unknownOutcome()
	}
	if known, ok := e.known[n]; ok {
		return known
	}
	if e.depth >= deepestValue || strings.Count(n.path, "\x00") >= deepestPath {
		return unknownOutcome()
	}
	number, outer := len(e.order), e.low
	e.open[n] = number
	e.order = append(e.order, n)
	e.low = number + 1
	e.depth++
	found := evaluate()
	e.depth--
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
