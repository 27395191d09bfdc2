package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// collectionDirs lists the directories ansible_collections of the project.
func (w *walk) collectionDirs() []string {
	var dirs []string
	add := func(dir string) {
		for _, d := range []string{path.Join(dir, "ansible_collections"), dir} {
			if w.lacks(d, true, place{}) {
				continue
			}
			if path.Base(d) == "ansible_collections" && w.files.Kind(d) == tree.Directory && !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	for _, dir := range slices.Concat(w.q.Collections, w.cfg.collections, []string{Galaxy + "/collections"}) {
		add(dir)
	}
	for _, dir := range w.dirs {
		add(path.Join(dir, "collections"))
	}
	return dirs
}

// reachCollections counts the code of the project's collections that something
// names, or that Ansible turns old short names of modules into.
func (w *walk) reachCollections() {
	for _, dir := range w.collectionDirs() {
		for _, namespace := range w.files.Names(dir) {
			if w.lacks(path.Join(dir, namespace), true, place{}) {
				continue
			}
			for _, name := range w.files.Names(path.Join(dir, namespace)) {
				if w.usesCollection(namespace, namespace+"."+name) {
					w.collection(path.Join(dir, namespace, name))
				}
			}
		}
	}
}

func (w *walk) usesCollection(namespace, full string) bool {
	if redirected(namespace) || w.plugins.collections.has(full) || w.plugins.lookups.has("") || w.plugins.any {
		return true
	}
	for used := range w.plugins.named.keys() {
		if strings.HasPrefix(used, full+".") {
			return true
		}
	}
	return false
}

// collection makes the plugins of a collection known, and counts what they need.
func (w *walk) collection(dir string) {
	if w.lacks(dir, false, place{}) { // its modules run on the node, as do those of the machine's collections
		return
	}
	for _, file := range []string{"meta/runtime.yml", "galaxy.yml", "MANIFEST.json"} {
		w.whole(path.Join(dir, file), "collection", place{})
	}
	for _, kind := range w.files.Names(path.Join(dir, "plugins")) {
		if sub := path.Join(dir, "plugins", kind); w.files.Kind(sub) == tree.Directory {
			w.plugins.dir(kind, sub)
		}
	}
}

// collectionRole reaches a role of one of the project's collections.
func (w *walk) collectionRole(name string, r *request) bool {
	parts := strings.SplitN(name, ".", 3)
	if len(parts) < 3 {
		return false
	}
	w.plugins.use(name)
	for _, dir := range w.collectionDirs() {
		role := path.Join(dir, parts[0], parts[1], "roles", strings.ReplaceAll(parts[2], ".", "/"))
		if w.lacks(role, true, r.owner.at(r.line)) {
			return true
		}
		if w.files.Kind(role) == tree.Directory {
			w.plugins.collection(parts[0] + "." + parts[1])
			w.enterRole(role, r)
			return true
		}
	}
	return false
}

// collectionPlaybook follows a playbook of one of the project's collections; one
// of the machine's is no part of the project.
func (w *walk) collectionPlaybook(name string, at place, sure certainty) bool {
	parts := strings.SplitN(name, ".", 3)
	for _, dir := range w.collectionDirs() {
		for _, ext := range []string{".yml", ".yaml"} {
			file := path.Join(dir, parts[0], parts[1], "playbooks", strings.ReplaceAll(parts[2], ".", "/")+ext)
			if w.lacks(file, true, at) || w.files.Kind(file) == tree.File {
				w.playbook(file, at, sure)
			}
		}
	}
	return true
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
