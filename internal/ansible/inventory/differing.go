package inventory

import (
	"slices"

	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Differing compares what two inventories say, wherever they say it: the names of the
// variables that they define in different ways; false if they differ in more than
// variables.
func Differing(a, b *Inventory) (names []string, same bool) {
	if !slices.Equal(a.Dirs, b.Dirs) || !slices.Equal(a.Opaque, b.Opaque) || !slices.EqualFunc(a.Unparsed, b.Unparsed, Unparsed.same) || a.explicit != b.explicit ||
		!slices.EqualFunc(a.groups, b.groups, (*Group).like) || !slices.EqualFunc(a.hosts, b.hosts, (*Host).like) {
		return nil, false
	}
	found := map[string]bool{}
	for i := range a.groups {
		unlike(a.groups[i].Variables, b.groups[i].Variables, found)
	}
	for i := range a.hosts {
		unlike(a.hosts[i].Variables, b.hosts[i].Variables, found)
	}
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, true
}

// like reports whether two groups are the same but for their variables.
func (g *Group) like(other *Group) bool {
	return g.Name == other.Name && g.Priority == other.Priority && g.Depth == other.Depth && slices.Equal(g.Parents, other.Parents) &&
		slices.Equal(g.Children, other.Children) && slices.Equal(g.Hosts, other.Hosts)
}

// like reports whether two hosts are the same but for their variables.
func (h *Host) like(other *Host) bool {
	return h.Name == other.Name && slices.Equal(h.Groups, other.Groups)
}

// unlike notes the names of variables that two lists set in different ways.
func unlike(a, b []Variable, found map[string]bool) {
	for _, name := range value.Differing(pairsOf(a), pairsOf(b)) {
		found[name] = true
	}
}

func pairsOf(list []Variable) []value.Pair {
	pairs := make([]value.Pair, len(list))
	for i, v := range list {
		pairs[i] = *v.Pair
	}
	return pairs
}
