package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
)

// environment keeps the user's configuration out of the tests.
func environment() []string {
	env := []string{
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_AUTHOR_DATE=1700000000 +0100",
		"GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.org", "GIT_COMMITTER_DATE=1700000100 +0100",
		"GIT_ALLOW_PROTOCOL=file:http:https:ssh",
	}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GIT_") {
			env = append(env, e)
		}
	}
	return env
}

// git runs the git program in a directory and returns what it printed.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, environment()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimRight(string(out), "\n"), nil
}

// write writes files by name; a content of "-> x" is a link, of "#!" executable, and
// of "<gone>" removes the file. In the order of names: a file goes before what takes its place.
func write(t testing.TB, dir string, contents map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		content := contents[name]
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.RemoveAll(file))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			must(t, os.Symlink(target, file))
			continue
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if content != "<gone>" {
			must(t, os.WriteFile(file, []byte(content), mode))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create makes a repository with one commit.
func create(t testing.TB, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "config", "gc.auto", "0")
	commit(t, dir, "first", contents)
	return dir
}

// commit writes files, commits them, and returns the id.
func commit(t testing.TB, dir, subject string, contents map[string]string) string {
	t.Helper()
	write(t, dir, contents)
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", subject)
	return git(t, dir, "rev-parse", "HEAD")
}

func open(t testing.TB, dir string) *Repository {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatalf("open %s: %v", dir, err)
	}
	return r
}

// at returns the files of a revision.
func at(t testing.TB, r *Repository, rev, below string) fs.FS {
	t.Helper()
	c, err := r.Commit(rev)
	if err != nil {
		t.Fatalf("commit %s: %v", rev, err)
	}
	f, err := r.Files(c, below)
	if err != nil {
		t.Fatalf("files of %s: %v", rev, err)
	}
	return f
}

// wantFault checks an error's kind and that message and hint have some words.
func wantFault(t testing.TB, err error, kind fault.Kind, words ...string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind {
		t.Errorf("%v is no fault of kind %s", err, kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(f.Message+"\n"+f.Hint, w) {
			t.Errorf("%q is not in: %s\nhint: %s", w, f.Message, f.Hint)
		}
	}
}

// read returns a file's content, or the error in angle brackets.
func read(f fs.FS, name string) string {
	content, err := fs.ReadFile(f, name)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "<" + err.Error() + ">"
	}
	return string(content)
}

// runGit is a Runner.
func runGit(ctx context.Context, args, env []string, stdin io.Reader) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(environment(), env...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &errs
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out, nil
}
