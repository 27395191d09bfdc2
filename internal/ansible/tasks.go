package ansible

import (
	"cmp"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// taskList is a list of tasks, whoever runs it.
type taskList struct {
	digestPair            // of what it says, guarded tasks with all that they do
	parts      []part     // what each of its elements says
	guards     []*guarded // of these
	tasks      []task     // blocks taken apart; not of what is guarded
	reads      reads      // of these
	valid      bool       // it is a list of mappings
	odd        []oddTask
	notify     notify // of these, too
	defaults   bool   // some have module_defaults
	handlers   bool   // they run only if they are notified
	guarded    bool   // it is what a guarded task does
}

// part is what an element of a list of tasks says.
type part struct {
	digestPair
	*guarded // nil if all of it counts
}

// digestPair is of what a task says, without its name and with it, by which
// handlers are called. Empty: nothing.
type digestPair struct{ said, named string }

func digestsOf(task value.Value) digestPair {
	return digestPair{normalTask(task, false).Digest(), normalTask(task, true).Digest()}
}

// oddTask is something at which Ansible stops when it reads a list of tasks,
// whoever runs them.
type oddTask struct {
	line, col int
	why       string
}

// task is one task, or the keywords of a block or a play.
type task struct {
	module      string      // "" for a block; without the collection of Ansible's own modules
	args        value.Value // a map, also where it was written in one line; a string for modules that take free text
	free        value.Value // the free text
	line        int
	loop        *loop // nil without one
	vars        []value.Pair
	register    string
	here        bool        // it runs on the machine that builds
	where       value.Value // the host that it is delegated to; null for none
	local       bool        // it connects locally where the host says nothing else
	notifies    bool
	environment []value.Pair
	reads       reads // what it reads for each element of its loop
	computed    bool  // there may be arguments that are written nowhere
	conditional bool
	tags        []string // that those have of it which it leads to, where only some tasks run
	factsAway   bool     // what it finds out may count for another host
}

// loop is what a task is repeated over.
type loop struct {
	variable string
	index    string // the variable that counts, or ""
	items    value.Value
	kind     string // "" for loop, else the lookup of with_…
	folder   string // in which first_found looks
}

// context is what a task has from the blocks around it.
type context struct {
	here, local bool
	where       value.Value
	environment []value.Pair
	conditional bool
	loop        *loop
}

// bare are the keywords whose values are expressions without braces.
var bare = map[string]bool{"when": true, "changed_when": true, "failed_when": true, "until": true}

// freeForm are modules whose free text is no list of arguments.
var freeForm = setOf("command", "expect", "import_role", "import_tasks", "include", "include_role", "include_tasks",
	"include_vars", "meta", "raw", "script", "shell")

// keywords of tasks and blocks that are no modules.
var keywords = map[string]bool{
	"action": true, "any_errors_fatal": true, "args": true, "async": true, "become": true, "become_exe": true,
	"become_flags": true, "become_method": true, "become_user": true, "changed_when": true, "check_mode": true,
	"collections": true, "connection": true, "debugger": true, "delay": true, "delegate_facts": true,
	"delegate_to": true, "diff": true, "environment": true, "failed_when": true, "ignore_errors": true,
	"ignore_unreachable": true, "listen": true, "local_action": true, "loop": true, "loop_control": true,
	"module_defaults": true, "name": true, "no_log": true, "notify": true, "poll": true, "port": true,
	"register": true, "remote_user": true, "retries": true, "run_once": true, "tags": true, "throttle": true,
	"timeout": true, "until": true, "vars": true, "when": true,
	passedTags: true, leftOut: true,
}

// readUnguarded reads a list of tasks, all of which count.
func readUnguarded(v value.Value) *taskList {
	return readList(v, func(value.Value) *guarded { return nil })
}

// readTasks reads a list of tasks.
func readTasks(v value.Value) *taskList {
	l := &taskList{valid: v.Kind == value.List || v.Kind == value.Null}
	l.guard(v.Items())
	return l.done()
}

// guard adds tasks, and of blocks that count as such what is in them.
func (l *taskList) guard(items []value.Value) {
	for _, item := range items {
		g := guard(item)
		if inner, ok := apart(item); ok && g == nil {
			l.guard(inner)
			continue
		}
		l.add(item, g)
	}
}

func readList(v value.Value, guard func(value.Value) *guarded) *taskList {
	l := &taskList{valid: v.Kind == value.List || v.Kind == value.Null}
	for _, item := range v.Items() {
		l.add(item, guard(item))
	}
	return l.done()
}

func (l *taskList) add(item value.Value, g *guarded) {
	l.valid = l.valid && item.Kind == value.Map
	l.parts = append(l.parts, part{digestsOf(item), g})
	if g == nil {
		l.task(item, context{})
		return
	}
	l.guards = append(l.guards, g)
	l.odd = append(l.odd, g.tasks.odd...)
}

func (l *taskList) done() *taskList {
	l.digestPair = l.digestsOf(func(p part) digestPair { return p.digestPair })
	return l
}

// digestsOf is what the list says if its elements say this.
func (l *taskList) digestsOf(say func(part) digestPair) digestPair {
	var said, named []string
	for _, p := range l.parts {
		if d := say(p); d.said != "" {
			said, named = append(said, d.said), append(named, d.named)
		}
	}
	if len(said) == 0 {
		return digestPair{}
	}
	return digestPair{sum(said...), sum(named...)}
}

func (l *taskList) task(v value.Value, c context) {
	defer l.spare(len(l.reads.needs), v)
	l.odd = append(l.odd, oddities(v)...)
	t := task{line: v.Line}
	l.defaults = l.defaults || v.At("module_defaults").Kind != value.Null
	t.local = c.local || v.At("connection").Text == "local"
	t.here = c.here || v.At("local_action").Kind != value.Null || connectsHere(v.At("vars"))
	if t.where = v.At("delegate_to"); t.where.Kind == value.Null {
		t.where = c.where
	}
	t.notifies = v.At("notify").Kind != value.Null
	t.environment = append(slices.Clip(c.environment), environment(v.At("environment"))...)
	t.conditional = c.conditional || v.At("when").Kind != value.Null
	t.loop = readLoop(v)
	t.vars = variablesOf(v.At("vars"))
	l.notify.add(v.At("notify"))
	t.register = v.At("register").Text
	t.factsAway = factsAway(v)
	t.tags = tagsOf(v.At(passedTags))
	exact := namesExactly(v)
	own := t.loop
	if t.loop == nil {
		t.loop = c.loop
	}
	inner := context{here: t.here, local: t.local, where: t.where, environment: t.environment, conditional: t.conditional, loop: t.loop}
	read := func(p value.Pair) {
		switch key := p.Key.Text; {
		case key == "block" || key == "rescue" || key == "always":
			within := inner
			within.conditional = within.conditional || key == "rescue"
			for _, item := range p.Value.List() {
				l.task(item, within)
			}
			return
		case bare[key]:
			l.reads.expression(p.Value)
			return
		case key == "action" || key == "local_action":
			t.action(p.Value)
		case !keywords[key] && !strings.HasPrefix(key, "with_"):
			t.call(key, p.Value)
		case key == "register":
			return
		case strings.HasPrefix(key, "with_") && p.Value.Kind == value.String && !computes(p.Value.Text):
			l.reads.expression(p.Value) // a bare name
		}
		paths := len(l.reads.paths)
		if l.reads.value(p.Value); exact && (!keywords[p.Key.Text] && !strings.HasPrefix(p.Key.Text, "with_") || p.Key.Text == "args" || p.Key.Text == "environment" || p.Key.Text == "local_action" || p.Key.Text == "action" || p.Key.Text == "delegate_to") {
			l.reads.paths = l.reads.paths[:paths]
		}
	}
	for _, p := range v.Pairs() {
		before := l.reads
		if read(p); own != nil && p.Key.Text != "loop" && !strings.HasPrefix(p.Key.Text, "with_") { // it may read each element
			t.reads.take(&l.reads, before)
		}
	}
	if own != nil {
		own.folder = folderOf(t.module)
	}
	switch extra := v.At("args"); extra.Kind {
	case value.Map:
		t.args.Kind = value.Map
		t.args = t.args.WithPairs(append(slices.Clip(t.args.Pairs()), extra.Pairs()...))
	case value.String:
		t.computed = true
	}
	t.computed = t.computed || t.free.Kind == value.String && strings.HasPrefix(strings.TrimSpace(t.free.Text), "{{") && !freeForm[t.module]
	switch t.module {
	case "include_role", "include_tasks":
		l.notify.add(t.args.At("apply").At("notify"))
		t.factsAway = t.factsAway || factsAway(t.args.At("apply"))
	case "assert":
		l.reads.expression(t.args.At("that"))
	case "debug":
		l.reads.expression(t.args.At("var"))
	}
	l.tasks = append(l.tasks, t)
}

// spare takes out of what a list needs all that a task does which may be skipped, or
// may fail without harm: of its conditions the first is evaluated all the same.
func (l *taskList) spare(before int, v value.Value) {
	when, conditional := v.Get("when")
	_, rescue := v.Get("rescue")
	_, ignore := v.Get("ignore_errors")
	if !conditional && !rescue && !ignore && readLoop(v) == nil && v.At("tags").Kind == value.Null {
		return
	}
	l.reads.needs = slices.Clip(l.reads.needs[:before])
	if first := when.List(); conditional && len(first) > 0 && !rescue && !ignore && readLoop(v) == nil && v.At("tags").Kind == value.Null {
		var r reads
		r.expression(first[0])
		l.reads.needs = append(l.reads.needs, r.needs...)
	}
}

// oddities are what is wrong with a task: it must have one module.
func oddities(v value.Value) []oddTask {
	if v.Kind != value.Map {
		return nil
	}
	var modules []string
	block := false
	for _, p := range v.Pairs() {
		switch key := p.Key.Text; {
		case key == "block" || key == "rescue" || key == "always":
			block = block || key == "block"
			if p.Value.Kind != value.List && p.Value.Kind != value.Null {
				return []oddTask{{p.Key.Line, p.Key.Col, "a " + key + " is a list of tasks"}}
			}
		case key == "action" || key == "local_action" || !keywords[key] && !strings.HasPrefix(key, "with_"):
			modules = append(modules, key)
		}
	}
	switch {
	case block:
	case len(modules) == 0:
		return []oddTask{{v.Line, v.Col, "a task without a module"}}
	case len(modules) > 1:
		return []oddTask{{v.Line, v.Col, "a task with more than one module: " + strings.Join(modules, ", ")}}
	}
	return nil
}

func readLoop(v value.Value) *loop {
	variable := "item"
	if name := v.At("loop_control").At("loop_var"); name.Kind == value.String {
		variable = name.Text
	}
	index := v.At("loop_control").At("index_var").Text
	if items, ok := v.Get("loop"); ok {
		return &loop{variable: variable, index: index, items: items}
	}
	for _, p := range v.Pairs() {
		if kind, ok := strings.CutPrefix(p.Key.Text, "with_"); ok {
			return &loop{variable: variable, index: index, items: p.Value, kind: builtin(kind)}
		}
	}
	return nil
}

// action reads the old way to write a task: "copy src=a dest=b", or a mapping
// with the module's name in it.
func (t *task) action(v value.Value) {
	if v.Kind == value.Map {
		t.call(v.At("module").Text, v)
		return
	}
	name, args, _ := strings.Cut(strings.TrimSpace(v.Text), " ")
	t.call(name, value.Value{Kind: value.String, Text: args, Line: v.Line, Col: v.Col})
}

func (t *task) call(module string, args value.Value) {
	t.module = builtin(module)
	t.args = args
	if args.Kind == value.String {
		t.free = args
		t.args = arguments(args)
	}
}

// builtin takes the collection of Ansible's own plugins off a name.
func builtin(name string) string {
	name = strings.TrimPrefix(name, "ansible.builtin.")
	return strings.TrimPrefix(name, "ansible.legacy.")
}

// arguments reads "src=a dest='b c'" as a map.
func arguments(v value.Value) value.Value {
	var pairs []value.Pair
	for _, word := range words(v.Text) {
		name, text, ok := strings.Cut(word, "=")
		if !ok || name == "" || strings.ContainsAny(name, "{ '\"") {
			continue
		}
		if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
			text = text[1 : n-1]
		}
		at := func(s string) value.Value { return value.Value{Kind: value.String, Text: s, Line: v.Line, Col: v.Col} }
		pairs = append(pairs, value.Pair{Key: at(name), Value: at(text)})
	}
	return value.Value{Kind: value.Map, Line: v.Line, Col: v.Col}.WithPairs(pairs)
}

