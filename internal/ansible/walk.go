package ansible

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// walk finds what one query reaches. Whatever is counted is looked at, which
// may count more, until nothing is left.
type walk struct {
	*Project
	q         Query
	cfg       config
	inv       *inventory
	groups    []string
	found     map[string]string // counted files, with the reason
	queue     []string          // counted files that were not looked at yet
	looked    []*text           // those that were, as far as they are text
	playbooks map[string]bool
	included  map[string]bool // files of tasks
	dirs      []string        // directories of playbooks
	roles     map[string]bool // reached roles
	loose     []loose         // what lies beside the playbooks and does not count yet
	named     []ref           // computed names of files
	short     []ref           // collections that short names are looked up in
	wanted    []ref           // roles to find
	wide      widened
	faults    []error
}

// widened says what counts as a whole; "" or why.
type widened struct {
	vars    string // variables of every group and host
	beside  string // everything beside the playbooks
	project string // the whole project
}

func newWalk(p *Project, q Query) (*walk, error) {
	q, err := q.cleaned()
	if err != nil {
		return nil, err
	}
	w := &walk{Project: p, q: q, found: map[string]string{}, playbooks: map[string]bool{}, included: map[string]bool{},
		roles: map[string]bool{}}
	if q.Config == "" && p.kind("ansible.cfg") == file {
		q.Config = "ansible.cfg"
	}
	if q.Config != "" && p.kind(q.Config) != file {
		return nil, fault.New(fault.Input, "the ansible configuration %s does not exist", q.Config)
	}
	if q.Inventory != "" && p.kind(q.Inventory) == absent {
		return nil, fault.New(fault.Input, "the inventory %s does not exist", q.Inventory)
	}
	w.cfg = p.config(q.Config)
	w.count(q.Config, "ansible configuration")
	for _, dir := range w.cfg.other {
		w.whole(dir, "named in "+w.cfg.file)
	}
	w.inv = p.inventory(q.Inventory)
	for _, f := range w.inv.files {
		w.count(f, "inventory")
	}
	if w.inv.opaque != "" {
		w.widen(&w.wide.vars, w.inv.opaque+" is not an inventory that can be read as data")
	}
	w.groups = w.inv.groupsOf(q.Host, q.Groups)
	if q.Inventory != "" {
		w.variables(w.inventoryDir())
	}
	if len(q.ExtraVars) > 0 {
		vars, err := json.Marshal(q.ExtraVars)
		if err != nil {
			return nil, fault.New(fault.Input, "read extra_vars: %w", err)
		}
		w.look("", p.scan("extra_vars", vars))
	}
	return w, nil
}

// inventoryDir is the directory that group_vars are searched in.
func (w *walk) inventoryDir() string {
	if w.q.Inventory == "" || w.kind(w.q.Inventory) == directory {
		return w.q.Inventory
	}
	return path.Dir(w.q.Inventory)
}

// count makes a file count, unless it is excluded.
func (w *walk) count(name, reason string) {
	if _, ok := w.found[name]; ok || name == "" {
		return
	}
	for _, x := range w.q.Exclude {
		if within(name, path.Clean(x)) {
			return
		}
	}
	w.found[name] = reason
	w.queue = append(w.queue, name)
}

// whole makes a file, or everything below a directory, count.
func (w *walk) whole(name, reason string) {
	switch w.kind(name) {
	case file:
		w.count(name, reason)
	case directory:
		for _, f := range w.tree(name) {
			w.count(f, reason)
		}
	}
}

func (w *walk) widen(what *string, reason string) {
	if *what == "" {
		*what = reason
	}
}

// settle looks at what was counted, and at what follows from that, until
// nothing new counts.
func (w *walk) settle() {
	for {
		for len(w.queue) > 0 || len(w.wanted) > 0 {
			w.findRoles()
			if len(w.queue) == 0 {
				break
			}
			name := w.queue[0]
			w.queue = w.queue[1:]
			if w.kind(name) == file {
				w.look(name, w.text(name))
			}
		}
		w.collections()
		w.besides()
		w.widest()
		if len(w.queue) == 0 && len(w.wanted) == 0 {
			return
		}
	}
}

