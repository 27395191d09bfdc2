package ansible

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// roleUse is how a role is used.
type roleUse struct {
	tasks, vars, defaults, handlers jinja.Shape // names of files, main if nil
}

// roleEntry follows an element of a play's roles or of a role's dependencies: a
// name, or a mapping with it.
func (w *walk) roleEntry(v value.Value, o owner, stack []string) {
	name := v
	use := roleUse{}
	if v.Kind == value.Map {
		for _, key := range []string{"role", "name", "src"} {
			if name = v.At(key); name.Kind != value.Null {
				break
			}
		}
		use = useOf(v)
		if v.At("when").Kind != value.Null {
			o.sure = max(o.sure, loaded)
		}
		o.here = o.here || w.leadsHere(v.At("delegate_to"), o)
		w.setsAway(factsAway(v))
		o = w.tagged(o, tagsOf(v.At("tags"))...)
		for _, p := range v.Pairs() { // parameters may be written beside the keywords
			w.local(p.Key.Text, local{value: p.Value, owner: o})
			w.runsHere(p.Key.Text, p.Value)
		}
		for _, p := range variablesOf(v.At("vars")) {
			w.local(p.Key.Text, local{value: p.Value, owner: o})
			w.runsHere(p.Key.Text, p.Value)
		}
	}
	w.want(request{kind: wantRole, shape: shapeOf(name), owner: o, line: name.Line, must: true, sure: o.sure, role: use, stack: stack})
}

func useOf(v value.Value) roleUse {
	shape := func(key string) jinja.Shape {
		if from := v.At(key); from.Kind != value.Null {
			return shapeOf(from)
		}
		return nil
	}
	return roleUse{shape("tasks_from"), shape("vars_from"), shape("defaults_from"), shape("handlers_from")}
}

// findRoles reaches the roles that a name may mean.
func (w *walk) findRoles(r *request, name string) bool {
	name = strings.TrimPrefix(name, projectText)
	if computed(name) {
		for _, dir := range w.rolesDirs(r) {
			if w.lacks(dir, true, r.owner.at(r.line)) {
				continue
			}
			for _, found := range w.files.Names(dir) {
				if w.unitsOf(r, name, found, path.Join(dir, found)) {
					continue
				}
				if matches(name, found) && w.looksLikeRole(path.Join(dir, found)) {
					w.enterRole(path.Join(dir, found), r)
				}
			}
		}
		return true
	}
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~") {
		w.elsewhere()
		return true // the machine's, if anything
	}
	if fqcn(name) {
		if w.collectionRole(name, r) {
			return true
		}
	}
	found := false
	for _, beside := range w.playbookDirs(r.owner) { // each playbook looks beside itself
		for _, dir := range w.rolePlaces(r, beside) {
			role := path.Join(dir, name)
			if role == "." || role == ".." || strings.HasPrefix(role, "../") {
				continue
			}
			if w.lacks(role, true, r.owner.at(r.line)) { // it may be there
				found = true
				continue
			}
			if w.files.Kind(role) != tree.Directory {
				continue
			}
			w.enterRole(role, r)
			found = true
			break
		}
	}
	if found {
		return true
	}
	for _, short := range slices.Sorted(w.plugins.collections.keys()) {
		found = w.collectionRole(short+"."+name, r) || found
	}
	if !found && fqcn(name) {
		w.elsewhere()
		return true
	}
	return found
}

// rolePlaces are the directories that a role is looked for in, in order: the
// first that has it is taken. It is used by a playbook in directory beside.
func (w *walk) rolePlaces(r *request, beside string) []string {
	places := []string{path.Join(beside, "roles")}
	places = append(places, w.q.RolesPath...)
	if len(w.q.RolesPath) == 0 {
		places = append(places, w.cfg.roles...)
	}
	places = append(places, Galaxy+"/roles")
	if r.owner.role != "" {
		places = append(places, path.Dir(r.owner.role))
	}
	for _, role := range slices.Backward(r.stack) {
		places = append(places, path.Dir(role))
	}
	return append(places, beside, ".")
}

