package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// walk finds what one query reaches. It only ever adds: what is reached once
// stays reached, so that it can go on until nothing new comes.
type walk struct {
	*Project
	q     Query
	files *tree.Seen
	cfg   config

	inv   *inventory.Inventory // nil without one
	node  *inventory.Node
	scope *inventory.Scope
	extra map[string]value.Value

	found map[string]*counted
	vars  map[string]*reachedVariable
	all   bool // everything in the project counts

	defs         map[string][]definition // of plays, roles and files of variables
	locals       map[string][]local      // of tasks: values that count with the task
	unknown      map[string]bool         // names that get values which nobody can know
	opaque       bool                    // any name may get one
	strings      map[string]bool         // names whose values are evaluated as expressions
	any          *why                    // why all variables count
	anyAt        place
	readTexts    map[visitText]bool // templates in values that were followed
	namePatterns []namePattern

	requests  []request // files and roles that are named
	visited   map[visit]bool
	roles     map[string]*role
	dirs      []string // directories of playbooks
	books     []*bookRead
	joins     []string // groups that the node may be put in while playbooks run
	plugins   plugins
	hostReads map[hostRead]*via
	groups    map[string]*via // groups whose members are read; "" for all

	changes int // counts what may give computed names more values
	places  int // counts, from 1, what may give plain names other files: places to look in
	faults  []error
}

// owner is where a text stands, which decides what names in it mean.
type owner struct {
	file string // "" for what is written in no file
	role string // directory of the role that it belongs to, or ""
	loop *loop  // what its task is repeated over
}

func (o owner) at(line int) place { return place{file: o.file, line: line} }

// visitText is a template in a value that was followed.
type visitText struct {
	text, file, role string
	line             int
}

// visit is a file that was followed, in the role that it was followed for.
type visit struct {
	file, role string
	form       form
}

func newWalk(p *Project, q Query, o Options) (*walk, error) {
	q, err := q.cleaned()
	if err != nil {
		return nil, err
	}
	w := &walk{
		Project: p, q: q, files: &tree.Seen{Files: p.files, Differences: o.Differences},
		found: map[string]*counted{}, vars: map[string]*reachedVariable{}, extra: map[string]value.Value{},
		defs: map[string][]definition{}, locals: map[string][]local{}, unknown: map[string]bool{}, strings: map[string]bool{},
		visited: map[visit]bool{}, readTexts: map[visitText]bool{}, roles: map[string]*role{}, hostReads: map[hostRead]*via{}, groups: map[string]*via{},
		plugins: newPlugins(), places: 1,
	}
	if q.Config == "" && w.files.Kind("ansible.cfg") == tree.File {
		w.q.Config = "ansible.cfg"
	}
	if q.Config != "" && w.files.Kind(q.Config) != tree.File {
		return nil, fault.New(fault.Input, "the ansible configuration %s does not exist", q.Config)
	}
	w.cfg = w.config(w.q.Config)
	w.count(w.cfg.file, asWhole, w.cfg.digest, "ansible configuration", place{})
	for kind, dirs := range w.cfg.plugins {
		for _, dir := range dirs {
			w.plugins.dir(kind, dir)
		}
	}
	for name, v := range q.ExtraVars {
		w.extra[name] = value.From(v)
	}
	return w, w.readInventory()
}

// readInventory reads the inventory and the variables that it gives the node.
func (w *walk) readInventory() error {
	name := w.q.Inventory
	if name != "" && w.files.Kind(name) == tree.Absent {
		return fault.New(fault.Input, "the inventory %s does not exist", name)
	}
	result := w.inventories.get(name+"\x00"+w.cfg.digest, func() inventoryResult {
		inv, err := w.cfg.inventory.Read(w.Project.files, name)
		return inventoryResult{inv, err}
	})
	if result.err != nil {
		return result.err
	}
	inv := result.inventory
	w.files.Look(inv.Files)
	w.inv = inv
	w.node = inv.Node(w.q.Host, append(slices.Clip(w.q.Groups), ImageGroup))
	for _, o := range inv.Opaque {
		w.opaque = true
		w.whole(o.File, "inventory", place{})
		w.allGroups(place{file: o.File})
	}
	return nil
}

