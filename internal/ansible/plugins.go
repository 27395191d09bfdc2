package ansible

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// plugins is the project's own code: modules, and plugins of Ansible.
type plugins struct {
	dirs        map[string]map[string]bool // directories by kind: library, module_utils, filter_plugins
	modules     map[string]bool            // used modules
	any         bool                       // any module may be used
	lookups     map[string]bool
	named       map[string]bool // filters, tests and whatever else may be of a collection
	collections map[string]bool // collections that short names are looked up in
	read        map[string]bool // code that was looked at
}

func newPlugins() plugins {
	return plugins{dirs: map[string]map[string]bool{}, modules: map[string]bool{}, lookups: map[string]bool{},
		named: map[string]bool{}, collections: map[string]bool{}, read: map[string]bool{}}
}

func (p *plugins) dir(kind, dir string) {
	if p.dirs[kind] == nil {
		p.dirs[kind] = map[string]bool{}
	}
	p.dirs[kind][dir] = true
}

func (p *plugins) module(name string)     { p.modules[name] = true; p.use(name) }
func (p *plugins) anyModule()             { p.any = true }
func (p *plugins) lookup(name string)     { p.lookups[name] = true; p.use(name) }
func (p *plugins) use(name string)        { p.named[name] = true }
func (p *plugins) collection(name string) { p.collections[name] = true }

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
	for _, kind := range slices.Sorted(maps.Keys(w.plugins.dirs)) {
		for _, dir := range slices.Sorted(maps.Keys(w.plugins.dirs[kind])) {
			for _, file := range w.treeOrFile(dir) {
				if base := path.Base(file); strings.HasSuffix(base, ".pyc") || path.Base(path.Dir(file)) == "__pycache__" {
					continue
				}
				w.code(kind, file)
			}
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
		used = w.plugins.any || internal[name] || w.plugins.modules[name] || w.plugins.hasSuffix(name)
	case "action_plugins", "action":
		used = w.plugins.any || internal[name] || w.plugins.modules[name] || w.plugins.hasSuffix(name)
	case "lookup_plugins", "lookup":
		used = w.plugins.lookups[name] || w.plugins.lookups[""] || w.plugins.hasSuffix(name)
	}
	if !used || w.plugins.read[file] {
		return
	}
	w.plugins.read[file] = true
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
	for used := range p.named {
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
