package ansible

import (
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
)

func TestSaid(t *testing.T) {
	local := []layer.Local{
		{Plugin: "filter_plugins/a.py"}, {Match: "scripts/gen.sh *"}, {Match: "*/gen.sh *"}, {Match: "make  -C\nx"}, {Match: "{{ python }} *.py"},
	}
	for command, want := range map[string]string{
		"scripts/gen.sh a b":        "scripts/gen.sh *",
		"  scripts/gen.sh\n  a\n":   "scripts/gen.sh *",
		"other/gen.sh x":            "*/gen.sh *",
		"make -C x":                 "make  -C\nx",
		"{{ python }} {{ x }}/a.py": "{{ python }} *.py",
		"scripts/gen.sh":            "",
		"filter_plugins/a.py":       "",
		"make -C x y":               "",
	} {
		if got, ok := Said(local, command); got.Match != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", command, got.Match, ok, want)
		}
	}
}

func TestDeclared(t *testing.T) {
	for _, c := range []struct {
		pattern, file string
		want          bool
	}{
		{"data/**", "data/a", true}, {"data/**", "data/a/b/c", true}, {"data/**", "datax/a", false}, {"data/**", "x/data/a", false},
		{"data", "data/a/b", true}, {"data", "data", true}, {"data", "data.txt", false},
		{"*.yml", "a.yml", true}, {"*.yml", "a/b.yml", false}, {"**/*.yml", "a.yml", true}, {"**/*.yml", "a/b/c.yml", true}, {"**/*.yml", "a/b/c.yaml", false},
		{"a/**/z", "a/z", true}, {"a/**/z", "a/b/c/z", true}, {"a/**/z", "a/b", false},
		{".", "any/thing", true}, {"**", "any/thing", true}, {"./a/", "a/b", true}, {"[ab]?/x", "bz/x", true}, {"a/b", "a", false},
	} {
		if got := Declared([]string{"nothing", c.pattern}, c.file); got != c.want {
			t.Errorf("%s names %s: %v; want %v", c.pattern, c.file, got, c.want)
		}
	}
	if Declared(nil, "a") {
		t.Error("nothing names a")
	}
}
