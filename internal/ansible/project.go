package ansible

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/trace"
)

// Project is an Ansible project at one revision. It may be used by several
// goroutines, and must not be used when its files may have changed.
type Project struct {
	files       *tree.Tree
	parsed      *Parsed
	inventories *tree.Memo[string, inventoryResult]
	foreign     *tree.Memo[[2]string, foreignResult]
	others      *tree.Memo[string, othersResult]
	beside      *tree.Memo[string, []string] // the files beside playbooks
	beginnings  *tree.Memo[string, *beginnings]
	configs     *tree.Memo[string, config]
	sayings     *tree.Memo[saidAt, said]
	told        *tree.Memo[told, digestPair]
	inParts     *tree.Memo[inventory.Part, followedNames]
}

// Parsed is what was read of files whatever project they belong to, so that two
// revisions read once what they have in common.
type Parsed struct {
	once  *tree.Once
	lists *tree.Memo[*tree.Document, *taskList]
	calls *tree.Memo[*tree.Document, *taskList] // handlers
	books *tree.Memo[*tree.Document, *playbook]
	texts *tree.Memo[string, *jinja.Text]
	reads *tree.Memo[textAt, *reads]

	selectedLists *tree.Memo[selected, *taskList]
	selectedBooks *tree.Memo[selected, *playbook]

	actions *tree.Memo[string, readAction]
}

// NewParsed returns a Parsed with nothing in it.
func NewParsed() *Parsed {
	return &Parsed{
		once:  tree.NewOnce(),
		lists: tree.NewMemo[*tree.Document, *taskList](),
		calls: tree.NewMemo[*tree.Document, *taskList](),
		books: tree.NewMemo[*tree.Document, *playbook](),
		texts: tree.NewMemo[string, *jinja.Text](),
		reads: tree.NewMemo[textAt, *reads](),

		selectedLists: tree.NewMemo[selected, *taskList](),
		selectedBooks: tree.NewMemo[selected, *playbook](),

		actions: tree.NewMemo[string, readAction](),
	}
}

// Open returns the Ansible project in fsys. It reads nothing yet.
func Open(fsys fs.FS, parsed *Parsed) *Project {
	return &Project{
		files:       tree.New(fsys, parsed.once),
		parsed:      parsed,
		inventories: tree.NewMemo[string, inventoryResult](),
		foreign:     tree.NewMemo[[2]string, foreignResult](),
		others:      tree.NewMemo[string, othersResult](),
		beside:      tree.NewMemo[string, []string](),
		beginnings:  tree.NewRecent[string, *beginnings](mostQueries),
		configs:     tree.NewMemo[string, config](),
		sayings:     tree.NewMemo[saidAt, said](),
		told:        tree.NewMemo[told, digestPair](),
		inParts:     tree.NewMemo[inventory.Part, followedNames](),
	}
}

// Circles are links that lead to a directory that they are in, of those that were looked
// through: what is there counts once, by the shortest name.
func (p *Project) Circles() []string { return p.files.Circles() }

// Linked reports whether links lead to a name.
func (p *Project) Linked(name string) bool { return p.files.Linked(name, false) }

type inventoryResult struct {
	inventory *inventory.Inventory
	asked     *trace.Asked
	err       error
}

// tasksOf reads a document as tasks.
func (p *Project) tasksOf(d *tree.Document) *taskList {
	return p.parsed.lists.Get(d, func() *taskList { return readTasks(d.Value) })
}

// handlersOf reads a document as the handlers of a role.
func (p *Project) handlersOf(d *tree.Document) *taskList {
	return p.parsed.calls.Get(d, func() *taskList { return readHandlers(d.Value) })
}

// playsOf reads a document as plays.
func (p *Project) playsOf(d *tree.Document) *playbook {
	return p.parsed.books.Get(d, func() *playbook { return readPlaybook(d.Value) })
}

// textOf parses a string that may be a template.
func (p *Project) textOf(s string) *jinja.Text {
	return p.parsed.texts.Get(s, func() *jinja.Text {
		t, _ := jinja.Parse(s, jinja.Syntax{})
		return t
	})
}

// textAt is a text at a line.
type textAt struct {
	text string
	line int
}

// readsOf is what a string reads that may be a template.
func (p *Project) readsOf(s string, line int) *reads {
	return p.parsed.reads.Get(textAt{s, line}, func() *reads {
		var r reads
		r.text(p.textOf(s), line)
		return &r
	})
}

// place is where something is written.
type place struct {
	file      string
	line, col int
	note      string // what the place is said to do, if it is not simply to use something
}

// fault returns an Input fault at a place, with its line shown.
func (p *Project) fault(at place, format string, args ...any) *fault.Error {
	f := fault.New(fault.Input, format, args...).At(at.file, at.line, at.col)
	if text, err := p.files.Text(at.file); err == nil && at.line > 0 {
		lines := strings.SplitN(string(text), "\n", at.line+1)
		if at.line <= len(lines) {
			f.Snippet = strings.TrimRight(lines[at.line-1], "\r")
		}
	}
	return f
}

// unreadable is the fault of a document that cannot be read.
func (p *Project) unreadable(name string, err error) *fault.Error {
	if syntax, ok := errors.AsType[*value.SyntaxError](err); ok {
		return p.fault(place{file: name, line: max(syntax.Line, 1)}, "not YAML: %s", syntax.Message).
			WithHint("ansible-playbook --syntax-check shows the place with its surroundings")
	}
	return fault.New(fault.Input, "%w", err)
}
