package apt

import (
	"testing"
	"testing/fstest"
)

func TestMirror(t *testing.T) {
	machine := func(list, sources string) fstest.MapFS {
		return fstest.MapFS{
			"etc/os-release":                       {Data: []byte("ID=debian\nVERSION_CODENAME=bookworm\n")},
			"etc/apt/sources.list":                 {Data: []byte(list)},
			"etc/apt/sources.list.d/a.sources":     {Data: []byte(sources)},
			"etc/apt/sources.list.d/vendor.list":   {Data: []byte("deb https://vendor.example/apt stable main\n")},
			"etc/apt/sources.list.d/b.sources.bak": {Data: []byte("Types: deb\nURIs: https://bak.example\nSuites: bookworm\n")},
		}
	}
	const stanzas = `# a comment
Types: deb
# another
URIs: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security

Types: deb
Enabled: no
URIs: http://off.example
Suites: sid
`
	const lines = `# deb http://comment.example bookworm main
deb [arch=amd64 signed-by=/x] http://old.example/debian bookworm main contrib
deb-src http://src.example/debian trixie main
`
	for _, c := range []struct{ name, list, sources, suite, want string }{
		{"named", "", stanzas, "bookworm", "http://mirror.example/debian"},
		{"folded", "", stanzas, "bookworm-updates", "http://mirror.example/debian"},
		{"another release", "", stanzas, "trixie", "http://mirror.example/debian"},
		{"security of another release", "", stanzas, "trixie-security", "http://mirror.example/security"},
		{"disabled", "", stanzas, "sid", "http://mirror.example/debian"},
		{"one line", lines, "", "bookworm", "http://old.example/debian"},
		{"vendor", lines, "", "stable", "https://vendor.example/apt"},
		{"none", "", "", "trixie", ""},
	} {
		got, err := Mirror(machine(c.list, c.sources), c.suite)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

func TestSources(t *testing.T) {
	got := Sources([]Repository{
		{Name: "a", URI: "http://x", Suite: "s", Components: []string{"main", "contrib"}, Keyring: "/k"},
		{Name: "b", URI: "http://y", Suite: "flat/", Trusted: true},
	})
	want := `# a
Types: deb
URIs: http://x
Suites: s
Components: main contrib
Signed-By: /k

# b
Types: deb
URIs: http://y
Suites: flat/
Trusted: yes
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
