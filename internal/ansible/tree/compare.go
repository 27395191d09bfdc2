package tree

import (
	"path"
	"slices"
	"sync"

	"github.com/strata-hpc/strata/internal/trace"
)

// Differences says to which questions two trees have other answers.
type Differences map[string]difference

type difference struct {
	kind    bool // it is something else, or only in one of them
	names   bool // a directory whose list of names is another
	content bool
	below   bool // a directory below which something is in one of them only

	document func() bool // of a file with other content: it says something else
	template func() bool // the same, as a template
	mode     func() bool
}

// Compare returns how two trees differ whose changed files have these names.
func Compare(base, head *Tree, changed []string) Differences {
	all := Differences{}
	for _, name := range changed {
		other := base.Kind(name) != head.Kind(name)
		beyond := base.Kind(name) == Directory || head.Kind(name) == Directory // a link, or a unit
		all[name] = difference{
			kind: other, content: true, names: true, below: true,
			document: sync.OnceValue(func() bool { return !sameDocument(base.Document(name), head.Document(name)) }),
			template: sync.OnceValue(func() bool { return !base.Template(name).same(head.Template(name)) }),
			mode:     func() bool { return base.Executable(name) != head.Executable(name) },
		}
		for dir := path.Dir(name); ; dir = path.Dir(dir) {
			d, known := all[dir]
			if !known {
				d.kind = base.Kind(dir) != head.Kind(dir)
				d.names = !slices.Equal(base.Names(dir), head.Names(dir))
			}
			// A file that became a link may be a directory now, or lead to another.
			d.below = d.below || other || beyond || d.kind || d.names
			all[dir] = d
			if dir == "." {
				break
			}
		}
	}
	return all
}

// sameDocument reports whether two documents say the same, on whatever lines.
func sameDocument(a, b *Document) bool {
	return a.Err == nil && b.Err == nil && a.Vaulted == b.Vaulted && a.Value.Kind == b.Value.Kind && a.Value.Digest() == b.Value.Digest()
}

// same reports whether two templates read the same, and come to the same.
func (t *Template) same(other *Template) bool {
	return t.Text != nil && other.Text != nil && t.Err == nil && other.Err == nil &&
		t.Digest == other.Digest && t.Included == other.Included && t.Header == other.Header
}

// Changed reports whether a name is another file, or lists other names.
func (d difference) Changed() bool { return d.kind || d.content || d.names }

// Differs reports whether a question is answered otherwise. Of AskVariables, the
// variables are left out.
func (d Differences) Differs(kind trace.Kind, name string) bool {
	at, ok := d[name]
	if kind == AskLinks {
		return len(d) > 0
	}
	if !ok {
		return false
	}
	switch kind {
	case AskKind:
		return at.kind
	case AskNames:
		return at.kind || at.names
	case AskBelow:
		return at.kind || at.below
	case AskDocument:
		return at.kind || at.content && at.document()
	case AskMode:
		return at.kind || at.content && at.mode()
	case AskTemplate:
		return at.kind || at.content && at.template()
	case AskVariables:
		return at.kind
	}
	return at.kind || at.content
}
