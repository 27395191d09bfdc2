package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// longest is how long a job's name may be. GitLab takes 255 signs, and GitHub
// 100 of an ID.
const longest = 100

// names gives jobs their IDs. What GitHub refuses (dots, for one) and what GitLab
// or make would read as something else is replaced; where that makes two equal,
// or one is too long, a piece of a digest of the whole name tells them apart. The
// first word says what kind of job it is, so no ID is one of GitLab's keywords or
// begins with a digit.
type names map[string]bool

// of returns the ID of a job that is called by some words.
func (n names) of(words ...string) string {
	name := strings.Join(words, "-")
	id := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
			return r
		}
		return '-'
	}, name)
	for sum := sha256.Sum256([]byte(name)); len(id) > longest || n[strings.ToLower(id)]; sum = sha256.Sum256(sum[:]) {
		id = id[:min(len(id), longest-9)] + "-" + hex.EncodeToString(sum[:4])
	}
	n[strings.ToLower(id)] = true
	return id
}
