package git

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
)

// diverged is a repository whose branch mr was begun before main moved on.
func diverged(t *testing.T) (dir string, base, head string) {
	dir = create(t, map[string]string{"a": "1\n", "b": "1\n", "d/c": "1\n2\n3\n4\n5\n6\n", ".gitattributes": "d/c merge=site\n"})
	git(t, dir, "checkout", "-q", "-b", "mr")
	head = commit(t, dir, "mine", map[string]string{"a": "mine\n", "d/c": "one\n2\n3\n4\n5\n6\n"})
	git(t, dir, "checkout", "-q", "main")
	commit(t, dir, "theirs", map[string]string{"b": "theirs\n"})
	base = commit(t, dir, "theirs again", map[string]string{"d/c": "1\n2\n3\n4\n5\nsix\n"})
	return dir, base, head
}

func TestMerge(t *testing.T) {
	dir, base, head := diverged(t)
	url := "file://" + dir
	ids := map[string]bool{}
	for _, before := range []string{"", "main"} { // what was fetched before is shallow
		cache := filepath.Join(t.TempDir(), "cache")
		if _, _, err := Fetch(t.Context(), runGit, url, before, cache); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			m, err := Merge(t.Context(), runGit, Place{url, cache}, base, head)
			must(t, err)
			ids[m.Commit.ID] = true
			if m.Behind != 2 || m.Ahead != 1 || m.Cut {
				t.Errorf("%+v", m.Relation)
			}
			f := at(t, m.Repo, m.Commit.ID, "")
			for name, want := range map[string]string{"a": "mine\n", "b": "theirs\n", "d/c": "one\n2\n3\n4\n5\nsix\n"} {
				if got := read(f, name); got != want {
					t.Errorf("%s: %q, not %q", name, got, want)
				}
			}
			git(t, filepath.Join(cache, remoteURL(url).directory()), "gc", "-q", "--prune=now")
		}
	}
	if len(ids) != 1 {
		t.Errorf("the same merge has several ids: %v", ids)
	}
}

// TestMergeIsTheSameForEverybody: whatever the user's own git is told, and without
// the network once it was made.
func TestMergeIsTheSameForEverybody(t *testing.T) {
	dir, base, head := diverged(t)
	home := t.TempDir()
	write(t, home, map[string]string{
		".gitconfig":             "[merge \"site\"]\n\tdriver = sh -c 'echo driver > %A'\n[i18n]\n\tcommitEncoding = latin1\n[user]\n\tname = Somebody\n[merge]\n\trenames = false\n",
		".config/git/attributes": "* merge=ours\n",
	})
	place := Place{"file://" + dir, t.TempDir()}
	plain, err := Merge(t.Context(), runGit, place, base, head)
	must(t, err)
	t.Setenv("HOME", home)
	t.Setenv("GIT_AUTHOR_DATE", "@1 +0000")
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, ".gitconfig"))
	other, err := Merge(t.Context(), asTheUser, Place{place.URL, t.TempDir()}, base, head)
	must(t, err)
	if plain.Commit.ID != other.Commit.ID {
		t.Errorf("%s and %s", plain.Commit.ID, other.Commit.ID)
	}
	must(t, os.Rename(dir, dir+"-gone"))
	again, err := Merge(t.Context(), runGit, place, base, head)
	if err != nil || again.Commit.ID != plain.Commit.ID || again.Behind != plain.Behind {
		t.Errorf("%v, %v", again, err)
	}
}

// asTheUser runs git in the environment of whoever runs the tests.
func asTheUser(ctx context.Context, args, env []string, stdin io.Reader) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stdin = append(os.Environ(), env...), stdin
	return cmd.Output()
}

func TestMergeOfWhatNeedsNone(t *testing.T) {
	dir, base, head := diverged(t)
	place := Place{"file://" + dir, t.TempDir()}
	older := git(t, dir, "rev-parse", "main~1")
	for _, c := range []struct{ base, head, want string }{
		{older, base, base}, // head has all of base
		{base, older, base}, // and the other way round: it was merged
		{head, head, head},
	} {
		if m, err := Merge(t.Context(), runGit, place, c.base, c.head); err != nil || m.Commit.ID != c.want {
			t.Errorf("%s into %s: %s, %v", c.head, c.base, m.Commit.ID, err)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	dir, base, head := diverged(t)
	place := Place{"file://" + dir, t.TempDir()}
	git(t, dir, "checkout", "-q", "mr")
	conflict := commit(t, dir, "conflict", map[string]string{"b": "other\n", "d/c": "<gone>"})
	_, err := Merge(t.Context(), runGit, place, base, conflict)
	wantFault(t, err, fault.Input, "has conflicts in b, d/c", "--override NAME==")
	git(t, dir, "checkout", "-q", "--orphan", "other")
	alone := commit(t, dir, "alone", map[string]string{"x": "3"})
	_, err = Merge(t.Context(), runGit, place, base, alone)
	wantFault(t, err, fault.Input, "unrelated histories")
	if _, err := Merge(t.Context(), runGit, place, base, head); err != nil {
		t.Errorf("after what was refused: %v", err)
	}
	_, err = Merge(t.Context(), runGit, place, base, strings.Repeat("12", 20))
	wantFault(t, err, fault.Input, "has no commit 1212")
}

// TestLeft: where a clone, with work of its own that nobody else has, left main.
func TestLeft(t *testing.T) {
	dir, base, _ := diverged(t)
	place := Place{"file://" + dir, t.TempDir()}
	clone := t.TempDir()
	git(t, clone, "clone", "-q", "-b", "mr", dir, ".")
	commit(t, clone, "here only", map[string]string{"n": "1"})
	m, err := Left(t.Context(), runGit, place, base, Other{Dir: clone})
	must(t, err)
	if want := git(t, dir, "merge-base", "main", "mr"); m.Common.ID != want || m.Behind != 2 || m.Ahead != 2 {
		t.Errorf("%+v, not %s", m.Relation, want)
	}
	// What main has since, the clone lacks: it is fetched. What it has, is not.
	newer := commit(t, dir, "newer", map[string]string{"b": "newer\n"})
	m, err = Left(t.Context(), runGit, place, newer, Other{Dir: clone})
	if err != nil || m.Behind != 3 {
		t.Errorf("%+v, %v", m.Relation, err)
	}
	git(t, clone, "fetch", "-q", "origin")
	none := func(context.Context, []string, []string, io.Reader) ([]byte, error) {
		return nil, errors.New("git was run")
	}
	m, err = Left(t.Context(), none, place, newer, Other{Dir: clone})
	if err != nil || m.Behind != 3 || m.Repo.Bare() {
		t.Errorf("%+v, %v", m.Relation, err)
	}
	_, err = Left(t.Context(), runGit, place, base, Other{Dir: t.TempDir()})
	wantFault(t, err, fault.Input, "in no git repository")
}
