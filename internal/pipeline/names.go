package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// longest is how long a job's ID may be. GitLab takes 255 signs, GitHub 100.
const longest = 100

// idOf is the ID of a job: its kind, and what it is for. It depends on nothing
// else, so a job is called the same in every pipeline. What GitHub refuses (dots,
// for one) and what GitLab or make would read as something else is replaced; then,
// and where several words would not be told apart, a piece of a digest of them
// follows. As the kind comes first, no ID is a keyword or begins with a digit.
func idOf(kind string, words ...string) string {
	exact := true
	legal := func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-':
			return r
		case r == '_':
			exact = exact && len(words) == 1
			return r
		case 'A' <= r && r <= 'Z': // make and GitLab tell them apart, others may not
			exact = false
			return r + 'a' - 'A'
		}
		exact = false
		return '-'
	}
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = strings.Map(legal, w)
	}
	id := kind + "-" + strings.Join(parts, "__")
	if exact && len(id) <= longest {
		return id
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", words))
	digest := hex.EncodeToString(sum[:6])
	return id[:min(len(id), longest-1-len(digest))] + "-" + digest
}
