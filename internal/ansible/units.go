package ansible

import (
	"path"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// A unit counts by what it is pinned to. What is only copied from it is known by that;
// what runs there may use everything else.

// lacks reports whether a name is in a unit, which then counts; with follow it is to be
// followed, which nobody can.
func (w *walk) lacks(name string, follow bool, at place) bool {
	u, ok := w.files.Unit(name)
	if ok {
		w.lacking(u, follow, at)
	}
	return ok
}

// Galaxy is the directory in which a project's files have the roles and collections that it requires from
// elsewhere: roles/NAME, collections/ansible_collections/NAMESPACE/NAME. On the machine that builds, Ansible looks for
// them last.
const Galaxy = "@galaxy"

func (w *walk) lacking(u tree.Unit, follow bool, at place) {
	name, said, hint := inWords(u)
	w.count(u.Place, asWhole, sum("pinned", u.Pin), "pinned", at)
	if follow || !within(u.Place, Galaxy) { // of those there may be many
		w.warn(Warning{File: u.Place, Message: said, Hint: hint})
	}
	if !follow {
		return
	}
	if !within(u.Place, Galaxy) {
		w.warn(Warning{File: at.file, Line: at.line, Message: "what is used of " + name + " is not here, and may read anything", Hint: hint})
	}
	w.without.add(name)
	w.unknowable(place{file: u.Place, note: "it is not here, and may read anything"})
}

// inWords is what a unit is called, what is said of it, and how to get it.
func inWords(u tree.Unit) (name, said, hint string) {
	rest, elsewhere := strings.CutPrefix(u.Place, Galaxy+"/")
	if !elsewhere {
		return u.Place, "the submodule was not fetched: it counts as a whole, by its commit " + u.Pin[:min(7, len(u.Pin))],
			"git submodule update --init --recursive -- " + u.Place
	}
	name = "role " + path.Base(rest)
	if !strings.HasPrefix(rest, "roles/") {
		name = "collection " + path.Base(path.Dir(rest)) + "." + path.Base(rest)
	}
	version, _, _ := strings.Cut(u.Pin, " ")
	return name, name + " is not in the cache: it counts by its version " + version + ", and with all that it may read", "strata lock gets it, and so does a build"
}

// unknowable makes everything count: something runs of which nobody knows what it reads, sets and notifies.
func (w *walk) unknowable(at place) {
	why := at.note
	at.note = ""
	if !w.opaque {
		w.opaque = true
		w.changes++
	}
	w.notify(&notify{any: true})
	w.plugins.anyModule()
	w.everything(why, at)
}

// followed reports whether what is wanted is read for what it says.
func (k want) followed() bool { return k != wantFile && k != wantGlob && k != wantWords }

// mayLieIn reports whether a pattern may mean something below a directory.
func mayLieIn(pattern, dir string) bool {
	fixed := fixedPart(pattern)
	return strings.HasPrefix(fixed, dir+"/") || strings.HasPrefix(dir+"/", fixed)
}

// unitsOf counts the units that a request with a computed name may mean files of.
func (w *walk) unitsOf(r *request, pattern, name, file string) bool {
	u, ok := w.files.Unit(file)
	if !ok || u.Place != w.real(file) || !mayLieIn(pattern, name) {
		return false
	}
	w.lacking(u, r.kind.followed(), r.owner.at(r.line))
	return true
}
