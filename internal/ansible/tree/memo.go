package tree

import "sync"

// Memo holds values that are each made once, for several goroutines.
type Memo[K comparable, V any] struct {
	mu    sync.Mutex
	all   map[K]*slot[V]
	most  int // 0 for any number
	clock int
}

type slot[V any] struct {
	once  sync.Once
	value V
	used  int
}

// NewMemo returns a Memo with nothing in it.
func NewMemo[K comparable, V any]() *Memo[K, V] { return &Memo[K, V]{all: map[K]*slot[V]{}} }

// NewRecent returns a Memo that forgets the value that was not asked for the longest
// where it would have more than these.
func NewRecent[K comparable, V any](most int) *Memo[K, V] {
	m := NewMemo[K, V]()
	m.most = most
	return m
}

// Get returns the value of k, which make makes at the first call. Others who ask
// for it meanwhile wait.
func (m *Memo[K, V]) Get(k K, make func() V) V {
	m.mu.Lock()
	s := m.all[k]
	if s == nil {
		s = &slot[V]{}
		if m.most > 0 && len(m.all) >= m.most {
			m.forget()
		}
		m.all[k] = s
	}
	m.clock++
	s.used = m.clock
	m.mu.Unlock()
	s.once.Do(func() { s.value = make() })
	return s.value
}

func (m *Memo[K, V]) forget() {
	var oldest K
	first := m.clock + 1
	for k, s := range m.all {
		if s.used < first {
			oldest, first = k, s.used
		}
	}
	delete(m.all, oldest)
}
