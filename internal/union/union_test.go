package union

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
)

func TestFS(t *testing.T) {
	u := New(fstest.MapFS{"a/x": {Data: []byte("root")}, "b": {Data: []byte("b")}})
	other := fstest.MapFS{"a/x": {Data: []byte("other")}, "link": {Data: []byte("a/x"), Mode: fs.ModeSymlink}}
	if err := u.Join("@other", other); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "@other", "x/y", ".", "", "../x"} {
		if err := u.Join(name, other); err == nil {
			t.Errorf("joined %q", name)
		}
	}
	if err := fstest.TestFS(u, "a/x", "b", "@other/a/x", "@other/link"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a/x": "root", "@other/a/x": "other", "@other/link": "other"} {
		if data, err := fs.ReadFile(u, name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	entries, err := fs.ReadDir(u, ".")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || !slices.Equal(names, []string{"@other", "a", "b"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// known is a file system that knows git's ids.
type known struct{ fstest.MapFS }

func (k known) ObjectID(name string) (string, error) { return "id of " + name, nil }

func TestObjectID(t *testing.T) {
	u := New(fstest.MapFS{"a": {}})
	if err := u.Join("@k", known{fstest.MapFS{"d/x": {}}}); err != nil {
		t.Fatal(err)
	}
	if id, err := u.ObjectID("@k/d/x"); err != nil || id != "id of d/x" {
		t.Errorf("%q, %v", id, err)
	}
	if id, err := u.ObjectID("a"); err == nil {
		t.Errorf("an id %q where none is known", id)
	}
}