// rolesDirs lists every directory that a role with a computed name may be in.
func (w *walk) rolesDirs(r *request) []string {
	dirs := slices.Clone(w.cfg.roles)
	for _, beside := range w.dirs {
		dirs = append(dirs, w.rolePlaces(r, beside)...)
	}
	for role := range w.roles.keys() {
		dirs = append(dirs, path.Dir(role))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// looksLikeRole reports whether a directory has one of a role's own in it.
func (w *walk) looksLikeRole(dir string) bool {
	for _, sub := range []string{"tasks", "handlers", "defaults", "vars", "meta", "files", "templates", "library"} {
		if w.files.Kind(path.Join(dir, sub)) == tree.Directory {
			return true
		}
	}
	return false
}

func (w *walk) missingRole(name string, at place, r *request) {
	places := slices.DeleteFunc(w.rolesDirs(&request{}), func(dir string) bool { return w.Project.files.Kind(dir) != tree.Directory })
	f := w.Project.fault(at, "the role %q is not in the project", name)
	switch {
	case w.required(name):
		f.WithHint("requirements.yml names it: get it with ansible-galaxy install -r requirements.yml -p roles, and keep it in the project")
	case len(w.cfg.outside) > 0:
		f.WithHint("looked in %s; %s of %s lies outside of the project's directory, where changes cannot be seen: put the role below it",
			strings.Join(places, ", "), strings.Join(w.cfg.outside, ", "), w.cfg.file)
	case len(places) > 0:
		f.WithHint("looked in %s; name further directories with roles_path", strings.Join(places, ", "))
	default:
		f.WithHint("put roles in roles/ beside the playbook, or name their directory with roles_path")
	}
	w.mistake(r.leads(), f)
}

// required reports whether a requirements file of ansible-galaxy names a role.
func (w *walk) required(role string) bool {
	for _, file := range []string{"requirements.yml", "requirements.yaml", "roles/requirements.yml"} {
		d := w.files.Document(file)
		if w.files.Kind(file) != tree.File || d.Err != nil {
			continue
		}
		list := d.Value.List()
		if d.Value.Kind == value.Map {
			list = d.Value.At("roles").List()
		}
		for _, entry := range list {
			if entry.At("name").Text == role || entry.At("src").Text == role {
				return true
			}
		}
	}
	return false
}

// enterRole follows a role.
func (w *walk) enterRole(dir string, r *request) {
	at := r.owner.at(r.line)
	dir = w.throughLinks(dir, at) // so does Ansible: what is beside a role is beside what a link to it leads to
	if i := slices.Index(r.stack, dir); i >= 0 {
		circle := ""
		for _, role := range r.stack[i:] {
			circle += path.Base(role) + " -> "
		}
		w.mistake(r.leads(), w.Project.fault(w.whereIs(r), "the roles depend on each other in a circle: %s", circle+path.Base(dir)).
			WithHint("take one of them out of the dependencies in meta/main.yml"))
		return
	}
	o := owner{role: dir, book: r.owner.book, sure: r.leads(), here: r.owner.here, tags: r.owner.tags}
	if w.roles.add(dir) {
		w.forget("role_path")
		w.changes++
		w.besideRole(dir)
	}
	if w.uses.add(visit{file: dir, book: o.book, sure: o.sure, here: o.here, tags: o.tags}) {
		w.firstUse(o, r.stack, at)
	}
	if caller, known := r.owner.role, w.callers.at(dir); caller != "" && caller != dir && !slices.Contains(known, caller) {
		w.callers.set(dir, append(slices.Clip(known), caller))
		w.changes++
		w.places++
	}
	w.rolePart(dir, "defaults", r.role.defaults, r)
	w.rolePart(dir, "vars", r.role.vars, r)
	w.rolePart(dir, "tasks", r.role.tasks, r)
	w.rolePart(dir, "handlers", r.role.handlers, r)
}

// firstUse follows what belongs to a role however it is used.
func (w *walk) firstUse(o owner, stack []string, at place) {
	dir := o.role
	main := &request{owner: o, sure: o.sure}
	for _, sub := range []string{"defaults", "vars"} { // with another name given, these are read as well
		w.rolePart(dir, sub, nil, main)
	}
	for _, name := range []string{"argument_specs.yml", "argument_specs.yaml"} {
		if file := path.Join(dir, "meta", name); w.files.Kind(file) == tree.File {
			d := w.files.Document(file)
			w.count(file, asNamed, d.Value.Digest(), "role "+path.Base(dir), at)
			w.specs(d.Value.At("argument_specs"), file)
		}
	}
	for _, name := range []string{"main.yml", "main.yaml", "main.json", "main"} {
		file := path.Join(dir, "meta", name)
		if w.files.Kind(file) != tree.File {
			continue
		}
		o.file = file
		w.meta(o, append(slices.Clip(stack), dir), at)
		return
	}
}

// meta follows what a role says about itself.
func (w *walk) meta(o owner, stack []string, at place) {
	file, dir := o.file, o.role
	d := w.files.Document(file)
	if d.Err != nil {
		w.unread(file, "role "+path.Base(dir), d.Err, o.sure, at)
		return
	}
	if d.Vaulted {
		w.whole(file, "role "+path.Base(dir), at)
		w.everything("it is encrypted, and may read anything", place{file: file, line: 1})
		return
	}
	var rest []value.Pair
	for _, p := range d.Value.Pairs() {
		switch key, v := p.Key.Text, p.Value; {
		case key == "galaxy_info": // for people and for Galaxy
		case key == "dependencies" && v.Kind == value.List && len(v.Items()) == 0:
		case key == "allow_duplicates" && v.Kind == value.Bool && v.Text == "false":
		case key == "dependencies" && v.Kind == value.List:
			p.Value = p.Value.WithItems(make([]value.Value, len(v.Items())))
			for i, entry := range v.Items() {
				p.Value.Items()[i] = sorted(entry)
				for j, param := range p.Value.Items()[i].Pairs() {
					if param.Key.Text == "vars" && param.Value.Kind == value.Map {
						p.Value.Items()[i].Pairs()[j].Value = sorted(param.Value)
					}
				}
			}
			rest = append(rest, p)
		default:
			rest = append(rest, p)
		}
	}
	says := len(rest) > 0 || d.Value.Kind != value.Map && d.Value.Kind != value.Null
	if says || !w.onlyMain(file) || !w.known(dir) {
		w.count(file, asNamed, sorted(value.Value{Kind: value.Map}.WithPairs(rest)).Digest(), "role "+path.Base(dir), at)
	}
	w.specs(d.Value.At("argument_specs"), file)
	for _, c := range d.Value.At("collections").List() {
		w.plugins.collection(c.Text)
	}
	for _, entry := range d.Value.At("dependencies").List() {
		var r reads
		r.entry(entry)
		w.read(&r, o)
		w.roleEntry(entry, o, stack)
	}
}

// known reports whether Ansible takes a directory for that of a role even if it
// has no meta.
func (w *walk) known(dir string) bool {
	return slices.ContainsFunc([]string{"", ".yml", ".yaml"}, func(ext string) bool {
		return w.files.Kind(path.Join(dir, "tasks", "main"+ext)) == tree.File
	})
}

// specs follows what a role says about its arguments: each is read, and must be
// what it says.
func (w *walk) specs(v value.Value, file string) {
	for _, entry := range v.Pairs() {
		for _, option := range entry.Value.At("options").Pairs() {
			w.variable(option.Key.Text, place{file: file, line: option.Key.Line})
		}
	}
}

// rolePart follows the files of one of a role's directories that a use names.
func (w *walk) rolePart(dir, sub string, from jinja.Shape, r *request) {
	names := []string{"main"}
	if from != nil {
		names = w.texts(from, r.owner)
	}
	for _, name := range names {
		sure := r.leads()
		if !constant(from) {
			sure = possible
		}
		if part := (visit{file: path.Join(dir, sub) + "/" + name, book: r.owner.book, sure: sure, here: r.owner.here, tags: r.owner.tags}); w.parts.has(part) {
			continue
		} else if !computed(name) {
			w.parts.add(part)
		}
		for _, file := range w.partFiles(path.Join(dir, sub), name) {
			w.partFile(sub, owner{file: file, role: dir, book: r.owner.book, sure: sure, here: r.owner.here, tags: r.owner.tags}, from == nil, r.owner.at(r.line))
		}
	}
}

// partFiles are the files that a name in a role's directory may mean.
func (w *walk) partFiles(dir, name string) []string {
	if computed(name) {
		return slices.DeleteFunc(slices.Clone(w.below(dir)), func(file string) bool {
			rest := strings.TrimPrefix(file, dir+"/")
			return !matches(name, rest) && !matches(name, strings.TrimSuffix(rest, path.Ext(rest)))
		})
	}
	var files []string
	for _, ext := range []string{"", ".yml", ".yaml", ".json"} {
		file := path.Join(dir, name+ext)
		switch w.files.Kind(file) {
		case tree.File:
			files = append(files, file)
		case tree.Directory:
			files = append(files, w.below(file)...)
		}
	}
	return files
}

func (w *walk) partFile(sub string, o owner, main bool, at place) {
	file, dir := o.file, o.role
	switch {
	case sub == "tasks":
		w.tasks(file, o, asTasks, at)
	case sub == "handlers" && main:
		w.tasks(file, o, asHandlers, at)
	case sub == "handlers":
		w.tasks(file, w.tagged(o, anyTag), asNamed, at)
	default:
		d := w.files.Variables(file)
		class := "role " + path.Base(dir) + " " + sub
		switch {
		case d.Vaulted:
			w.sealedLater(file)
		case d.Err != nil:
			w.unread(file, class, d.Err, o.sure, at)
		case d.Value.Kind != value.Map && d.Value.Kind != value.Null:
			w.whole(file, class, at)
			w.mistake(o.sure, w.Project.fault(place{file: file, line: max(d.Value.Line, 1), col: max(d.Value.Col, 1)}, "expected a mapping of variables, not a %s", d.Value.Kind))
		default:
			w.define(d.Value.Pairs(), definition{file: file, class: class, owner: owner{file: file, role: dir}, weak: sub == "defaults"})
		}
	}
}

func (w *walk) roleNames() []string { return slices.Sorted(w.roles.keys()) }

// callersOf are the roles that use a role, and those that use these.
func (w *walk) callersOf(dir string) []string {
	seen := map[string]bool{}
	var up func(dir string)
	up = func(dir string) {
		for _, caller := range w.callers.at(dir) {
			if !seen[caller] {
				seen[caller] = true
				up(caller)
			}
		}
	}
	up(dir)
	return slices.Sorted(maps.Keys(seen))
}

// fqcn reports whether a name is that of something in a collection: a.b.c.
func fqcn(name string) bool {
	if strings.Count(name, ".") < 2 || strings.Contains(name, "..") || strings.Contains(name, "/") {
		return false
	}
	wordy := func(c rune) bool {
		return c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	return strings.IndexFunc(name, func(c rune) bool { return !wordy(c) }) < 0
}
