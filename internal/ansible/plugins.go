package ansible

import (
	"bytes"
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/python"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/layer"
)

// plugins is the project's own code: modules, and plugins of Ansible.
type plugins struct {
	dirs        set[codeDir]
	modules     set[string] // used modules
	any         bool        // any module may be used
	lookups     set[string]
	named       set[string]                      // filters, tests and whatever else may be of a collection
	collections set[string]                      // collections that short names are looked up in
	read        set[string]                      // code that was looked at
	actions     set[string]                      // modules that action plugins of the project run of which nothing is known
	bounded     layered[string, []python.Action] // those of which it is known what they read, by name
	helped      set[string]                      // plugins that use module_utils
	openers     set[string]                      // files of module_utils that open files
	notifies    bool                             // an action plugin may notify handlers
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
	for _, m := range []interface{ rest() }{&p.dirs, &p.modules, &p.lookups, &p.named, &p.collections, &p.read, &p.actions, &p.bounded, &p.helped, &p.openers} {
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
	w.whole(file, "code", place{})
	text, err := w.files.Text(file)
	if strings.HasPrefix(kind, "action") {
		w.action(name, file, string(text))
	}
	if err != nil {
		return
	}
	w.codeReads(kind, string(text), place{file: file, line: 1})
	for _, line := range bytes.Split(text, []byte("\n")) {
		if _, rest, ok := bytes.Cut(line, []byte("ansible_collections.")); ok { // an import
			w.plugins.use(string(rest))
		}
	}
}

// opens are signs that code looks at files by itself.
var opens = regexp.MustCompile(`\b(open|exec|eval|__import__)\(|_loader\b|\bloader\.|find_needle|find_file|path_dwim|\bos\.(listdir|walk|scandir|stat|lstat|popen|system|exec|spawn|readlink|access)|path\.(exists|lexists|isfile|isdir|islink|getsize|getmtime|realpath|samefile)|pathlib|\bPath\(|\bglob\b|subprocess|run_command|importlib|\bimp\.|shutil|fileinput|linecache|read_csv|from_file`)

// codeReads widens to what code may read that runs on the machine that builds.
func (w *walk) codeReads(kind, text string, at place) {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
	}
	switch kind = strings.TrimSuffix(kind, "_plugins"); kind {
	case "library", "modules":
		if says("ansible_facts") { // it may give any variable a value
			w.opaque = true
		}
		return
	case "doc_fragments", "connection", "become", "shell", "cliconf", "httpapi", "netconf", "terminal":
		return // nothing but a connection has a use for them, and an image's is Strata's own
	case "callback", "cache":
		return // they are told what happens
	case "module_utils":
		if opens.MatchString(text) {
			w.plugins.openers.add(at.file)
		}
		w.helped()
		return
	case "inventory":
		if len(w.inv.Opaque) == 0 {
			return // its source was read, as Ansible's own plugins read it
		}
		w.opaque = true
		w.anyVariable("a plugin of the project may read any variable", at)
	case "action":
		w.opaque = w.opaque || says("ansible_facts")
		w.plugins.any = w.plugins.any || says("_execute_module")
		if a, ok := w.reading(at.file, text); ok {
			for _, name := range a.Variables {
				w.variable(name, at)
			}
			if a.Any {
				w.anyVariable("an action plugin of the project may read any variable", at)
			}
			return
		}
		w.anyVariable("an action plugin of the project may read any variable", at)
	case "lookup", "vars", "strategy":
		w.opaque = w.opaque || kind != "lookup"
		w.anyVariable("a plugin of the project may read any variable", at)
	default:
		if says("pass_context", "contextfilter", "pass_environment", "environmentfilter", "task_vars", "variables", "hostvars") {
			w.anyVariable("a plugin of the project may read any variable", at)
		}
	}
	if l, ok := w.saidOf(at.file); ok {
		w.reads(l.Reads, at)
		return
	}
	if says("module_utils") && w.plugins.helped.add(at.file) {
		w.helped()
	}
	if opens.MatchString(text) {
		w.everything("a plugin of the project may read any file", at)
	}
}

// helped widens for plugins that use code of the project which opens files.
func (w *walk) helped() {
	for file := range w.plugins.helped.keys() {
		for opener := range w.plugins.openers.keys() {
			w.everything("a plugin of the project may read any file by "+opener, place{file: file, line: 1})
			return
		}
	}
}

// saidOf is what is declared of a plugin.
func (w *walk) saidOf(file string) (layer.Local, bool) {
	for _, l := range w.q.Local {
		if l.Plugin != "" && w.real(l.Plugin) == w.real(file) {
			w.used.add(l.String())
			return l, true
		}
	}
	return layer.Local{}, false
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
