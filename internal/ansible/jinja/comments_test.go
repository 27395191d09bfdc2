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
		{`{{ "{# no #}" }}{# yes #}`, `{{ "{# no #}" }}{# #}`},
		{"{% raw %}{# no #}{% endraw %}{# yes #}", "{% raw %}{# no #}{% endraw %}{# #}"},
		{"{# not closed", "{# not closed"},
		{"{{ broken {# x #}", "{{ broken {# x #}"},
	} {
		if got := Uncommented(test.src, Syntax{}); got != test.want {
			t.Errorf("%q: %q, want %q", test.src, got, test.want)
		}
	}
	o := Syntax{CommentStart: "<!", CommentEnd: "!>"}
	if got := Uncommented("{# a #}<! b !>", o); got != "{# a #}<! !>" {
		t.Errorf("other marks: %q", got)
	}
}
