package ansible

import (
	"iter"
	"maps"
)

// layered is a map that begins as another one, and may have others that begin as
// it: what they have in common is there once.
type layered[K comparable, V any] struct {
	below map[K]V // does not change
	own   map[K]V // counts where it has something
}

func (m *layered[K, V]) get(k K) (V, bool) {
	if v, ok := m.own[k]; ok {
		return v, true
	}
	v, ok := m.below[k]
	return v, ok
}

func (m *layered[K, V]) at(k K) V {
	v, _ := m.get(k)
	return v
}

func (m *layered[K, V]) has(k K) bool {
	_, ok := m.get(k)
	return ok
}

func (m *layered[K, V]) set(k K, v V) {
	if m.own == nil {
		m.own = map[K]V{}
	}
	m.own[k] = v
}

// rest puts what is its own to what does not change. After that a copy of the
// layered map begins as it is, and both may go on in their own ways. One that has
// nothing of its own is only read.
func (m *layered[K, V]) rest() {
	switch {
	case len(m.own) == 0:
	case len(m.below) == 0:
		m.below, m.own = m.own, nil
	default:
		all := make(map[K]V, len(m.below)+len(m.own))
		maps.Copy(all, m.below)
		maps.Copy(all, m.own)
		m.below, m.own = all, nil
	}
}

// all are the entries, in no order.
func (m *layered[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for k, v := range m.own {
			if !yield(k, v) {
				return
			}
		}
		for k, v := range m.below {
			if _, again := m.own[k]; !again && !yield(k, v) {
				return
			}
		}
	}
}

func (m *layered[K, V]) keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		for k := range m.all() {
			if !yield(k) {
				return
			}
		}
	}
}

// set is keys that lie on others in the same way.
type set[K comparable] struct{ layered[K, struct{}] }

// add puts a key in; false if it was there.
func (s *set[K]) add(k K) bool {
	if s.has(k) {
		return false
	}
	s.set(k, struct{}{})
	return true
}
