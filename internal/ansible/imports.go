package ansible

import (
	"path"
	"slices"
)

// importedFile is a file that another imports before anything runs.
type importedFile struct {
	to   string
	at   place
	sure certainty
}

func (w *walk) imports(to string, r *request) {
	from := r.owner.file
	at := w.whereIs(r)
	if known := w.imported.at(from); !slices.Contains(known, importedFile{to, at, r.leads()}) {
		w.imported.set(from, append(slices.Clip(known), importedFile{to, at, r.leads()}))
	}
}

// circles finds files that import each other, of which there is no end.
func (w *walk) circles() {
	if len(w.imported.own) == 0 {
		return // what it began as was looked at
	}
	done := map[string]bool{}
	var stack []string
	var down func(file string)
	down = func(file string) {
		stack = append(stack, file)
		for _, next := range w.imported.at(file) {
			if i := slices.Index(stack, next.to); i >= 0 {
				circle := ""
				for _, one := range stack[i:] {
					circle += path.Base(one) + " -> "
				}
				what := "files of tasks"
				if w.isPlaybook(next.to) {
					what = "playbooks"
				}
				w.mistake(next.sure, w.Project.fault(next.at, "the %s import each other in a circle: %s", what, circle+path.Base(next.to)).
					WithHint("only what is included while it runs (include_tasks, with a condition) may come back to itself"))
				continue
			}
			if !done[next.to] {
				down(next.to)
			}
		}
		stack = stack[:len(stack)-1]
		done[file] = true
	}
	for _, file := range slices.Sorted(w.imported.keys()) {
		if !done[file] {
			down(file)
		}
	}
}
