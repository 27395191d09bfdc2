package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// module follows what a task's module reads of the project.
func (w *walk) module(t *task, o owner, f form) {
	if t.module == "" {
		return
	}
	w.plugins.module(t.module)
	w.makesFacts(t)
	if computes(t.module) {
		w.plugins.anyModule()
	}
	w.looped(t, o)
	w.called(t, o)
	if t.computed && w.readsFiles(t.module) {
		w.everything("the arguments of a module are computed", o.at(t.line))
	}
	switch {
	case t.here, o.here, w.isHere:
		w.hereReads(t, o)
	case t.where.Kind != value.Null:
		w.delegated(t, o)
	}
	switch t.module {
	case "include_tasks", "import_tasks", "include", "include_role", "import_role":
		o.here = o.here || t.here && !strings.HasPrefix(t.module, "include_") || w.leadsHere(w.inherited(t), o)
	}
	o = w.tagged(o, t.tags...)
	switch t.module {
	case "include_tasks", "import_tasks", "include":
		r := request{kind: wantTasks, shape: w.fileOf(t), owner: o, line: t.line, form: f, must: t.module == "import_tasks", sure: dynamically(t, o)}
		if r.must {
			r.sure = statically(t, o)
		}
		if o.role != "" && f == asTasks && t.module != "include" {
			r.first = "tasks"
		}
		w.want(r)
	case "include_role", "import_role":
		w.includeRole(t, o)
	case "include_vars":
		w.includeVars(t, o)
	case "group_by":
		w.want(request{kind: wantGroupBy, shape: shapeOf(t.args.At("key")), owner: o, line: t.line})
	case "add_host": // it may name the node itself
		w.addHost(t, o)
		for _, p := range t.args.Pairs() {
			w.getsAny(p.Key.Text)
		}
	case "template":
		w.templateOf(t, o)
	case "script":
		w.script(t, o)
	case "command", "shell", "raw", "expect": // they name what is on the node
	default:
		w.moduleFiles(t, o)
	}
}

// looped follows the lookup that tells what a task is repeated over.
func (w *walk) looped(t *task, o owner) {
	if t.loop != nil && t.loop.kind != "" {
		w.lookup(jinja.Call{Plugin: t.loop.kind, Args: []jinja.Shape{shapeOf(t.loop.items)}, Line: t.loop.items.Line}, o)
	}
}

// addHost wants the groups that a host is put in, which may be the node, or another one
// that is then a member of them.
func (w *walk) addHost(t *task, o owner) {
	if t.computed || len(t.args.Pairs()) == 0 {
		w.want(request{kind: wantGroupBy, shape: jinja.Unknown{}, owner: o, line: t.line, task: t})
		return
	}
	for _, key := range []string{"groups", "group", "groupname"} {
		if v := t.args.At(key); v.Kind != value.Null {
			w.want(request{kind: wantGroupBy, shape: shapeOf(v), owner: o, line: t.line, task: t})
		}
	}
}

// fileOf is the form of the file that an include names.
func (w *walk) fileOf(t *task) jinja.Shape {
	if file := t.args.At("file"); file.Kind != value.Null {
		return shapeOf(file)
	}
	return firstWord(t.free)
}

func (w *walk) includeRole(t *task, o owner) {
	name := t.args.At("name")
	if name.Kind == value.Null {
		name = t.args.At("role")
	}
	line := name.Line
	if line == 0 {
		line = t.line
	}
	sure := dynamically(t, o)
	if t.module == "import_role" {
		sure = statically(t, o)
	}
	w.want(request{kind: wantRole, shape: shapeOf(name), owner: o, line: line, must: true, sure: sure, role: useOf(t.args)})
}

func (w *walk) includeVars(t *task, o owner) {
	r := request{kind: wantVars, owner: o, line: t.line, under: t.args.At("name").Text, tells: t.register != "", sure: dynamically(t, o)}
	if computes(r.under) {
		r.called, r.under = shapeOf(t.args.At("name")), ""
	}
	for _, key := range []string{"file", "_raw_params", "dir"} {
		if v := t.args.At(key); v.Kind != value.Null {
			r.shape = shapeOf(v)
			w.want(r)
		}
	}
	if len(t.args.Pairs()) == 0 && t.free.Kind == value.String {
		r.shape = shapeOf(t.free)
		w.want(r)
	}
}