// widest counts what is widened to.
func (w *walk) widest() {
	if why := w.wide.vars; why != "" {
		for _, dir := range w.variableDirs() {
			w.whole(path.Join(dir, "group_vars"), why)
			w.whole(path.Join(dir, "host_vars"), why)
		}
	}
	if why := w.wide.project; why != "" {
		for _, e := range w.entries(".") {
			if !strings.HasPrefix(e.Name(), ".") {
				w.whole(e.Name(), why)
			}
		}
	}
}

// variableDirs are the directories that may have group_vars and host_vars.
func (w *walk) variableDirs() []string {
	dirs := slices.Clone(w.dirs)
	if w.q.Inventory != "" && !slices.Contains(dirs, w.inventoryDir()) {
		dirs = append(dirs, w.inventoryDir())
	}
	return dirs
}

// variables counts the group_vars and host_vars in a directory that the node
// sees: a file of the group's name, with or without extension, or a directory.
func (w *walk) variables(dir string) {
	add := func(sub, name, what string) {
		if strings.ContainsAny(name, "/\x00") || w.kind(path.Join(dir, sub)) != directory {
			return
		}
		for _, ext := range []string{"", ".yml", ".yaml", ".json"} {
			w.whole(path.Join(dir, sub, name+ext), what+" "+name)
		}
	}
	for _, g := range w.groups {
		add("group_vars", g, "variables of group")
	}
	// What is delegated to this machine uses its variables for the connection.
	for _, h := range []string{w.q.Host, "localhost", "127.0.0.1"} {
		if h != "" {
			add("host_vars", h, "variables of host")
		}
	}
}

// look follows what a counted file says. A name of "" means extra variables.
func (w *walk) look(name string, t *text) {
	if t == nil || t.binary || name == w.cfg.file && name != "" || inert(name, t.s) {
		return
	}
	if t.vaulted {
		if w.tasksFile(name) {
			w.unreadable(name, "is vaulted")
		}
		return
	}
	w.looked = append(w.looked, t)
	if t.others && !slices.Contains(w.inv.files, name) {
		w.widen(&w.wide.vars, w.display(name)+" uses other hosts' variables")
	}
	if t.everything {
		w.widen(&w.wide.project, w.display(name)+" reads files that cannot be told")
	}
	if t.computed {
		w.widen(&w.wide.beside, w.display(name)+" computes the name of a file")
	}
	for _, segment := range []string{"action_plugins", "lookup_plugins", "vars_plugins", "plugins/action", "plugins/lookup", "plugins/vars"} {
		if path.Ext(name) == ".py" && strings.Contains(name, segment+"/") {
			w.widen(&w.wide.beside, name+" may read any file")
		}
	}
	for _, word := range t.anchored {
		w.anchor(name, word)
	}
	if w.tasksFile(name) && !w.playbooks[name] {
		w.tasksIn(name)
	}
}

func (w *walk) display(name string) string {
	if name == "" {
		return "an extra variable"
	}
	return name
}

// inert reports whether a file cannot name another one: what is there for
// people only, and what is copied as it is.
func inert(name, s string) bool {
	base := strings.ToUpper(path.Base(name))
	if strings.HasPrefix(base, "README") || strings.HasPrefix(base, "CHANGELOG") || strings.HasPrefix(base, "LICENSE") {
		return true
	}
	return strings.Contains("/"+name, "/files/") && !strings.HasPrefix(s, "$ANSIBLE_VAULT;") &&
		!computes(s) && !strings.Contains(s, "#jinja2") && path.Ext(name) != ".yml" && path.Ext(name) != ".yaml"
}

