package tree

import "sync"

// Memo holds values that are each made once, for several goroutines.
type Memo[K comparable, V any] struct {
	mu  sync.Mutex
	all map[K]*slot[V]
}

type slot[V any] struct {
	once  sync.Once
	value V
}

// NewMemo returns a Memo with nothing in it.
func NewMemo[K comparable, V any]() *Memo[K, V] { return &Memo[K, V]{all: map[K]*slot[V]{}} }

// Get returns the value of k, which make makes at the first call. Others who ask
// for it meanwhile wait.
func (m *Memo[K, V]) Get(k K, make func() V) V {
	m.mu.Lock()
	s := m.all[k]
	if s == nil {
		s = &slot[V]{}
		m.all[k] = s
	}
	m.mu.Unlock()
	s.once.Do(func() { s.value = make() })
	return s.value
}
