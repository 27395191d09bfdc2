package apt

import (
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// Explain turns an error of apt's into what to do about it; output is what apt
// said at its end. Other errors stay as they are.
func Explain(err error, output string) error {
	if err == nil {
		return nil
	}
	for _, known := range []struct {
		signs         []string
		message, hint string
	}{
		{
			[]string{"NO_PUBKEY", "BADSIG", "is not signed", "EXPKEYSIG", "The following signatures"},
			"a repository's signature is not good",
			"is it signed by the key of 'key:', or by the distribution's keyring (package debian-archive-keyring)?",
		},
		{
			[]string{"Failed to fetch", "Could not resolve", "Could not connect", "Connection failed", "Unable to connect"},
			"a mirror did not deliver",
			"apt tried several times; what was downloaded is kept, so building again goes on from there",
		},
		{
			[]string{"Unable to locate package", "has no installation candidate", "was not found"},
			"a package is in none of the layer's repositories",
			"check its name and version, and the suites and components of the repositories",
		},
		{
			[]string{"unmet dependencies", "held broken packages"},
			"the packages do not fit together",
			"see the log; a pinned version or a repository of another release is the usual cause",
		},
	} {
		for _, sign := range known.signs {
			if strings.Contains(output, sign) {
				return fault.New(fault.Failed, "%s: %w", known.message, err).WithHint("%s", known.hint)
			}
		}
	}
	return err
}
