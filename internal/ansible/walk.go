package ansible

import (
	"errors"
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

	selection *selection // nil if all tasks run
	playTags  string     // of the import that leads to a playbook

	inv   *inventory.Inventory // nil without one
	node  *inventory.Node
	scope *inventory.Scope
	extra map[string][]definition // more than one only where values are merged

	found layered[string, *counted]
	vars  layered[string, via]
	all   bool // everything in the project counts

	programs []Program

	defs         layered[string, []definition] // of plays, roles and files of variables
	resolved     map[string][]definition       // what definitions found
	locals       layered[string, []local]      // of tasks: values that count with the task
	unknown      set[string]                   // names that get values which nobody can know
	unknownForms []string                      // patterns of names that get such values
	opaque       bool                          // any name may get one
	otherFacts   bool                          // it is no module of Ansible's own
	facts        bool                          // a module makes facts whose names nobody knows
	outside      bool                          // something runs that lies elsewhere, and may define what is defined nowhere
	strings      set[string]                   // names whose values are evaluated as expressions
	any          *why                          // why all variables count
	anyAt        place
	readTexts    set[visitText] // templates in values that were followed
	namePatterns []namePattern

	runs       layered[*guarded, []followed]   // guarded tasks, as far as is known
	requests   []*request                      // files and roles that are named; what they point to does not change
	imported   layered[string, []importedFile] // by the file that imports
	notified   set[string]                     // names of handlers; "" for any
	visited    set[visit]
	roles      set[string]               // directories of roles that are reached
	callers    layered[string, []string] // by role, directories of the roles that use it
	uses       set[visit]                // directories of roles, as visits
	parts      set[visit]                // files of roles that were asked for: "roles/x/tasks/main"
	dirs       []string                  // directories of playbooks
	books      []*bookRead
	joins      []string // groups that the node may be put in while playbooks run
	joinForms  []string // the same of names that are computed
	plugins    plugins
	hostReads  layered[hostRead, via]
	bareReads  layered[hostRead, place] // those that fail where the variable is not defined
	groups     layered[string, via]     // groups whose members are read; "" for all
	calls      layered[string, []call]  // tasks that were reached, by module
	widened    set[Widening]
	used       set[string]            // declarations about local programs that were of use
	commit     via                    // what asks git of the commit
	isHere     bool                   // the node may be connected to as this machine
	setOthers  set[string]            // variables of other hosts that may be set
	setsOthers bool                   // variables of other hosts may be set while playbooks run
	defaults   bool                   // arguments may be given by module_defaults
	localPlays bool                   // plays connect locally where a host says nothing else
	vaults     set[string]            // files of variables that are encrypted as a whole
	results    set[string]            // names under which tasks leave results of which something is known
	unveiled   set[string]            // names that no such file of the inventory is taken to define
	veiled     bool                   // there is one
	sealing    bool                   // a play, a role or a task loads one
	needs      layered[string, place] // variables that are certainly evaluated, and where first

	shared     bool            // it is the beginning of several walks, and takes no value of the inventory's
	asker      *known          // who asks what variables come to; nil where nobody wants to know
	absent     map[string]bool // variables that the inventory must not have for what the beginning found
	matched    []matched       // which plays the beginning followed
	before     *walk           // what requests come to is asked of this one, unless nil
	evaluation *evaluation     // what variables come to
	cautious   bool            // evaluation is for what decides, or tells programs, something: see sealedIn
	other      *evaluation     // the one that is for what the other one is not
	trial      *trial          // of a walk that looks for its beginning
	from       *beginning      // what it went on from, or nil

	changed []string // names of files that differ from another revision, or nil

	changes int // counts what may give computed names more values
	decided int // counts what more is known of guarded tasks
	news    int // counts what else there is to be followed
	places  int // counts, from 1, what may give plain names other files: places to look in
	faults  []error
	warned  set[Warning]
	without set[string] // what runs, and is not here
}

// owner is where a text stands, which decides what names in it mean.
type owner struct {
	file string // "" for what is written in no file
	role string // directory of the role that it belongs to, or ""
	book string // directory of the playbook whose play leads to it; "" for what any may
	sure certainty
	here bool   // its tasks may be delegated to the machine that builds
	tags string // that its tasks have of what leads to them, where only some run
	loop *loop  // what its task is repeated over
}

