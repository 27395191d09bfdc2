package ansible

import (
	"path"
	"slices"
	"strconv"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// Program is a place where a program is run on the machine that builds, which could
// read any file of the project.
type Program struct {
	Reason string // in a few words
	File   string
	Line   int
}

// Place is where it is run, as file:line.
func (p Program) Place() string { return p.File + ":" + strconv.Itoa(p.Line) }

// program makes count what a program on the machine that builds may read: what a build
// saw it read, or else everything.
func (w *walk) program(reason string, at place) {
	p := Program{reason, at.file, at.line}
	if slices.Contains(w.programs, p) {
		return
	}
	w.programs = append(w.programs, p)
	if !w.q.Seen {
		w.anyFile(reason, at)
		return
	}
	at.note = reason
	o := w.q.Observed
	for _, name := range o.Contents {
		if w.files.Kind(name) == tree.File {
			w.whole(name, "read by a program", at)
		} else {
			w.kind(name, at)
		}
	}
	for _, name := range o.Kinds {
		w.kind(name, at)
	}
	for _, name := range o.Names {
		w.names(name, at)
	}
	for _, name := range o.Links {
		if w.files.Real(name).Real == name {
			continue // it is none, and what it is counts; if it becomes one, that shows there
		}
		w.found.set(name, &counted{form: asWhole, digest: sum("link", w.files.Real(name).Real), reason: "link", via: via{}.with(at)})
	}
}

// kind makes count what there is of a name, not what it holds.
func (w *walk) kind(name string, at place) {
	kind := w.files.Kind(name)
	digest := sum("kind", strconv.Itoa(int(kind)))
	if kind == tree.File {
		digest = sum("kind", strconv.Itoa(int(kind)), strconv.FormatBool(w.files.Executable(name)))
	}
	w.count(name, asSettings, digest, "looked for by a program", at)
}

// names makes the names in a directory count, and what each of them is, as a file
// whose name ends in a slash.
func (w *walk) names(dir string, at place) {
	said := []string{"names", strconv.Itoa(int(w.files.Kind(dir)))}
	for _, name := range w.files.Names(dir) {
		at := path.Join(dir, name)
		if name != ".git" && !w.excluded(at) {
			said = append(said, name, strconv.Itoa(int(w.files.Kind(at))), w.files.Real(at).Real)
		}
	}
	if !w.excluded(dir) {
		w.found.set(dir+"/", &counted{form: asWhole, digest: sum(said...), reason: "listed by a program", via: via{}.with(at)})
	}
}
