package layer

import (
	"strings"
	"testing"
)

func TestCommitsForPeople(t *testing.T) {
	one, two := strings.Repeat("a1", 20), strings.Repeat("b2", 20)
	for _, c := range []struct {
		commit Commit
		text   string
		clean  bool
	}{
		{Commit{Name: "project", ID: one}, "project a1a1a1a", true},
		{Commit{Name: "slurm", ID: one + "+" + two}, "slurm a1a1a1a+b2b2b2b", true},
		{Commit{Name: "slurm", ID: one}.Dirty(), "slurm a1a1a1a-dirty", false},
		{Commit{Name: "slurm"}, "slurm no commit", false},
	} {
		if c.commit.String() != c.text || c.commit.Clean() != c.clean {
			t.Errorf("%v: %q, clean %v", c.commit, c.commit, c.commit.Clean())
		}
	}
}
