package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// What others wrote gives no orders to a CI system, in whatever pieces it comes.
func TestJobLog(t *testing.T) {
	for _, c := range []struct{ form, in, want string }{
		{githubSections, "::set-output name=a::b\n", ":\\u003aset-output name=a::b\n"},
		{githubSections, "a\n \t::stop-commands::x\r::error::y", "a\n \t:\\u003astop-commands::x\r:\\u003aerror::y"},
		{githubSections, "base | ::notice::x, a::b\n:\n:x", "base | ::notice::x, a::b\n:\n:x"},
		{githubSections, "base | a ###[add-mask]x ##[error]y # #[z", "base | a ###\\u005badd-mask]x ##\\u005berror]y # #[z"},
		{githubSections, "0123456789abcdef##[error]", "0123456789abcdef##\\u005berror]"},
		{gitlabSections, "\x1b[0Ksection_start:1:a\r\x1b[0Kb section_end:1:a ::x", "\x1b[0Ksection_start\\u003a1:a\r\x1b[0Kb section_end\\u003a1:a ::x"},
	} {
		for n := 1; n <= len(c.in); n++ {
			var out bytes.Buffer
			w := inJob(&out, c.form)
			for from := 0; from < len(c.in); from += n {
				if _, err := w.Write([]byte(c.in[from:min(from+n, len(c.in))])); err != nil {
					t.Fatal(err)
				}
			}
			if out.String() != c.want {
				t.Errorf("%s in pieces of %d: %q, not %q", c.form, n, out.String(), c.want)
			}
		}
	}
	var out bytes.Buffer
	if w := inJob(&out, ""); w != &out {
		t.Error("outside of a job, there is something between")
	}
}

// FuzzJobLog: no line is an order, and a document for programs stays what it is.
func FuzzJobLog(f *testing.F) {
	f.Add("::a::b\n##[c]")
	f.Fuzz(func(t *testing.T, s string) {
		var out, doc bytes.Buffer
		a := &app{out: inJob(&out, githubSections)}
		_, _ = a.out.Write([]byte(s))
		for _, line := range regexp.MustCompile(`[\r\n]`).Split(out.String(), -1) {
			if strings.HasPrefix(strings.TrimLeft(line, " \t"), "::") || strings.Contains(line, "##[") {
				t.Errorf("%q has the line %q", s, line)
			}
		}
		a.out = inJob(&doc, githubSections)
		var back, want map[string]string
		plain, _ := json.Marshal(map[string]string{s: s})
		if err := a.printJSON(map[string]string{s: s}); err != nil || json.Unmarshal(doc.Bytes(), &back) != nil || json.Unmarshal(plain, &want) != nil || back[s] != want[s] {
			t.Errorf("%v: %s", err, doc.Bytes())
		}
	})
}
