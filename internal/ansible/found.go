package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// What becomes of a file that a request found.

// isPlaybook reports whether a file has plays, so that no task can read it as
// tasks or variables.
func (w *walk) isPlaybook(name string) bool {
	if ext := path.Ext(name); ext != ".yml" && ext != ".yaml" {
		return false
	}
	d := w.files.Document(name)
	return d.Err == nil && d.Value.Kind == value.List && len(d.Value.Items()) > 0 && isPlay(d.Value.Items()[0])
}

// act reaches a file for a request, if it is there and of the right kind.
func (w *walk) act(r *request, file string, computed bool) bool {
	if !computed && tree.ValidName(file) && w.lacks(file, r.kind.followed(), r.owner.at(r.line)) {
		return r.kind.followed() // a file that is only copied may also lie elsewhere
	}
	kind := w.files.Kind(file)
	if kind == tree.Absent || file == ".." || strings.HasPrefix(file, "../") || w.excluded(file) {
		return false
	}
	at := r.owner.at(r.line)
	if computed && !r.works {
		// A computed name may be anything; what it is for says what it cannot be.
		switch {
		case w.isPlaybook(file), r.kind == wantTasks && !w.isTasks(file), r.kind == wantVars && !isVars(file):
			return false
		}
	}
	switch {
	case r.kind == wantTasks && kind == tree.File:
		if r.must {
			w.imports(file, r)
		}
		sure := r.leads()
		if computed {
			sure = possible
		}
		w.tasks(file, owner{role: r.owner.role, book: r.owner.book, sure: sure, here: r.owner.here, tags: r.owner.tags}, r.form, at)
	case r.kind == wantVars && kind == tree.File:
		w.varsFile(file, r, at)
	case r.kind == wantVars:
		for _, f := range w.below(file) {
			if isVars(f) {
				w.varsFile(f, r, at)
			}
		}
	case r.kind == wantTemplate && kind == tree.File:
		w.template(file, max(r.form, asTemplate), r.owner, at)
		if t := w.files.Template(file).Text; t != nil && !computed && r.form != asIncluded && r.leads() == runs {
			w.need(t.Needs, file)
		}
	case r.kind == wantFile || r.kind == wantGlob:
		if file == "." || slices.Contains(w.dirs, file) || w.roles.has(file) {
			return false // no name means a whole playbook's directory
		}
		w.whole(file, "file", at)
	default:
		return false
	}
	return true
}

func (w *walk) isTasks(file string) bool {
	switch path.Ext(file) {
	case ".yml", ".yaml", ".json", "":
	default:
		return false
	}
	d := w.files.Document(file)
	if d.Vaulted || d.Err != nil { // what it is nobody can say
		return true
	}
	return d.Value.Kind == value.List && w.tasksOf(d).valid || d.Value.Kind == value.Null
}

func isVars(file string) bool {
	switch path.Ext(file) {
	case ".yml", ".yaml", ".json", "":
		return true
	}
	return false
}

// varsFile gives variables the values of a file.
func (w *walk) varsFile(file string, r *request, at place) {
	if r.called != nil {
		names, known := w.namesFor(file, r)
		if !known {
			w.anyVariable("the name of a variable is computed", r.owner.at(r.line))
			w.opaque, names = true, []string{""}
		}
		for _, name := range names {
			one := *r
			one.under, one.called = name, nil
			w.varsFile(file, &one, at)
		}
		return
	}
	surer := w.visits(visit{file: file, role: r.owner.role + "\x00" + r.under, form: asTasks}, r.leads())
	if !surer && !r.tells {
		return
	}
	read := w.files.Variables
	if r.under != "" || r.tells || !r.constant() {
		read = w.files.Document
	}
	d := read(file)
	like := definition{file: file, class: "vars", owner: owner{file: file, role: r.owner.role}}
	if r.tells && !d.Vaulted && d.Err == nil { // whatever variables come to
		w.count(file, asTasks, d.Value.Digest(), "told by a task's result", at)
		w.readValue(d.Value, like.owner)
	}
	if !surer {
		return
	}
	switch {
	case d.Vaulted && r.under != "" && !w.q.VaultTemplates:
		w.whole(file, "encrypted variables", at)
		w.vaults.add(w.real(file))
		w.getsAny(r.under)
	case d.Vaulted:
		w.sealedLater(file)
	case d.Err != nil:
		w.unread(file, "variables", d.Err, r.leads(), at)
	case r.under != "":
		key := value.Value{Kind: value.String, Text: r.under, Line: 1}
		w.tellEvaluated(r.under)
		w.define([]value.Pair{{Key: key, Value: d.Value}}, like)
	case d.Value.Kind == value.Map:
		w.define(d.Value.Pairs(), like)
	default:
		w.whole(file, "variables", at)
	}
}

// template counts a template and follows what it reads. With asWhole its syntax is
// set elsewhere, and what looks like a comment may be none.
func (w *walk) template(file string, f form, o owner, at place) {
	t := w.files.Template(file)
	if t.Text == nil || f == asWhole {
		w.whole(file, "template", at)
	} else {
		digest := t.Digest
		if f == asIncluded {
			digest = t.Included
		}
		if w.files.Executable(file) {
			digest = "x" + digest // mode: preserve
		}
		w.count(file, f, digest, "template", at)
	}
	if !w.visited.add(visit{file: file, role: o.role, book: o.book, form: f}) {
		return
	}
	if t.Text == nil {
		if text, err := w.files.Text(file); err == nil && tree.IsVaulted(text) {
			w.anyVariable("the template "+file+" is encrypted", place{file: file, line: 1})
		}
		return
	}
	var r reads
	r.text(t.Text, 1)
	if t.Header || f == asWhole {
		r.included = asWhole
	}
	w.read(&r, owner{file: file, role: o.role, book: o.book, loop: o.loop})
}
