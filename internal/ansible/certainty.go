package ansible

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/fault"
)

// certainty says whether something is so whenever the playbooks run. At a mistake in
// what certainly is read, Ansible stops, and so does who follows; of anything
// else people are told.
type certainty uint8

const (
	runs     certainty = iota // Ansible reads it, and does what it says
	loaded                    // Ansible reads it with all that it imports; what it says may be skipped, and what it includes need never be read
	possible                  // it may never be read
)

// Warning is something about a project that is no mistake as long as it is not
// reached, or none at all to Ansible, and that people should know.
type Warning struct {
	File    string `json:"file"` // "" for the project as a whole
	Line    int    `json:"line"` // 0 for all of the file
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Kind    string `json:"kind,omitempty"` // one of those below, or ""
	Name    string `json:"name,omitempty"` // of WarnHosts: what is unknown
}

// Kinds of warnings, beside mistakes that may never be come to.
const (
	WarnUndefined = "undefined" // a variable that is evaluated and defined nowhere
	WarnUnread    = "unread"    // an extra variable that nothing reads
	WarnHostvars  = "hostvars"  // a variable of this machine that nothing sets in a build
	WarnPlay      = "play"      // a playbook without a play for the node
	WarnHosts     = "hosts"     // a play for hosts that there are not
	WarnInventory = "inventory" // a file in a directory of inventories that is none
	WarnGroup     = "group"     // a group of the node that is in no inventory
)

// ThisNode stands in messages for the node, or the nodes, that a warning is about.
const ThisNode = "\x00"

// String is the warning in one line, behind its place.
func (w Warning) String() string {
	text := w.Message
	if w.Kind != "" && w.Hint != "" {
		text += " (" + w.Hint + ")"
	}
	switch {
	case w.File == "":
		return text
	case w.Line == 0:
		return w.File + ": " + text
	}
	return w.File + ":" + strconv.Itoa(w.Line) + ": " + text
}

// CompareWarnings orders warnings by their places.
func CompareWarnings(a, b Warning) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
}

// warn notes a warning, once, by the file's one name.
func (w *walk) warn(text Warning) {
	if way := w.Project.files.Real(text.File); text.File != "" && !way.Outside() {
		text.File = way.Real
	}
	w.warned.add(text)
}

// mistake notes a mistake: a fault if Ansible certainly comes to it.
func (w *walk) mistake(sure certainty, err error) {
	if sure != possible {
		w.fail(err)
		return
	}
	for _, f := range fault.All(err) {
		w.warn(Warning{File: f.File, Line: f.Line, Message: f.Message, Hint: f.Hint})
	}
}

// suspect warns of what is no mistake to Ansible, or not before it runs, and hardly ever
// meant so.
func (w *walk) suspect() {
	w.undefined()
	w.unreadExtraVars()
	w.foreignUndefined()
	w.unmatched()
}

// warnings are what was noted, in order. What is a fault as well is not among them.
func (w *walk) warnings() []Warning {
	return slices.SortedFunc(w.warned.keys(), CompareWarnings)
}

// leads is how certain it is that Ansible reads what a request names.
func (r *request) leads() certainty {
	if r.owner.sure == possible || !r.constant() {
		return possible
	}
	if list, ok := r.shape.(jinja.List); ok && len(list) > 1 {
		return possible // the first of them that is there
	}
	return r.sure
}

// statically is the certainty of what a task imports: it is read whatever the task's
// conditions say, and each task in it has these.
func statically(t *task, o owner) certainty {
	if t.conditional || t.loop != nil {
		return max(o.sure, loaded)
	}
	return o.sure
}

// dynamically is the certainty of what a task includes when it runs.
func dynamically(t *task, o owner) certainty {
	if o.sure != runs || t.conditional || t.loop != nil {
		return possible
	}
	return runs
}

// visits notes a visit, and says whether what is visited was less certain before, or
// not visited at all.
func (w *walk) visits(v visit, sure certainty) (surer bool) {
	for s := runs; s <= sure; s++ {
		v.sure = s
		if w.visited.has(v) {
			return false
		}
	}
	v.sure = sure
	w.visited.add(v)
	return true
}
