package ansible

import (
	"strconv"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/trace"
)

// What an analysis tells of itself, beside its questions: enough to say, of a value or a
// file that took no part in what was followed, how its input differs when it does. See
// Change.Leaves.
const (
	tellEvaluated = tree.LastTold + iota // variables whose values may take part in what is followed; nul for all
	tellVariable                         // variables that count, and a place that reads them
	tellFile                             // files that count, in which form, and a place that reaches them
	tellScope                            // files of variables that the inventory gives the node
	tellDefines                          // others, with the class of their variables
	tellDefiner                          // variables that several of these files define, with one of them
)

// nul is between the parts of what is told.
const nul = "\x00"

// tellEvaluated says that a variable's value may take part in what is followed.
func (w *walk) tellEvaluated(name string) { w.files.Asked.Ask(tellEvaluated, name) }

func (w *walk) tellVariable(name string, at place) {
	w.files.Asked.Ask(tellVariable, name+nul+at.text())
}

func (w *walk) tellFile(name string, f form, at place) {
	w.files.Asked.Ask(tellFile, name+nul+strconv.Itoa(int(f))+nul+at.text())
}

func (w *walk) tellScope() {
	for _, name := range w.scope.Files {
		w.files.Asked.Ask(tellScope, name)
	}
}

// ofFile reports whether a definition is in a file of variables, among others that count
// in the same way.
func (d definition) ofFile() bool {
	return d.class != "play" && d.class != "prompt" && d.class != "group_by"
}

func (w *walk) tellDefines(like definition) {
	if like.ofFile() {
		w.files.Asked.Ask(tellDefines, like.file+nul+strconv.FormatBool(like.weak)+nul+like.owner.role+nul+like.class)
	}
}

// tellCircumstances says where one definition of a variable may not be all that counts.
func (w *walk) tellCircumstances() {
	if w.cfg.merge || len(w.dirs) > 1 {
		w.tellEvaluated(nul)
	}
	for name := range w.extra {
		w.tellEvaluated(name)
	}
}

// tellInventory says which variables the inventory's own files define.
func tellInventory(asked *trace.Asked, inv *inventory.Inventory) {
	for _, g := range inv.Groups {
		for _, v := range g.Variables {
			asked.Ask(tellEvaluated, v.Name())
		}
	}
	for _, h := range inv.Hosts {
		for _, v := range h.Variables {
			asked.Ask(tellEvaluated, v.Name())
		}
	}
}

// Definers are the variables that several files define which may give one node its
// variables, for all of these analyses of the project.
func (p *Project) Definers(analyses []*trace.Asked) *trace.Asked {
	asked, files := map[string]bool{}, map[string]bool{}
	trace.All(analyses, func(q trace.Question) {
		switch q.Kind {
		case askVariable:
			asked[q.Name] = true
		case tellScope:
			files[q.Name] = true
		case tellDefines:
			files[firstPart(q.Name)] = true
		}
	})
	first, all := map[string]string{}, &trace.Asked{}
	for file := range files {
		for _, pair := range p.files.Document(file).Value.Pairs() {
			name := pair.Key.Text
			switch other, known := first[name]; {
			case !asked[name]:
			case !known:
				first[name] = file
			case other != file:
				all.Ask(tellDefiner, name+nul+other)
				all.Ask(tellDefiner, name+nul+file)
			}
		}
	}
	return all
}
