package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
)

// Warning is something that is no mistake, and that people should know.
type Warning = ansible.Warning

// warn notes what people should know of what was read for a node.
func (s *Source) warn(n layer.Node, list []Warning) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range list {
		if w.File == "" && w.Kind != "" {
			w.File, w.Line = n.Pos.File, n.Pos.Line
		}
		s.warnOf(n.ID, w)
	}
}

// warnOf notes a warning that is about a node. The lock must be held.
func (s *Source) warnOf(id layer.NodeID, w Warning) {
	if s.warned == nil {
		s.warned = map[Warning][]layer.NodeID{}
	}
	if !slices.Contains(s.warned[w], id) {
		s.warned[w] = append(s.warned[w], id)
	}
}

// Warnings are what was noted of a node whose inputs were read.
func (s *Source) Warnings(p *layer.Project, n layer.Node) []Warning {
	return s.warnings(p, []layer.Node{n})
}

// warnings are what was noted, in order, of a project of these nodes.
func (s *Source) warnings(p *layer.Project, nodes []layer.Node) []Warning {
	all := append(s.groupWarnings(p, nodes), s.Known...)
	if len(nodes) == len(p.Nodes) {
		all = append(all, s.unusedLocal(p)...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for w, of := range s.warned {
		if w.Kind == ansible.WarnHosts && named(p, w.Name) {
			continue // another node is in that group
		}
		slices.Sort(of)
		ids := make([]string, len(of))
		for i, id := range of {
			ids[i] = string(id)
		}
		w.Message = strings.ReplaceAll(w.Message, ansible.ThisNode, listed(ids, mostNodes, false))
		all = append(all, w)
	}
	slices.SortFunc(all, ansible.CompareWarnings)
	return slices.Compact(all)
}

// named reports whether a group, or a node, of the project is called so.
func named(p *layer.Project, name string) bool {
	return slices.ContainsFunc(p.Nodes, func(n layer.Node) bool {
		return string(n.ID) == name || slices.Contains(n.Groups, name)
	})
}

// groupWarnings are about groups of nodes that are in no inventory, each where it is
// given first: their children have them, too.
func (s *Source) groupWarnings(p *layer.Project, nodes []layer.Node) []Warning {
	if len(p.Inventory) == 0 {
		return nil
	}
	s.open()
	var all []Warning
	known := map[[2]string]bool{} // a configuration and a group, of which there is nothing to say
	for _, n := range nodes {
		parent, _ := s.node(p, n.Parent)
		for _, step := range n.Steps {
			playbooks := step.Reads().Playbooks
			if playbooks == nil {
				continue
			}
			groups := slices.Concat(n.Groups, playbooks.Groups)
			slices.Sort(groups)
			for _, g := range slices.Compact(groups) {
				if slices.Contains(parent.Groups, g) && runsPlaybooks(parent) {
					continue
				}
				of := [2]string{playbooks.Config, g}
				if known[of] {
					continue
				}
				var near string
				if near, known[of] = s.playbooks.Group(ansible.Query{Config: playbooks.Config, Inventory: p.Inventory}, g); known[of] {
					continue
				}
				w := Warning{Kind: ansible.WarnGroup, File: n.Pos.File, Line: n.Pos.Line, Message: fmt.Sprintf("group %s of layer %s is in no inventory", g, n.Layer)}
				if w.Hint = "its variables, and plays on it, are those of a group that nobody else is in"; near != "" {
					w.Hint = "did you mean " + near + "?"
				}
				all = append(all, w)
			}
		}
	}
	return all
}

func runsPlaybooks(n layer.Node) bool {
	return slices.ContainsFunc(n.Steps, func(s layer.Step) bool { return s.Reads().Playbooks != nil })
}

// Check follows the playbooks of every node, and returns what people should know. Its
// error has the mistakes at which a plan would stop.
func Check(p *layer.Project, src *Source) ([]Warning, error) {
	err := each(len(p.Nodes), func(i int) error {
		_, err := Inputs(p, p.Nodes[i], src)
		return err
	})
	if err != nil {
		return nil, err
	}
	return src.warnings(p, p.Nodes), nil
}
