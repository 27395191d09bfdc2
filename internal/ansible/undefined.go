package ansible

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/fault"
)

// Variables that a play certainly evaluates, and that nothing defines: Ansible says so
// minutes later. Only those are told that no default() and no condition guards, and
// only where it is known what may define a variable at all.

// need notes names that texts of a file cannot do without.
func (w *walk) need(names []jinja.Use, file string) {
	for _, n := range names {
		at := place{file: file, line: n.Line}
		if known, ok := w.needs.get(n.Name); !ok || before(at, known) {
			w.needs.set(n.Name, at)
		}
	}
}

// before is an order of places.
func before(a, b place) bool { return a.file < b.file || a.file == b.file && a.line < b.line }

// needGuarded adds what guarded tasks need that certainly run, and the first condition
// of those that may.
func (w *walk) needGuarded() {
	for _, r := range w.requests {
		if r.kind != wantGuarded || r.owner.sure != runs || r.form != asTasks {
			continue
		}
		switch w.doingAnywhere(r.guarded) {
		case doesRun:
			w.need(r.guarded.tasks.reads.needs, r.owner.file)
		case mayRun:
			w.need(r.guarded.first, r.owner.file)
		}
	}
}

// undefined warns of the variables that are needed and have no definition.
func (w *walk) undefined() {
	if w.opaque || w.veiled || w.otherFacts || len(w.q.Tags)+len(w.q.SkipTags) > 0 || w.readsAnywhere() {
		return
	}
	w.needGuarded()
	asked := map[string]bool{}
	var missing []string
	names := slices.Sorted(w.needs.keys())
	for len(names) > 0 { // values need further ones
		name := names[0]
		names = names[1:]
		if asked[name] {
			continue
		}
		asked[name] = true
		defs := w.plainly(name)
		if len(defs) == 0 && !w.ownName(name) {
			missing = append(missing, name)
		}
		if len(defs) != 1 || w.strings.has(name) {
			continue
		}
		d := defs[0]
		d.value.Strings(func(s string, line int) {
			if computes(s) && d.file != "" {
				needs := w.readsOf(s, line).needs
				w.need(needs, d.file)
				for _, n := range needs {
					names = append(names, n.Name)
				}
			}
		})
	}
	for _, name := range missing { // of which the first place is known only now
		w.warnUndefined(name)
	}
}

// readsAnywhere reports whether variables may come from a file that lies anywhere, also
// outside of the project.
func (w *walk) readsAnywhere() bool {
	return slices.ContainsFunc(w.requests, func(r *request) bool { return r.kind == wantVars && r.anywhere && !r.constant() })
}

func (w *walk) warnUndefined(name string) {
	at := w.needs.at(name)
	if at.file == "" || w.excluded(at.file) {
		return
	}
	w.files.Asked.Ask(askVariablesLike, unknownText) // for the hint
	warning := Warning{Kind: WarnUndefined, File: at.file, Line: at.line, Message: fmt.Sprintf("variable %s is not defined for %s", name, ThisNode)}
	var known []string
	if w.scope != nil {
		for d := range w.scope.Definitions() {
			known = append(known, d.Name())
		}
	}
	known = slices.AppendSeq(known, w.defs.keys())
	for extra := range w.extra {
		known = append(known, extra)
	}
	slices.Sort(known)
	warning.Hint = "the playbook fails there; define it, or use default()"
	if near := fault.Nearest(name, slices.Compact(known)); near != "" {
		warning.Hint = "did you mean " + near + "?"
	}
	w.warn(warning)
}

// ownName reports whether a name has a value that nothing in the project defines.
func (w *walk) ownName(name string) bool {
	switch name {
	case "inventory_hostname", "inventory_hostname_short", "inventory_file", "inventory_dir", "groups", "group_names", "hostvars",
		"playbook_dir", "role_path", "role_name", "role_names", "play_hosts", "omit", "environment", "vars", "item", ImageGroup:
		return true
	}
	if w.facts && (name == "packages" || name == "services" || strings.HasPrefix(name, "getent_")) {
		return true
	}
	return implicit(name) || w.mayBeAnything(name) || len(w.locals.at(name)) > 0 || strings.HasPrefix(name, "_")
}

// unreadExtraVars warns of extra variables that nothing reads.
func (w *walk) unreadExtraVars() {
	if w.any != nil || w.all {
		return
	}
	for name := range w.q.ExtraVars {
		if !w.vars.has(name) && !implicit(name) && !w.inHosts(name) {
			w.warn(Warning{Kind: WarnUnread, Message: fmt.Sprintf("the extra variable %s is read by nothing that is run on %s", name, ThisNode)})
		}
	}
}

// foreignUndefined warns of variables of this machine that only a play on it could set:
// such plays do not run in a build.
func (w *walk) foreignUndefined() {
	for h, at := range w.bareReads.all() {
		switch {
		case h.name == "" || at.file == "" || implicit(h.name) || w.opaque || w.veiled:
			continue
		case h.host != "localhost" && h.host != "127.0.0.1" || h.host == w.q.Host:
			continue
		}
		scope, err := w.inv.Node(h.host, nil).Definitions(w.files, w.dirs)
		if err != nil || scope.Has(h.name) {
			continue
		}
		w.warn(Warning{
			Kind: WarnHostvars, File: at.file, Line: at.line,
			Message: fmt.Sprintf("hostvars['%s'].%s is not in the inventory, and plays on %[1]s do not run in a build", h.host, h.name),
			Hint:    "give it as an extra variable or in group_vars, or guard it with default()",
		})
	}
}
