package git

import (
	"errors"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
)

// What git says is told by its cause, not by the advice at its end, and with a
// hint that fits.
func TestGitsWordsAreToldByTheirCause(t *testing.T) {
	const advice = "\n\nPlease make sure you have the correct access rights\nand the repository exists."
	for said, want := range map[string][2]string{
		"git@host: Permission denied (publickey).\nfatal: Could not read from remote repository." + advice:              {"git@host: Permission denied (publickey).", "ssh-agent has the key"},
		"Host key verification failed.\nfatal: Could not read from remote repository." + advice:                         {"Host key verification failed.", "known_hosts"},
		"remote: Repository not found.\nfatal: repository 'https://host/a/b/' not found":                                {"repository 'https://host/a/b/' not found", "address is right"},
		"ERROR: Repository not found.\nfatal: Could not read from remote repository." + advice:                          {"Repository not found.", "address is right"},
		"fatal: '/no/such' does not appear to be a git repository\nfatal: Could not read from remote." + advice:         {"'/no/such' does not appear to be a git repository", "address is right"},
		"fatal: could not read Username for 'https://host': terminal prompts disabled":                                  {"could not read Username for 'https://host': terminal prompts disabled", "token"},
		"fatal: unable to access 'https://host/': Could not resolve host: host":                                         {"unable to access 'https://host/': Could not resolve host: host", "look it up"},
		"ssh: connect to host host port 22: Connection refused\nfatal: Could not read from remote repository." + advice: {"ssh: connect to host host port 22: Connection refused", "is up"},
		"fatal: unable to access 'https://host/': The requested URL returned error: 403":                                {"unable to access 'https://host/': The requested URL returned error: 403", "token"},
		"error: RPC failed; curl 56 reset\nfatal: the remote end hung up unexpectedly":                                  {"RPC failed; curl 56 reset", "git ls-remote"},
		"something \x1b[31mnew":       {"something [31mnew", "git ls-remote"},
		"warning: odd\nfatal: really": {"really", "git ls-remote"},
	} {
		f := fetch{url: "ssh://git@host/x.git"}
		err := f.failed(t.Context(), "fetch main from", errors.New(said))
		var e *fault.Error
		if !errors.As(err, &e) {
			t.Fatalf("%v is no fault", err)
		}
		if got := "fetch main from ssh://git@host/x.git: " + want[0]; e.Message != got || !strings.Contains(e.Hint, want[1]) {
			t.Errorf("%q is told as\n %s\n  hint: %s\nwant %s", said, e.Message, e.Hint, got)
		}
	}
}