func (o owner) at(line int) place { return place{file: o.file, line: line} }

// visitText is a template in a value that was followed.
type visitText struct {
	text, file, role string
	line             int
}

// visit is a file that was followed, in the role and for the playbook that it was
// followed for.
type visit struct {
	file, role, book string
	tags             string
	form             form
	sure             certainty
	here             bool
}

// configOf reads a configuration, each once; "" for none.
func (p *Project) configOf(name string) config {
	return p.configs.Get(name, func() config { return p.config(name) })
}

func newWalk(p *Project, q Query, o Options) (*walk, error) {
	q, err := q.cleaned()
	if err != nil {
		return nil, err
	}
	w := &walk{
		Project: p, q: q, files: tree.NewSeen(p.files), changed: o.Changed,
		extra: map[string][]definition{}, resolved: map[string][]definition{}, places: 1,
	}
	if q.Config == "" && w.files.Kind("ansible.cfg") == tree.File {
		w.q.Config = "ansible.cfg"
	}
	if q.Config != "" && w.files.Kind(q.Config) != tree.File && w.files.Bad == nil {
		return nil, fault.New(fault.Input, "the ansible configuration %s does not exist", q.Config)
	}
	if err := errors.Join(w.files.Faults()...); err != nil {
		return nil, err
	}
	w.files.Asked.Ask(tree.AskContent, w.q.Config)
	w.files.Asked.Ask(tree.TellText, w.q.Config)
	w.cfg = p.configOf(w.q.Config)
	w.selection = w.selects()
	w.count(w.cfg.file, asSettings, w.cfg.digest, "ansible configuration", place{})
	for kind, dirs := range w.cfg.plugins {
		for _, dir := range dirs {
			w.plugins.dir(kind, dir)
		}
	}
	if err := w.readInventory(); err != nil {
		return nil, err
	}
	return w, w.readExtraVars()
}

// readInventory reads the inventory and the variables that it gives the node.
func (w *walk) readInventory() error {
	for _, name := range w.q.Inventory {
		if w.files.Kind(name) == tree.Absent && w.files.Bad == nil {
			return fault.New(fault.Input, "the inventory %s does not exist", name)
		}
	}
	w.files.Asked.Ask(askInventory, w.q.Config+"\x00"+w.sources())
	result := w.readSources(w.cfg, w.q.Inventory)
	if result.err != nil {
		return result.err
	}
	inv := result.inventory
	w.files.Asked.Include(result.asked)
	w.inv = inv
	w.node = inv.Node(w.q.Host, append(slices.Clip(w.q.Groups), ImageGroup))
	for _, o := range inv.Opaque {
		w.opaque = true
		at := place{file: o.File, line: o.Line, note: o.Why}
		w.whole(o.File, "inventory", at)
		w.allGroups(at)
	}
	for _, u := range inv.Unparsed {
		w.whole(u.File, "inventory", place{file: u.File})
		for _, f := range fault.All(u.Err) {
			w.warn(Warning{Kind: WarnInventory, File: u.File, Line: f.Line, Message: "it is no inventory, and is passed over: " + f.Message, Hint: "move it out of the directory, or add its extension to inventory_ignore_extensions of ansible.cfg"})
		}
	}
	return nil
}

// readSources reads an inventory, each once.
func (p *Project) readSources(cfg config, names []string) inventoryResult {
	return p.inventories.Get(strings.Join(names, "\x00")+"\x00"+cfg.digest, func() inventoryResult {
		seen := tree.NewSeen(p.files)
		inv, err := cfg.inventory.Read(seen, names...)
		if bad := errors.Join(seen.Faults()...); bad != nil {
			return inventoryResult{err: bad}
		}
		asked := sourcesOf(seen.Asked)
		if err == nil {
			tellInventory(asked, inv)
		}
		return inventoryResult{inv, asked, err}
	})
}

// inventoryOf is the inventory of these sources as a configuration has it read.
func (p *Project) inventoryOf(config string, names []string) (*inventory.Inventory, error) {
	result := p.readSources(p.configOf(config), names)
	return result.inventory, result.err
}

