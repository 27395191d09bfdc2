package git

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/fault"
)

// addModule adds a submodule, and commits it.
func addModule(t *testing.T, dir, url, at string) {
	t.Helper()
	git(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, at)
	git(t, dir, "commit", "-qm", "submodule "+at)
}

// nested is a repository with a submodule that has one itself, and with another
// commit of both.
func nested(t *testing.T) (top, dir string) {
	t.Helper()
	top = t.TempDir()
	for _, name := range []string{"inner", "outer", "super"} {
		must(t, os.MkdirAll(filepath.Join(top, name), 0o755))
		git(t, filepath.Join(top, name), "init", "-q", "-b", "main")
		commit(t, filepath.Join(top, name), "first", map[string]string{"f": name + " 1", "same": "same"})
	}
	git(t, filepath.Join(top, "outer"), "remote", "add", "origin", filepath.Join(top, "outer"))
	addModule(t, filepath.Join(top, "outer"), "../inner", "sub/inner")
	dir = filepath.Join(top, "super")
	git(t, dir, "remote", "add", "origin", dir)
	addModule(t, dir, "../outer", "roles/outer")
	git(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
	commit(t, filepath.Join(top, "outer"), "second", map[string]string{"f": "outer 2"})
	git(t, filepath.Join(dir, "roles/outer"), "-c", "protocol.file.allow=always", "fetch", "-q")
	git(t, filepath.Join(dir, "roles/outer"), "checkout", "-q", "origin/main")
	commit(t, dir, "newer", nil)
	return top, dir
}

func TestSubmodulesHaveTheirFiles(t *testing.T) {
	top, dir := nested(t)
	want := map[string]string{"f": "super 1", "roles/outer/f": "outer 2", "roles/outer/sub/inner/f": "inner 1"}
	own := open(t, dir)
	var fetches atomic.Int32
	cached, c, err := Fetch(t.Context(), counting(&fetches), dir, "main", t.TempDir())
	must(t, err)
	if fetches.Load() != 1 {
		t.Error("submodules are fetched before anything in them is read")
	}
	for name, r := range map[string]*Repository{"git's own copy": own, "ours": cached} {
		f := at(t, r, c.ID, "")
		for file, content := range want {
			if got := read(f, file); got != content {
				t.Errorf("%s: %s: %q, not %q", name, file, got, content)
			}
		}
		must(t, fstest.TestFS(f, "roles/outer/sub/inner/same"))
		if got := read(at(t, r, c.ID, "roles/outer/sub"), "inner/f"); got != "inner 1" {
			t.Errorf("%s: from a directory in it: %q", name, got)
		}
	}
	if n := fetches.Load(); n != 3 {
		t.Errorf("%d fetches of three repositories", n)
	}
	// What differs in a submodule is named by file, and the disk is like the commit.
	if got := paths(t, at(t, own, "HEAD~1", ""), at(t, own, "HEAD", "")); !slices.Equal(got, []string{"roles/outer/f"}) {
		t.Errorf("between commits: %q", got)
	}
	if got := paths(t, at(t, own, "HEAD", ""), workOn(t, dir)); len(got) != 0 {
		t.Errorf("on disk: %q", got)
	}
	write(t, dir, map[string]string{"roles/outer/sub/inner/f": "changed"})
	if got := paths(t, at(t, own, "HEAD", ""), workOn(t, dir)); !slices.Equal(got, []string{"roles/outer/sub/inner/f"}) {
		t.Errorf("on disk: %q", got)
	}
	_ = top
}

// TestSubmodulesFromElsewhere: what a repository names is fetched only from where it
// may be.
func TestSubmodulesFromElsewhere(t *testing.T) {
	secret := create(t, map[string]string{"f": "of this machine"})
	dir := create(t, map[string]string{"a": "1"})
	addModule(t, dir, secret, "mod")
	var asked []string
	for _, url := range []string{secret, "file://" + secret, "ext::sh -c touch% x", "--upload-pack=x", ""} {
		commit(t, dir, "address", map[string]string{".gitmodules": fmt.Sprintf("[submodule \"mod\"]\n\tpath = mod\n\turl = %s\n", url)})
		r, c, err := Fetch(t.Context(), runGit, dir, "main", t.TempDir())
		must(t, err)
		r.origin = "https://forge.example.org/site/x.git" // as if it had come from there
		r.lend = func(url, commit string) (string, error) {
			asked = append(asked, url)
			return fromCache(t.Context(), runGit, t.TempDir())(url, commit)
		}
		f, err := r.Files(c, "")
		must(t, err)
		_, err = f.Open("mod/f")
		wantFault(t, err, fault.Input, "submodule was not fetched: mod")
	}
	if len(asked) > 0 {
		t.Errorf("fetched from %q", asked)
	}
}

func TestSubmoduleThatCannotBeFetched(t *testing.T) {
	one := create(t, map[string]string{"x": "1"})
	dir := create(t, map[string]string{"a": "1"})
	addModule(t, dir, one, "mod")
	must(t, os.Rename(one, one+"-gone"))
	defer os.RemoveAll(one + "-gone")
	var n atomic.Int32
	counted := func(ctx context.Context, args, env []string, stdin io.Reader) ([]byte, error) {
		n.Add(1)
		return runGit(ctx, args, env, stdin)
	}
	r, c, err := Fetch(t.Context(), counted, dir, "main", t.TempDir())
	must(t, err)
	f, err := r.Files(c, "")
	must(t, err)
	if read(f, "a") != "1" {
		t.Error("the rest is there")
	}
	_, err = f.Open("mod/x")
	wantFault(t, err, fault.Input, "submodule was not fetched: mod: fetch")
	before := n.Load()
	if _, err := f.Open("mod/x"); err == nil || n.Load() != before {
		t.Error("it is asked for again")
	}
}

func TestAddressesOfSubmodules(t *testing.T) {
	for _, c := range []struct{ above, url, want string }{
		{"https://h/g/x.git", "../y.git", "https://h/g/y.git"},
		{"https://h/g/x.git/", "../../o/y", "https://h/o/y"},
		{"git@h:g/x.git", "../y.git", "git@h:g/y.git"},
		{"git@h:x.git", "../y.git", "git@h:y.git"},
		{"/srv/x", "./y", "/srv/x/y"},
		{"https://h/x", "https://o/y", "https://o/y"},
	} {
		if got := resolveURL(c.above, c.url); got != c.want {
			t.Errorf("%s from %s: %s", c.url, c.above, got)
		}
	}
	for url, want := range map[string]bool{"/srv/x": true, "x": true, "file:///x": true, "https://h/x": false, "git@h:x": false, "./a:b": true} {
		if isLocal(url) != want {
			t.Errorf("%s", url)
		}
	}
}
