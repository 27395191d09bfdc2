package recipe

import (
	"fmt"
	"slices"
	"strings"
)

// nearest returns the candidate that word is most likely a misspelling of, or
// "". Only a few edits are forgiven, fewer in short words.
func nearest(word string, candidates []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		d := distance(fold(word), fold(c))
		if d < least {
			best, least = c, d
		}
	}
	return best
}

// didYouMean asks for the nearest candidate, or else lists them all after
// intro; without candidates it is "".
func didYouMean(word string, candidates []string, intro string) string {
	if c := nearest(word, candidates); c != "" {
		return "did you mean " + quote(c) + "?"
	}
	if len(candidates) == 0 {
		return ""
	}
	const most = 12
	if more := len(candidates) - most; more > 0 {
		return fmt.Sprintf("%s %s and %d more", intro, strings.Join(candidates[:most], ", "), more)
	}
	return intro + " " + strings.Join(candidates, ", ")
}

// fold makes spellings equal that people confuse without noticing.
func fold(s string) string {
	return strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(s))
}

// distance counts the edits (insert, delete, replace a character, swap two
// neighbours) that turn a into b: the optimal string alignment distance.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	// A name that long is nothing that somebody misspelt.
	if len(s) > 64 || len(t) > 64 {
		return max(len(s), len(t))
	}
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(s)][len(t)]
}

// quote puts a word in quotation marks, cut when it is long.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return `"` + strings.NewReplacer("\n", "\\n", "\t", "\\t", "\r", "\\r", "\x00", "\\0", `"`, `\"`).Replace(s) + `"`
}

// sorted returns the keys of a map in order.
func sorted[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
