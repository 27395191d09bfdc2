package git

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
)

// settle waits until the clock is past what the index could be racy with.
func settle(t *testing.T, dir string) {
	t.Helper()
	time.Sleep(30 * time.Millisecond)
	must(t, os.Remove(filepath.Join(dir, ".git", "index")))
	git(t, dir, "reset", "-q", "--mixed", "HEAD")
}

func workOn(t *testing.T, dir string) *worktree {
	t.Helper()
	w, err := open(t, dir).Worktree(dir)
	must(t, err)
	return w.(*worktree)
}

// vouched says whether the id of a file comes from the index.
func vouched(t *testing.T, w *worktree, name string) bool {
	t.Helper()
	info, err := os.Lstat(filepath.Join(w.Top(), w.Below(), name))
	must(t, err)
	id, ok := w.stats().known(name, info)
	return ok && w.unfiltered(w.stats(), id, info.Size())
}

// TestIDsComeFromTheIndex: no file is read that the index vouches for, and every
// other one is.
func TestIDsComeFromTheIndex(t *testing.T) {
	dir := create(t, map[string]string{"a": "1", "d/b": "2", "empty": "", "mode": "3", "touched": "4", "same-size": "5"})
	for _, version := range []string{"2", "4"} {
		git(t, dir, "update-index", "--index-version", version)
		settle(t, dir)
		for _, name := range []string{"a", "d/b", "empty", "mode"} {
			if !vouched(t, workOn(t, dir), name) {
				t.Errorf("version %s: the index does not vouch for %s", version, name)
			}
		}
	}
	must(t, os.Chmod(filepath.Join(dir, "mode"), 0o755))
	write(t, dir, map[string]string{"touched": "4", "same-size": "6", "untracked": "7"})
	w := workOn(t, dir)
	for _, name := range []string{"mode", "touched", "same-size", "untracked"} {
		if vouched(t, w, name) {
			t.Errorf("the index vouches for %s", name)
		}
	}
	for _, name := range []string{"a", "d/b", "empty", "mode", "touched", "same-size", "untracked"} {
		got, err := w.ObjectID(name)
		if want := git(t, dir, "hash-object", "--", name); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
}

// TestRacilyClean: a file that is changed at the very time of the index, with size
// and times as before.
func TestRacilyClean(t *testing.T) {
	dir := create(t, map[string]string{"a": "1"})
	settle(t, dir)
	file := filepath.Join(dir, "a")
	info, err := os.Stat(file)
	must(t, err)
	must(t, os.Chtimes(filepath.Join(dir, ".git", "index"), info.ModTime(), info.ModTime()))
	if vouched(t, workOn(t, dir), "a") {
		t.Error("an index as old as the file vouches for it")
	}
	settle(t, dir)
	// The same size and mtime again: ctime gives it away.
	must(t, os.WriteFile(file, []byte("2"), 0o644))
	must(t, os.Chtimes(file, info.ModTime(), info.ModTime()))
	if got, err := workOn(t, dir).ObjectID("a"); err != nil || got != git(t, dir, "hash-object", "a") {
		t.Errorf("%s, %v", got, err)
	}
}

// TestFiltersAreNoticed: what is on disk is not what is in the blob.
func TestFiltersAreNoticed(t *testing.T) {
	dir := create(t, map[string]string{".gitattributes": "*.txt text eol=crlf\n", "a.txt": "1\n2\n", "plain": "x\n"})
	must(t, os.Remove(filepath.Join(dir, "a.txt")))
	git(t, dir, "checkout", "-q", "--", "a.txt")
	settle(t, dir)
	w := workOn(t, dir)
	if read(w, "a.txt") != "1\r\n2\r\n" {
		t.Fatalf("%q", read(w, "a.txt"))
	}
	if got, err := w.ObjectID("a.txt"); err != nil || got != blobID([]byte("1\r\n2\r\n")).String() {
		t.Errorf("%s, %v", got, err)
	}
	if !vouched(t, w, "plain") {
		t.Error("others are not read")
	}
}

// TestIndexesThatAreNotRead cost time, and nothing else.
func TestIndexesThatAreNotRead(t *testing.T) {
	for name, spoil := range map[string]func(dir string){
		"none":      func(dir string) { must(t, os.Remove(filepath.Join(dir, ".git", "index"))) },
		"split":     func(dir string) { git(t, dir, "update-index", "--split-index") },
		"truncated": func(dir string) { must(t, os.Truncate(filepath.Join(dir, ".git", "index"), 100)) },
		"rubbish": func(dir string) {
			must(t, os.WriteFile(filepath.Join(dir, ".git", "index"), []byte("rubbish"), 0o644))
		},
	} {
		dir := create(t, map[string]string{"a": "1", "b": "2", "c": "3"})
		settle(t, dir)
		spoil(dir)
		w := workOn(t, dir)
		if got, err := w.ObjectID("b"); err != nil || got != blobID([]byte("2")).String() {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if list, err := Changed(at(t, open(t, dir), "HEAD", ""), w); err != nil || len(list) != 0 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

// TestMergeAndIntentToAdd: entries that stand for no file's content.
func TestMergeAndIntentToAdd(t *testing.T) {
	dir := create(t, map[string]string{"a": "1\n"})
	git(t, dir, "checkout", "-q", "-b", "other")
	commit(t, dir, "theirs", map[string]string{"a": "2\n"})
	git(t, dir, "checkout", "-q", "main")
	commit(t, dir, "ours", map[string]string{"a": "3\n"})
	if _, err := tryGit(dir, "merge", "other"); err == nil {
		t.Fatal("no conflict")
	}
	write(t, dir, map[string]string{"new": ""})
	git(t, dir, "add", "-N", "new")
	write(t, dir, map[string]string{"new": "n"})
	time.Sleep(30 * time.Millisecond)
	for _, name := range []string{"a", "new"} {
		if got, err := workOn(t, dir).ObjectID(name); err != nil || got != git(t, dir, "hash-object", name) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestWorktreeIsWhatIsOnDisk(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, map[string]string{"f": "outside"})
	dir := create(t, map[string]string{"a/f": "1", "link": "-> a", "out": "-> " + filepath.Join(outside, "f"), ".gitignore": "ignored\n"})
	write(t, dir, map[string]string{"ignored": "2", "nested/.git/config": "x", "nested/f": "3", "dangling": "-> nothing"})
	w := workOn(t, dir)
	for name, want := range map[string]string{"a/f": "1", "link/f": "1", "ignored": "2", "nested/f": "3"} {
		if got := read(w, name); got != want {
			t.Errorf("%s: %q", name, got)
		}
		if got, err := w.ObjectID(name); err != nil || got != blobID([]byte(want)).String() {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for _, name := range []string{".git", ".git/config", "nested/.git", "nested/.git/config", "dangling"} {
		if _, err := fs.ReadFile(w, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.ObjectID(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, read := range []func(string) error{
		func(name string) error { _, err := w.ReadFile(name); return err },
		func(name string) error { _, err := w.ObjectID(name); return err },
	} {
		if err := read("out"); err == nil || !strings.Contains(err.Error(), "the link out leads to "+outside) {
			t.Errorf("out: %v", err)
		}
	}
	sub, err := fs.Sub(w, "link")
	must(t, err)
	if got, err := sub.(*worktree).ObjectID("f"); err != nil || got != blobID([]byte("1")).String() {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := w.ObjectID("a"); !errors.Is(err, syscall.EISDIR) {
		t.Error(err)
	}
	if _, err := w.Open("../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
	if _, err := w.ReadFile("nothing"); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("an error names the path as it was asked for: %v", err)
	}
	_, err = open(t, dir).Worktree(filepath.Join(dir, "nothing"))
	wantFault(t, err, fault.Input, "nothing")
}