// sources are the inventory's, as a part of keys in this process.
func (w *walk) sources() string { return strings.Join(w.q.Inventory, "\x00") }

// readScope reads the variables of the inventory: those beside playbooks too,
// which is why it is called again for each new directory of playbooks.
func (w *walk) readScope() {
	if w.shared {
		return
	}
	scope, err := w.node.Definitions(w.files, w.dirs)
	if err != nil {
		w.faults = append(w.faults, err)
		return
	}
	w.useScope(scope)
	w.changes++
	for d := range scope.Definitions() {
		// Connection and become read these, whoever names them.
		if implicit(d.Name()) {
			w.variable(d.Name(), place{})
		}
		if w.vars.has(d.Name()) {
			w.follow(d.Name())
		}
	}
}

func (w *walk) useScope(scope *inventory.Scope) {
	w.scope = scope
	clear(w.resolved)
	w.tellScope()
	for _, s := range scope.Sealed {
		w.encrypted(s.File)
		if !w.veiled {
			w.veiled = true
			w.changes++
		}
	}
}

// sealed counts a file of variables that is encrypted as a whole, and that is loaded
// while playbooks run: what it defines nobody can know.
func (w *walk) sealed(name string) {
	w.encrypted(name)
	if !w.opaque {
		w.opaque = true
		w.changes++
	}
}

// sealedLater counts such a file of a play, of a role or of a task: see sealedIn.
func (w *walk) sealedLater(name string) {
	w.encrypted(name)
	if !w.sealing {
		w.sealing, w.veiled = true, true
		w.changes++
	}
}

// encrypted counts a file of variables that is encrypted as a whole. Its values read
// nothing, unless the query says that they may.
func (w *walk) encrypted(name string) {
	w.whole(name, "encrypted variables", place{})
	w.vaults.add(w.real(name))
	if w.q.VaultTemplates {
		w.anyVariable("it is encrypted as a whole, and may use any variable", place{file: name, line: 1})
	}
}

// settle follows everything that is named until nothing new comes.
func (w *walk) settle() {
	for {
		before := w.progress()
		for i := 0; i < len(w.requests); i++ { // it grows meanwhile
			r := w.requests[i]
			if r.asked == w.places && (r.constant() || w.current(r) && r.kind != wantRole) {
				continue
			}
			w.ask(i)
		}
		w.reachPlugins()
		w.readHosts()
		w.patterned()
		for i := 0; i < len(w.books); i++ {
			w.matchPlays(w.books[i])
		}
		if w.progress() == before {
			break
		}
	}
	for _, r := range w.requests { // what comes later may have had it
		if r.missing != "" {
			w.missing(r, r.missing)
		}
	}
	w.circles()
	for _, b := range w.books {
		w.others(b)
	}
}

// earlier is the walk that requests are answered by.
func (w *walk) earlier() *walk {
	if w.before != nil {
		return w.before
	}
	return w
}

// ask answers a request. Requests may become more meanwhile.
func (w *walk) ask(i int) {
	r := *w.requests[i]
	known := r.asked == w.earlier().places
	r.asked, r.state = w.earlier().places, w.earlier().state(r.kind)
	w.requests[i] = &r
	if !r.kind.alone() && r.kind != wantGuarded && r.kind != wantRole {
		texts := w.comesTo(&r)
		if known && texts == r.texts {
			r.names, r.namesAt = nil, 0
			return
		}
		r.texts = texts
	}
	w.answer(&r)
	r.names, r.namesAt = nil, 0
}

// progress is another number whenever there is something new.
func (w *walk) progress() int { return w.changes + w.news }

// state is another number whenever the answer to a computed request of a kind may
// be another. It is never 0.
func (w *walk) state(k want) int {
	n := 2*w.changes + 2
	if k == wantGuarded {
		n += w.decided << 32
	}
	if w.opaque {
		n++
	}
	return n
}

