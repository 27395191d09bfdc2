package git

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// paths are the paths of changes.
func paths(t testing.TB, base, head fs.FS) []string {
	t.Helper()
	list, err := Changed(base, head)
	must(t, err)
	names := []string{}
	for _, c := range list {
		names = append(names, c.Path)
	}
	return names
}

// lines are what git printed with -z.
func lines(out string) []string {
	list := []string{}
	for name := range strings.SplitSeq(out, "\x00") {
		if name != "" {
			list = append(list, name)
		}
	}
	return list
}

func TestKindsOfChanges(t *testing.T) {
	dir := create(t, map[string]string{
		"added.d/x": "0", "removed": "1", "content": "2", "mode": "3", "both": "4", "type": "5", "to-dir": "6", "to-file/x": "7", "to-file.x": "8", "same": "9",
	})
	commit(t, dir, "second", map[string]string{
		"added.d/y": "0", "removed": "<gone>", "content": "22", "mode": "3", "both": "#!4", "type": "-> same", "to-dir": "<gone>",
	})
	write(t, dir, map[string]string{"to-dir/x": "6", "to-file": "7"})
	must(t, os.Chmod(filepath.Join(dir, "mode"), 0o755))
	commit(t, dir, "second, too", nil)
	want := "[{added.d/y added} {both content} {content content} {mode mode} {removed removed} {to-dir removed} {to-dir/x added} " +
		"{to-file added} {to-file/x removed} {type type}]"
	r := open(t, dir)
	base, head := at(t, r, "HEAD~2", ""), at(t, r, "HEAD", "")
	for name, other := range map[string]fs.FS{"commit": head, "work tree": workOn(t, dir), "plain directory": os.DirFS(dir)} {
		if got, err := Changed(base, other); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v\nwant %s\n%v", name, got, want, err)
		}
		if got, err := Changed(head, other); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	sub, err := fs.Sub(base, "added.d")
	must(t, err)
	if got := paths(t, sub, at(t, r, "HEAD", "added.d")); fmt.Sprint(got) != "[y]" {
		t.Errorf("%v", got)
	}
}

// TestChangedAgreesWithGit makes random changes and compares with git diff, between
// commits, with a work tree, and with a plain directory.
func TestChangedAgreesWithGit(t *testing.T) {
	const rounds = 60
	random := rand.New(rand.NewPCG(1, 2))
	dir := create(t, map[string]string{"start": "1", ".gitignore": "*.ignored\n"})
	commits := []string{git(t, dir, "rev-parse", "HEAD")}
	total := 0
	for round := range rounds {
		for range 1 + random.IntN(8) {
			mutate(t, random, dir)
		}
		if round%5 == 4 {
			git(t, dir, "gc", "-q", "--prune=now")
		}
		r := open(t, dir)
		base := commits[random.IntN(len(commits))]
		// git diff has what is tracked, and as index and disk are the same to us,
		// what is untracked but in the commit counts once.
		git(t, dir, "add", "-A", "-f", "-N")
		want := lines(git(t, dir, "diff", "--no-renames", "--name-only", "-z", base, "--"))
		w := workOn(t, dir)
		for name, head := range map[string]fs.FS{"work tree": w, "directory": os.DirFS(dir)} {
			if got := paths(t, at(t, r, base, ""), head); !slices.Equal(got, want) {
				t.Fatalf("round %d, %s:\n%q\nwant\n%q", round, name, got, want)
			}
		}
		git(t, dir, "add", "-A", "-f")
		git(t, dir, "commit", "-q", "--allow-empty", "-m", "x")
		commits = append(commits, git(t, dir, "rev-parse", "HEAD"))
		for range 3 {
			a, b := commits[random.IntN(len(commits))], commits[random.IntN(len(commits))]
			want := lines(git(t, dir, "diff", "--no-renames", "--name-only", "-z", a, b, "--"))
			if got := paths(t, at(t, r, a, ""), at(t, r, b, "")); !slices.Equal(got, want) {
				t.Fatalf("round %d: %s %s\n%q\nwant\n%q", round, a, b, got, want)
			}
			total += len(want)
		}
	}
	if total < 10*rounds {
		t.Errorf("only %d changes seen", total)
	}
}