// scopeOf reads the variables of the inventory: those beside playbooks too,
// which is why it is called again for each new directory of playbooks.
func (w *walk) readScope() {
	scope, err := w.node.Definitions(w.files, w.dirs)
	if err != nil {
		w.faults = append(w.faults, err)
		return
	}
	w.scope = scope
	w.changes++
	for _, s := range scope.Sealed {
		w.sealed(s.File)
	}
	for _, d := range scope.Definitions {
		// Connection and become read these, whoever names them.
		if implicit(d.Name) {
			w.variable(d.Name, place{})
		}
		if w.vars[d.Name] != nil {
			w.follow(d.Name)
		}
	}
}

// sealed counts a file of variables that is encrypted as a whole: what it
// defines and reads nobody can know.
func (w *walk) sealed(name string) {
	at := place{file: name, line: 1}
	w.whole(name, "encrypted variables", place{})
	w.opaque = true
	w.anyVariable("it is encrypted as a whole, and may use any variable", at)
}

// settle follows everything that is named until nothing new comes.
func (w *walk) settle() {
	for {
		before := w.changes
		for i := 0; i < len(w.requests); i++ { // it grows meanwhile
			r := w.requests[i]
			if r.asked == w.places && r.constant() {
				continue
			}
			r.asked = w.places
			w.answer(&r)
			w.requests[i].asked, w.requests[i].missing = r.asked, r.missing
		}
		w.reachPlugins()
		w.readHosts()
		w.patterned()
		for i := 0; i < len(w.books); i++ {
			w.matchPlays(w.books[i])
		}
		if w.changes == before {
			break
		}
	}
	for i := range w.requests { // what comes later may have had it
		if r := &w.requests[i]; r.missing != "" {
			w.missing(r, r.missing)
		}
	}
}

// read follows what texts of an owner can read.
func (w *walk) read(r *reads, o owner) {
	for _, n := range r.names {
		w.variable(n.Name, o.at(n.Line))
	}
	for _, n := range r.conditions {
		if !w.strings[n.Name] {
			w.strings[n.Name] = true
			w.follow(n.Name)
		}
	}
	for _, c := range r.calls {
		w.lookup(c, o)
	}
	for _, h := range r.hosts {
		w.want(request{kind: wantHost, shape: jinja.List{h.Host, h.Variable}, host: h, owner: o, line: h.Line})
	}
	for _, g := range r.groups {
		w.want(request{kind: wantGroup, shape: g.shape, owner: o, line: g.line})
	}
	for _, name := range r.binds {
		w.unknown[name] = true
	}
	for _, f := range r.files {
		w.want(request{kind: wantTemplate, shape: f.Path, owner: o, line: f.Line})
	}
	for _, c := range r.computed {
		w.want(request{kind: wantVariable, shape: c.Name, owner: o, line: c.Line})
	}
	for _, p := range r.paths {
		w.want(request{kind: wantPath, shape: p.shape, owner: o, line: p.line})
	}
	for _, name := range r.plugins {
		w.plugins.use(name)
	}
	for _, a := range r.any {
		w.anyVariable(a.text, o.at(a.line))
	}
}

// tasks follows a file of tasks for a role.
func (w *walk) tasks(name string, o owner, f form, from place) {
	o.file = name
	v := visit{name, o.role, f}
	if w.visited[v] {
		return
	}
	w.visited[v] = true
	d := w.files.Document(name)
	if d.Vaulted {
		w.whole(name, "encrypted tasks", from)
		w.everything("it is encrypted, and its tasks may read anything", place{file: name, line: 1})
		return
	}
	if d.Err != nil {
		w.faults = append(w.faults, w.unreadable(name, d.Err))
		return
	}
	list := w.tasksOf(d)
	digest := list.digest
	if f == asNamed || w.vars["ansible_failed_task"] != nil {
		digest = list.named
	}
	w.count(name, f, digest, reasonOf(o), from)
	w.list(list, o, f)
}

func reasonOf(o owner) string {
	if o.role != "" {
		return "role " + path.Base(o.role)
	}
	return "tasks"
}

// list follows a list of tasks.
func (w *walk) list(l *taskList, o owner, f form) {
	w.read(&l.reads, o)
	for i := range l.tasks {
		t := &l.tasks[i]
		inner := o
		inner.loop = t.loop
		w.locally(t, inner)
		w.module(t, inner, f)
	}
}

