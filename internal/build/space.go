package build

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// withSpace adds to an error what to do about a full disk, if that is what it
// is about. The end of the log tells too: programs report it only there.
func withSpace(err error, log string) error {
	// Errors of the agent and of programs reach us as text.
	text := strings.ToLower(err.Error() + "\n" + log)
	full := slices.ContainsFunc([]string{
		"no space left on device",
		"failed to write to output filesystem", // mksquashfs, which does not always tell the cause
	}, func(sign string) bool { return strings.Contains(text, sign) })
	if !full {
		return err
	}
	for _, f := range fault.All(err) {
		if f.Hint != "" {
			return err
		}
	}
	return fault.New(fault.Failed, "%w: the disk is full", err).
		WithHint("free some space ('strata gc' removes what no image needs), then build again")
}
