package fault

import "strings"

// Nearest returns the candidate that word is most likely a misspelling of, or
// else one that it begins, or "". Only a few edits are forgiven, fewer in short
// words.
func Nearest(word string, candidates []string) string {
	best, least, folded := "", max(1, len(word)/3)+1, fold(word)
	for _, c := range candidates {
		if d := distance(folded, fold(c)); d < least {
			best, least = c, d
		}
	}
	for _, c := range candidates {
		if best == "" && len(word) > 1 && strings.HasPrefix(c, word) {
			best = c
		}
	}
	return best
}

// spellings are those that people confuse without noticing.
var spellings = strings.NewReplacer("-", "_", " ", "_")

// fold makes such spellings equal.
func fold(s string) string { return spellings.Replace(strings.ToLower(s)) }

const longestName = 64 // a longer one is nothing that somebody misspelt

// distance counts the edits (insert, delete, replace a character, swap two
// neighbours) that turn a into b: the optimal string alignment distance.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > longestName || len(t) > longestName {
		return max(len(s), len(t))
	}
	var rows [3][longestName + 1]int // this one, the one before, the one before that
	this, before, earlier := &rows[0], &rows[1], &rows[2]
	for j := range t {
		this[j+1] = j + 1
	}
	for i := 1; i <= len(s); i++ {
		this, before, earlier = earlier, this, before
		this[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			d := min(before[j]+1, this[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d = min(d, earlier[j-2]+1)
			}
			this[j] = d
		}
	}
	return this[len(t)]
}
