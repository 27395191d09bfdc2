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

// SameLines reports whether what two values both have is at the same lines, whatever
// it says.
func SameLines(a, b Value) bool {
	if a.Line != b.Line || a.Kind != b.Kind && (!a.Scalar() || !b.Scalar()) || len(a.Items()) != len(b.Items()) {
		return false
	}
	for i, item := range a.Items() {
		if !SameLines(item, b.Items()[i]) {
			return false
		}
	}
	at := make(map[string]Pair, len(b.Pairs()))
	for _, p := range b.Pairs() {
		at[p.Key.Text] = p
	}
	for _, p := range a.Pairs() {
		if other, ok := at[p.Key.Text]; ok && (p.Key.Line != other.Key.Line || !SameLines(p.Value, other.Value)) {
			return false
		}
	}
	return true
}

// valuesOf is what names are defined as, by their digests, in the order of definitions.
func valuesOf(pairs []Pair) map[string]string {
	all := make(map[string]string, len(pairs))
	for _, p := range pairs {
		all[p.Key.Text] += p.Value.Digest()
	}
	return all
}