// read follows what texts of an owner can read.
func (w *walk) read(r *reads, o owner) {
	for _, n := range r.names {
		w.variable(n.Name, o.at(n.Line))
	}
	for _, n := range r.conditions {
		if w.strings.add(n.Name) {
			w.tellEvaluated(n.Name)
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
		w.getsAny(name)
	}
	for _, f := range r.files {
		w.want(request{kind: wantTemplate, shape: f.Path, owner: o, line: f.Line, form: max(r.included, asIncluded)})
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
	if surer := w.visits(visit{file: name, role: o.role, book: o.book, form: f, here: o.here, tags: o.tags}, o.sure); !surer {
		return
	}
	d := w.files.Document(name)
	if d.Vaulted {
		w.whole(name, "encrypted tasks", from)
		if o.sure == possible && !inTasks(name) {
			w.warn(Warning{File: name, Message: "it is encrypted, and a computed name may mean it: it is taken for a file, not for tasks"})
			return
		}
		w.elsewhere()
		w.everything("it is encrypted, and its tasks may read anything", place{file: name, line: 1})
		return
	}
	if d.Err != nil {
		w.unread(name, "tasks", d.Err, o.sure, from)
		return
	}
	list := w.tasksFor(d, o)
	if f == asHandlers {
		f, list = asNamed, w.handlersOf(d)
	}
	if !list.valid {
		w.whole(name, "tasks", from)
		w.notTasks(name, d, o.sure)
		return
	}
	digest := list.said
	if f == asNamed {
		digest = list.named
	}
	w.count(name, f, digest, reasonOf(o), from)
	if c := w.found.at(w.real(name)); c != nil && c.list != list {
		w.recount(name, func(c *counted) {
			if c.list != nil { // as handlers, and as tasks that all run
				if c.list, c.alone = w.tasksOf(d), false; c.form != asWhole {
					c.form = asNamed
				}
			} else {
				c.list, c.alone = list, list.handlers && w.onlyMain(name)
			}
		})
	}
	w.list(list, o, f)
}

// unread counts a file that cannot be read as what it would be, and notes the mistake.
// One that Ansible could read, and only Strata cannot, may say anything.
func (w *walk) unread(name, reason string, err error, sure certainty, from place) {
	switch path.Ext(name) {
	case ".yml", ".yaml", ".json":
		w.mistake(sure, w.unreadable(name, err))
	default: // a computed name means it only because nothing is known of the name
		if sure != possible {
			w.mistake(sure, w.unreadable(name, err))
		}
	}
	if sure != possible {
		return
	}
	w.whole(name, reason, from)
	if syntax, ok := errors.AsType[*value.SyntaxError](err); !ok || syntax.Limit {
		w.everything("it is too big to be read, and may say anything", place{file: name, line: 1})
	}
}

func (w *walk) notTasks(name string, d *tree.Document, sure certainty) {
	w.mistake(sure, w.Project.fault(place{file: name, line: max(d.Value.Line, 1), col: max(d.Value.Col, 1)}, "not a list of tasks").
		WithHint("a file of tasks is a list, each element a mapping with a module in it"))
}

// odd notes the tasks of a list at which Ansible stops.
func (w *walk) odd(l *taskList, file string, sure certainty) {
	for _, one := range l.odd {
		w.mistake(sure, w.Project.fault(place{file: file, line: one.line, col: one.col}, "%s", one.why).
			WithHint("a task is a mapping with the name of one module, and keywords such as when and loop"))
	}
}

func reasonOf(o owner) string {
	if o.role != "" {
		return "role " + path.Base(o.role)
	}
	return "tasks"
}

// list follows a list of tasks.
func (w *walk) list(l *taskList, o owner, f form) {
	if l.handlers {
		o = w.tagged(o, anyTag) // what they lead to runs whatever its tags
	}
	if l.handlers || f == asHandlers || f == asNamed {
		o.sure = max(o.sure, loaded) // they run if something notifies them
	}
	w.odd(l, o.file, o.sure)
	if l.defaults {
		w.givesDefaults()
	}
	w.notify(&l.notify)
	w.read(&l.reads, o)
	if o.sure == runs && !l.guarded {
		w.need(l.reads.needs, o.file)
	}
	for _, g := range l.guards {
		w.want(request{kind: wantGuarded, shape: jinja.Unknown{}, guarded: g, owner: o, form: f, line: 0})
	}
	for i := range l.tasks {
		t := &l.tasks[i]
		inner := o
		inner.loop = t.loop
		w.locally(t, inner)
		w.read(&t.reads, inner)
		w.module(t, inner, f)
	}
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
