package ansible

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tasks is what a playbook or a list of tasks names.
type tasks struct {
	err         error // the file is no YAML
	list        bool  // the file is a list of mappings: plays or tasks
	playbook    bool  // it has plays
	roles       []ref // roles of plays and tasks
	playbooks   []ref // imported playbooks
	included    []ref // files of tasks
	computed    []ref // names of files with an expression in them
	collections []ref // collections that short names are looked up in
	commands    []ref // commands that run on this machine, not in the image
	seen        map[*yaml.Node]bool
	file        string
}

// tasks reads a file as plays or tasks; its text must be readable.
func (p *Project) tasks(name string) *tasks {
	if t, ok := p.lists[name]; ok {
		return t
	}
	t := &tasks{file: name, seen: map[*yaml.Node]bool{}}
	p.lists[name] = t
	top, err := parse(name, p.text(name).s)
	if err != nil {
		t.err = err
		return t
	}
	if top == nil || top.Kind != yaml.SequenceNode {
		return t
	}
	t.list = true
	for _, n := range items(top) {
		if n.Kind != yaml.MappingNode {
			t.list = false
			return t
		}
		if child(n, "hosts") != nil || t.imports(n) {
			t.playbook = true
			t.play(n)
		} else {
			t.task(n, context{})
		}
	}
	return t
}

// imports reports whether n is an import_playbook, and notes it.
func (t *tasks) imports(n *yaml.Node) bool {
	for k, v := range pairs(n) {
		if builtin(k.Value) == "import_playbook" {
			t.playbooks = append(t.playbooks, t.ref(v, first(v.Value)))
			return true
		}
	}
	return false
}

func (t *tasks) play(n *yaml.Node) {
	for k, v := range pairs(n) {
		v = resolved(v)
		switch k.Value {
		case "roles":
			for _, r := range items(v) {
				t.roles = append(t.roles, t.roleEntry(r))
			}
		case "tasks", "pre_tasks", "post_tasks", "handlers":
			t.taskList(v, context{})
		case "vars_files":
			t.paths(v)
		case "collections":
			t.looksIn(v)
		}
	}
}

// roleEntry reads one element of a play's roles or a role's dependencies: a
// name, or a mapping with it.
func (t *tasks) roleEntry(n *yaml.Node) ref {
	if n.Kind == yaml.ScalarNode {
		return t.ref(n, n.Value)
	}
	for _, key := range []string{"role", "name", "src"} {
		if v := child(n, key); v != nil && v.Kind == yaml.ScalarNode {
			return t.ref(v, v.Value)
		}
	}
	return t.ref(n, "{{ }}") // not understood: any role
}

// context is what a task has from the blocks around it.
type context struct {
	conditional bool // it may be skipped
	here        bool // it runs on this machine
}

// taskList reads a list of tasks.
func (t *tasks) taskList(n *yaml.Node, c context) {
	if t.seen[n] {
		return
	}
	t.seen[n] = true
	for _, task := range items(n) {
		t.task(task, c)
	}
}

func (t *tasks) task(n *yaml.Node, c context) {
	c.conditional = c.conditional || child(n, "when") != nil
	c.here = c.here || child(n, "delegate_to") != nil || child(n, "local_action") != nil
	for k, v := range pairs(n) {
		v = resolved(v)
		switch key := k.Value; {
		case key == "block" || key == "rescue" || key == "always":
			t.taskList(v, c)
		case key == "collections":
			t.looksIn(v)
		case key == "action" || key == "local_action":
			t.action(v, c)
		case strings.HasPrefix(key, "with_"):
			if readsFiles(strings.TrimPrefix(key, "with_")) {
				t.paths(v)
			}
		default:
			t.module(builtin(key), v, c)
		}
	}
}

// action reads the old way to write a task: "copy src=a dest=b", or a mapping
// with the module's name in it.
func (t *tasks) action(v *yaml.Node, c context) {
	if name := child(v, "module"); name != nil {
		t.module(builtin(name.Value), v, c)
		return
	}
	name, args, _ := strings.Cut(strings.TrimSpace(v.Value), " ")
	t.module(builtin(name), &yaml.Node{Kind: yaml.ScalarNode, Value: args, Line: v.Line, Column: v.Column}, c)
}

// module reads a module's arguments, which are a mapping or one line of text.
func (t *tasks) module(name string, args *yaml.Node, c context) {
	switch name {
	case "include_role", "import_role":
		r := t.roleEntry(args)
		if args.Kind == yaml.ScalarNode {
			r = t.ref(args, argument(args.Value, "name", "role"))
		}
		r.optional = name == "include_role" && c.conditional
		t.roles = append(t.roles, r)
		return
	case "include_tasks", "import_tasks", "include":
		at := args
		if f := child(args, "file"); f != nil {
			at = f
		}
		name := first(strings.TrimPrefix(at.Value, "file="))
		if strings.Contains(at.Value, "{{") || name == "" {
			t.path(at)
		} else {
			t.included = append(t.included, t.ref(at, name))
		}
		return
	}
	if c.here {
		switch name {
		case "command", "shell", "raw", "expect":
			t.commands = append(t.commands, t.ref(args, name))
		case "when", "name", "changed_when", "failed_when", "until", "loop", "vars", "environment", "tags", "register":
		default:
			t.paths(args)
		}
		return
	}
	t.files(name, args)
}

