package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Files of variables may be encrypted as a whole: in the inventory, and of plays, roles
// and tasks. Nobody can see which variables they define. Two things bound that: what is
// stronger wins, whatever they say; and of what is defined in plain sight somewhere, a build that can read them sees to it
// that they leave alone what names of files, tasks and the like were computed with.

// sealedIn reports whether the value of a variable may be one that is encrypted, in a file
// with others. For names it is taken not to be where another is known: who builds checks
// that. Conditions, and what programs are told, often have passwords in them, of which
// what is known is only what holds where there is no secret.
func (w *walk) sealedIn(name string) bool {
	switch {
	case !w.sealedAnyhow(name):
		return false
	case w.cfg.merge, w.q.VaultTemplates: // nobody looks into the file then
		return true
	case !w.wins(name) && (w.cautious || w.standsForSecret(name) || len(w.definitions(name)) == 0 && len(w.locals.at(name)) == 0):
		return true
	}
	w.unveiled.add(name)
	return false
}

// unveil takes over what another walk took for granted of such files.
func (w *walk) unveil(by *walk) {
	for name := range by.unveiled.keys() {
		w.unveiled.add(name)
	}
}

// wins reports whether what is known of a variable is stronger than what the inventory says:
// the result of a task, or a fact.
func (w *walk) wins(name string) bool {
	fact, ok := factOf(name, nil)
	return w.results.has(name) || ok && w.factIsKnown(fact)
}

// sealedAnyhow is the same if nothing is taken for granted of such a file.
func (w *walk) sealedAnyhow(name string) bool {
	switch {
	case len(w.extra[name]) > 0:
		return false
	case name == "ansible_facts": // always Ansible's own
		return false
	case w.sealing: // what is stronger than these is not told apart
		return true
	case w.scope == nil || len(w.scope.Sealed) == 0:
		return false
	}
	return w.cfg.merge || w.scope.Veiled(name) || slices.ContainsFunc(w.scope.Lookup(name), w.besideSome)
}

// standsForSecret reports whether the values that are known of a variable look like those
// in whose place a secret one is expected: x_password: changeme.
func (w *walk) standsForSecret(name string) bool {
	return value.Confidential(name) && !slices.ContainsFunc(w.definitions(name), func(d definition) bool {
		return d.value.Kind != value.String || strings.Contains(d.value.Text, "/") || computes(d.value.Text)
	})
}

// cautiously calls a function that evaluates what decides something, or what programs are
// told.
func (w *walk) cautiously(f func()) {
	if w.cautious || !w.sealing && (w.scope == nil || len(w.scope.Sealed) == 0) {
		f()
		return
	}
	w.cautious, w.evaluation, w.other = true, w.other, w.evaluation
	f()
	w.cautious, w.evaluation, w.other = false, w.other, w.evaluation
}
