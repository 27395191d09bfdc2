package ansible

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// request is something that is named, perhaps by a computed name.
type request struct {
	kind    want
	shape   jinja.Shape
	owner   owner
	line    int
	must    bool // Ansible stops if it is not there
	sure    certainty
	tells   bool        // of wantVars: what is defined is in the result of the task, too
	under   string      // of wantVars: the variable that gets all of it
	called  jinja.Shape // the same where its name is computed
	form    form        // of wantTasks and wantTemplate
	works   bool        // it is looked for where Ansible works: in the project's directory
	first   string      // the directory of the role in which Ansible looks first, if that is certain
	role    roleUse
	stack   []string // of wantRole: the roles that depend on it, the outermost first
	host    jinja.HostRead
	guarded *guarded
	task    *task        // of wantDelegate and wantFact; of wantGroupBy what adds another host
	fact    int          // of wantFact: which of the task's arguments
	command *commandLine // of wantCommand
	fitting []string     // of wantLocal and wantLocalName: patterns of names below a directory; none for any
	state   int          // what w.state was when it was answered last, or 0
	asked   int          // the places that there were when it was answered
	texts   string       // what it came to, see comesTo

	anywhere bool // one of its names may lie anywhere, also outside of the project

	names   []string // what shape comes to, while it is asked
	namesAt int      // the state in which it does
	missing string   // what Ansible stops without, and was not found
}

// want is what a name is for.
type want int

const (
	wantTasks want = iota
	wantVars
	wantTemplate
	wantFile  // a file or directory as it is
	wantGlob  // files by a pattern of the shell
	wantWords // files among the words of a text: "x file=a.csv"
	wantPath  // the paths of the project that a text has in it
	wantVariable
	wantHost    // variables of other hosts
	wantGroup   // members of groups; a nil shape for all
	wantGroupBy // groups that the node is put in
	wantGuarded // a task, unless it never runs
	wantRole
	wantPlaybook
	wantFact        // a variable that is set
	wantDelegate    // the host that a task is delegated to
	wantCommand     // what a command reads on the machine that builds
	wantEnvironment // what a variable of a program names there
	wantLocal       // a file there
	wantLocalName   // that there is such a file, or the names below a directory
)

// folder is the directory, beside others, in which Ansible looks for what is
// wanted.
func (k want) folders() []string {
	switch k {
	case wantTasks:
		return []string{"tasks", "handlers"}
	case wantVars:
		return []string{"vars"}
	case wantTemplate:
		return []string{"templates"}
	}
	return []string{"files", "templates", "vars", "tasks"}
}

// want notes a request; settle answers it, again and again if its name is
// computed.
func (w *walk) want(r request) {
	w.requests = append(w.requests, &r)
	w.news++
}

// shapes are what a request names.
func (r *request) shapes() []jinja.Shape {
	all := []jinja.Shape{r.shape}
	for _, from := range []jinja.Shape{r.role.tasks, r.role.vars, r.role.defaults, r.role.handlers} {
		if from != nil {
			all = append(all, from)
		}
	}
	if r.called != nil {
		all = append(all, r.called)
	}
	return all
}

// comesTo is what a request's shapes come to, as one text.
func (w *walk) comesTo(r *request) string {
	var all []byte
	for i, s := range r.shapes() {
		texts := r.names
		if i > 0 || r.namesAt != w.earlier().state(r.kind) {
			texts = w.textsFor(r, s)
		}
		if i == 0 {
			r.names, r.namesAt = texts, w.earlier().state(r.kind)
			r.anywhere = slices.ContainsFunc(texts, func(name string) bool { return strings.HasPrefix(name, unknownText) })
		}
		for _, text := range texts {
			all = strconv.AppendQuote(all, text)
		}
		all = append(all, '.')
	}
	return string(all)
}

// namesOf is what the shape of a request comes to.
func (w *walk) namesOf(r *request) []string {
	if r.namesAt == w.earlier().state(r.kind) {
		return r.names
	}
	return w.textsFor(r, r.shape)
}

