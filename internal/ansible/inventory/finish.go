package inventory

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// finish does what Ansible does after the last file: every group descends from
// all, every host that is in no group is in ungrouped.
func (b *builder) finish() error {
	inv := b.inv
	all, ungrouped := inv.Groups["all"], inv.Groups["ungrouped"]
	inv.explicit = len(all.children)
	for _, g := range inv.groups {
		if g != all && len(g.parents) == 0 {
			b.child(all, g, place{})
		}
	}
	if err := b.ancestors(); err != nil {
		b.errors = append(b.errors, err)
		return errors.Join(b.errors...)
	}
	if len(b.errors) > 0 {
		return errors.Join(b.errors...)
	}
	for i, h := range inv.hosts {
		h.index = i
		was := slices.Contains(h.groups, ungrouped)
		h.groups = settled(h.groups, all, ungrouped)
		if !was && slices.Contains(h.groups, ungrouped) {
			ungrouped.hosts = append(ungrouped.hosts, h)
			if inv.Groups[h.Name] != nil {
				b.opaque(h.File, "host "+h.Name+" is called as a group is: Ansible takes the one for the other")
			}
		}
		h.own = newBlock(h.Variables, "host "+h.Name)
		h.Groups = names(h.groups, func(g *Group) string { return g.Name })
	}
	ungrouped.hosts = slices.DeleteFunc(ungrouped.hosts, func(h *Host) bool { return !slices.Contains(h.groups, ungrouped) })
	for _, g := range inv.groups {
		g.own = newBlock(g.Variables, "group "+g.Name)
		g.varsLevel = "group_vars/" + g.Name
		g.Parents = names(g.parents, func(g *Group) string { return g.Name })
		g.Children = names(g.children, func(g *Group) string { return g.Name })
		g.Hosts = names(g.hosts, func(h *Host) string { return h.Name })
	}
	return nil
}

func names[T any](list []T, name func(T) string) []string {
	all := make([]string, len(list))
	for i, x := range list {
		all[i] = name(x)
	}
	return all
}

// settled returns the groups that a host directly is in once the rule of
// ungrouped was applied: a host is in it exactly if it is in no other. (Where
// ungrouped has parents of its own, Ansible's way of seeing to that takes hosts
// out of it that are in no other.)
func settled(direct []*Group, all, ungrouped *Group) []*Group {
	var others, in bool
	for _, g := range direct {
		in = in || g == ungrouped
		for _, up := range g.up {
			others = others || up != all && up != ungrouped
		}
	}
	switch {
	case in && others:
		return slices.DeleteFunc(slices.Clone(direct), func(g *Group) bool { return g == ungrouped })
	case !in && !others:
		return append(slices.Clip(direct), ungrouped)
	}
	return direct
}

// ancestors computes every group's ancestors and depth, or says which groups
// are their own ancestors.
func (b *builder) ancestors() error {
	const doing, done = 1, 2
	state := make(map[*Group]int, len(b.inv.groups))
	var way []*Group // from a group up to its ancestors
	var visit func(g *Group) error
	visit = func(g *Group) error {
		switch state[g] {
		case done:
			return nil
		case doing:
			return b.cycle(way[slices.Index(way, g):])
		}
		state[g] = doing
		way = append(way, g)
		g.up = []*Group{g}
		for _, parent := range g.parents {
			if err := visit(parent); err != nil {
				return err
			}
			g.Depth = max(g.Depth, parent.Depth+1)
			g.up = append(g.up, parent.up...)
		}
		if len(g.parents) > 1 {
			slices.SortFunc(g.up, inOrder)
			g.up = slices.Compact(g.up)
		}
		way = way[:len(way)-1]
		state[g] = done
		return nil
	}
	for _, g := range b.inv.groups {
		if err := visit(g); err != nil {
			return err
		}
	}
	return nil
}

// cycle is the fault for groups of which each is a child of the next, and the
// last one of the first.
func (b *builder) cycle(way []*Group) error {
	// Shown from parent to child, as it is written, and from the name that sorts first.
	way = slices.Clone(way)
	slices.Reverse(way)
	first := slices.IndexFunc(way, func(g *Group) bool {
		return !slices.ContainsFunc(way, func(o *Group) bool { return o.Name < g.Name })
	})
	way = append(slices.Clone(way[first:]), way[:first]...)
	shown := names(append(way, way[0]), func(g *Group) string { return g.Name })
	at := place{}
	for i, g := range way {
		child := way[(i+1)%len(way)]
		if edge := child.edges[slices.Index(child.parents, g)]; edge.file != "" {
			at = edge
		}
	}
	f := fault.New(fault.Input, "group %s is its own ancestor: %s", shown[0], strings.Join(shown, " → ")).At(at.file, at.line, 0)
	if text, err := b.files.Text(at.file); err == nil {
		f.Snippet = lineOf(text, at.line)
	}
	return f
}

// inOrder is the order in which variables of groups are merged: sort_groups of
// ansible/inventory/helpers.py.
func inOrder(a, b *Group) int {
	if a == b {
		return 0
	}
	return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Name, b.Name))
}
