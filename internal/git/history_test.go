package git

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRelateAgreesWithGit makes random histories, with merges and clocks that go
// wrong, and compares with git merge-base and git rev-list.
func TestRelateAgreesWithGit(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for round, skew := range []int{0, 0, 0, 500} {
		dir := create(t, map[string]string{"f": "1"})
		tree := git(t, dir, "rev-parse", "HEAD^{tree}")
		ids := []string{git(t, dir, "rev-parse", "HEAD")}
		for i := range 40 {
			args := []string{"-c", "user.name=x", "commit-tree", tree, "-m", strconv.Itoa(i)}
			var parents []string
			for range 1 + random.IntN(2) {
				// Near the end, so that branches live long and are merged again.
				p := ids[max(0, len(ids)-1-random.IntN(6))]
				if !slices.Contains(parents, p) {
					parents = append(parents, p)
					args = append(args, "-p", p)
				}
			}
			when := fmt.Sprintf("GIT_COMMITTER_DATE=@%d +0000", 1700000200+i*10+random.IntN(skew+1))
			cmd := exec.Command("git", args...)
			cmd.Dir, cmd.Env = dir, append(environment(), when)
			id, err := cmd.Output()
			must(t, err)
			ids = append(ids, strings.TrimSpace(string(id)))
		}
		r := open(t, dir)
		for range 20 {
			a, b := ids[random.IntN(len(ids))], ids[random.IntN(len(ids))]
			base, err := r.Commit(a)
			must(t, err)
			head, err := r.Commit(b)
			must(t, err)
			got, err := r.Relate(base, head)
			must(t, err)
			counts := strings.Fields(git(t, dir, "rev-list", "--left-right", "--count", a+"..."+b))
			same := strconv.Itoa(got.Behind) == counts[0] && strconv.Itoa(got.Ahead) == counts[1]
			if got.Cut || !same && skew == 0 { // by clocks that go wrong, some are counted twice
				t.Errorf("round %d: %s %s: %+v, git counts %v", round, a, b, got, counts)
			}
			if all := strings.Fields(git(t, dir, "merge-base", "--all", a, b)); !slices.Contains(all, got.Common.ID) {
				t.Errorf("round %d: %s %s: common is %s, git has %v", round, a, b, got.Common.ID, all)
			}
		}
	}
}

func TestRelateWithoutHistory(t *testing.T) {
	dir := create(t, map[string]string{"f": "1"})
	commit(t, dir, "second", map[string]string{"f": "2"})
	git(t, dir, "checkout", "-q", "--orphan", "other")
	commit(t, dir, "alone", map[string]string{"f": "3"})
	r := open(t, dir)
	relate := func(r *Repository, a, b string) Relation {
		t.Helper()
		base, err := r.Commit(a)
		must(t, err)
		head, err := r.Commit(b)
		must(t, err)
		rel, err := r.Relate(base, head)
		must(t, err)
		return rel
	}
	if rel := relate(r, "main", "other"); rel.Common.ID != "" || rel.Behind != 2 || rel.Ahead != 1 || rel.Cut {
		t.Errorf("%+v", rel)
	}
	shallow := t.TempDir()
	git(t, shallow, "clone", "-q", "--depth=1", "--no-single-branch", "file://"+dir, ".")
	if rel := relate(open(t, shallow), "origin/main", "origin/other"); !rel.Cut || rel.Common.ID != "" {
		t.Errorf("%+v", rel)
	}
}
