package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/printable"
)

// Kinds of reasons. "packages" is what is installed or removed; "definition"
// whatever else is written in strata.yaml.
const (
	ReasonVariable   = "variable"
	ReasonFile       = "file"
	ReasonDefinition = "definition"
	ReasonPackages   = "packages"
	ReasonParent     = "parent"
	ReasonCommit     = "commit" // what git says of the commit, which a playbook asks for
	ReasonTool       = "tool"
	ReasonNew        = "new"     // the node was not there before
	ReasonMissing    = "missing" // nothing changed, but neither store nor registry has it
)

// Reason is one difference that decides about a node. Of secret and vaulted
// values Old and New are digests.
type Reason struct {
	Kind string   `json:"kind"`
	Name string   `json:"name"` // of the variable, file, step, parent
	File string   `json:"file"` // where it is written; "" where that says nothing
	Line int      `json:"line"` // counts from 1; 0 means the file as a whole
	Old  string   `json:"old"`  // "" if there was none, or it is not known
	New  string   `json:"new"`  // "" if there is none any more
	Via  []string `json:"via"`  // what uses it, as file:line: "roles/slurm/templates/slurm.conf.j2:12"

	Question *Question `json:"question"` // what was answered otherwise
	// Widened is the line that could not be followed, and why, if the reason stands on
	// nothing but such lines; else "".
	Widened string `json:"widened,omitempty"`

	input  string // the kind of the input
	became became
	by     string // whose playbooks use it, or do no longer
}

// became says what became of what a reason names.
type became int

const (
	changed became = iota
	came
	gone
	moved     // to another parent
	used      // it was there already, and is used now
	unused    // it is there still, and is used no longer
	otherwise // it is as it was, and more of it is used, or less
)

// Place is where it is written, as file:line; "" if that is not known.
func (r Reason) Place() string {
	switch {
	case r.File == "":
		return ""
	case r.Line == 0:
		return r.File
	}
	return fmt.Sprintf("%s:%d", r.File, r.Line)
}

// String says the reason in a few words: "variable partition_time changed". It is
// one line, whatever a file is called.
func (r Reason) String() string { return printable.Line(r.words()) }

func (r Reason) words() string {
	verb := [...]string{" changed", " is new", " is gone", "", " is used now by " + r.by, " is no longer used by " + r.by, " is used in another way by " + r.by}[r.became]
	switch r.Kind {
	case ReasonNew:
		return "no build of it yet"
	case ReasonMissing:
		return "its last build is gone"
	case ReasonParent:
		if r.became == moved {
			return "its parent is " + r.New + ", no longer " + cmp.Or(r.Old, "none")
		}
		return "parent " + r.Name + " changed"
	case ReasonTool:
		return "strata itself changed"
	case ReasonVariable:
		return "variable " + r.Name + verb
	case ReasonPackages, ReasonDefinition:
		if r.File != r.Name && r.Name != "cluster" && !strings.HasPrefix(r.Name, "repository ") {
			return "its " + r.Name + verb
		}
	}
	return r.Name + verb
}

// reasonOf is the reason that an input which is not as it was makes.
func reasonOf(old, now *Input) Reason {
	in := now
	if in == nil {
		in = old
	}
	r := Reason{Kind: reasonKind(*in), input: in.Kind, Name: in.Name, File: in.File, Line: in.Line, Via: in.Via}
	switch in.Kind {
	case KindSecret:
		r.Name = "secret " + in.Name
	case KindFile, KindPackage, KindAnsible:
		r.File = in.Name
	case KindVariable:
		if at := differing(old, now); at != nil {
			r.File, r.Line = at.File, at.Line
		}
	}
	switch {
	case in.Kind == KindDefinition: // a part that was left out before changed as well
	case old == nil:
		r.became = came
	case now == nil:
		r.became = gone
	}
	if old != nil {
		r.Old = old.Shown
	}
	if now != nil {
		r.New = now.Shown
	}
	if at := differing(old, now); at != nil && r.Old == r.New && !value.Confidential(in.Name) {
		r.Old, r.New = "", at.Shown
		for _, d := range old.definitions {
			if d.File == at.File {
				r.Old = d.Shown
			}
		}
	}
	if r.Old == r.New && r.Old != "" { // what differs is not in what is shown
		r.Old, r.New = abridged(old.Digest), abridged(now.Digest)
	}
	r.Question, r.Widened = questionOf(*in, r.became), widened(in.Via)
	return r
}

