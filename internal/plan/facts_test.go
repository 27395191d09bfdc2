package plan

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/layer"
)

func TestFacts(t *testing.T) {
	known := func(facts map[string]string) string {
		return facts["os_family"] + " " + facts["distribution"] + " " + facts["distribution_release"] + " " + facts["distribution_major_version"]
	}
	text := "x"
	for _, test := range []struct {
		name, suite, other string
		files              []layer.File
		want               string
	}{
		{"a release", "bookworm", "", nil, "Debian Debian bookworm 12"},
		{"its updates", "bookworm", "bookworm-updates", nil, "Debian Debian bookworm 12"},
		{"packages of somebody else", "jammy", "stable", nil, "Debian Ubuntu jammy 22"},
		{"another release, too", "bookworm", "trixie-backports", nil, "Debian Debian  "},
		{"a release that is being tested", "sid", "", nil, "   "},
		{"a file that says otherwise", "bookworm", "", []layer.File{{Content: &text, Dest: "/etc/os-release"}}, "   "},
		{"a file in a directory", "bookworm", "", []layer.File{{Src: "os-release", Dest: "/etc/"}}, "   "},
		{"a tree with one", "bookworm", "", []layer.File{{Src: "tree/usr", Dest: "/usr"}}, "   "},
		{"a tree with a link", "bookworm", "", []layer.File{{Src: "links", Dest: "/usr"}}, "   "},
		{"a tree without", "bookworm", "", []layer.File{{Src: "tree/srv", Dest: "/etc"}}, "Debian Debian bookworm 12"},
	} {
		p := &layer.Project{
			Repositories: map[string]layer.Repository{"first": {Type: "apt", Suite: test.suite}, "other": {Type: "apt", Suite: test.other}},
			Nodes: []layer.Node{
				{ID: "base", Source: layer.Bootstrap{Distribution: "debian", Repositories: []string{"first"}}, Steps: []layer.Step{layer.Files{Files: test.files}}},
				{ID: "web", Parent: "base", Arch: "amd64", Repositories: []string{"first", "other"}},
			},
		}
		src := &Source{Files: fstest.MapFS{
			"os-release": {}, "tree/usr/lib/os-release": {}, "tree/srv/x": {}, "links/lib": {Data: []byte("elsewhere"), Mode: fs.ModeSymlink | 0o777},
		}}
		c := &collector{p: p, n: p.Nodes[1], src: src}
		if got := known(c.facts()); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
