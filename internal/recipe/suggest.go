package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// didYouMean asks for the nearest candidate, or else lists them all after
// intro; without candidates it is "".
func didYouMean(word string, candidates []string, intro string) string {
	if c := fault.Nearest(word, candidates); c != "" {
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
