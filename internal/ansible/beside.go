package ansible

import (
	"path"
	"slices"
	"strings"
)

// Beside a playbook lie directories of modules and plugins, which count as a
// whole; directories that Ansible searches for the files that tasks name; and
// what may be anything. The latter two are loose: a file counts only where
// something that counts mentions it or computes a name that could be its.

// loose is a file or directory beside a playbook that does not count yet.
type loose struct {
	name   string
	starts []string // where paths that lead to it may start: the playbook's directory, files/ in it
	said   []string // it counts where one of these names is mentioned
}

// code reports whether a directory beside a playbook holds what Ansible runs.
func code(name string) bool {
	return name == "library" || name == "module_utils" || strings.HasSuffix(name, "_plugins")
}

// searched reports whether Ansible looks in a directory of this name beside a
// playbook for the files that tasks name.
func searched(name string) bool {
	switch name {
	case "files", "templates", "tasks", "handlers", "vars", "defaults", "meta":
		return true
	}
	return false
}

// surroundings counts code in a playbook's directory and notes what is loose.
func (w *walk) surroundings(dir string) {
	for _, e := range w.entries(dir) {
		base := e.Name()
		name := path.Join(dir, base)
		switch {
		case strings.HasPrefix(base, "."):
		case code(base):
			w.whole(name, "beside the playbook")
		case base == "roles" || base == "collections" || base == "group_vars" || base == "host_vars" || base == "ansible_collections":
			// reached by name, or by group
		case w.holdsKnown(name):
		case searched(base) && w.kind(name) == directory:
			for _, f := range w.tree(name) {
				said := strings.Split(strings.TrimPrefix(f, name+"/"), "/")
				w.loose = append(w.loose, loose{f, []string{dir, name}, append(said, base)})
			}
		default:
			w.loose = append(w.loose, loose{name, []string{dir}, []string{base}})
		}
	}
}

// holdsKnown reports whether an entry is, or has in it, a directory that is
// searched by name: roles, collections, the inventory.
func (w *walk) holdsKnown(name string) bool {
	known := append([]string{w.q.Inventory}, w.q.RolesPath...)
	known = append(append(append(known, w.q.Collections...), w.cfg.roles...), w.cfg.collections...)
	for _, k := range known {
		if k != "" && k != "." && within(k, name) {
			return true
		}
	}
	return false
}

// besides counts what is loose and reached.
func (w *walk) besides() {
	w.loose = slices.DeleteFunc(w.loose, func(l loose) bool {
		why := w.reaches(l)
		if why != "" {
			w.whole(l.name, why)
		}
		return why != ""
	})
}

// reaches says why something loose counts, or "".
func (w *walk) reaches(l loose) string {
	isPlaybook := w.isPlaybook(l.name)
	if w.wide.beside != "" && !isPlaybook {
		return w.wide.beside
	}
	for _, name := range l.said {
		for _, t := range w.looked {
			if w.mentionedIn(t, name) {
				return name + " is mentioned"
			}
		}
	}
	if isPlaybook {
		return ""
	}
	for _, at := range w.named {
		could := w.pattern(at.name)
		for _, f := range w.treeOrFile(l.name) {
			for _, start := range l.starts {
				if could.MatchString(strings.TrimPrefix(f, start+"/")) {
					return "could be what " + at.String() + " computes"
				}
			}
		}
	}
	return ""
}

// isPlaybook reports whether a file has plays, so that no task can read it as
// tasks or variables.
func (w *walk) isPlaybook(name string) bool {
	if ext := path.Ext(name); ext != ".yml" && ext != ".yaml" || w.kind(name) != file {
		return false
	}
	t := w.text(name)
	return t != nil && !t.binary && !t.vaulted && w.tasks(name).playbook
}

func (p *Project) treeOrFile(name string) []string {
	if p.kind(name) == directory {
		return p.tree(name)
	}
	return []string{name}
}

// anchor counts what a path means that is written in the file name, and that
// starts at a known directory or leaves the searched ones.
func (w *walk) anchor(name, word string) {
	if _, value, ok := strings.Cut(word, "="); ok && !strings.HasPrefix(word, "{") {
		word = value // src=../x
	}
	word = strings.TrimRight(word, ".:")
	if strings.HasPrefix(word, "/") || strings.Contains(word, "://") {
		return // a path of the machine, or of the image
	}
	bases := w.bases(name)
	if strings.HasPrefix(word, "{{") {
		end := strings.Index(word, "}}")
		if end < 0 {
			w.everything(name, word)
			return
		}
		inside, rest := strings.TrimSpace(word[2:end]), word[end+2:]
		switch inside {
		case "playbook_dir":
			bases = w.dirs
		case "inventory_dir":
			bases = []string{w.inventoryDir()}
		case "role_path":
			bases = nil
			if role := w.roleOf(name); role != "" {
				bases = []string{role}
			} else if strings.Contains(rest, "..") {
				w.everything(name, word)
			}
		default:
			w.inner(name, word, inside, rest)
			return
		}
		word = strings.TrimLeft(rest, "/")
	} else if isDirectoryVariable(word) {
		w.everything(name, word)
		return
	}
	for _, base := range bases {
		w.literal(base, word, name)
	}
}

// inner handles a path that begins with an expression other than a directory.
func (w *walk) inner(name, word, inside, rest string) {
	if strings.Contains(rest, "../") {
		w.everything(name, word)
		return
	}
	for _, part := range words(inside + " " + rest) {
		if isDirectoryVariable(part) || strings.Contains(part, "../") || strings.Contains(part, "roles/") {
			w.anchor(name, part)
		}
	}
}

// isDirectoryVariable reports whether a word has a variable in it that holds a
// directory of the project.
func isDirectoryVariable(word string) bool {
	for _, v := range []string{"playbook_dir", "inventory_dir", "role_path", "inventory_file", "ansible_config_file"} {
		if strings.Contains(word, v) {
			return true
		}
	}
	return false
}

func (w *walk) everything(name, word string) {
	w.widen(&w.wide.project, w.display(name)+" starts a path at "+word)
}

// literal counts what a path below base names. From its first expression or
// wildcard on it could name anything, so the directory before that counts.
func (w *walk) literal(base, word, from string) {
	if i := strings.IndexAny(word, "{*?"); i >= 0 {
		if strings.Contains(word[i:], "../") {
			w.everything(from, word)
			return
		}
		word = word[:strings.LastIndex(word[:i], "/")+1]
	}
	name := path.Join(base, word)
	switch {
	case name == "..", strings.HasPrefix(name, "../"), strings.HasPrefix(name, "/"):
		return // outside of the project
	case name == ".":
		w.everything(from, word)
	default:
		w.whole(name, "named in "+w.display(from))
	}
}

// bases are the directories that a relative path in a file may start at.
func (w *walk) bases(name string) []string {
	var bases []string
	if name != "" {
		bases = append(bases, path.Dir(name))
	}
	dirs := w.dirs
	if role := w.roleOf(name); role != "" {
		dirs = append([]string{role}, dirs...)
	}
	for _, dir := range dirs {
		bases = append(bases, dir)
		for _, sub := range []string{"files", "templates", "tasks", "vars", "handlers"} {
			bases = append(bases, path.Join(dir, sub))
		}
	}
	return bases
}
