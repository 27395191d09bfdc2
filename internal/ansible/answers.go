package ansible

import (
	"encoding/binary"
	"slices"
	"strconv"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/trace"
)

// What the open requests of a beginning come to for a node hangs on the definitions that
// the inventory gives it of a few variables. It is found once for all nodes that have
// the same ones.

// openAnswers are the answers to the open requests of a beginning.
type openAnswers struct {
	mu       sync.Mutex
	requests []openRequest
	askedBy  map[string][]int // by variables, the requests that ask for them, by their place
	asked    map[string]bool  // these variables
	parts    map[inventory.Part]*openPart
}

// openRequest is one of them.
type openRequest struct {
	names map[string]bool // variables that it was seen to ask for
	known map[string]openAnswer
}

// openAnswer is what a request comes to for nodes with the same definitions.
type openAnswer struct {
	text  string
	own   bool // only the node can say
	asked *trace.Asked
}

// openPart is a part of a scope: the variables that it defines, of those that are asked
// for.
type openPart struct {
	number uint32
	names  []string
}

func newOpenAnswers(requests int) *openAnswers {
	return &openAnswers{
		requests: make([]openRequest, requests),
		askedBy:  map[string][]int{}, asked: map[string]bool{}, parts: map[inventory.Part]*openPart{},
	}
}

// keys tell for each request which definitions of what it asks for a scope has: in which
// parts.
func (o *openAnswers) keys(scope *inventory.Scope) [][]byte {
	keys := make([][]byte, len(o.requests))
	if scope == nil {
		return keys
	}
	for part := range scope.Parts() {
		p := o.parts[part]
		if p == nil {
			p = &openPart{uint32(len(o.parts)), part.Among(o.asked)}
			o.parts[part] = p
		}
		for _, name := range p.names {
			for _, i := range o.askedBy[name] {
				if key := keys[i]; len(key) < 4 || binary.LittleEndian.Uint32(key[len(key)-4:]) != p.number {
					keys[i] = binary.LittleEndian.AppendUint32(key, p.number)
				}
			}
		}
	}
	return keys
}

// asks notes the variables that a request asks for. If there are new ones, what was
// known of it was not told apart by them.
func (o *openAnswers) asks(i int, names []string) (more bool) {
	r := &o.requests[i]
	if r.names == nil {
		r.names, r.known = map[string]bool{}, map[string]openAnswer{}
	}
	added := map[string]bool{}
	for _, name := range names {
		if r.names[name] {
			continue
		}
		r.names[name], more = true, true
		o.askedBy[name] = append(o.askedBy[name], i)
		if !o.asked[name] {
			o.asked[name], added[name] = true, true
		}
	}
	if more {
		clear(r.known)
	}
	if len(added) > 0 {
		for part, p := range o.parts {
			p.names = append(p.names, part.Among(added)...)
		}
	}
	return more
}

// answers is what the open requests come to for a node, false if there are none,
// or the node itself has a part in it.
func (b *beginning) answers(of *walk) (string, bool) {
	if len(b.open) == 0 {
		return "", false
	}
	o := b.answered
	o.mu.Lock()
	defer o.mu.Unlock()
	scope, _ := of.scopeIn(b.dirs)                               // it fits
	sealed := b.sealing || scope != nil && len(scope.Sealed) > 0 // what that may define is not in the keys
	keys := o.keys(scope)
	var w *walk // nil until it is needed
	var all []byte
	for i, at := range b.open {
		a, known := o.requests[i].known[string(keys[i])]
		if !known || sealed {
			if w == nil {
				w = b.seenBy(of)
			}
			var names []string
			a, names = w.answerOpen(*b.requests[at])
			if o.asks(i, names) {
				keys = o.keys(scope)
			}
			if len(w.files.Bad) == 0 && !sealed {
				o.requests[i].known[string(keys[i])] = a
			}
			of.files.Bad = append(of.files.Bad, w.files.Bad...)
		}
		of.files.Asked.Include(a.asked)
		if a.own {
			return "", false
		}
		all = append(all, a.text...)
	}
	if w != nil {
		of.unveil(w)
	}
	return string(all), true
}

// answerOpen is what an open request comes to, and the variables that have a part in it.
func (w *walk) answerOpen(r request) (a openAnswer, names []string) {
	asker := &known{}
	w.asker, w.evaluation, w.other = asker, nil, nil // all of them are to be asked for
	w.files = &tree.Seen{Files: w.files.Files, Asked: &trace.Asked{}}
	r.namesAt = 0
	if r.kind == wantGuarded {
		a.text = strconv.Itoa(int(w.doing(r.guarded, r.owner)))
	} else {
		a.text = w.comesTo(&r)
	}
	a.asked = w.files.Asked
	a.own = asker.all(func(name string) { names = append(names, name) })
	slices.Sort(names)
	return a, slices.Compact(names)
}
