package jinja

import "testing"

func TestUncommented(t *testing.T) {
	for _, test := range []struct{ src, want string }{
		{"plain", "plain"},
		{"a{# x #}b", "a{# #}b"},
		{"a{##}b", "a{# #}b"},
		{"a {#- x -#} b", "a {#- -#} b"},
		{"a {# x -#} b", "a {# -#} b"},
		{"a {#- x #} b", "a {#- #} b"},
		{"{# a\nb #}\n{{ x }}{# c #}", "{# #}\n{{ x }}{# #}"},
		{"a\n{# x #}\n{{ b }}", "a\n{{ b }}"},
		{"a\n{# x\n y #}\n{# z #}\n  {{ b }}", "a\n  {{ b }}"},
		{"a\n {# x #}\n{{ b }}", "a\n {# #}\n{{ b }}"},
		{"a\n{#- x #}\n{{ b }}{# x -#}\n", "a\n{#- #}\n{{ b }}{# -#}\n"},
		{"{{ a -}}\n\n{# x #}\n b", "{{ a -}}\n\n{# #}\n b"},
		{"{{ a }}\n{# x #}\n\n{%- if b %}{% endif %}", "{{ a }}\n{# #}\n\n{%- if b %}{% endif %}"},
		{"{{ a }}.\n{# x #}\n", "{{ a }}.\n"},
		{"{{ a }}.\n{# x #}\n{# y #}\n", "{{ a }}.\n"},
		{"{{ a }}\n{# x #}\n{# y #}\n", "{{ a }}\n{# #}\n"},
		{"{{ a }}.\n{# x #}\n\n", "{{ a }}.\n{# #}\n\n"},
		{"{{ a }}\r\n{# x #}\r\nb", "{{ a }}\r\n{# #}\r\nb"},
		{"a\n{# {{ x }} #}\nb", "a\n{# #}\nb"},
		{`{{ "{# no #}" }}{# yes #}`, `{{ "{# no #}" }}{# #}`},
		{"{% raw %}{# no #}{% endraw %}{# yes #}", "{% raw %}{# no #}{% endraw %}{# #}"},
		{"{# not closed", "{# not closed"},
		{"{{ broken {# x #}", "{{ broken {# x #}"},
	} {
		if got := Uncommented(test.src, Syntax{}, false); got != test.want {
			t.Errorf("%q: %q, want %q", test.src, got, test.want)
		}
	}
	o := Syntax{CommentStart: "<!", CommentEnd: "!>"}
	if got := Uncommented("{# a #}<! b !>", o, false); got != "{# a #}<! !>" {
		t.Errorf("other marks: %q", got)
	}
	o = Syntax{NoTrimBlocks: true}
	if got := Uncommented("{{ a }}\n{# a #}\nb", o, false); got != "{{ a }}\n{# #}\nb" {
		t.Errorf("newlines stay after blocks: %q", got)
	}
	if got := Uncommented("{{ a }}.\n{# a #}\n", Syntax{}, true); got != "{{ a }}.\n{# #}\n" {
		t.Errorf("included: %q", got)
	}
}
