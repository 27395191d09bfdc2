package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
)

// Widening is a place that could not be followed, so that more decides some nodes than
// may be of use.
type Widening struct {
	ansible.Widening
	Nodes []layer.NodeID `json:"nodes"` // sorted
	Hint  string         `json:"hint"`  // how to narrow it
}

// reachedNotes is what people are told of what playbooks reach.
type reachedNotes struct {
	widened map[ansible.Widening]map[layer.NodeID]bool
	used    map[string]bool // declarations about local programs
}

// noteReached notes what people are told of what a node's playbooks reach.
func (s *Source) noteReached(n layer.Node, r *ansible.Reached) {
	s.warn(n, r.Warnings)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes.widened == nil {
		s.notes = reachedNotes{map[ansible.Widening]map[layer.NodeID]bool{}, map[string]bool{}}
	}
	for _, w := range r.Widenings {
		if s.notes.widened[w] == nil {
			s.notes.widened[w] = map[layer.NodeID]bool{}
		}
		s.notes.widened[w][n.ID] = true
	}
	for _, l := range r.Used {
		s.notes.used[l] = true
	}
}

// bounded takes out what builds saw of a node's programs: it is a widening no more.
func (s *Source) bounded(id layer.NodeID, programs []ansible.Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range programs {
		w := ansible.Widening{File: p.File, Line: p.Line, Why: p.Reason}
		if delete(s.notes.widened[w], id); len(s.notes.widened[w]) == 0 {
			delete(s.notes.widened, w)
		}
	}
}

// widenings are those that were noted, the one that costs most first.
func (s *Source) widenings() []Widening {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Widening
	for w, nodes := range s.notes.widened {
		one := Widening{Widening: w, Hint: hintFor(w)}
		for id := range nodes {
			one.Nodes = append(one.Nodes, id)
		}
		slices.Sort(one.Nodes)
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Widening) int {
		if len(a.Nodes) != len(b.Nodes) {
			return len(b.Nodes) - len(a.Nodes)
		}
		return ansible.CompareWidenings(a.Widening, b.Widening)
	})
	return all
}

// hintFor is how to narrow a widening.
func hintFor(w ansible.Widening) string {
	switch why := w.Why; {
	case strings.HasPrefix(why, "runs "):
		return "say what it reads: ansible: {local: [{match: \"COMMAND *\", reads: [FILES]}]}, or build once"
	case strings.Contains(why, "plugin of the project"):
		return fmt.Sprintf("say what it reads: ansible: {local: [{plugin: %s, reads: [FILES]}]}", w.File)
	case strings.Contains(why, "arguments of a module"):
		return "write the arguments of the task where it stands"
	case strings.Contains(why, "lookup"):
		return "write the lookup's name, or its arguments, where it stands"
	case strings.Contains(why, "encrypted"):
		return "encrypt values instead of whole files"
	case strings.Contains(why, "name of a variable"), strings.Contains(why, "variables are read"), strings.Contains(why, "hostvars"):
		return "name the variables, or give their names a common beginning"
	}
	return "write as much of the name as is known before what is computed"
}

// unusedLocal are what people are told of declarations about local programs that are of
// no use to any node of a project.
func (s *Source) unusedLocal(p *layer.Project) []Warning {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Warning
	for _, n := range p.Nodes {
		for _, step := range n.Steps {
			playbooks := step.Reads().Playbooks
			if playbooks == nil {
				continue
			}
			for _, l := range playbooks.Local {
				w := Warning{Message: fmt.Sprintf("ansible.local: %q matches nothing that playbooks run on this machine", l)}
				if !s.notes.used[l.String()] && !slices.Contains(all, w) {
					all = append(all, w)
				}
			}
		}
	}
	return all
}
