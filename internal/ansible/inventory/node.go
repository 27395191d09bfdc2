package inventory

import (
	"slices"
)

// Node is one host with its groups, as a play sees it. It may be used by
// several goroutines.
type Node struct {
	inv     *Inventory
	name    string
	host    *Host // as the inventory has it; nil if it does not
	given   []*Group
	direct  []*Group // of inventory and given
	groups  []*Group // those and their ancestors, in the order of merging
	foreign bool     // in no group: neither in the inventory nor given one
}

// Node returns the host of a name. With groups, it is a host that a second
// inventory adds to group all and to these; those that are not in the inventory
// are made. (The caller names all of them, strata_image as well.) Without, it is
// the host as the inventory has it, and in no group but all if it has none: as
// an implicit localhost is.
func (inv *Inventory) Node(name string, groups []string) *Node {
	n := &Node{inv: inv, name: name, host: inv.Hosts[name]}
	if n.host == nil && len(groups) == 0 && localName(name) && inv.local != nil {
		n.host, n.name = inv.local, inv.local.Name
	}
	all := inv.Groups["all"]
	if len(groups) == 0 {
		if n.host != nil {
			n.direct = n.host.groups
			n.groups = closure(n.direct, all)
		} else {
			n.foreign, n.groups = true, []*Group{all}
		}
		return n
	}
	groups = slices.Compact(slices.Sorted(slices.Values(groups)))
	n.given = make([]*Group, 0, len(groups)+1)
	n.given = append(n.given, all)
	for _, name := range groups {
		g := inv.Groups[name]
		if g == nil {
			g = &Group{Name: name, Priority: 1, Depth: 1, varsLevel: "group_vars/" + name, parents: []*Group{all}}
			g.up = []*Group{g, all}
		}
		if g != all {
			n.given = append(n.given, g)
		}
	}
	n.direct = slices.Clone(n.given)
	if n.host != nil {
		for _, g := range n.host.groups {
			if !slices.Contains(n.direct, g) {
				n.direct = append(n.direct, g)
			}
		}
	}
	n.direct = settled(n.direct, all, inv.Groups["ungrouped"])
	n.groups = closure(n.direct, all)
	return n
}

// closure returns groups with their ancestors, in the order of merging.
func closure(direct []*Group, all *Group) []*Group {
	list := make([]*Group, 0, 16)
	list = append(list, all)
	for _, g := range direct {
		list = append(list, g.up...)
	}
	slices.SortFunc(list, inOrder)
	return slices.Compact(list)
}

// Name is the host's name: inventory_hostname.
func (n *Node) Name() string { return n.name }

// Groups returns the names of all of the host's groups, ancestors included, in
// the order in which their variables are merged: a later one wins. The first is
// all.
func (n *Node) Groups() []string {
	return names(n.groups, func(g *Group) string { return g.Name })
}

// GroupNames returns what the variable group_names is: sorted, without all.
func (n *Node) GroupNames() []string {
	list := names(n.groups[1:], func(g *Group) string { return g.Name })
	slices.Sort(list)
	return list
}

// In reports whether the host is in a group or one of its descendants.
func (n *Node) In(group string) bool {
	return slices.ContainsFunc(n.groups, func(g *Group) bool { return g.Name == group }) && !n.foreign
}

