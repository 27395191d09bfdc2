package jinja

import (
	"strings"
	"unicode/utf8"
)

// words is what a text reads at most that could not be followed: every word in
// it may be a name.
func words(src string, o Syntax) *Text {
	t := &Text{Shape: Unknown{}, Filters: []string{""}, Tests: []string{""}}
	at := 1
	for i := 0; i < len(src); {
		n := wordLength(src[i:])
		if n == 0 {
			if src[i] == '\n' || src[i] == '\r' && (i+1 == len(src) || src[i+1] != '\n') {
				at++
			}
			i++
			continue
		}
		t.word(src[i:i+n], at)
		i += n
	}
	if !strings.Contains(src, o.BlockStart) && o.LineStatement == "" {
		t.Files = nil
	}
	t.settle()
	return t
}

// wordLength returns the length of the word that a text begins with. Bytes that
// are no character may be part of one.
func wordLength(s string) int {
	c := s[0]
	if c < utf8.RuneSelf && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') {
		if c < '0' || c > '9' {
			return 0
		}
	}
	n := 1
	for n < len(s) && (s[n] >= utf8.RuneSelf || s[n] == '_' || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return n
}

// word notes one word.
func (t *Text) word(w string, line int) {
	switch w {
	case "true", "false", "none", "True", "False", "None", "if", "else", "elif", "endif", "for", "endfor", "in",
		"is", "and", "or", "not":
		return
	case "hostvars":
		t.Hosts = append(t.Hosts, HostRead{Line: line})
		t.AnyVariable = "text that cannot be followed, with hostvars"
	case "vars", "varnames":
		t.AnyVariable = "text that cannot be followed, with " + w
	case "lookup", "query", "q":
		t.Calls = append(t.Calls, Call{Open: true, Line: line})
		t.AnyVariable = "text that cannot be followed, with a lookup"
	case "groups":
		t.Groups = append(t.Groups, nil)
	case "include", "import", "from", "extends":
		t.Files = append(t.Files, FileRef{Tag: w, Path: Unknown{}, Context: true, Line: line})
	}
	if isGlobal(w) {
		t.Globals = append(t.Globals, Use{w, line})
		return
	}
	if w[0] < '0' || w[0] > '9' {
		t.Names = append(t.Names, Use{w, line})
	}
}
