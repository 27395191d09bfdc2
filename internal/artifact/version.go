package artifact

import (
	"cmp"
	"slices"
	"strings"
)

// compareVersions orders kernel releases as Debian orders package versions
// (deb-version(7)): the part before the first hyphen decides first, then the
// rest; digits by value, letters before other signs, a tilde before the end.
// A release candidate as kernel.org writes it (6.7.0-rc1) comes before its release.
func compareVersions(a, b string) int {
	a, b = strings.ReplaceAll(a, "-rc", "~rc"), strings.ReplaceAll(b, "-rc", "~rc")
	upstreamA, restA, _ := strings.Cut(a, "-")
	upstreamB, restB, _ := strings.Cut(b, "-")
	if c := compareParts(upstreamA, upstreamB); c != 0 {
		return c
	}
	return compareParts(restA, restB)
}

// compareParts compares in turns the longest prefix without digits and the
// longest prefix of digits.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		var textA, textB, numA, numB string
		textA, a = splitAt(a, isDigit)
		textB, b = splitAt(b, isDigit)
		if c := compareText(textA, textB); c != 0 {
			return c
		}
		numA, a = splitAt(a, isNotDigit)
		numB, b = splitAt(b, isNotDigit)
		numA, numB = strings.TrimLeft(numA, "0"), strings.TrimLeft(numB, "0")
		if c := cmp.Or(cmp.Compare(len(numA), len(numB)), strings.Compare(numA, numB)); c != 0 {
			return c
		}
	}
	return 0
}

func compareText(a, b string) int {
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(rank(a, i), rank(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// rank is the weight of the sign at i; past the end is 0.
func rank(s string, i int) int {
	if i >= len(s) {
		return 0
	}
	switch c := s[i]; {
	case c == '~':
		return -1
	case 'a' <= c|0x20 && c|0x20 <= 'z':
		return int(c)
	default:
		return int(c) + 256
	}
}

func splitAt(s string, stop func(rune) bool) (before, after string) {
	if i := strings.IndexFunc(s, stop); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func isDigit(r rune) bool    { return '0' <= r && r <= '9' }
func isNotDigit(r rune) bool { return !isDigit(r) }

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
