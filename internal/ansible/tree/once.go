package tree

// Once keeps what was read of files by their content, so that trees which have
// most files in common, as two revisions do, read those once. It may be used by
// several goroutines.
type Once struct {
	documents *Memo[key, *Document]
	templates *Memo[key, *Template]
	digests   *Memo[key, *digest]
}

// NewOnce returns a Once with nothing in it.
func NewOnce() *Once {
	return &Once{documents: NewMemo[key, *Document](), templates: NewMemo[key, *Template](), digests: NewMemo[key, *digest]()}
}

// key names a content by its id, or else a file of one tree.
type key struct {
	id   string
	tree *Tree
	name string
}

func (t *Tree) key(name string) key {
	if id := t.id(name); id != "" {
		return key{id: id}
	}
	if way := t.Real(name); !way.Outside() {
		name = way.Real // a file is read once, whatever links lead to it
	}
	return key{tree: t, name: name}
}
