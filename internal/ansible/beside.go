package ansible

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Beside a playbook lie directories that Ansible searches by itself, which
// count as a whole, and what may be anything: the loose entries, which count
// only where something that counts mentions them or computes a name that could
// be theirs.

// searched reports whether Ansible searches a directory of this name beside a
// playbook without being told.
func searched(name string) bool {
	switch name {
	case "files", "templates", "tasks", "handlers", "vars", "defaults", "meta", "library", "module_utils":
		return true
	}
	return strings.HasSuffix(name, "_plugins")
}

// surroundings counts what Ansible searches in a playbook's directory and notes
// the loose entries.
func (w *walk) surroundings(dir string) {
	for _, e := range w.entries(dir) {
		base := e.Name()
		name := path.Join(dir, base)
		switch {
		case strings.HasPrefix(base, "."):
		case searched(base):
			w.whole(name, "beside the playbook")
		case base == "roles" || base == "collections" || base == "group_vars" || base == "host_vars" || base == "ansible_collections":
			// reached by name, or by group
		case w.holdsKnown(name):
		default:
			w.loose[name] = dir
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

// besides counts the loose entries that something reaches.
func (w *walk) besides() {
	for _, name := range slices.Sorted(maps.Keys(w.loose)) {
		if why := w.reaches(name, w.loose[name]); why != "" {
			delete(w.loose, name)
			w.whole(name, why)
		}
	}
}

// reaches says why a loose entry counts, or "".
func (w *walk) reaches(name, dir string) string {
	isPlaybook := w.isPlaybook(name)
	if w.wide.beside != "" && !isPlaybook {
		return w.wide.beside
	}
	base := path.Base(name)
	for _, t := range w.looked {
		if w.mentionedIn(t, base) {
			return "mentioned by name"
		}
	}
	if isPlaybook {
		return ""
	}
	for _, at := range w.named {
		could := w.pattern(at.name)
		for _, f := range w.treeOrFile(name) {
			below := strings.TrimPrefix(f, dir+"/")
			if could.MatchString(below) {
				return "could be what " + at.String() + " computes"
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
