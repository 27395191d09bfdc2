package draw

import (
	"strings"

	"github.com/strata-hpc/strata/internal/printable"
)

// cells is how many columns of a font of fixed width a text takes at most:
// signs that the font may lack come from another one, which may be wider.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cell(r)
	}
	return n
}

func cell(r rune) int {
	if r < 0x300 || 0x2010 <= r && r <= 0x2027 {
		return 1
	}
	return 2
}

// printed are lines as they can be shown.
func printed(lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = printable.Line(line)
	}
	return all
}

// wrap breaks a text into lines of at most so many cells: between words, else
// behind a sign that parts names, else anywhere. What does not fit into so many
// lines ends in an ellipsis; 0 lines means as many as it takes.
func wrap(s string, width, lines int) []string {
	rest := []rune(strings.TrimSpace(printable.Line(s)))
	var list []string
	for len(rest) > 0 {
		if lines > 0 && len(list) == lines {
			list[lines-1] = ellipsis(list[lines-1], width)
			break
		}
		n := fits(rest, width)
		list = append(list, strings.TrimSpace(string(rest[:n])))
		rest = []rune(strings.TrimSpace(string(rest[n:])))
	}
	return list
}

// fits returns how many runes go on a line, at least one.
func fits(s []rune, width int) int {
	n, used := 0, 0
	for n < len(s) && used+cell(s[n]) <= width {
		used += cell(s[n])
		n++
	}
	if n == len(s) {
		return n
	}
	if n == 0 {
		return 1
	}
	if s[n] == ' ' {
		return n
	}
	for _, partsAt := range []func(rune) bool{
		func(r rune) bool { return r == ' ' },
		func(r rune) bool { return strings.ContainsRune("-/._:,@", r) },
	} {
		for i := n; i > n/3; i-- {
			if partsAt(s[i-1]) {
				return i
			}
		}
	}
	return n
}

// ellipsis ends a text that goes on, within so many cells.
func ellipsis(s string, width int) string {
	r := []rune(s)
	for len(r) > 0 && cells(string(r)) > width-1 {
		r = r[:len(r)-1]
	}
	return strings.TrimRight(string(r), " ") + "…"
}
