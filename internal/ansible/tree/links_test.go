package tree

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestReal goes over links to names.
func TestReal(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{
		"roles/a/tasks/main.yml": "", "roles/a/tasks/b.yml": "main.yml",
		"books/roles": "../roles", "books/deep/roles": "../roles/a/..",
		"self": "self", "here": ".", "one": "two", "two": "one",
		"up": "../other", "away": "/etc", "dangling": "later/x", "file": "roles/a/tasks/main.yml",
		"odd": "roles//./a/",
	} {
		full := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		if target != "" {
			err = errors.Join(err, os.Symlink(target, full))
		} else {
			err = errors.Join(err, os.WriteFile(full, nil, 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	files := New(os.DirFS(dir), NewOnce())
	for name, want := range map[string]Way{
		"roles/a/tasks/main.yml":            {nil, "roles/a/tasks/main.yml"},
		"roles/nope":                        {nil, "roles/nope"},
		".":                                 {nil, "."},
		"../x":                              {nil, "../x"},
		"roles/a/tasks/b.yml":               {[]string{"roles/a/tasks/b.yml"}, "roles/a/tasks/main.yml"},
		"books/roles":                       {[]string{"books/roles"}, "roles"},
		"books/roles/a/tasks/b.yml":         {[]string{"books/roles", "roles/a/tasks/b.yml"}, "roles/a/tasks/main.yml"},
		"books/deep/roles/a/tasks/main.yml": {[]string{"books/deep/roles", "books/roles"}, "roles/a/tasks/main.yml"},
		"books/roles/nope/x":                {[]string{"books/roles"}, "roles/nope/x"},
		"here/here/file/x":                  {[]string{"here", "here", "file"}, "roles/a/tasks/main.yml/x"},
		"up/x/y":                            {[]string{"up"}, "../other/x/y"},
		"away/passwd":                       {[]string{"away"}, "../etc/passwd"},
		"dangling":                          {[]string{"dangling"}, "later/x"},
		"odd/tasks/main.yml":                {[]string{"odd"}, "roles/a/tasks/main.yml"},
	} {
		if got := files.Real(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for _, name := range []string{"self", "self/x", "one"} {
		if got := files.Real(name); got.Real != name || len(got.Links) <= deepest {
			t.Errorf("%s, which leads in a circle: %+v", name, got)
		}
	}
	if w := files.Real("up/x"); !w.Outside() {
		t.Error("a way out is not known as one")
	}
	if to, ok := files.LinkTarget("books/roles"); to != "../roles" || !ok {
		t.Errorf("the target of books/roles is %q, %t", to, ok)
	}
	if _, ok := files.LinkTarget("roles"); ok {
		t.Error("a directory is taken for a link")
	}
}
