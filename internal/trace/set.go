package trace

import "math/bits"

// Set is a set of traces of one file, by their numbers.
type Set []uint64

// NewSet returns an empty set of numbers below n.
func NewSet(n int) Set { return make(Set, (n+63)/64) }

// Add puts a number in.
func (s Set) Add(i int) { s[i/64] |= 1 << (i % 64) }

// Has reports whether a number is in the set.
func (s Set) Has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// Join adds what is in another set.
func (s Set) Join(other Set) {
	for i, word := range other {
		s[i] |= word
	}
}

// Meet takes out what is not in another set.
func (s Set) Meet(other Set) {
	for i, word := range other {
		s[i] &= word
	}
}

// Len is how many numbers are in the set.
func (s Set) Len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}
