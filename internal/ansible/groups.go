package ansible

import (
	"maps"
	"slices"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/fault"
)

// Group reports whether the inventory of a query has a group, and otherwise which one
// is called nearly so, or "". It is for messages; of an inventory of which not all is
// known, or that cannot be read, every group is known.
func (p *Project) Group(q Query, name string) (near string, known bool) {
	q, err := q.cleaned()
	if err != nil {
		return "", true
	}
	if q.Config == "" && p.files.Kind("ansible.cfg") == tree.File {
		q.Config = "ansible.cfg"
	}
	result := p.readSources(p.configOf(q.Config), q.Inventory)
	if result.err != nil || len(result.inventory.Opaque) > 0 || result.inventory.Groups[name] != nil {
		return "", true
	}
	return fault.Nearest(name, slices.Sorted(maps.Keys(result.inventory.Groups))), false
}

// Unparsed reports whether a directory of the inventory has files that are none, so that
// Ansible must be let go on at them.
func (p *Project) Unparsed(q Query) bool {
	q, err := q.cleaned()
	if err != nil {
		return false
	}
	if q.Config == "" && p.files.Kind("ansible.cfg") == tree.File {
		q.Config = "ansible.cfg"
	}
	result := p.readSources(p.configOf(q.Config), q.Inventory)
	return result.err == nil && len(result.inventory.Unparsed) > 0
}
