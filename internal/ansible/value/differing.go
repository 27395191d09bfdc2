package value

import "slices"

// Differing are the names, sorted, that two lists of definitions give other values, or
// that only one of them has.
func Differing(a, b []Pair) []string {
	was, now := valuesOf(a), valuesOf(b)
	var names []string
	for name, v := range was {
		if other, ok := now[name]; !ok || v != other {
			names = append(names, name)
		}
	}
	for name := range now {
		if _, ok := was[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// valuesOf is what names are defined as, by their digests, in the order of definitions.
func valuesOf(pairs []Pair) map[string]string {
	all := make(map[string]string, len(pairs))
	for _, p := range pairs {
		all[p.Key.Text] += p.Value.Digest()
	}
	return all
}
