package fault

import "testing"

// FuzzDistance: the distance is a metric's cousin: symmetric, zero only between
// equal words, at most the length of the longer.
func FuzzDistance(f *testing.F) {
	f.Add("packages", "pakages")
	f.Fuzz(func(t *testing.T, a, b string) {
		d := distance(a, b)
		if d != distance(b, a) || d > max(len(a), len(b)) || (d == 0) != (string([]rune(a)) == string([]rune(b))) {
			t.Errorf("distance(%q, %q) is %d", a, b, d)
		}
	})
}
