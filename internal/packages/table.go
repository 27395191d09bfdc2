package packages

import (
	"maps"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// Table has a manager for each type of repository.
type Table map[string]Manager

// Open makes repositories ready with the manager of their type, of which there is one
// in a tree. Without repositories, it returns nil.
func (t Table) Open(repositories []Repository, arch string) (Set, error) {
	if len(repositories) == 0 {
		return nil, nil
	}
	first := repositories[0]
	for _, r := range repositories {
		if r.Type != first.Type {
			return nil, fault.New(fault.Input, "repository %s is of type %s, and %s of type %s: a tree has one package manager", first.Name, first.Type, r.Name, r.Type)
		}
	}
	manager, known := t[first.Type]
	if !known {
		return nil, fault.New(fault.Input, "repository %s is of type %s, which is not supported", first.Name, first.Type).
			WithHint("there are: %s", strings.Join(slices.Sorted(maps.Keys(t)), ", "))
	}
	return manager.Open(repositories, arch)
}

// Dirs are where the managers keep what they download, in order of their types.
func (t Table) Dirs() []string {
	var dirs []string
	for _, kind := range slices.Sorted(maps.Keys(t)) {
		dirs = append(dirs, t[kind].Dir())
	}
	return dirs
}
