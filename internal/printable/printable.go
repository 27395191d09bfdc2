// Package printable shows text that somebody else wrote: names of files, values,
// messages, annotations. What a terminal, a log or the head of a file would take for more
// than a sign - control characters, ends of lines, marks that turn the direction
// of writing, bytes that are no UTF-8 - stands there as Go writes it in a string:
// \x1b, \n, \u202e.
//
// It quotes for no language: a text that is printable may still mean something to
// a shell, to YAML or to HTML. The form is for people, and cannot be read back: a
// backslash stays one.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is a text as one line.
func Line(s string) string { return printable(s, "") }

// Text is a text of any number of lines; tabs stay as well.
func Text(s string) string { return printable(s, "\n\t") }

// printable writes out what is not to be seen, but for the signs in keep.
func printable(s, keep string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r) || strings.ContainsRune(keep, r):
			b.WriteString(s[:n])
		default:
			b.WriteString(written(r))
		}
		s = s[n:]
	}
	return b.String()
}

// written is a sign as Go writes it in a string.
func written(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
