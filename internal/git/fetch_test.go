package git

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
)

// counting counts the fetches of a Runner.
func counting(n *atomic.Int32) Runner {
	return func(ctx context.Context, args, env []string, stdin io.Reader) ([]byte, error) {
		if slices.Contains(args, "fetch") {
			n.Add(1)
		}
		if !slices.Contains(env, "GIT_TERMINAL_PROMPT=0") {
			return nil, errors.New("git could ask")
		}
		return runGit(ctx, args, env, stdin)
	}
}

// remote is a repository to fetch from, and its address.
func remote(t *testing.T) (dir, url string) {
	dir = create(t, map[string]string{"f": "1"})
	commit(t, dir, "second", map[string]string{"f": "2"})
	git(t, dir, "tag", "-a", "-m", "annotated", "v1")
	commit(t, dir, "third", map[string]string{"f": "3"})
	git(t, dir, "branch", "release/1", "HEAD~2")
	return dir, "file://" + dir
}

func TestFetch(t *testing.T) {
	dir, url := remote(t)
	cache := filepath.Join(t.TempDir(), "cache")
	var n atomic.Int32
	for ref, want := range map[string]string{
		"": "3", "HEAD": "3", "main": "3", "v1": "2", "release/1": "1", "refs/heads/main": "3", "refs/tags/v1": "2",
		git(t, dir, "rev-parse", "main~1"): "2",
	} {
		r, c, err := Fetch(t.Context(), counting(&n), url, ref, cache)
		if err != nil {
			t.Errorf("%q: %v", ref, err)
			continue
		}
		f, err := r.Files(c, "")
		must(t, err)
		if got := read(f, "f"); got != want {
			t.Errorf("%q: %s, want %s", ref, got, want)
		}
	}
	entries, err := os.ReadDir(cache)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) != 2 || !strings.HasSuffix(names[0], ".git") || !strings.HasSuffix(names[1], ".git.lock") {
		t.Errorf("the cache has %v", names)
	}

	before := n.Load()
	id := git(t, dir, "rev-parse", "main")
	if _, c, err := Fetch(t.Context(), counting(&n), url, id, cache); err != nil || c.ID != id || n.Load() != before {
		t.Errorf("a commit that is there is fetched again: %v, %v", c, err)
	}
	// A branch that moved, also back.
	next := commit(t, dir, "fourth", map[string]string{"f": "4"})
	for _, move := range []string{next, next + "~2", next} {
		git(t, dir, "reset", "-q", "--hard", move)
		want := git(t, dir, "rev-parse", "HEAD")
		if _, c, err := Fetch(t.Context(), counting(&n), url, "main", cache); err != nil || c.ID != want {
			t.Errorf("%s, %v, want %s", c.ID, err, want)
		}
	}
	// Without the remote, what is there still serves.
	must(t, os.Rename(dir, dir+"-gone"))
	defer os.RemoveAll(dir + "-gone")
	if _, c, err := Fetch(t.Context(), counting(&n), url, id, cache); err != nil || c.ID != id {
		t.Errorf("%v, %v", c, err)
	}
	_, _, err = Fetch(t.Context(), counting(&n), url, "main", cache)
	wantFault(t, err, fault.Input, "fetch main from file://", "does not appear to be a git repository", "see that the address is right", "ls-remote")
}

func TestFetchRefuses(t *testing.T) {
	_, url := remote(t)
	cache := t.TempDir()
	for ref, words := range map[string][]string{
		"mian":                   {"no branch and no tag mian", "did you mean main?"},
		"nothing-like-it":        {"no branch and no tag", "it has main"},
		"abcdef12":               {"all 40 digits"},
		strings.Repeat("ab", 20): {"has no commit abab"},
		"main~1":                 {"is not the name of"},
		"a:b":                    {"is not the name of"},
		"--upload-pack=x":        {"no branch and no tag"},
	} {
		_, _, err := Fetch(t.Context(), runGit, url, ref, cache)
		wantFault(t, err, fault.Input, words...)
	}
	for _, bad := range []string{"", "--upload-pack=touch /tmp/x"} {
		_, _, err := Fetch(t.Context(), runGit, bad, "main", cache)
		wantFault(t, err, fault.Input, "is not the address")
	}
}

