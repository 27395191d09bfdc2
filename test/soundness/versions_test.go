package soundness

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// versions make collections be of their next version: all of it, as whoever pins them
// does, and each file alone, so that no other one hides what it does.
func (p *project) versions() []*mutation {
	var all []*mutation
	whole := map[string]files{} // by collection
	for _, name := range slices.Sorted(maps.Keys(p.next)) {
		parts := strings.Split(name, "/")
		dir := path.Join(parts[:4]...) // collections/ansible_collections/NAMESPACE/NAME
		if whole[dir] == nil {
			whole[dir] = files{}
			for other := range p.files {
				if strings.HasPrefix(other, dir+"/") && p.next[other] == nil {
					whole[dir][other] = nil
				}
			}
		}
		whole[dir][name] = p.next[name]
		all = append(all, &mutation{name: name + ": as in the next version", change: files{name: p.next[name]}})
	}
	for _, dir := range slices.Sorted(maps.Keys(whole)) {
		all = append(all, &mutation{name: dir + ": another version", change: whole[dir]})
		kept := maps.Clone(whole[dir])
		maps.DeleteFunc(kept, func(_ string, c *content) bool { return c == nil })
		all = append(all, &mutation{name: dir + ": another version laid over it", change: kept})
	}
	return all
}
