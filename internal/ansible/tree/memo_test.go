package tree

import "testing"

func TestRecentForgetsTheOldest(t *testing.T) {
	m, made := NewRecent[int, int](2), 0
	get := func(k int) { m.Get(k, func() int { made++; return k }) }
	for _, k := range []int{1, 2, 1, 3, 1} { // 2 goes for 3
		get(k)
	}
	if made != 3 {
		t.Errorf("%d were made, not 1, 2 and 3 once each", made)
	}
	if get(2); made != 4 {
		t.Error("2 was not forgotten")
	}
}
