package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// Facts are what Ansible finds out about a node. Of some it is known beforehand
// (Query.Facts), of others at least that they are a word.

// wordFacts are facts that have no slash, by their names without "ansible_".
var wordFacts = setOf("architecture", "distribution", "distribution_file_variety", "distribution_major_version", "domain", "fqdn", "hostname",
	"kernel", "machine", "nodename", "os_family", "pkg_mgr", "processor_count", "processor_vcpus", "python_version", "service_mgr", "system",
	"userspace_architecture", "userspace_bits", "virtualization_role", "virtualization_type")

// ofDistribution are words if it is known which distribution it is: of one that is
// being tested, Debian's name for it has a slash.
var ofDistribution = setOf("distribution_release", "distribution_version")

// makesFacts notes the names that a module gives values as facts.
func (w *walk) makesFacts(t *task) {
	database := t.args.At("database").Text
	begin := factsBegin[t.module[strings.LastIndexByte(t.module, '.')+1:]]
	switch {
	case t.module == "package_facts":
		w.getsAny("packages")
	case t.module == "service_facts":
		w.getsAny("services")
	case t.module == "mount_facts":
		w.getsAny("mount_points")
		w.getsAny("aggregate_mounts")
	case t.module == "getent" && database != "" && !computes(database):
		w.getsAny("getent_" + database)
	case begin != "":
		w.getsAnyLike(begin + unknownText)
	case t.module == "gather_facts", !strings.HasSuffix(t.module, "_facts") && t.module != "getent", w.facts, w.onlyNamedFacts(t.module):
	default:
		w.facts = true // names that nobody knows
		w.otherFacts = w.otherFacts || t.module != "getent"
		w.changes++
	}
}

// factsBegin are modules whose facts' names all begin with something.
var factsBegin = map[string]string{"ec2_metadata_facts": "ansible_ec2_", "zfs_facts": "ansible_zfs_", "zpool_facts": "ansible_zfs_"}

// onlyNamedFacts reports whether a module is the project's own and no maker of facts,
// whatever it is called: what a module returns as facts is called ansible_facts, in it or
// in what it imports. A further module of its name is read like any when it comes up.
func (w *walk) onlyNamedFacts(module string) bool {
	own := false
	for d := range w.plugins.dirs.keys() {
		switch d.kind {
		case "library", "modules":
			file := path.Join(d.dir, module+".py")
			if w.files.Kind(file) != tree.File {
				continue
			}
			if own = true; w.mentions(file, "ansible_facts") {
				return false
			}
		case "module_utils":
			if slices.ContainsFunc(w.treeOrFile(d.dir), func(file string) bool {
				return path.Ext(file) == ".py" && w.mentions(file, "ansible_facts")
			}) {
				return false
			}
		}
	}
	return own
}

// factOf is the name of a fact, if what lies at a path in a variable is one:
// ansible_os_family, ansible_facts.os_family.
func factOf(name string, at []string) (string, bool) {
	switch {
	case name == "ansible_facts" && len(at) == 1:
		return strings.TrimPrefix(at[0], "ansible_"), true
	case len(at) == 0:
		return strings.CutPrefix(name, "ansible_")
	}
	return "", false
}

// factIsKnown reports whether something is known of a fact.
func (w *walk) factIsKnown(name string) bool {
	_, ok := w.q.Facts[name]
	return ok || wordFacts[name] || len(w.q.Facts) > 0 && ofDistribution[name]
}

// fact is what a fact can be.
func (w *walk) fact(name string) []outcome {
	known, ok := w.q.Facts[name]
	switch {
	case ok && !w.facts:
		return []outcome{textOutcome(known)}
	case w.factIsKnown(name):
		return []outcome{textOutcome(wordText)}
	}
	return unknownOutcome()
}

// lsb is what lies at a path in what lsb_release says, or /etc/lsb-release, where there is
// one of them: nil if that is not known.
func (w *walk) lsb(name string, at []string) []outcome {
	of := w.q.Facts["distribution"]
	if name == "ansible_facts" && len(at) == 2 && strings.TrimPrefix(at[0], "ansible_") == "lsb" {
		name, at = "ansible_lsb", at[1:]
	}
	if name != "ansible_lsb" || len(at) != 1 || w.facts || of == "" || w.locals.has("lsb") {
		return nil
	}
	switch at[0] {
	case "id":
		return []outcome{textOutcome(of)}
	case "description":
		return []outcome{textOutcome(of + " " + unknownText)}
	}
	return nil
}

// elsewhere notes that something runs that lies outside of the project: nobody knows
// what it notifies, and which variables it defines.
func (w *walk) elsewhere() {
	w.notify(&notify{any: true})
	w.undefines()
}

// undefines notes that a variable that nothing in the project defines may have a
// value all the same.
func (w *walk) undefines() {
	if !w.outside {
		w.outside = true
		w.changes++
	}
}

// reserved reports whether a variable that nothing in the project gives a value
// may have one all the same: Ansible's own, and facts.
func reserved(name string) bool {
	switch name {
	case "environment", "group_names", "groups", "hostvars", "inventory_file", "inventory_hostname_short", "item", "module_setup",
		"omit", "play_hosts", "role_name", "role_names", "role_uuid", "template_destpath", "template_fullpath", "template_host",
		"template_mtime", "template_path", "template_run_date", "template_uid", "vars":
		return true
	}
	for _, prefix := range []string{"ansible_", "facter_", "ohai_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