// words splits a text at blanks that are neither in quotes nor in braces.
func words(s string) []string {
	var all []string
	depth, start, quote := 0, -1, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if start < 0 && c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			start = i
		}
		switch {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' && i+1 < len(s) && (s[i+1] == '{' || s[i+1] == '%'):
			depth++
			i++
		case (c == '}' || c == '%') && i+1 < len(s) && s[i+1] == '}' && depth > 0:
			depth--
			i++
		case depth == 0 && start >= 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			all = append(all, s[start:i])
			start = -1
		}
	}
	if start >= 0 {
		all = append(all, s[start:])
	}
	return all
}

// normalTasks is a list of tasks with what decides nothing taken out: the order
// of a task's keywords and of its module's arguments, and names.
func normalTasks(v value.Value, names bool) value.Value {
	if v.Kind != value.List {
		return v
	}
	items := make([]value.Value, len(v.Items()))
	for i, item := range v.Items() {
		items[i] = normalTask(item, names)
	}
	return value.Value{Kind: value.List}.WithItems(items)
}

func normalTask(v value.Value, names bool) value.Value {
	if v.Kind != value.Map {
		return v
	}
	var pairs []value.Pair
	for _, p := range v.Pairs() {
		switch key := p.Key.Text; {
		case key == "name" && !names:
			continue
		case key == "block" || key == "rescue" || key == "always":
			p.Value = normalTasks(p.Value, names)
		case key == "loop_control" && p.Value.Kind == value.Map:
			p.Value = normalControl(p.Value, v.At("register").Kind != value.Null)
		case p.Value.Kind == value.Map && (!keywords[key] || key == "vars" || key == "args"):
			p.Value = sorted(p.Value)
		}
		p.Key.Text = builtin(p.Key.Text)
		pairs = append(pairs, p)
	}
	return sorted(value.Value{Kind: value.Map}.WithPairs(pairs))
}

