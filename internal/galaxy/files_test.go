package galaxy

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
)

// TestFiles makes the file system of two units and of a role that is not here.
func TestFiles(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	put := func(sum, name, text string) {
		full := filepath.Join(c.unit(sum), name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("one", "roles/a/tasks/main.yml", "a")
	put("one", "roles/dep/tasks/main.yml", "of one")
	put("two", "roles/dep/tasks/main.yml", "of two")
	put("two", "collections/ansible_collections/x/y/MANIFEST.json", "{}")
	put("two", "collections/ansible_collections/x.y-1.0.0.info/GALAXY.yml", "{}")
	s := &Set{Requirements: []Requirement{{Kind: Role, Name: "a"}, {Kind: Role, Name: "b", Version: "v1"}, {Kind: Role, Name: "dep"}, {Kind: Collection, Name: "p.q"}, {Kind: Role, Name: "../out"}},
		units: []string{"one", "", "two", "", ""}}
	files, err := c.Files(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(files, "roles/a/tasks/main.yml", "roles/b", "roles/dep/tasks/main.yml", "collections/ansible_collections/x/y/MANIFEST.json", "collections/ansible_collections/p/q"); err != nil {
		t.Error(err)
	}
	if text, err := fs.ReadFile(files, "roles/dep/tasks/main.yml"); string(text) != "of one" {
		t.Errorf("the first that has it counts, not %s, %v", text, err)
	}
	if pin, ok := files.Pinned("roles/b"); !ok || pin == "" {
		t.Error("b is not pinned")
	}
	for _, name := range []string{"roles/a", "roles", "roles/b/x", "collections/ansible_collections/p"} {
		if _, ok := files.Pinned(name); ok {
			t.Errorf("%s is pinned", name)
		}
	}
	if _, err := fs.Stat(files, "roles/b/tasks"); err == nil {
		t.Error("there is something in b")
	}
	s.units[1] = "two"
	more, err := c.Files(s)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Differ(files, more), []string{"roles/b"}; !slices.Equal(got, want) || files.ID() == more.ID() {
		t.Errorf("%v differ, not %v", got, want)
	}
	if got := Differ(nil, more); !slices.Contains(got, "roles/a/tasks/main.yml") || len(Differ(more, more)) > 0 {
		t.Errorf("%v differ from nothing", got)
	}
}