// files notes the files of the project among a module's arguments.
func (t *tasks) files(module string, args *yaml.Node) {
	if args.Kind == yaml.ScalarNode {
		// Free form: only these modules take a file of the project there.
		switch module {
		case "script":
			if all := words(args.Value); len(all) > 0 {
				t.path(&yaml.Node{Value: all[0], Line: args.Line, Column: args.Column})
			}
		case "include_vars", "copy", "template", "unarchive", "assemble", "patch":
			t.path(args)
		}
		return
	}
	for k, v := range pairs(args) {
		switch k.Value {
		case "src", "file", "dir", "files", "paths", "_raw_params", "source", "template":
			t.paths(v)
		case "cmd":
			if module == "script" {
				t.paths(v)
			}
		}
	}
}

// paths notes every text below a node as path does.
func (t *tasks) paths(n *yaml.Node) {
	for s := range scalars(n) {
		t.path(s)
	}
}

// path notes a text that names a file, if an expression computes the name or
// there are wildcards in it. Other names are found where they are written.
func (t *tasks) path(n *yaml.Node) {
	if strings.Contains(n.Value, "[") && !computes(n.Value) {
		t.computed = append(t.computed, t.ref(n, "*")) // a wildcard, or a list as text
	}
	for _, word := range words(n.Value) {
		if key, value, found := strings.Cut(word, "="); found && !computes(key) {
			switch key {
			case "dest", "path", "mode", "owner", "group", "creates", "removes", "validate", "remote_src", "backup", "force":
				continue
			}
			word = value // src={{ a }}
		}
		if (computes(word) || strings.ContainsAny(word, "*?")) && !strings.HasPrefix(word, "/") {
			t.computed = append(t.computed, t.ref(n, word))
		}
	}
}

// computes reports whether a text has an expression in it.
func computes(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "{%") }

func (t *tasks) looksIn(n *yaml.Node) {
	for _, c := range items(n) {
		t.collections = append(t.collections, t.ref(c, c.Value))
	}
}

func (t *tasks) ref(n *yaml.Node, name string) ref {
	return ref{name: strings.TrimSpace(name), file: t.file, line: n.Line, col: n.Column}
}

// builtin takes the collection of Ansible's own modules off a name.
func builtin(name string) string {
	for _, prefix := range []string{"ansible.builtin.", "ansible.legacy."} {
		name = strings.TrimPrefix(name, prefix)
	}
	return name
}

// first returns the first word of a text that has no expression in it, without
// quotes; a text with one is returned whole.
func first(s string) string {
	if strings.Contains(s, "{{") {
		return s
	}
	if f := strings.Fields(s); len(f) > 0 {
		return strings.Trim(f[0], `"'`)
	}
	return ""
}

// argument returns the value of the first of the keys in "key=value …"; an
// expression if it cannot tell.
func argument(s string, keys ...string) string {
	if strings.Contains(s, "{{") {
		return "{{ }}"
	}
	for _, word := range strings.Fields(s) {
		for _, key := range keys {
			if v, ok := strings.CutPrefix(word, key+"="); ok {
				return strings.Trim(v, `"'`)
			}
		}
	}
	return "{{ }}"
}

// readsFiles reports whether a lookup plugin reads files of the project. One
// that is not known is taken to.
func readsFiles(lookup string) bool {
	switch builtin(lookup) {
	case "config", "dict", "env", "flattened", "indexed_items", "inventory_hostnames", "items", "list", "nested",
		"random_choice", "sequence", "subelements", "together", "varnames", "vars", "cartesian", "password", "url":
		return false
	}
	return true
}

// meta is what a role's meta/main.yml says.
type meta struct {
	file         string // "" if there is none
	err          error
	dependencies []ref
	collections  []ref
}

func (p *Project) meta(role string) *meta {
	if m, ok := p.metas[role]; ok {
		return m
	}
	m := &meta{}
	p.metas[role] = m
	for _, base := range []string{"main.yml", "main.yaml", "main.json", "main"} {
		if name := path.Join(role, "meta", base); p.kind(name) == file {
			m.file = name
			break
		}
	}
	t := p.text(m.file)
	if m.file == "" || t == nil || t.vaulted {
		return m
	}
	top, err := parse(m.file, t.s)
	if err != nil || top == nil {
		m.err = err
		return m
	}
	scratch := &tasks{file: m.file}
	for _, d := range items(child(top, "dependencies")) {
		m.dependencies = append(m.dependencies, scratch.roleEntry(d))
	}
	if c := child(top, "collections"); c != nil {
		scratch.looksIn(c)
		m.collections = scratch.collections
	}
	return m
}
