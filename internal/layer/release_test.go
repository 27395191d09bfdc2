package layer

import "testing"

func TestCompareReleases(t *testing.T) {
	// Each list rises.
	for _, list := range [][]string{
		{"6.1.0-9-amd64", "6.1.0-10-amd64", "6.1.0-10-cloud-amd64", "6.1.0-37-amd64", "6.10.0-1-amd64"},
		{"6.7~rc1-amd64", "6.7~rc7-amd64", "6.7-amd64", "6.7.1-amd64"},
		{"6.7.0-rc1", "6.7.0-rc10", "6.7.0", "6.7.0-1"},
		{"5.14.0-70.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64", "6.4.0-150600.21-default"},
		{"1.0~~", "1.0~", "1.0", "1.0a", "1.0+b", "1.01.1"},
	} {
		for i := range list {
			for j := range list {
				if got, want := CompareReleases(list[i], list[j]), compareInts(i, j); got != want {
					t.Errorf("compare %s with %s: %d, want %d", list[i], list[j], got, want)
				}
			}
		}
	}
	if CompareReleases("6.01-1", "6.1-01") != 0 {
		t.Error("leading zeros count")
	}
}

func compareInts(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
