package ansible

import (
	"path"
	"slices"
	"strings"
)

// findRoles reaches the roles that were named.
func (w *walk) findRoles() {
	for len(w.wanted) > 0 {
		at := w.wanted[0]
		w.wanted = w.wanted[1:]
		w.role(at, nil)
	}
}

// role reaches the roles that a name may mean; stack holds the roles that
// depend on it, the outermost first.
func (w *walk) role(at ref, stack []string) {
	if computes(at.name) {
		could := w.pattern(at.name)
		for _, dir := range w.rolesDirs(stack) {
			for _, name := range w.subdirectories(dir) {
				if could.MatchString(name) && w.looksLikeRole(path.Join(dir, name)) {
					w.reach(path.Join(dir, name), name, at, stack)
				}
			}
		}
		return
	}
	found := false
	for _, name := range w.search(at.name, stack) {
		found = true
		w.reach(name, at.name, at, stack)
	}
	if found || at.optional || fqcn(at.name) || w.inCollection() {
		return
	}
	places := slices.DeleteFunc(w.rolesDirs(stack), func(dir string) bool { return w.kind(dir) != directory })
	f := w.fault(at, "the role %q is not in the project", at.name)
	switch {
	case len(w.cfg.outside) > 0:
		f.WithHint("looked in %s; %s of %s lies outside of the project's directory, where changes cannot be seen: put the role below it",
			strings.Join(places, ", "), strings.Join(w.cfg.outside, ", "), w.cfg.file)
	case len(places) > 0:
		f.WithHint("looked in %s; name further directories with roles_path", strings.Join(places, ", "))
	default:
		f.WithHint("put roles in roles/ beside the playbook, or name their directory with roles_path")
	}
	w.faults = append(w.faults, f)
}

// rolesDirs lists every directory that a role may be found in.
func (w *walk) rolesDirs(stack []string) []string {
	var dirs []string
	for _, dir := range w.dirs {
		dirs = append(dirs, path.Join(dir, "roles"))
	}
	dirs = append(append(dirs, w.q.RolesPath...), w.cfg.roles...)
	for _, role := range stack {
		dirs = append(dirs, path.Dir(role))
	}
	for role := range w.roles {
		dirs = append(dirs, path.Dir(role))
	}
	dirs = append(dirs, w.dirs...)
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// search finds the directory of a role as each playbook sees it: the first of
// roles/ beside it, the roles paths, the directory of the role that depends on
// it, the playbook's own directory.
func (w *walk) search(name string, stack []string) []string {
	var found []string
	if name == "" || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~") {
		return nil // the machine's, if anything
	}
	for _, dir := range w.dirs {
		places := append([]string{path.Join(dir, "roles")}, w.q.RolesPath...)
		places = append(places, w.cfg.roles...)
		if len(stack) > 0 {
			places = append(places, path.Dir(stack[len(stack)-1]))
		}
		for role := range w.roles { // a role that includes another finds it beside itself
			if w.kind(path.Join(path.Dir(role), name)) == directory && !slices.Contains(places, path.Dir(role)) {
				found = append(found, path.Join(path.Dir(role), name))
			}
		}
		places = append(places, dir, ".")
		for _, place := range places {
			if role := path.Join(place, name); !strings.HasPrefix(role, "..") && role != "." && w.kind(role) == directory {
				found = append(found, role)
				break
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// looksLikeRole reports whether a directory has one of a role's own in it.
func (p *Project) looksLikeRole(dir string) bool {
	for _, sub := range []string{"tasks", "handlers", "defaults", "vars", "meta", "files", "templates", "library"} {
		if p.kind(path.Join(dir, sub)) == directory {
			return true
		}
	}
	return false
}

// reach counts a role and what it depends on.
func (w *walk) reach(dir, name string, at ref, stack []string) {
	if i := slices.Index(stack, dir); i >= 0 {
		circle := ""
		for _, role := range stack[i:] {
			circle += path.Base(role) + " -> "
		}
		w.faults = append(w.faults, w.fault(at, "the roles depend on each other in a circle: %s", circle+path.Base(dir)).
			WithHint("take one of them out of the dependencies in meta/main.yml"))
		return
	}
	if w.roles[dir] {
		return
	}
	w.whole(dir, "role "+name)
	m := w.meta(dir)
	if m.err != nil {
		w.faults = append(w.faults, m.err)
	}
	w.short = append(w.short, m.collections...)
	for _, d := range m.dependencies {
		w.role(d, append(slices.Clip(stack), dir))
	}
	// Only now: on the way down a role in a circle must be met again.
	w.roles[dir] = true
}

// roleOf returns the directory of the reached role that a file belongs to, or "".
func (w *walk) roleOf(name string) string {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if w.roles[dir] {
			return dir
		}
	}
	return ""
}

// fqcn reports whether a name is that of something in a collection: a.b.c.
func fqcn(name string) bool {
	if strings.Count(name, ".") < 2 || strings.Contains(name, "..") {
		return false
	}
	wordy := func(c rune) bool {
		return c == '.' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	return strings.IndexFunc(name, func(c rune) bool { return !wordy(c) }) < 0
}

// inCollection reports whether a short name may be found in a collection:
// either one of the machine's, or one of the project's that counts anyway.
func (w *walk) inCollection() bool { return len(w.short) > 0 }

// collections counts the project's collections that something mentions, or that
// Ansible turns old short names of modules into.
func (w *walk) collections() {
	for _, dir := range w.collectionDirs() {
		for _, namespace := range w.subdirectories(dir) {
			for _, name := range w.subdirectories(path.Join(dir, namespace)) {
				full := namespace + "." + name
				if why := w.usesCollection(namespace, full); why != "" {
					w.whole(path.Join(dir, namespace, name), why)
				}
			}
		}
	}
}

func (w *walk) usesCollection(namespace, full string) string {
	if redirected(namespace) {
		return "collection " + full + ", which short names may mean"
	}
	for _, t := range w.looked {
		if w.mentionedIn(t, full) {
			return "collection " + full
		}
	}
	return ""
}

// collectionDirs lists the directories ansible_collections of the project.
func (w *walk) collectionDirs() []string {
	var dirs []string
	add := func(dir string) {
		for _, d := range []string{path.Join(dir, "ansible_collections"), dir} {
			if path.Base(d) == "ansible_collections" && w.kind(d) == directory && !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	for _, dir := range append(slices.Clone(w.q.Collections), w.cfg.collections...) {
		add(dir)
	}
	for _, dir := range w.dirs {
		add(path.Join(dir, "collections"))
	}
	return dirs
}

// redirected reports whether ansible-core's routing of short names
// (config/ansible_builtin_runtime.yml, ansible-core 2.14) leads to collections
// of a namespace.
func redirected(namespace string) bool {
	switch namespace {
	case "amazon", "ansible", "arista", "awx", "azure", "check_point", "chocolatey", "cisco", "cloudscale_ch",
		"community", "containers", "cyberark", "dellemc", "f5networks", "fortinet", "frr", "gluster", "google",
		"hetzner", "ibm", "infinidat", "junipernetworks", "kubernetes", "mellanox", "netapp",
		"netapp_eseries", "netbox", "ngine_io", "openstack", "openvswitch", "ovirt", "purestorage",
		"servicenow", "splunk", "theforeman", "vmware", "vyos", "wti":
		return true
	}
	return false
}
