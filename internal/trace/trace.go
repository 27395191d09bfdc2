// Package trace keeps what analyses asked, so that a later plan can tell which of
// them could come to something else, and does only those anew.
//
// An analysis asks questions: the bytes of a file, whether a name exists, the
// value of a variable. Its trace is the set of them. The answers are not kept one
// by one: a file of traces says at which commit all of them were asked, and git has
// every answer of that commit under its tree ids. Who verifies a trace compares
// that commit with another one, and asks again only what lies in files that differ.
//
// The package knows nothing of Ansible: what a question means, and when its answers
// differ, is the business of who asks. It reads no project and no repository.
// (The idea is that of verifying traces: Mokhov, Mitchell, Peyton Jones, "Build
// Systems à la Carte", 2018.)
package trace

import "slices"

// Kind is what is asked of something. The numbers are in files.
type Kind uint8

// Told is the first of the kinds that are no questions, but what an analysis tells of
// itself: a file has them apart.
const Told Kind = 128

// Question is one thing that is asked.
type Question struct {
	Kind Kind
	Name string
}

// Asked is the questions of one analysis. What several analyses asked together,
// before their ways parted, is there once. It is for one goroutine until it is
// closed, and must not be changed after that.
type Asked struct {
	earlier []*Asked // closed
	own     map[Question]struct{}
}

// Ask notes a question.
func (a *Asked) Ask(kind Kind, name string) {
	if a.own == nil {
		a.own = map[Question]struct{}{}
	}
	a.own[Question{kind, name}] = struct{}{}
}

// Include notes the questions of another analysis, which is closed.
func (a *Asked) Include(other *Asked) {
	const near = 32 // what is included again mostly was a moment ago
	if !slices.Contains(a.earlier[max(len(a.earlier)-near, 0):], other) {
		a.earlier = append(a.earlier, other)
	}
}

// After returns an Asked that begins with the questions of a, which is closed
// with that.
func (a *Asked) After() *Asked { return &Asked{earlier: []*Asked{a}} }

// All calls f for every question, for some perhaps more than once.
func (a *Asked) All(f func(Question)) { All([]*Asked{a}, f) }

// Only returns the questions of a, which is closed, that keep says, put together as
// they are in a; nil if there are none. What it makes of one that others include, too, it
// is given by known, which may make it once for all.
func (a *Asked) Only(keep func(Question) bool, known func(of *Asked, make func() *Asked) *Asked) *Asked {
	only := &Asked{}
	for q := range a.own {
		if keep(q) {
			only.Ask(q.Kind, q.Name)
		}
	}
	for _, e := range a.earlier {
		if some := known(e, func() *Asked { return e.Only(keep, known) }); some != nil {
			only.Include(some)
		}
	}
	switch {
	case len(only.own) > 0 || len(only.earlier) > 1:
		return only
	case len(only.earlier) == 1:
		return only.earlier[0]
	}
	return nil
}

// All calls f for every question of several analyses, for some perhaps more than once.
func All(analyses []*Asked, f func(Question)) {
	seen := map[*Asked]bool{}
	for _, a := range analyses {
		a.sets(seen, func(set *Asked) {
			for q := range set.own {
				f(q)
			}
		})
	}
}

// sets calls f for a and all that it includes and that was not seen, those that
// asked nothing of their own left out.
func (a *Asked) sets(seen map[*Asked]bool, f func(*Asked)) {
	if seen[a] {
		return
	}
	seen[a] = true
	for _, e := range a.earlier {
		e.sets(seen, f)
	}
	if len(a.own) > 0 {
		f(a)
	}
}

// Key names an analysis: the digest of everything that it was asked to do.
type Key [32]byte

// Trace is what is kept of one analysis.
type Trace struct {
	Key   Key
	Asked *Asked
	// Came is a digest of what the analysis came to; the zero value says that
	// nobody has computed it.
	Came [32]byte
	// Note is what else people are told of it each time, in the form of who asks.
	Note string
}
