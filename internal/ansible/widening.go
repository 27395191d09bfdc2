package ansible

import (
	"cmp"
	"slices"
)

// Widening is a place of a project that could not be followed, so that more counts than
// may be of use.
type Widening struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Why  string `json:"why"`
}

// CompareWidenings orders widenings by their places.
func CompareWidenings(a, b Widening) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Why, b.Why))
}

// widens notes a widening.
func (w *walk) widens(why string, at place) { w.widened.add(Widening{at.file, at.line, why}) }

// widenings are what was noted, in order.
func (w *walk) widenings() []Widening {
	return slices.SortedFunc(w.widened.keys(), CompareWidenings)
}
