package git

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
)

// history is a repository with branches, tags, a merge, and a remote.
func history(t *testing.T) string {
	t.Helper()
	origin := create(t, map[string]string{"a": "1"})
	commit(t, origin, "second\nline\n\nbody", map[string]string{"a": "2"})
	git(t, origin, "tag", "v1")
	git(t, origin, "tag", "-a", "-m", "annotated", "v2")
	git(t, origin, "tag", "-a", "-m", "of a tag", "v3", "v2")
	git(t, origin, "checkout", "-q", "-b", "feature/x", "HEAD~1")
	commit(t, origin, "on a branch", map[string]string{"b": "1"})
	git(t, origin, "checkout", "-q", "main")
	git(t, origin, "merge", "-q", "--no-ff", "-m", "merge", "feature/x")
	commit(t, origin, "last", map[string]string{"c": "1"})
	git(t, origin, "tag", "same-as-branch")
	git(t, origin, "branch", "same-as-branch", "HEAD~1")
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, origin, "clone", "-q", origin, dir)
	commit(t, dir, "local", map[string]string{"d": "1"})
	git(t, dir, "branch", "-q", "--track", "feature/x", "origin/feature/x")
	return dir
}

// TestCommitAgreesWithGit: whatever git rev-parse says, and in packed form too.
func TestCommitAgreesWithGit(t *testing.T) {
	dir := history(t)
	full := git(t, dir, "rev-parse", "HEAD~2")
	for _, packed := range []bool{false, true} {
		if packed {
			git(t, dir, "pack-refs", "--all")
			git(t, dir, "gc", "-q")
		}
		r := open(t, dir)
		for _, rev := range []string{
			"HEAD", "@", "HEAD~1", "HEAD~", "HEAD^", "HEAD^^", "HEAD~2^2", "HEAD~2^2~1", "HEAD^0", "HEAD~0", "@~3",
			"main", "main~2", "refs/heads/main", "heads/main", "origin/main", "origin/main~1", "remotes/origin/main", "origin",
			"feature/x", "v1", "v2", "v3", "v3^{}", "v2^{commit}", "v2~1", "tags/v2", "refs/tags/v2^0",
			full, full[:7], full[:4] + full[4:9], full[:11] + "~1", strings.ToUpper(full[:8]), "v1-5-g" + full[:8],
			"HEAD@{0}", "HEAD@{1}", "main@{1}", "main@{u}", "@{upstream}", "feature/x@{upstream}~1", "@{0}",
			"v9", "HEAD~99", "HEAD^3", "HEAD^9", "0000000", "feature", "main~x", "main^{nonsense}", "",
		} {
			want, wantErr := tryGit(dir, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
			c, err := r.Commit(rev)
			if (err == nil) != (wantErr == nil) || c.ID != want {
				t.Errorf("packed %v: %q is %q (%v); git says %q (%v)", packed, rev, c.ID, err, want, wantErr)
			}
			if err != nil && fault.KindOf(err) != fault.Input {
				t.Errorf("%q: %v is no fault of kind input", rev, err)
			}
		}
	}
}

func TestCommitTellsAboutItself(t *testing.T) {
	r := open(t, history(t))
	c, err := r.Commit("v1")
	must(t, err)
	if c.Subject != "second line" || !c.Time.Equal(time.Unix(1700000100, 0)) || c.Time.Format("-0700") != "+0100" || c.Short() != c.ID[:7] {
		t.Errorf("%+v", c)
	}
}

func TestUnknownRevisions(t *testing.T) {
	dir := history(t)
	r := open(t, dir)
	blob := git(t, dir, "rev-parse", "HEAD:a")
	gone := strings.Repeat("ab", 20)
	for rev, words := range map[string][]string{
		"mian":         {"there is no revision mian", "did you mean main?"},
		"orgin/main~2": {"there is no revision orgin/main~2", "did you mean origin/main~2?"},
		"quite-other":  {"there is no revision quite-other", "branch --all"},
		"HEAD:a":       {"there is no revision HEAD:a", "one commit"},
		"v1..v2":       {"one commit"},
		"HEAD~99":      {"the history begins with commit"},
		"HEAD^3":       {"has one parent, not 3"},
		"main@{99}":    {"the log of main is not that long"},
		"@{yesterday}": {"@{yesterday} is not understood", "rev-parse"},
		blob:           {"is a blob, not a commit"},
		gone:           {"there is no revision " + gone, "fetch origin " + gone},
		"-x":           {"there is no revision -x"},
		"../../config": {"there is no revision"},
		"config":       {"there is no revision config"},
		"a b":          {"there is no revision a b"},
	} {
		_, err := r.Commit(rev)
		wantFault(t, err, fault.Input, words...)
	}
}

func TestShallow(t *testing.T) {
	origin := create(t, map[string]string{"a": "1"})
	var ids []string
	for _, n := range []string{"2", "3", "4", "5"} {
		ids = append(ids, commit(t, origin, n, map[string]string{"a": n}))
	}
	git(t, origin, "branch", "other", "HEAD~3")
	dir := filepath.Join(t.TempDir(), "shallow")
	git(t, origin, "clone", "-q", "--depth=2", "file://"+origin, dir)
	r := open(t, dir)
	if read(at(t, r, "HEAD~1", ""), "a") != "4" {
		t.Error("what is there is read")
	}
	_, err := r.Commit("HEAD~3")
	wantFault(t, err, fault.Input, "there is no revision HEAD~3", "shallow", "parent "+ids[1]+" is missing", "fetch --depth=4", "--unshallow")
	_, err = r.Commit(ids[0])
	wantFault(t, err, fault.Input, "shallow", ids[0], "fetch --depth=1 origin "+ids[0])
	_, err = r.Commit("origin/other")
	wantFault(t, err, fault.Input, "shallow", "fetch --depth=1 origin other:refs/remotes/origin/other")
	_, err = r.Commit("some-tag")
	wantFault(t, err, fault.Input, "shallow", "--unshallow --tags")
	// The command that the hint names helps, without opening anew.
	git(t, dir, "fetch", "-q", "--depth=4")
	if c, err := r.Commit("HEAD~3"); err != nil || c.ID != ids[0] {
		t.Errorf("%s, %v", c.ID, err)
	}
	git(t, dir, "fetch", "-q", "--depth=1", "origin", "other:refs/remotes/origin/other")
	if _, err := r.Commit("origin/other"); err != nil {
		t.Error(err)
	}
}

func TestPartialClone(t *testing.T) {
	origin := create(t, map[string]string{"a": "1", "d/b": "2"})
	git(t, origin, "config", "uploadpack.allowFilter", "true")
	dir := filepath.Join(t.TempDir(), "partial")
	git(t, origin, "clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+origin, dir)
	f := at(t, open(t, dir), "HEAD", "").(*files)
	if list, err := f.ReadDir("d"); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	_, err := f.ReadFile("d/b")
	wantFault(t, err, fault.Input, "d/b of commit", "partial clone", git(t, origin, "rev-parse", "HEAD:d/b"), "--refetch --no-filter origin")
	git(t, dir, "fetch", "-q", "--refetch", "--no-filter", "origin")
	if read(f, "d/b") != "2" {
		t.Error("what the hint says does not help")
	}
}

func TestSymbolicRefsInACircle(t *testing.T) {
	dir := create(t, nil)
	write(t, dir, map[string]string{".git/refs/heads/x": "ref: refs/heads/y\n", ".git/refs/heads/y": "ref: refs/heads/x\n", ".git/refs/heads/z": "rubbish\n"})
	r := open(t, dir)
	for _, rev := range []string{"x", "z"} {
		if _, err := r.Commit(rev); err == nil {
			t.Errorf("%s is a commit", rev)
		}
	}
}
