package git

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestIgnored asks about files by every kind of name at once: git by itself gives up at
// the first that it does not like.
func TestIgnored(t *testing.T) {
	dir := t.TempDir()
	git := func(at string, args ...string) {
		t.Helper()
		if _, err := runGit(t.Context(), append([]string{"git", "-C", filepath.Join(dir, at)}, args...), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("", "init", "--quiet", "site")
	write("site/.gitignore", "*.log\nvenv/\nodd\\\nname\n")
	for _, name := range []string{"a.log", "kept.log", "b.txt", "venv/lib/x", "real/c.log", "new\nline.log", "ö.log", "p/q.log"} {
		write("site/"+name, "")
	}
	git("site", "add", "--force", "kept.log", ".gitignore")
	git("", "init", "--quiet", "site/module")
	write("site/module/.gitignore", "mine\n")
	write("site/module/mine", "")
	write("site/module/d.log", "")
	write("beside/e.log", "")
	for name, to := range map[string]string{"link": "real", "out": "../beside", "dangling.log": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, "site", name)); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{
		"a.log", "kept.log", "b.txt", "venv/lib/x", "link/c.log", "real/c.log", "new\nline.log", "ö.log",
		"module/mine", "module/d.log", "out/e.log", "dangling.log", "no/such.log",
	}
	want := []string{"a.log", "dangling.log", "link/c.log", "module/mine", "new\nline.log", "real/c.log", "venv/lib/x", "ö.log"}
	got := slices.Sorted(maps.Keys(Ignored(t.Context(), runGit, filepath.Join(dir, "site"), names)))
	if !slices.Equal(got, want) {
		t.Errorf("ignored are %q\nnot %q", got, want)
	}
	if got := Ignored(t.Context(), runGit, filepath.Join(dir, "site/p"), []string{"q.log"}); !got["q.log"] {
		t.Errorf("below the top: %v", got)
	}
	if got := Ignored(t.Context(), runGit, filepath.Join(dir, "beside"), []string{"e.log"}); len(got) > 0 {
		t.Errorf("without git: %v", got)
	}
	none := func(context.Context, []string, []string, io.Reader) ([]byte, error) { return nil, errors.New("no git") }
	if got := Ignored(t.Context(), none, filepath.Join(dir, "site"), names); len(got) > 0 {
		t.Errorf("without the program: %v", got)
	}
}
