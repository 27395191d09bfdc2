package sandbox

import (
	"testing"
	"testing/fstest"
)

// What is proposed is free in all four files, and nothing lower is.
func TestGiveIDs(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		root fstest.MapFS
		want string
	}{
		"nothing is there":   {fstest.MapFS{}, "100000-165535"},
		"another has it":     {fstest.MapFS{"etc/subuid": file("bob:100000:65536\n")}, "165536-231071"},
		"of groups only":     {fstest.MapFS{"etc/subgid": file("bob:100000:65536\n")}, "165536-231071"},
		"in any order":       {fstest.MapFS{"etc/subuid": file("c:300000:65536\nbob:100000:65536\n"), "etc/subgid": file("d:165536:65536\n")}, "231072-296607"},
		"a gap is too small": {fstest.MapFS{"etc/subuid": file("bob:100000:65536\nc:200000:65536\n")}, "265536-331071"},
		"one within another": {fstest.MapFS{"etc/subuid": file("bob:100000:200000\nc:110000:10\n")}, "300000-365535"},
		"a user has one":     {fstest.MapFS{"etc/passwd": file("alice:x:120000:100::/:/bin/sh\n")}, "120001-185536"},
		"a group has one":    {fstest.MapFS{"etc/group": file("staff:x:165535:\n")}, "165536-231071"},
		"login.defs":         {fstest.MapFS{"etc/login.defs": file("# SUB_UID_MIN 5\nSUB_UID_MIN\t\t524288\n")}, "524288-589823"},
		"not understood":     {fstest.MapFS{"etc/subuid": file("\nbob\nbob:x:y\n#\n"), "etc/passwd": file("+::::::\n")}, "100000-165535"},
	} {
		if got, want := GiveIDs(c.root, "alice"), "usermod --add-subuids "+c.want+" --add-subgids "+c.want+" alice"; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