// textsFor is texts of a shape of a request.
func (w *walk) textsFor(r *request, s jinja.Shape) (texts []string) {
	if r.kind != wantCommand && r.kind != wantEnvironment {
		return w.texts(s, r.owner)
	}
	w.earlier().cautiously(func() { texts = w.texts(s, r.owner) }) // passwords are among them
	return texts
}

// constant reports whether a request has one answer only.
func (r *request) constant() bool {
	return constant(r.shape) && constant(r.role.tasks) && constant(r.role.vars) && constant(r.role.defaults) && constant(r.role.handlers) && constant(r.called)
}

func constant(s jinja.Shape) bool {
	switch s := s.(type) {
	case nil, jinja.Literal:
		return true
	case jinja.List:
		return !slices.ContainsFunc(s, func(one jinja.Shape) bool { return !constant(one) })
	}
	return false
}

// answer reaches what a request names, as far as is known now.
func (w *walk) answer(r *request) {
	r.missing = ""
	switch r.kind {
	case wantVariable:
		w.computedName(jinja.Computed{Name: r.shape, Line: r.line}, r.owner)
		return
	case wantHost:
		w.hostRead(r.host, r.owner)
		return
	case wantGuarded:
		w.guardedTask(r.guarded, r)
		return
	case wantGroup:
		w.groupRead(pathText{r.shape, r.line}, r.owner)
		return
	case wantGroupBy:
		for _, key := range w.texts(r.shape, r.owner) {
			for _, group := range strings.Split(key, ",") { // of add_host
				group = strings.ReplaceAll(strings.TrimSpace(group), " ", "-")
				w.moreGroups(group, r.owner.at(r.line))
				w.setsAway(r.task != nil && w.givesVariables(group))
			}
		}
		return
	case wantCommand:
		w.command(r)
		return
	}
	for _, name := range w.namesOf(r) {
		found := false
		switch {
		case name == "":
			continue
		case r.kind == wantFact:
			w.setsFact(r, name)
			found = true
		case r.kind >= wantDelegate:
			w.answerHere(r, name)
			found = true
		case r.kind == wantRole:
			found = w.findRoles(r, name)
		case r.kind == wantWords:
			for _, word := range words(name) {
				_, file, _ := strings.Cut(word, "=")
				found = w.find(&request{kind: wantFile, owner: r.owner, line: r.line}, cmp.Or(file, word)) || found
			}
		case r.kind == wantPath:
			found = w.findPaths(r, name)
		case r.kind == wantPlaybook:
			found = w.findPlaybooks(r, name)
		default:
			found = w.find(r, name)
		}
		if !found && r.kind == wantRole {
			w.undefines() // it may be installed on the machine
		}
		if !found && r.must && r.constant() {
			r.missing = name
		}
	}
}

// missing is a fault about something that is named plainly and is not there.
func (w *walk) missing(r *request, name string) {
	at := w.whereIs(r)
	switch r.kind {
	case wantRole:
		w.missingRole(name, at, r)
	case wantPlaybook:
		w.playbook(path.Join(path.Dir(r.owner.file), name), at, r.leads())
	case wantTasks:
		w.mistake(r.leads(), w.Project.fault(at, "the file of tasks %s is not in the project", name).
			WithHint("import_tasks looks beside the file that imports, in tasks/ of the role, and beside the playbook"))
	}
}

// fail notes a fault, once.
func (w *walk) fail(err error) {
	if !slices.ContainsFunc(w.faults, func(f error) bool { return f.Error() == err.Error() }) {
		w.faults = append(w.faults, err)
	}
}

// whereIs is the place of a request, with the column if its line has the name.
func (w *walk) whereIs(r *request) place {
	at := r.owner.at(r.line)
	name, ok := r.shape.(jinja.Literal)
	if text, err := w.Project.files.Text(at.file); ok && err == nil && at.line > 0 {
		lines := strings.SplitN(string(text), "\n", at.line+1)
		if at.line <= len(lines) {
			at.col = strings.Index(lines[at.line-1], string(name)) + 1
		}
	}
	return at
}