// tasksFile reports whether a file may be a list of tasks.
func (w *walk) tasksFile(name string) bool {
	switch path.Ext(name) {
	case ".yml", ".yaml":
	case "": // tasks/main is as good as tasks/main.yml
		if dir := path.Base(path.Dir(name)); dir != "tasks" && dir != "handlers" {
			return false
		}
	default:
		return false
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		switch path.Base(dir) {
		case "files", "templates", "group_vars", "host_vars", "defaults", "meta", "molecule", "tests":
			return false
		}
	}
	return !slices.Contains(w.inv.files, name)
}

// tasksIn follows a list of tasks.
func (w *walk) tasksIn(name string) {
	t := w.tasks(name)
	if t.err != nil {
		w.unreadable(name, "cannot be read as YAML")
		return
	}
	if t.playbook && !w.playbooks[name] {
		return // somebody else's playbook, which no task can include
	}
	w.follow(name, t)
}

// unreadable counts everything that tasks which cannot be read could reach.
func (w *walk) unreadable(name, why string) {
	why = name + " " + why
	w.widen(&w.wide.project, why)
	w.widen(&w.wide.vars, why)
}

// follow takes in what plays or tasks name.
func (w *walk) follow(name string, t *tasks) {
	w.wanted = append(w.wanted, t.roles...)
	w.named = append(w.named, t.computed...)
	w.short = append(w.short, t.collections...)
	for _, at := range t.commands {
		w.widen(&w.wide.project, at.String()+" runs a command on the machine that builds")
	}
	for _, at := range t.included {
		for _, base := range w.bases(name) {
			w.include(path.Join(base, at.name), at)
		}
	}
	for _, at := range t.playbooks {
		w.importPlaybook(name, at)
	}
}

// include counts a file of tasks, whatever it is called.
func (w *walk) include(name string, at ref) {
	if w.kind(name) != file || w.included[name] {
		return
	}
	w.included[name] = true
	w.count(name, "included in "+at.String())
	if t := w.text(name); !w.tasksFile(name) && t != nil && !t.binary && !t.vaulted {
		w.tasksIn(name)
	}
}

// playbook takes in a playbook and its surroundings.
func (w *walk) playbook(name string, from ref) {
	if w.playbooks[name] {
		return
	}
	w.playbooks[name] = true
	t := w.text(name)
	if t == nil {
		w.faults = append(w.faults, w.fault(from, "the playbook %s does not exist", name).
			WithHint("playbooks are named relative to the project's directory, imported ones relative to the playbook that imports them"))
		return
	}
	reason := "playbook"
	if from.file != "" {
		reason = "imported in " + from.String()
	}
	w.count(name, reason)
	if dir := path.Dir(name); !slices.Contains(w.dirs, dir) {
		w.dirs = append(w.dirs, dir)
		w.surroundings(dir)
		w.variables(dir)
	}
	if t.vaulted {
		w.unreadable(name, "is vaulted")
		return
	}
	list := w.tasks(name)
	switch {
	case list.err != nil:
		w.faults = append(w.faults, list.err)
	case !list.list:
		w.faults = append(w.faults, fault.New(fault.Input, "%s is not a playbook", name).At(name, 1, 1).
			WithHint("a playbook is a list of plays, each with hosts and tasks or roles"))
	default:
		w.follow(name, list)
	}
}

// importPlaybook follows an import_playbook in the playbook name.
func (w *walk) importPlaybook(name string, at ref) {
	if computes(at.name) {
		could := w.pattern(at.name)
		for _, f := range w.tree(".") {
			if ext := path.Ext(f); (ext == ".yml" || ext == ".yaml") && could.MatchString(f) && w.tasks(f).playbook {
				w.playbook(f, at)
			}
		}
		return
	}
	target := path.Join(path.Dir(name), at.name)
	if fqcn(at.name) && w.kind(target) == absent {
		return // a collection's, which counts because it is mentioned
	}
	w.playbook(target, at)
}
