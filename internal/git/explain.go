package git

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/strata-hpc/strata/internal/fault"
)

// failed is the fault of a git program that failed: what it says is the cause,
// and what to do about that.
func (f fetch) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", what, f.url.shown(), ctx.Err())
	}
	// The error itself is not wrapped: it may have the address in it.
	words := printable(f.url.scrub(strings.TrimSpace(err.Error())))
	e := fault.New(fault.Input, "%s %s: %s", what, f.url.shown(), cause(words)).WithHint("%s", f.hint(words))
	if strings.Contains(words, "\n") {
		return e.WithDetail(words)
	}
	return e
}

// cause finds in what git and ssh said, which ends in advice, what went wrong: the
// first fatal error, or where that tells nothing, what was said before it.
func cause(words string) string {
	lines := strings.Split(words, "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return saying(line) != line })
	if at < 0 {
		return lines[0]
	}
	said := saying(lines[at])
	if mute := strings.HasPrefix(said, "Could not read from remote repository") || strings.HasPrefix(said, "the remote end hung up"); mute {
		for _, line := range slices.Backward(lines[:at]) {
			if line = strings.TrimSpace(line); line != "" {
				return saying(strings.TrimPrefix(line, "remote: "))
			}
		}
	}
	return said
}

// saying is a line of git's without the word by which it marks an error.
func saying(line string) string {
	for _, mark := range []string{"fatal: ", "error: ", "ERROR: "} {
		if at := strings.Index(line, mark); at == 0 || at > 0 && strings.HasSuffix(line[:at], ": ") {
			return line[at+len(mark):]
		}
	}
	return line
}

// hint says what to do about what git said.
func (f fetch) hint(words string) string {
	words = strings.ToLower(words)
	for _, known := range []struct{ signs, hint string }{
		{"host key verification failed|no matching host key|remote host identification has changed",
			"ssh does not know the server's key: compare its fingerprint with the one that the server's owner gives, then add it: ssh-keyscan HOST >> ~/.ssh/known_hosts"},
		{"permission denied|authentication failed|could not read username|could not read password|terminal prompts disabled|access denied|error: 401|error: 403|invalid credentials",
			"the server lets nobody in without a key or a token that it knows: see that ssh-agent has the key, or git's credential helper the token, of an account that may read it"},
		{"not found|does not exist|does not appear to be a git repository|error: 404",
			"see that the address is right; many servers say the same to an account that may not see a repository"},
		{"could not resolve", "see that the server's name is right, and that this machine can look it up"},
		{"connection refused|connection timed out|timed out|no route to host|unreachable|could not connect|failed to connect",
			"see whether the server is up and can be reached from here; a proxy is named by http_proxy and https_proxy"},
		{"certificate", "put the certificate of whoever signed the server's where git finds it: git config --global http.sslCAInfo FILE"},
		{"no space left|quota exceeded|read-only file system", "free some space where repositories are kept (XDG_CACHE_HOME), or take another disk"},
	} {
		if slices.ContainsFunc(strings.Split(known.signs, "|"), func(sign string) bool { return strings.Contains(words, sign) }) {
			return known.hint + "; this must work in the same environment: " + f.trial()
		}
	}
	return "this must work in the same environment: " + f.trial() + "; a commit named with all 40 digits that was fetched before needs no network"
}

// trial is a command that asks the same of the server.
func (f fetch) trial() string { return "GIT_TERMINAL_PROMPT=0 git ls-remote " + f.url.shown() }

// printable is a text without what a server could do to a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