func (w *walk) templateOf(t *task, o owner) {
	src := t.args.At("src")
	if src.Kind == value.Null {
		return
	}
	r := request{kind: wantTemplate, shape: shapeOf(src), owner: o, line: t.line, sure: dynamically(t, o)}
	for _, p := range t.args.Pairs() {
		switch key := p.Key.Text; {
		case strings.HasSuffix(key, "_start_string"), strings.HasSuffix(key, "_end_string"):
			w.anyVariable("the syntax of the template is set by the task", o.at(t.line))
			r.form = asWhole
		case key == "trim_blocks":
			r.form = asWhole // it keeps the newlines behind comments
		}
	}
	w.want(r)
}

func (w *walk) script(t *task, o owner) {
	text := t.free
	if cmd := t.args.At("cmd"); cmd.Kind != value.Null {
		text = cmd
	}
	if text.Kind == value.Null {
		text = t.args.At("_raw_params")
	}
	for _, word := range words(text.Text) {
		if name, _, ok := strings.Cut(word, "="); ok && optionOfScript(name) {
			continue
		}
		word = strings.Trim(word, `"'`)
		w.want(request{kind: wantFile, shape: shapeOf(value.Value{Kind: value.String, Text: word, Line: text.Line}), owner: o, line: t.line})
		return
	}
}

func optionOfScript(name string) bool {
	switch name {
	case "chdir", "creates", "executable", "removes", "decrypt":
		return true
	}
	return false
}

// file wants the file that an argument names, if it has one.
func (w *walk) file(t *task, o owner, kind want, key string) {
	if v := t.args.At(key); v.Kind != value.Null {
		w.want(request{kind: kind, shape: shapeOf(v), owner: o, line: t.line})
	}
}

// mayName reports whether a text may name a file of the project: not if it is
// long, or nothing of it is known.
func mayName(s jinja.Shape) bool {
	switch s := s.(type) {
	case jinja.Literal:
		return s != "" && len(s) < 200 && !strings.ContainsAny(string(s), "\n")
	case jinja.Unknown, nil:
		return false
	}
	return true
}

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// lookup follows what a lookup plugin reads of the project.
func (w *walk) lookup(c jinja.Call, o owner) {
	w.plugins.lookup(builtin(c.Plugin))
	at := o.at(c.Line)
	wantAll := func(kind want, shapes ...jinja.Shape) {
		for _, s := range shapes {
			w.want(request{kind: kind, shape: s, owner: o, line: c.Line})
		}
	}
	if c.Open {
		w.everything("a lookup has computed arguments", at)
	}
	switch builtin(c.Plugin) {
	case "varnames":
		w.anyVariable("the names of variables are read", at)
	case "vars", "env", "config", "items", "list", "dict", "flattened", "indexed_items", "inventory_hostnames",
		"nested", "random_choice", "sequence", "subelements", "together", "undef", "url", "dig", "dnstxt", "cartesian":
		if c.Plugin == "inventory_hostnames" {
			w.groupRead(pathText{nil, c.Line}, owner{file: o.file})
		}
	case "":
		w.everything("the name of a lookup is computed", at)
	case "pipe", "lines":
		for _, s := range c.Args {
			w.want(request{kind: wantCommand, shape: s, owner: o, line: c.Line, command: &commandLine{written: written(s), shell: true, lookup: true}})
		}
	case "template":
		f := asTemplate
		switch given := c.Keywords["template_vars"].(type) {
		case nil:
		case jinja.Map:
			for name := range given {
				w.getsAny(name)
			}
		default:
			w.opaque = true
		}
		for key := range c.Keywords {
			if strings.HasSuffix(key, "_string") {
				w.anyVariable("the syntax of the template is set by the lookup", at)
				f = asWhole
			}
		}
		for _, s := range c.Args {
			w.want(request{kind: wantTemplate, shape: s, owner: o, line: c.Line, form: f})
		}
	case "fileglob", "community.general.filetree", "filetree":
		wantAll(wantGlob, c.Args...)
	case "first_found":
		// What it finds is used by the task, which follows it by its own means.
		wantAll(wantFile, jinja.Found{Terms: append(slices.Clip(c.Args), c.Keywords["terms"]), Files: c.Keywords["files"], Paths: c.Keywords["paths"]})
	default: // file, unvault, password, csvfile, ini and what is not known
		wantAll(wantFile, c.Args...)
		wantAll(wantWords, c.Args...)
		for _, s := range c.Keywords {
			wantAll(wantFile, s)
		}
		if known := byDefault(builtin(c.Plugin)); known != "" {
			wantAll(wantFile, jinja.Literal(known))
		}
	}
}

// byDefault is the file that a lookup reads if it is told none.
func byDefault(plugin string) string {
	switch plugin {
	case "csvfile":
		return "ansible.csv"
	case "ini":
		return "ansible.ini"
	}
	return ""
}
