package ansible

import (
	"path"
	"slices"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/trace"
)

// Plays of other hosts decide nothing of what a node becomes, and yet
// ansible-playbook reads them before it begins, with their roles and what these
// import, and stops at a mistake in them.

// othersResult is what is wrong with a play whatever hosts it is for.
type othersResult struct {
	faults  []error
	missing []string // roles that are not in the project, and perhaps on the machine
	asked   *trace.Asked
}

// others finds the mistakes in the plays of a playbook that are not followed.
func (w *walk) others(b *bookRead) {
	var missing []string
	for i := range b.book.plays {
		if b.followed[i] || len(b.book.plays[i].roles) == 0 && !imports(b.book.plays[i].tasks) {
			continue
		}
		key := sum(append([]string{b.name, b.book.plays[i].named, w.cfg.file, w.cfg.digest}, append(w.q.RolesPath, w.dirs...)...)...)
		r := w.Project.others.Get(key, func() othersResult { return w.otherPlay(b, &b.book.plays[i]) })
		w.files.Asked.Include(r.asked)
		missing = append(missing, r.missing...)
		for _, err := range r.faults {
			w.mistake(b.sure, err)
		}
	}
	if len(missing) > 0 {
		w.count(b.name, asNamed, "", "playbook", b.from)
		w.recount(b.name, func(c *counted) {
			if c.plays = sum(append(missing, c.plays)...); c.form == asNamed {
				c.digest, c.named = sum(append(missing, c.digest)...), sum(append(missing, c.named)...)
			}
		})
	}
}

func imports(lists []*taskList) bool {
	return slices.ContainsFunc(lists, func(l *taskList) bool {
		return slices.ContainsFunc(l.tasks, func(t task) bool { return t.module == "import_tasks" || t.module == "import_role" })
	})
}

// otherPlay reads a play as far as Ansible reads it before it begins.
func (w *walk) otherPlay(b *bookRead, p *play) othersResult {
	in := &walk{
		Project: w.Project, q: w.q, cfg: w.cfg, inv: w.inv, node: w.node, dirs: w.dirs, places: w.places,
		files: tree.NewSeen(w.Project.files),
	}
	c := check{walk: in, seen: map[string]bool{}}
	o := owner{file: b.name, book: path.Dir(b.name)}
	for _, entry := range p.roles {
		c.role(entry, o, nil)
	}
	for _, l := range p.tasks {
		c.list(l, o)
	}
	in.circles()
	return othersResult{in.faults, c.missing, in.files.Asked}
}

// check reads what is imported, and nothing that is included while tasks run.
type check struct {
	*walk
	seen    map[string]bool
	missing []string
}

func (c *check) role(entry value.Value, o owner, stack []string) {
	name, use := entry, roleUse{}
	if entry.Kind == value.Map {
		for _, key := range []string{"role", "name", "src"} {
			if name = entry.At(key); name.Kind != value.Null {
				break
			}
		}
		use = useOf(entry)
	}
	literal, ok := shapeOf(name).(jinja.Literal)
	if !ok || fqcn(string(literal)) || len(literal) == 0 || path.IsAbs(string(literal)) {
		return
	}
	r := &request{kind: wantRole, shape: literal, owner: o, line: name.Line, stack: stack, role: use}
	found := false
	for _, beside := range c.playbookDirs(o) {
		for _, dir := range c.rolePlaces(r, beside) {
			dir = path.Join(dir, string(literal))
			if dir == "." || !within(dir, ".") || c.files.Kind(dir) != tree.Directory {
				continue
			}
			found = true
			c.inRole(dir, r)
			break
		}
	}
	if !found {
		c.missing = append(c.missing, string(literal))
	}
}

func (c *check) inRole(dir string, r *request) {
	dir = c.real(dir)
	if slices.Contains(r.stack, dir) {
		c.enterRole(dir, r) // says what is wrong
		return
	}
	if c.seen[dir] {
		return
	}
	c.seen[dir] = true
	o := owner{role: dir, book: r.owner.book}
	for _, sub := range []string{"tasks", "handlers"} {
		for _, file := range c.partFiles(path.Join(dir, sub), "main") {
			c.file(file, o)
		}
	}
	for _, sub := range []string{"defaults", "vars"} {
		for _, file := range c.partFiles(path.Join(dir, sub), "main") {
			if d := c.files.Document(file); !d.Vaulted && d.Err != nil {
				c.fail(c.unreadable(file, d.Err))
			}
		}
	}
	for _, file := range c.partFiles(path.Join(dir, "meta"), "main") {
		d := c.files.Document(file)
		switch {
		case d.Vaulted:
		case d.Err != nil:
			c.fail(c.unreadable(file, d.Err))
		default:
			for _, entry := range d.Value.At("dependencies").List() {
				c.role(entry, owner{file: file, role: dir, book: o.book}, append(slices.Clip(r.stack), dir))
			}
		}
	}
}

func (c *check) file(name string, o owner) {
	o.file = name
	if c.seen[name] {
		return
	}
	c.seen[name] = true
	switch d := c.files.Document(name); {
	case d.Vaulted:
	case d.Err != nil:
		c.fail(c.unreadable(name, d.Err))
	default:
		l := c.tasksOf(d)
		if !l.valid {
			c.notTasks(name, d, runs)
		}
		c.odd(l, name, runs)
		c.list(l, o)
	}
}

func (c *check) list(l *taskList, o owner) {
	for i := range l.tasks {
		t := &l.tasks[i]
		switch t.module {
		case "import_role":
			c.role(t.args, o, nil)
		case "import_tasks":
			c.importTasks(t, o)
		}
	}
}

func (c *check) importTasks(t *task, o owner) {
	name, ok := c.fileOf(t).(jinja.Literal)
	if !ok || path.IsAbs(string(name)) {
		return
	}
	r := &request{kind: wantTasks, shape: name, owner: o, line: t.line, must: true}
	for _, bases := range c.bases(o, wantTasks.folders()) {
		for _, base := range bases {
			file := path.Join(base, string(name))
			if c.files.Kind(file) == tree.File {
				c.imports(file, r)
				c.file(file, owner{role: o.role, book: o.book})
				return
			}
		}
	}
	if o.role == "" || len(c.callersOf(o.role)) == 0 {
		c.walk.missing(r, string(name))
	}
}