// playbook follows a playbook of the query, or one that another imports.
func (w *walk) playbook(name string, from place) {
	if w.visited[visit{file: name}] {
		return
	}
	w.visited[visit{file: name}] = true
	if w.files.Kind(name) != tree.File {
		w.faults = append(w.faults, w.Project.fault(from, "the playbook %s does not exist", name).
			WithHint("playbooks are named relative to the project's directory, imported ones relative to the playbook that imports them"))
		return
	}
	d := w.files.Document(name)
	switch {
	case d.Vaulted:
		w.whole(name, "encrypted playbook", from)
		w.everything("it is encrypted, and its plays may read anything", place{file: name, line: 1})
		return
	case d.Err != nil:
		w.faults = append(w.faults, w.unreadable(name, d.Err))
		return
	}
	book := w.playsOf(d)
	if !book.valid {
		w.faults = append(w.faults, w.Project.fault(place{file: name, line: 1, col: 1}, "%s is not a playbook", name).
			WithHint("a playbook is a list of plays, each with hosts and tasks or roles"))
		return
	}
	if dir := path.Dir(name); !slices.Contains(w.dirs, dir) {
		w.dirs = append(w.dirs, dir)
		w.places++
		w.besidePlaybook(dir)
		w.readScope()
	}
	w.plays(name, book, from)
}

// bookRead is a playbook that is followed: which of its plays are.
type bookRead struct {
	name     string
	book     *playbook
	from     place
	followed []bool
}

// plays follows the plays that match the node.
func (w *walk) plays(name string, book *playbook, from place) {
	w.books = append(w.books, &bookRead{name, book, from, make([]bool, len(book.plays))})
	w.matchPlays(w.books[len(w.books)-1])
}

// matchPlays follows the plays that match the node and are not followed yet:
// while playbooks run, it may be put in further groups.
func (w *walk) matchPlays(b *bookRead) {
	more := false
	for i := range b.book.plays {
		if p := &b.book.plays[i]; !b.followed[i] && w.matches(p) {
			b.followed[i], more = true, true
			w.play(p, owner{file: b.name})
		}
	}
	if !more {
		return
	}
	w.changes++
	var said []string
	for i, followed := range b.followed {
		if followed {
			said = append(said, b.book.plays[i].digest)
		}
	}
	w.count(b.name, asNamed, sum(said...), "playbook", b.from)
	if c := w.found[b.name]; c != nil && c.form == asNamed {
		c.digest = sum(said...)
	}
}

func (w *walk) play(p *play, o owner) {
	w.read(&p.reads, o)
	w.define(p.vars, definition{file: o.file, class: "play", owner: o})
	if p.imports.Kind != value.Null {
		w.want(request{kind: wantPlaybook, shape: firstWord(p.imports), owner: o, line: p.imports.Line, must: true})
		return
	}
	for _, prompt := range p.prompts.List() {
		w.define([]value.Pair{{Key: prompt.At("name"), Value: prompt.At("default")}}, definition{file: o.file, class: "prompt", owner: o})
	}
	for _, v := range p.varsFiles.List() {
		w.varsFilesEntry(v, o)
	}
	for _, c := range p.collects {
		w.plugins.collection(c.Text)
	}
	w.read(&p.roleReads, o)
	for _, entry := range p.roles {
		w.roleEntry(entry, o, nil)
	}
	for _, l := range p.tasks {
		if p.here {
			l = l.onThisMachine()
		}
		w.list(l, o, asTasks)
	}
}

// varsFilesEntry is a file of variables, or a list of which the first that is
// there is taken.
func (w *walk) varsFilesEntry(v value.Value, o owner) {
	w.want(request{kind: wantVars, shape: shapeOf(v), owner: o, line: v.Line})
}

// matches reports whether a play may run on the node.
func (w *walk) matches(p *play) bool {
	if p.imports.Kind != value.Null {
		return true
	}
	var patterns []string
	for _, pattern := range p.hosts.List() {
		if computes(pattern.Text) {
			return true
		}
		patterns = append(patterns, pattern.Text)
	}
	if matches, _ := w.node.MatchList(patterns); matches || len(w.joins) == 0 {
		return matches
	}
	// The node may be in some of these, or in all.
	without := func(p string) bool { return strings.Contains(p, "!") }
	matches, _ := w.inv.Node(w.q.Host, slices.Concat(w.joins, w.q.Groups, []string{ImageGroup})).MatchList(patterns)
	return matches || slices.ContainsFunc(patterns, without)
}

// firstWord is the form of the file that an import names, without what follows
// it in the old way to pass variables.
func firstWord(v value.Value) jinja.Shape {
	if v.Kind == value.String {
		if all := words(v.Text); len(all) > 0 {
			v.Text = all[0]
		}
	}
	return shapeOf(v)
}