// normalControl takes out of a loop_control the text around an expression in a
// label: people see it, and whoever looks at the registered result. The expression
// may fail.
func normalControl(v value.Value, registered bool) value.Value {
	v = sorted(v)
	for i, p := range v.Pairs() {
		start, end := strings.Index(p.Value.Text, "{{"), strings.LastIndex(p.Value.Text, "}}")
		if p.Key.Text == "label" && !registered && p.Value.Kind == value.String && start >= 0 && end > start && !strings.ContainsAny(p.Value.Text[:start]+p.Value.Text[end+2:], "{}%#\\") {
			v.Pairs()[i].Value.Text = p.Value.Text[start : end+2]
		}
	}
	return v
}

// namesExactly reports whether a task's module reads of the project what its arguments
// name, and nothing else that a path in them could lead to.
func namesExactly(v value.Value) bool {
	var t task
	for _, p := range v.Pairs() {
		switch key := p.Key.Text; {
		case key == "action" || key == "local_action":
			t.action(p.Value)
		case !keywords[key] && !strings.HasPrefix(key, "with_"):
			t.module = builtin(key)
		}
	}
	switch t.module {
	case "command", "shell", "raw", "expect", "script", "find", "stat":
		return true
	case "set_fact", "include_vars", "include_role", "import_role", "include_tasks", "import_tasks", "include", "add_host", "debug", "fail", "assert", "template":
		return false
	}
	_, known := hereArguments[t.module]
	return known || hereWrites[t.module] || hereNothing[t.module]
}

