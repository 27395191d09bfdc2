package jinja

import (
	"strings"
	"testing"
)

// TestNeeds: only what no default and no condition guards is needed.
func TestNeeds(t *testing.T) {
	for src, want := range map[string]string{
		"{{ a }}":                                         "a",
		"{{ a.b[c] }}":                                    "a c",
		"{{ a | default(b) }}":                            "",
		"{{ a.b | d('') }}":                               "",
		"{{ a | mandatory }}":                             "a",
		"{{ a | join(b) }} {{ c ~ 'x' }}":                 "a b c",
		"{{ a if b else c }}":                             "b",
		"{{ a if a is defined else c }}":                  "",
		"{{ a and b }} {{ c or d }}":                      "a c",
		"{{ a is defined and a }}":                        "",
		"{% if a %}{{ b }}{% endif %}":                    "a",
		"{% for x in a %}{{ x b }}":                       "",
		"{% for x in a %}{{ b }}{% endfor %}":             "a",
		"{% set x = a %}{{ x }}":                          "a",
		"{% macro m(x) %}{{ y }}{% endmacro %}{{ m(a) }}": "a",
		"{% include a %}{% include b ignore missing %}":   "a",
		"{{ lookup('file', a) }} {{ range(n) }}":          "a n",
		"{{ [a, {'k': b}] }} {{ -c }} {{ not d }}":        "a b c d",
		"no template":                                     "",
	} {
		text, err := Parse(src, Syntax{})
		var got []string
		for _, u := range text.Needs {
			got = append(got, u.Name)
		}
		if err != nil {
			got = nil
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s needs %q, not %q", src, s, want)
		}
		if err != nil && len(text.Needs) > 0 {
			t.Errorf("%s cannot be parsed, and needs %v", src, text.Needs)
		}
	}
	text, err := Expression("a == b and c")
	if err != nil || len(text.Needs) != 2 {
		t.Errorf("%v, %v", text.Needs, err)
	}
}