func abridged(digest string) string { return "sha256:" + layer.Key(digest).Short() }

// differing is the strongest definition of a variable that is not as it was, if
// it is not the strongest of all.
func differing(old, now *Input) *ansible.Definition {
	if old == nil || now == nil || len(now.definitions) < 2 {
		return nil
	}
	for i := len(now.definitions) - 1; i >= 0; i-- {
		d := &now.definitions[i]
		if !slices.ContainsFunc(old.definitions, func(o ansible.Definition) bool { return o.File == d.File && o.Shown == d.Shown }) {
			return d
		}
	}
	return nil
}

func reasonKind(in Input) string {
	switch in.Kind {
	case KindTool:
		return ReasonTool
	case KindFile, KindAnsible:
		return ReasonFile
	case KindCommit:
		return ReasonCommit
	case KindPackage:
		return ReasonPackages
	case KindVariable, KindSecret:
		return ReasonVariable
	case KindDefinition:
		if strings.HasPrefix(in.Name, "packages") || strings.HasPrefix(in.Name, "remove") {
			return ReasonPackages
		}
	}
	return ReasonDefinition
}

// differences are the reasons that two lists of inputs make, parents aside;
// none if the lists are the same.
func differences(last, now []Input) []Reason {
	gone, came := unlike(ordered(last), ordered(now), compareInputs)
	var found []Reason
	for i := range came {
		in := &came[i]
		at := slices.IndexFunc(gone, func(was Input) bool { return was.Kind == in.Kind && was.Name == in.Name })
		switch {
		case in.Kind == KindParent:
		case at < 0:
			found = append(found, reasonOf(nil, in))
		default:
			was := gone[at]
			gone = slices.Delete(gone, at, at+1)
			found = append(found, reasonOf(&was, in))
		}
	}
	for i := range gone {
		if gone[i].Kind != KindParent {
			found = append(found, reasonOf(&gone[i], nil))
		}
	}
	if len(found) > 1 { // a step that came or went says it better
		found = slices.DeleteFunc(found, func(r Reason) bool { return r.Kind == ReasonDefinition && r.Name == stepOrder })
	}
	slices.SortFunc(found, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(weight(a), weight(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return found
}

func ordered(list []Input) []Input {
	if slices.IsSortedFunc(list, compareInputs) {
		return list
	}
	return slices.SortedFunc(slices.Values(list), compareInputs)
}

// unlike are the elements of each of two sorted lists that the other one lacks.
func unlike[T any](last, now []T, compare func(a, b T) int) (gone, came []T) {
	for len(last) > 0 && len(now) > 0 {
		switch order := compare(last[0], now[0]); {
		case order < 0:
			gone, last = append(gone, last[0]), last[1:]
		case order > 0:
			came, now = append(came, now[0]), now[1:]
		default:
			last, now = last[1:], now[1:]
		}
	}
	return append(gone, last...), append(came, now...)
}

// weight orders reasons: what explains most comes first. A variable that came or
// went most often did so because a file reads it that has changed.
func weight(r Reason) int {
	if r.Kind == ReasonVariable && r.became != changed {
		return 9
	}
	return slices.Index([]string{ReasonTool, ReasonDefinition, ReasonPackages, ReasonVariable, ReasonFile, ReasonCommit}, r.Kind)
}

// brief says the first reasons in a few words.
func brief(reasons []Reason) string {
	const most = 2
	var said []string
	for _, r := range reasons[:min(most, len(reasons))] {
		said = append(said, r.String())
	}
	text := strings.Join(said, ", ")
	if more := len(reasons) - most; more > 0 {
		text = fmt.Sprintf("%s and %d more", text, more)
	}
	return text
}

// parentReason is the reason of a node whose parent is, or may be, rebuilt.
func parentReason(parent layer.NodeID) Reason {
	return Reason{Kind: ReasonParent, Name: string(parent), Question: &Question{Kind: AskParent, Name: string(parent)}}
}