// connectsHere reports whether variables may make a host this machine.
func connectsHere(vars value.Value) bool {
	connection := vars.At("ansible_connection")
	return connection.Text == "local" || computes(connection.Text)
}

// environment are the variables that an environment gives, where they are known.
func environment(v value.Value) []value.Pair {
	var all []value.Pair
	for _, one := range v.List() {
		all = append(all, one.Pairs()...)
	}
	return all
}

// sorted is a map in the order of its keys.
func sorted(v value.Value) value.Value {
	pairs := slices.Clone(v.Pairs())
	slices.SortStableFunc(pairs, func(a, b value.Pair) int { return cmp.Compare(a.Key.Text, b.Key.Text) })
	return v.WithPairs(pairs)
}

// shapeOf is the form of a value that names something.
func shapeOf(v value.Value) jinja.Shape {
	switch v.Kind {
	case value.String:
		if !computes(v.Text) {
			return jinja.Literal(v.Text)
		}
		t, _ := jinja.Parse(v.Text, jinja.Syntax{})
		return t.Shape
	case value.List:
		list := make(jinja.List, len(v.Items()))
		for i, item := range v.Items() {
			list[i] = shapeOf(item)
		}
		return list
	case value.Map:
		m := jinja.Map{}
		for _, p := range v.Pairs() {
			m[p.Key.Text] = shapeOf(p.Value)
		}
		return m
	case value.Vault:
		return jinja.Unknown{}
	}
	return jinja.Literal(printed(v))
}

// variablesOf are the variables of the keyword vars: a mapping or, as of old, a
// list of them.
func variablesOf(v value.Value) []value.Pair {
	if v.Kind == value.Map {
		return v.Pairs()
	}
	var all []value.Pair
	for _, one := range v.List() {
		all = append(all, one.Pairs()...)
	}
	return all
}