// bases are the directories that a relative name in an owner may start at, in
// groups: where one has it, the next are not looked in.
func (w *walk) bases(o owner, folders []string) [][]string {
	var own, beside, callers []string
	add := func(list *[]string, dir string) {
		for _, f := range folders {
			*list = append(*list, path.Join(dir, f))
		}
		*list = append(*list, dir)
	}
	if o.role != "" {
		add(&own, o.role)
	}
	if o.file != "" && path.Dir(o.file) != o.role {
		add(&own, path.Dir(o.file))
		if o.role == "" { // a file of tasks in tasks/ beside a playbook
			add(&own, path.Dir(path.Dir(o.file)))
		}
	}
	for _, dir := range w.playbookDirs(o) {
		add(&beside, dir)
	}
	if o.role != "" {
		for _, dir := range w.callersOf(o.role) {
			add(&callers, dir)
		}
	}
	return [][]string{own, callers, beside}
}

// playbookDirs are the directories of the playbooks whose plays lead to an owner.
// While a play is read, and while it runs, Ansible's is that of the file that the play is
// written in, whatever imports that.
func (w *walk) playbookDirs(o owner) []string {
	if o.book != "" {
		return []string{o.book}
	}
	return w.dirs
}

// find reaches the files that a name may mean; false if there are none.
func (w *walk) find(r *request, name string) bool {
	name, anchored := strings.CutPrefix(name, projectText)
	if !anchored && strings.HasPrefix(name, "/") {
		switch r.kind {
		case wantTasks:
			w.elsewhere()
		case wantVars:
			w.undefines()
		}
		return true // a path of the machine that builds; no part of the project
	}
	if i := strings.LastIndex(name, projectText); i >= 0 { // something before a path
		name, anchored = name[i+1:], true
	}
	if r.kind == wantGlob {
		name = globbed(name)
	}
	if (r.kind == wantTasks || r.kind == wantVars) && strings.HasPrefix(name, unknownText) && !anchored {
		w.undefines() // it may lie anywhere
	}
	groups := w.bases(r.owner, r.kind.folders())
	if anchored || r.works {
		groups = [][]string{{"."}}
	}
	if computed(name) {
		return w.findPattern(r, name, groups)
	}
	anywhere := false
	for _, bases := range groups {
		found, first := false, false
		for _, base := range bases {
			// Tasks that are imported may have come from a place beside their file.
			if first && (r.kind != wantTasks || !within(base, path.Dir(r.owner.file))) {
				continue
			}
			if file := path.Join(base, name); w.act(r, file, false) {
				found = true
				first = first || r.first != "" && base == path.Join(r.owner.role, r.first) && !strings.HasPrefix(name, r.first+"/") && !strings.Contains(name, "..")
			}
			if found && r.kind == wantTemplate && r.form != asWhole {
				return true // of templates, the first is taken
			}
		}
		if anywhere = anywhere || found; found && r.form != asWhole { // where others are looked for first, nobody knows
			return true
		}
	}
	return anywhere
}

// findPattern reaches the files that a computed name could mean, anywhere below
// the directories that it may start at.
func (w *walk) findPattern(r *request, pattern string, groups [][]string) bool {
	before := fixedPart(pattern)
	fixed := before[:strings.LastIndex(before, "/")+1]
	if strings.Contains(pattern[len(fixed):], "../") {
		w.everything("a computed path leads anywhere", r.owner.at(r.line))
		return true
	}
	found := false
	seen := map[string]bool{}
	for _, bases := range groups {
		for _, base := range bases {
			dir := path.Join(base, fixed)
			if seen[dir] || dir == ".." || strings.HasPrefix(dir, "../") {
				continue
			}
			seen[dir] = true
			if w.lacks(dir, r.kind.followed(), r.owner.at(r.line)) {
				found = true
				continue
			}
			if dir == path.Dir(pattern) && w.files.Kind(dir) != tree.Directory {
				continue
			}
			below := func(file string) string {
				if dir == "." {
					return file
				}
				return strings.TrimPrefix(file, dir+"/")
			}
			for _, unit := range w.files.UnitsBelow(dir) {
				if within(unit, Galaxy) && !within(dir, Galaxy) {
					continue // no directory of the project
				}
				found = w.unitsOf(r, pattern[len(fixed):], below(unit), unit) || found
			}
			for _, file := range w.candidates(dir, base, r) {
				rest := below(file)
				if matches(pattern[len(fixed):], rest) && w.act(r, file, true) {
					found = true
				}
			}
		}
	}
	return found
}

