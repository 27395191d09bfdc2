package apt

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// alike are two repositories of one suite at one address.
func alike(change func(a, b *Repository)) []Repository {
	a := Repository{Name: "a", URI: "http://127.0.0.1:1/x", Suite: "s", Components: []string{"main"}, Keyring: "/k/own.gpg"}
	b := a
	b.Name, b.URI, b.Components = "b", a.URI+"/", []string{"contrib"}
	change(&a, &b)
	return []Repository{a, b}
}

// Whatever of one suite is named twice, real apt takes it, in a build and in the image.
func TestAgree(t *testing.T) {
	keyed := func(r *Repository) { r.Key, r.Keyring = "keys/x.asc", "/k/x.asc" }
	named := func(r *Repository) { r.Named = true }
	for name, c := range map[string]struct {
		list      []Repository
		keyring   []string // of builds
		installed []string
	}{
		"both with the distribution's key": {alike(func(a, b *Repository) {}), []string{"/k/own.gpg", "/k/own.gpg"}, []string{"", ""}},
		"one with a key":                   {alike(func(a, b *Repository) { keyed(b) }), []string{"/k/x.asc", "/k/x.asc"}, []string{"", ""}},
		"both with a key, in the image": {alike(func(a, b *Repository) { keyed(a); keyed(b); named(a); named(b) }),
			[]string{"/k/x.asc", "/k/x.asc"}, []string{"/etc/apt/keyrings/a.asc", "/etc/apt/keyrings/a.asc"}},
		"one with a key, one in the image": {alike(func(a, b *Repository) { keyed(a); named(b) }),
			[]string{"/k/x.asc", "/k/x.asc"}, []string{"/etc/apt/keyrings/b.asc", "/etc/apt/keyrings/b.asc"}},
		"in the image with the distribution's": {alike(func(a, b *Repository) { named(a) }),
			[]string{"/k/own.gpg", "/k/own.gpg"}, []string{"/k/own.gpg", "/k/own.gpg"}},
		"both trusted":  {alike(func(a, b *Repository) { a.Trusted, b.Trusted = true, true; named(a) }), nil, []string{"", ""}},
		"another suite": {alike(func(a, b *Repository) { keyed(b); b.Suite = "t" }), []string{"/k/own.gpg", "/k/x.asc"}, []string{"", ""}},
		"another address": {alike(func(a, b *Repository) { keyed(b); b.URI += "y"; named(a); named(b) }),
			[]string{"/k/own.gpg", "/k/x.asc"}, []string{"/k/own.gpg", "/etc/apt/keyrings/b.asc"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Agree(c.list); err != nil {
				t.Fatal(err)
			}
			for i, r := range c.list {
				if c.keyring != nil && r.Keyring != c.keyring[i] {
					t.Errorf("%s: keyring %s, not %s", r.Name, r.Keyring, c.keyring[i])
				}
				if r.Installed != c.installed[i] {
					t.Errorf("%s: in the image %q, not %q", r.Name, r.Installed, c.installed[i])
				}
			}
			accepts(t, c.list)
			inImage := slices.DeleteFunc(slices.Clone(c.list), func(r Repository) bool { return !r.Named })
			for i := range inImage {
				inImage[i].Keyring = inImage[i].Installed
			}
			accepts(t, inImage)
		})
	}
	for name, list := range map[string][]Repository{
		"different keys": alike(func(a, b *Repository) { keyed(a); b.Key, b.Keyring = "keys/y.asc", "/k/y.asc" }),
		"trusted":        alike(func(a, b *Repository) { b.Trusted = true }),
	} {
		if err := Agree(list); err == nil || !strings.Contains(err.Error(), "repositories a and b are one suite") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// accepts has this machine's apt read the sources.
func accepts(t *testing.T, list []Repository) {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("there is no apt-get")
	}
	c, err := NewCache(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := c.MachineConfig(list)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("apt-get", "indextargets")
	cmd.Env = append(cmd.Environ(), "APT_CONFIG="+config)
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("Conflicting")) {
		t.Errorf("apt: %v\n%s\nof\n%s", err, out, Sources(list))
	}
}
