package git

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
)

// Ignored says which of some files below a directory git ignores and does not have, as
// far as there is a git that can say so. Each is judged by the work tree that it really
// lies in, wherever links in its name lead: a submodule has rules of its own.
func Ignored(ctx context.Context, run Runner, dir string, names []string) map[string]bool {
	tops := map[string]string{}     // by directory, as it is named
	asked := map[string][]string{}  // the places to ask for, by work tree
	called := map[string][]string{} // the names of a place
	for _, name := range names {
		parent, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.Dir(name)))
		if err != nil {
			continue
		}
		if _, ok := tops[parent]; !ok {
			tops[parent], _ = topOf(parent)
		}
		if top := tops[parent]; top != "" {
			place := filepath.Join(parent, filepath.Base(name))
			asked[top] = append(asked[top], place)
			called[place] = append(called[place], name)
		}
	}
	ignored := map[string]bool{}
	for top, places := range asked {
		slices.Sort(places)
		stdin := strings.NewReader(strings.Join(slices.Compact(places), "\x00") + "\x00")
		// Its status says whether it ignores any of them.
		out, _ := run(ctx, []string{"git", "-C", top, "check-ignore", "-z", "--stdin"}, []string{"GIT_OPTIONAL_LOCKS=0"}, stdin)
		for place := range strings.SplitSeq(string(out), "\x00") {
			for _, name := range called[place] {
				ignored[name] = true
			}
		}
	}
	return ignored
}