// candidates are the files below a directory that a computed name may mean: in
// a playbook's directory not those which are found by other names.
func (w *walk) candidates(dir, base string, r *request) []string {
	files, kind := w.below(dir), r.kind
	if !slices.Contains(w.dirs, dir) || dir != base || r.works {
		return files
	}
	searched := w.searched()
	if kind == wantVars {
		dir = "vars:" + dir
	}
	of := dir + "\x00" + strings.Join(w.dirs, ":") + "\x00" + strings.Join(searched, ":")
	return w.beside.Get(of, func() []string { return w.unsearched(base, files, searched, kind == wantVars) })
}

// unsearched leaves out of the files in a playbook's directory those that are
// found by other names.
func (w *walk) unsearched(dir string, files, searched []string, vars bool) []string {
	return slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		rest := file
		if dir != "." {
			rest = strings.TrimPrefix(file, dir+"/")
		}
		top, _, below := strings.Cut(rest, "/")
		switch {
		case strings.HasPrefix(top, "."), top == Galaxy:
			return true
		case !below:
			return false
		case top == "roles" || top == "collections" || slices.Contains(codeDirs, top):
			return true
		case top == "group_vars" || top == "host_vars":
			return !vars
		}
		return slices.ContainsFunc(searched, func(known string) bool { return within(file, known) })
	})
}

// searched are the directories whose files are found by other names: of roles,
// collections and the inventory.
func (w *walk) searched() []string {
	known := slices.Concat(w.q.RolesPath, w.q.Collections, w.cfg.roles, w.cfg.collections, w.q.Inventory)
	return slices.DeleteFunc(known, func(dir string) bool { return dir == "." || slices.Contains(w.dirs, dir) })
}

// below lists the files below a directory; version control is left out, and
// links are followed some levels deep.
func (w *walk) below(dir string) []string { return w.files.Below(dir) }

// findPaths counts the paths of the project that a text has in it.
func (w *walk) findPaths(r *request, text string) bool {
	for _, part := range strings.Split(text, projectText)[1:] {
		if end := strings.IndexAny(part, " \t\n\"'`;|&<>()"); end >= 0 {
			part = part[:end]
		}
		fixed := fixedPart(part)
		if computed(part) {
			fixed = fixed[:strings.LastIndex(fixed, "/")+1]
		}
		name := path.Join(".", strings.TrimRight(fixed, "/.,:"))
		switch {
		case name == ".." || strings.HasPrefix(name, "../"):
		case name == ".":
			w.everything("a path starts at the project's directory", r.owner.at(r.line))
		default:
			w.whole(name, "named by its path", r.owner.at(r.line))
		}
	}
	return true
}

// findPlaybooks follows the playbooks that an import may mean.
func (w *walk) findPlaybooks(r *request, name string) bool {
	outer := w.playTags
	w.playTags = r.owner.tags
	defer func() { w.playTags = outer }()
	at := w.whereIs(r)
	if computed(name) {
		for _, file := range w.below(".") {
			if within(file, Galaxy) {
				continue
			}
			if (path.Ext(file) == ".yml" || path.Ext(file) == ".yaml") && matches(name, file) && w.isPlaybook(file) {
				w.playbook(file, at, possible)
			}
		}
		return true
	}
	target := path.Join(path.Dir(r.owner.file), strings.TrimPrefix(name, projectText))
	if strings.HasPrefix(name, projectText) {
		target = path.Join(".", name[1:])
	}
	if fqcn(name) && w.files.Kind(target) == tree.Absent {
		return w.collectionPlaybook(name, at, r.leads())
	}
	w.imports(target, r)
	w.playbook(target, at, r.leads())
	return true
}