// TestFetchOfACommitThatIsNotGivenOut: servers may give out branches and tags only.
func TestFetchOfACommitThatIsNotGivenOut(t *testing.T) {
	dir, url := remote(t)
	cache := t.TempDir()
	old := func(ctx context.Context, args, env []string, stdin io.Reader) ([]byte, error) {
		return runGit(ctx, args, append(env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=0"), stdin)
	}
	for _, rev := range []string{"main", "main~1", "main~2"} {
		id := git(t, dir, "rev-parse", rev)
		if _, c, err := Fetch(t.Context(), old, url, id, cache); err != nil || c.ID != id {
			t.Errorf("%s: %v, %v", rev, c, err)
		}
	}
	_, _, err := Fetch(t.Context(), old, url, strings.Repeat("12", 20), cache)
	wantFault(t, err, fault.Input, "in any branch or tag")
}

func TestFetchByManyAtOnce(t *testing.T) {
	dir, url := remote(t)
	cache := t.TempDir()
	ids := []string{git(t, dir, "rev-parse", "main"), git(t, dir, "rev-parse", "main~1"), git(t, dir, "rev-parse", "main~2")}
	var n atomic.Int32
	var wg sync.WaitGroup
	for i := range 9 {
		wg.Go(func() {
			r, c, err := Fetch(t.Context(), counting(&n), url, ids[i%3], cache)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := r.Files(c, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n.Load() != 3 {
		t.Errorf("%d fetches of three commits", n.Load())
	}
}

func TestFetchIsInterrupted(t *testing.T) {
	_, url := remote(t)
	cache := t.TempDir()
	stop := func(ctx context.Context, args, env []string, stdin io.Reader) ([]byte, error) {
		<-ctx.Done()
		return nil, errors.New("signal: killed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := Fetch(ctx, stop, url, "main", cache); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	// Waiting for the lock is interrupted too.
	held, err := lock(t.Context(), filepath.Join(cache, remoteURL(url).directory()+".lock"))
	must(t, err)
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := Fetch(ctx, runGit, url, "main", cache); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	held()
	// What a killed git leaves is in nobody's way.
	if _, _, err := Fetch(t.Context(), runGit, url, "v1", cache); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(cache, remoteURL(url).directory())
	write(t, bare, map[string]string{"shallow.lock": "", "packed-refs.lock": ""})
	must(t, os.MkdirAll(bare+".new/objects", 0o755))
	if _, _, err := Fetch(t.Context(), runGit, url, "main", cache); err != nil {
		t.Error(err)
	}
}

func TestSecretsOfAddresses(t *testing.T) {
	cache := t.TempDir()
	for _, c := range []struct{ url, shown string }{
		{"http://user:hunter2secret@127.0.0.1:1/x.git", "http://127.0.0.1:1/x.git"},
		{"http://hunter2secret@127.0.0.1:1/x.git", "http://127.0.0.1:1/x.git"},
		{"http://oauth2:hunter2%2Fsecret@127.0.0.1:1/x.git", "http://127.0.0.1:1/x.git"},
		{"http://user:hunter2/secret@127.0.0.1:1/x.git", "http://127.0.0.1:1/x.git"},
		{"http://127.0.0.1:1/x.git?private_token=hunter2secret", "http://127.0.0.1:1/x.git?…"},
	} {
		_, _, err := Fetch(t.Context(), runGit, c.url, "main", cache)
		var f *fault.Error
		if !errors.As(err, &f) {
			t.Errorf("%v is no fault", err)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if all := e.Error() + f.Hint + f.Detail; strings.Contains(all, "hunter2") || strings.Contains(all, "secret") {
				t.Errorf("%s: %s", c.url, all)
			}
		}
		if !strings.Contains(f.Message, c.shown) {
			t.Errorf("%s does not tell the address %s", f.Message, c.shown)
		}
	}
	// Nothing on disk has them either.
	err := filepath.WalkDir(cache, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(path+string(content), "hunter2") {
			t.Errorf("%s has the secret", path)
		}
		return err
	})
	must(t, err)
	for url, want := range map[string]string{
		"ssh://git@example.org/a/b.git": "ssh://git@example.org/a/b.git", "ssh://git:pw@example.org/b": "ssh://git@example.org/b",
		"git@example.org:a/b.git": "git@example.org:a/b.git", "/srv/a@b.git": "/srv/a@b.git", "https://example.org/@scope/x": "https://example.org/@scope/x",
	} {
		if got := remoteURL(url).shown(); got != want {
			t.Errorf("%s is shown as %s", url, got)
		}
	}
	if a, b := remoteURL("https://x:1@h/p.git").directory(), remoteURL("https://y:2@h/p.git").directory(); a != b {
		t.Errorf("%s and %s are two", a, b)
	}
}
