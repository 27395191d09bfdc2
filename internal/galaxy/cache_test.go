package galaxy

import "testing"

// TestExplained finds the cause in what ansible-galaxy 2.14 says.
func TestExplained(t *testing.T) {
	for said, want := range map[string]string{
		"Starting galaxy role install process\n[WARNING]: - nosuch.role was NOT installed successfully: Unknown error when\nattempting to call Galaxy\nERROR! - you can use --ignore-errors to skip failed roles and finish processing the list.\n": "nosuch.role was NOT installed successfully: Unknown error when attempting to call Galaxy",
		"Process install dependency map\nERROR! Failed to resolve the requested dependencies map.\nCould not satisfy:\n\n* x\n":                                                                                                                     "Failed to resolve the requested dependencies map. Could not satisfy:",
		"something\nelse": "something",
	} {
		if got := explained(said); got != want {
			t.Errorf("%s", got)
		}
	}
}