// mutate changes one thing in a work tree.
func mutate(t *testing.T, random *rand.Rand, dir string) {
	names := []string{"a", "a.b", "a-b", "b", "c d", "ü", "-e", "f\ng", "h.ignored"}
	name := names[random.IntN(len(names))]
	for range random.IntN(3) {
		name = names[random.IntN(len(names))] + "/" + name
	}
	file := filepath.Join(dir, name)
	// What is in the way goes.
	for up := filepath.Dir(file); up != dir; up = filepath.Dir(up) {
		if info, err := os.Lstat(up); err == nil && !info.IsDir() {
			must(t, os.Remove(up))
		}
	}
	switch random.IntN(6) {
	case 0:
		must(t, os.RemoveAll(file))
	case 1:
		write(t, dir, map[string]string{name: "-> " + names[random.IntN(len(names))]})
	case 2:
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			must(t, os.Chmod(file, info.Mode()^0o111))
		}
	default:
		// Of few sizes and contents, so that the index is put to the test.
		write(t, dir, map[string]string{name: fmt.Sprint(random.IntN(20))})
	}
}

func TestChangedInSubmodules(t *testing.T) {
	one := create(t, map[string]string{"x": "1"})
	dir := create(t, map[string]string{"a": "1", "z/y": "1"})
	git(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", one, "mod")
	git(t, dir, "commit", "-qm", "added")
	commit(t, one, "second", map[string]string{"x": "2"})
	git(t, filepath.Join(dir, "mod"), "pull", "-q")
	commit(t, dir, "moved", nil)
	git(t, dir, "rm", "-q", "--cached", "mod")
	must(t, os.RemoveAll(filepath.Join(dir, "mod")))
	commit(t, dir, "a file", map[string]string{"mod": "file"})
	commit(t, dir, "a directory", map[string]string{"mod": "<gone>", "mod/x": "3"})
	must(t, os.RemoveAll(filepath.Join(dir, ".git", "modules"))) // not fetched: it counts by its commit
	r := open(t, dir)
	for base := range 5 {
		for head := range 5 {
			a, b := fmt.Sprintf("HEAD~%d", base), fmt.Sprintf("HEAD~%d", head)
			want := lines(git(t, dir, "diff", "--no-renames", "--name-only", "-z", a, b, "--"))
			if got := paths(t, at(t, r, a, ""), at(t, r, b, "")); !slices.Equal(got, want) {
				t.Errorf("%s %s: %q, want %q", a, b, got, want)
			}
		}
	}
}

// TestFileModeOff: on a file system without rights to execute, modes are git's.
func TestFileModeOff(t *testing.T) {
	dir := create(t, map[string]string{"a": "#!x", "b": "y"})
	git(t, dir, "config", "core.filemode", "false")
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o644))
	must(t, os.Chmod(filepath.Join(dir, "b"), 0o755))
	if got, err := Changed(at(t, open(t, dir), "HEAD", ""), workOn(t, dir)); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestChangedReadsOnlyWhatDiffers(t *testing.T) {
	contents := map[string]string{}
	for i := range 50 {
		contents[fmt.Sprintf("d%d/e/f", i)] = fmt.Sprint(i)
	}
	dir := create(t, contents)
	commit(t, dir, "second", map[string]string{"d7/e/f": "new"})
	r := open(t, dir)
	if got := paths(t, at(t, r, "HEAD~1", ""), at(t, r, "HEAD", "")); fmt.Sprint(got) != "[d7/e/f]" {
		t.Errorf("%v", got)
	}
	if n := len(slices.Collect(maps.Keys(r.trees))); n != 6 {
		t.Errorf("%d directories were read, not the three of each commit", n)
	}
}
