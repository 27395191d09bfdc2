package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"files/motd 日本語 é e\u0301":   "files/motd 日本語 é e\u0301",
		"a\nBUILD b\r\tc":            `a\nBUILD b\r\tc`,
		"\x1b[31mred\x1b]0;t\a":      `\x1b[31mred\x1b]0;t\x07`,
		"\u202egnp.exe\u2066":        `\u202egnp.exe\u2066`,
		"\x9b\xff\u009b\u2028\ufeff": `\x9b\xff\u009b\u2028\ufeff`,
		"\U000e0001":                 `\U000e0001`,
		`c:\new`:                     `c:\new`,
		"nbsp\u00a0\ufffd":           `nbsp\u00a0` + "\ufffd",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Text("a\tb\n\x1bc\r\n"); got != "a\tb\n\\x1bc\\r\n" {
		t.Errorf("Text: %q", got)
	}
}

// FuzzLine: one line of UTF-8, in which everything is to be seen, and nothing
// changes any more.
func FuzzLine(f *testing.F) {
	f.Add("a\x1b\n\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Line(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) || Line(got) != got {
			t.Errorf("Line(%q) = %q", s, got)
		}
	})
}