// group returns a group that the inventory or the node has.
func (n *Node) group(name string) *Group {
	if g := n.inv.Groups[name]; g != nil {
		return g
	}
	for _, g := range n.given {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// Has reports whether the inventory or the node has a group, be it without hosts.
func (n *Node) Has(group string) bool { return n.group(group) != nil }

// Members returns the hosts of a group and its descendants in Ansible's order,
// this one included where it belongs; nil if there is no such group. It must
// not be changed. Where descendants are nested Ansible's order is not the same
// each time; then this is one of the possible ones.
func (n *Node) Members(group string) []string {
	g := n.group(group)
	if g == nil {
		return nil
	}
	list, _ := n.members(g)
	return list
}

// members also reports whether the order is the only one possible.
func (n *Node) members(g *Group) (list []string, sure bool) {
	m := n.inv.membersOf(g, n.given)
	if len(n.given) == 0 {
		return m.names, m.sure
	}
	// Where the node comes in by the groups that it is given, as the last host of the first of them.
	to := slices.IndexFunc(m.groups, func(d *Group) bool { return slices.Contains(n.given, d) })
	ungrouped := n.inv.Groups["ungrouped"]
	if to >= 0 && m.groups[to] == ungrouped && !slices.Contains(n.direct, ungrouped) {
		to = -1
	}
	from, at := -1, -1 // where it is in the inventory
	if n.host != nil {
		at = slices.Index(m.names, n.name)
	}
	if at >= 0 {
		from = slices.IndexFunc(m.ends, func(end int) bool { return at < end })
	}
	if at >= 0 && (to < 0 || from <= to) && (m.groups[from] != ungrouped || slices.Contains(n.direct, ungrouped)) {
		return m.names, m.sure
	}
	if at < 0 && to < 0 {
		return m.names, m.sure
	}
	list = make([]string, 0, len(m.names)+1)
	for i, name := range m.names {
		if to >= 0 && i == m.ends[to] {
			list = append(list, n.name)
		}
		if i != at {
			list = append(list, name)
		}
	}
	if to >= 0 && m.ends[to] == len(m.names) {
		list = append(list, n.name)
	}
	return list, m.sure
}

// members are the hosts of a group and its descendants.
type members struct {
	names  []string
	groups []*Group // it and its descendants, in the order walked
	ends   []int    // how many names there are up to and with each of groups
	sure   bool     // Ansible's order is this one
}

// membersOf returns the members of a group as the inventory has them. Of all,
// the children are in another order if a second inventory gives it some.
func (inv *Inventory) membersOf(g *Group, given []*Group) *members {
	if g.own == nil { // not in the inventory
		return &members{groups: []*Group{g}, ends: []int{0}, sure: true}
	}
	children := g.children
	key := g.Name
	if g.Name == "all" && len(given) > 0 {
		children = slices.Clone(g.children[:inv.explicit])
		for _, list := range [][]*Group{given, g.children} {
			for _, c := range list {
				if c != g && !slices.Contains(children, c) && c.own != nil {
					children = append(children, c)
				}
			}
		}
		key = "" // it is not kept
	}
	inv.mu.RLock()
	m := inv.members[key] // nil for ""
	inv.mu.RUnlock()
	if m != nil {
		return m
	}
	m = walk(g, children, len(inv.hosts))
	if key != g.Name {
		return m // of one node, or few
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.members[key] = m
	return m
}

// walk is _walk_relationship of ansible/inventory/group.py: by levels, but
// from the second one on in the order of a Python set, which is any.
func walk(g *Group, children []*Group, hosts int) *members {
	m := &members{sure: true, groups: append([]*Group{g}, children...)}
	seen := map[*Group]bool{g: true}
	for level := children; len(level) > 0; {
		for _, d := range level {
			seen[d] = true
		}
		var next []*Group
		contributing := 0
		for _, d := range level {
			fresh := false
			for _, c := range d.children {
				fresh = fresh || !seen[c]
				if !seen[c] && !slices.Contains(next, c) {
					next = append(next, c)
				}
			}
			if fresh {
				contributing++
			}
		}
		m.sure = m.sure && contributing <= 1
		m.groups = append(m.groups, next...)
		level = next
	}
	most := 0
	for _, d := range m.groups {
		most += len(d.hosts)
	}
	have := make([]bool, hosts) // by their index
	m.names = make([]string, 0, min(hosts, most))
	for _, d := range m.groups {
		for _, h := range d.hosts {
			if !have[h.index] {
				have[h.index] = true
				m.names = append(m.names, h.Name)
			}
		}
		m.ends = append(m.ends, len(m.names))
	}
	return m
}
