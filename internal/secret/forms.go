package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// form is a text that gives a secret away.
type form struct {
	secret string
	how    string // "in base64"
	text   []byte
	folds  bool // whether ends of lines may be anywhere in it
}

// formsOf are the forms of values that are searched for in files.
func formsOf(values Values) []form {
	var all []form
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := bytes.TrimSpace(values[name])
		if len(value) < Shortest {
			continue
		}
		add := func(how string, folds bool, text string) {
			if !slices.ContainsFunc(all, func(f form) bool { return f.secret == name && string(f.text) == text }) {
				all = append(all, form{name, how, []byte(text), folds})
			}
		}
		add("as it is", false, string(value))
		for _, line := range bytes.Split(value, []byte("\n")) {
			if line = bytes.TrimSpace(line); tellingLine(line) {
				add("a line of it", false, string(line))
			}
		}
		digits := hex.EncodeToString(value)
		add("in hex", true, digits)
		add("in hex", true, strings.ToUpper(digits))
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for before := range 3 {
				add("in base64", true, base64Within(alphabet, value, before))
			}
		}
		for _, text := range escapedForms(string(value)) {
			add("escaped", false, text)
		}
	}
	return all
}

// tellingLine says whether a line of a secret gives it away by itself: it is long,
// without blanks, and no heading of a key.
func tellingLine(line []byte) bool {
	return len(line) >= 20 && !bytes.ContainsAny(line, " \t") && !bytes.HasPrefix(line, []byte("-----"))
}

// base64Within is what of a value's base64 is the same whatever follows it, behind a
// number of other bytes.
func base64Within(alphabet *base64.Encoding, value []byte, before int) string {
	text := alphabet.EncodeToString(append(make([]byte, before), value...))
	text = text[[]int{0, 2, 3}[before]:]
	if (before+len(value))%3 != 0 {
		text = text[:len(text)-1]
	}
	return text
}

// escapedForms are the ways in which a value is written in URLs, JSON, HTML and XML.
func escapedForms(value string) []string {
	lower := regexp.MustCompile("%[0-9A-F]{2}")
	var all []string
	for _, s := range []string{
		url.QueryEscape(value), url.PathEscape(value), strings.ReplaceAll(url.QueryEscape(value), "+", "%20"),
		strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), "%2F", "/"), // Python's quote
	} {
		all = append(all, s, lower.ReplaceAllStringFunc(s, strings.ToLower))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, escape := range []bool{true, false} {
		b.Reset()
		e.SetEscapeHTML(escape)
		if e.Encode(value) == nil {
			text := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
			all = append(all, text, strings.ReplaceAll(text, "/", `\/`))
		}
	}
	return append(all, html.EscapeString(value))
}

// at returns where a form that has its text's byte at inner at place i of p begins
// and ends, or false.
func (f *form) at(p []byte, i, inner int) (from, to int, ok bool) {
	from, to = i, i
	for k := inner; k < len(f.text); {
		switch {
		case to == len(p):
			return 0, 0, false
		case p[to] == f.text[k]:
			k++
		case !f.folds || p[to] != '\n' && p[to] != '\r':
			return 0, 0, false
		}
		to++
	}
	for k := inner; k > 0; {
		from--
		switch {
		case from < 0:
			return 0, 0, false
		case p[from] == f.text[k-1]:
			k--
		case !f.folds || p[from] != '\n' && p[from] != '\r':
			return 0, 0, false
		}
	}
	return from, to, true
}

// begins returns how many bytes of p the form takes at its beginning, and whether
// all of the form is there; 0 if p is no beginning of it.
func (f *form) begins(p []byte) (length int, whole bool) {
	k := 0
	for i, c := range p {
		switch {
		case c == f.text[k]:
			if k++; k == len(f.text) {
				return i + 1, true
			}
		case !f.folds || c != '\n' && c != '\r' || i > 2*len(f.text):
			return 0, false
		}
	}
	return len(p), false
}
