package tree

import "sync"

// Once keeps what was read of files by their content, so that trees which have
// most files in common, as two revisions do, read those once. It may be used by
// several goroutines.
type Once struct {
	documents *kept[*Document]
	templates *kept[*Template]
	digests   *kept[*digest]
}

// NewOnce returns a Once with nothing in it.
func NewOnce() *Once {
	return &Once{documents: newKept[*Document](), templates: newKept[*Template](), digests: newKept[*digest]()}
}

// kept holds values of one kind, each made once.
type kept[T any] struct {
	mu  sync.Mutex
	all map[key]*slot[T]
}

// key names a content by its id, or else a file of one tree.
type key struct {
	id   string
	tree *Tree
	name string
}

type slot[T any] struct {
	once  sync.Once
	value T
}

func newKept[T any]() *kept[T] { return &kept[T]{all: map[key]*slot[T]{}} }

// once returns what make returned for this content before, or else calls it.
func once[T any](t *Tree, in *kept[T], name string, make func() T) T {
	k := key{id: t.id(name)}
	if k.id == "" {
		k = key{tree: t, name: name}
	}
	in.mu.Lock()
	s := in.all[k]
	if s == nil {
		s = &slot[T]{}
		in.all[k] = s
	}
	in.mu.Unlock()
	s.once.Do(func() { s.value = make() })
	return s.value
}
