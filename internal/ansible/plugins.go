package ansible

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// plugins is the project's own code: modules, and plugins of Ansible.
type plugins struct {
	dirs        set[codeDir]
	modules     set[string] // used modules
	any         bool        // any module may be used
	lookups     set[string]
	named       set[string] // filters, tests and whatever else may be of a collection
	collections set[string] // collections that short names are looked up in
	read        set[string] // code that was looked at
}

// codeDir is a directory of code of one kind: library, module_utils,
// filter_plugins.
type codeDir struct{ kind, dir string }

func (p *plugins) dir(kind, dir string)   { p.dirs.add(codeDir{kind, dir}) }
func (p *plugins) module(name string)     { p.modules.add(name); p.use(name) }
func (p *plugins) anyModule()             { p.any = true }
func (p *plugins) lookup(name string)     { p.lookups.add(name); p.use(name) }
func (p *plugins) use(name string)        { p.named.add(name) }
func (p *plugins) collection(name string) { p.collections.add(name) }

// rest is that of layered maps.
func (p *plugins) rest() {
	for _, m := range []interface{ rest() }{&p.dirs, &p.modules, &p.lookups, &p.named, &p.collections, &p.read} {
		m.rest()
	}
}

// codeDirs are the directories beside a playbook, or in a role, that hold code.
var codeDirs = []string{
	"library", "module_utils", "action_plugins", "become_plugins", "cache_plugins", "callback_plugins", "cliconf_plugins",
	"connection_plugins", "doc_fragments_plugins", "filter_plugins", "httpapi_plugins", "inventory_plugins",
	"lookup_plugins", "netconf_plugins", "shell_plugins", "strategy_plugins", "terminal_plugins", "test_plugins",
	"vars_plugins",
}

func (w *walk) besidePlaybook(dir string) { w.codeIn(dir) }
func (w *walk) besideRole(dir string)     { w.codeIn(dir) }

func (w *walk) codeIn(dir string) {
	if w.lacks(dir, true, place{}) {
		return
	}
	for _, kind := range codeDirs {
		if sub := path.Join(dir, kind); w.files.Kind(sub) == tree.Directory {
			w.plugins.dir(kind, sub)
			w.changes++
		}
	}
}

// reachPlugins counts the code that may run: a module that a task uses or that
// Ansible's own actions call, and plugins of every other kind.
func (w *walk) reachPlugins() {
	w.reachCollections()
	inOrder := func(a, b codeDir) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.dir, b.dir)) }
	for _, d := range slices.SortedFunc(w.plugins.dirs.keys(), inOrder) {
		for _, file := range w.treeOrFile(d.dir) {
			if base := path.Base(file); strings.HasSuffix(base, ".pyc") || path.Base(path.Dir(file)) == "__pycache__" {
				continue
			}
			w.code(d.kind, file)
		}
	}
}

func (w *walk) treeOrFile(name string) []string {
	if w.files.Kind(name) == tree.Directory {
		return w.below(name)
	}
	return []string{name}
}

// code counts a file of code, if it may run.
func (w *walk) code(kind, file string) {
	name := strings.TrimSuffix(path.Base(file), path.Ext(file))
	used := true
	switch kind {
	case "library", "modules":
		used = w.plugins.any || internal[name] || w.plugins.modules.has(name) || w.plugins.hasSuffix(name)
	case "action_plugins", "action":
		used = w.plugins.any || internal[name] || w.plugins.modules.has(name) || w.plugins.hasSuffix(name)
	case "lookup_plugins", "lookup":
		used = w.plugins.lookups.has(name) || w.plugins.lookups.has("") || w.plugins.hasSuffix(name)
	}
	if !used || !w.plugins.read.add(file) {
		return
	}
	w.changes++
	at := place{file: file, line: 1}
	w.whole(file, "code", place{})
	text, err := w.files.Text(file)
	if err != nil {
		return
	}
	w.codeReads(kind, string(text), at)
	for _, line := range bytes.Split(text, []byte("\n")) {
		if _, rest, ok := bytes.Cut(line, []byte("ansible_collections.")); ok { // an import
			w.plugins.use(string(rest))
		}
	}
}

// codeReads widens to what code may read that runs on the machine that builds.
func (w *walk) codeReads(kind, text string, at place) {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
	}
	switch kind {
	case "library", "modules":
		if says("ansible_facts") { // it may give any variable a value
			w.opaque = true
		}
		return
	case "module_utils", "doc_fragments_plugins":
		return
	case "action_plugins", "action":
		w.opaque = w.opaque || says("ansible_facts")
		w.plugins.any = w.plugins.any || says("_execute_module")
		w.anyVariable("an action plugin of the project may read any variable", at)
	case "lookup_plugins", "lookup", "vars_plugins", "vars", "strategy_plugins", "strategy", "inventory_plugins", "inventory":
		w.opaque = w.opaque || !strings.HasPrefix(kind, "lookup")
		w.anyVariable("a plugin of the project may read any variable", at)
	default:
		if says("pass_context", "contextfilter", "pass_environment", "environmentfilter", "task_vars", "variables", "hostvars") {
			w.anyVariable("a plugin of the project may read any variable", at)
		}
	}
	if says("open(", "_loader", "loader.", "find_needle", "find_file", "os.path", "pathlib", "glob", "subprocess") {
		w.everything("a plugin of the project may read any file", at)
	}
}

// hasSuffix reports whether a used name ends in .name: that of a collection.
func (p *plugins) hasSuffix(name string) bool {
	for used := range p.named.keys() {
		if strings.HasSuffix(used, "."+name) {
			return true
		}
	}
	return false
}

// internal are the modules that Ansible's own actions call without being told.
var internal = setOf(
	"apt", "assemble", "async_status", "async_wrapper", "command", "copy", "dnf", "dnf5", "file", "find", "gather_facts", "package",
	"service", "setup", "shell", "slurp", "stat", "systemd", "systemd_service", "sysvinit", "tempfile", "template",
	"unarchive", "yum", "zypper",
)
