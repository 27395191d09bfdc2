package pipeline

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quoted joins words to a command line of a POSIX shell.
func quoted(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = quote(w)
	}
	return strings.Join(list, " ")
}

// quote is a word of a command line of a POSIX shell that comes to just these
// bytes. It is text that any of the other languages can carry, and a person can
// see: what is not printable, ends of lines aside, printf makes, and the beginning
// of an expression of GitHub's is in two parts. No word of a command line can hold a
// NUL; it is left out.
func quote(word string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:=@+,%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	var b strings.Builder
	b.WriteByte('\'')
	for word = strings.ReplaceAll(word, "\x00", ""); word != ""; {
		hidden := 0 // bytes at the front that are not to be seen
		for hidden < len(word) {
			r, n := utf8.DecodeRuneInString(word[hidden:])
			if r == '\n' || unicode.IsPrint(r) && (r != utf8.RuneError || n > 1) {
				break
			}
			hidden += n
		}
		if hidden > 0 {
			b.WriteString(`'"$(printf '`)
			for i := range hidden {
				fmt.Fprintf(&b, `\%03o`, word[i])
			}
			b.WriteString(`')"'`)
			word = word[hidden:]
			continue
		}
		_, n := utf8.DecodeRuneInString(word)
		b.WriteString(strings.ReplaceAll(word[:n], "'", `'\''`))
		word = word[n:]
	}
	b.WriteByte('\'')
	return strings.ReplaceAll(b.String(), "${{", "$''{{")
}
