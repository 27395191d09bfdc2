package main

import (
	"bytes"
	"os"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// unignored leaves out the files of the project's directory that git ignores, as far as
// there is a git that can say so.
func (h *history) unignored(names []string) []string {
	if len(names) == 0 {
		return names
	}
	var out bytes.Buffer
	// It ends with status 1 if it ignores none of them.
	_ = sandbox.Host(h.app.ctx, sandbox.Cmd{
		Args: []string{"git", "-C", h.dir, "check-ignore", "-z", "--stdin"}, Env: append(os.Environ(), "GIT_OPTIONAL_LOCKS=0"),
		Stdin: strings.NewReader(strings.Join(names, "\x00") + "\x00"), Stdout: &out,
	})
	ignored := strings.Split(out.String(), "\x00")
	slices.Sort(ignored)
	return slices.DeleteFunc(names, func(name string) bool {
		_, found := slices.BinarySearch(ignored, name)
		return found
	})
}
