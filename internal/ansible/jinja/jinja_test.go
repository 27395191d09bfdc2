package jinja_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
)

type (
	lit  = jinja.Literal
	num  = jinja.Scalar
	vr   = jinja.Variable
	cat  = jinja.Concat
	alt  = jinja.Either
	list = jinja.List
	dict = jinja.Map
	any_ = jinja.Unknown
)

func v(name string, path ...string) vr { return vr{Name: name, Path: path} }

func parse(t *testing.T, src string) *jinja.Text {
	t.Helper()
	text, err := jinja.Parse(src, jinja.Syntax{})
	if err != nil {
		t.Fatalf("%q: %v", src, err)
	}
	return text
}

// TestNames covers what jinja2.meta says nothing of; TestOracle does the rest.
func TestNames(t *testing.T) {
	for src, want := range map[string]string{
		"":                                   "",
		"plain { text } 100%":                "",
		"{{ a.b['c'][d].e(f, g=h) | i(j) }}": "a d f h j",
		"{{ a is not match('x') and b is in c }}":                                 "a b c",
		"{{ {'a': {'b': c}} }}":                                                   "c",
		"{{ a[b:c:d], [e, (f,)] }}":                                               "a b c d e f",
		"{% for a, b in c if d %}{{ a ~ b ~ loop.index }}{% endfor %}":            "c d",
		"{% for a in a recursive %}{{ loop(a.b) }}{% endfor %}":                   "a",
		"{% set x = y %}{{ x }}":                                                  "y",
		"{{ x }}{% set x = y %}":                                                  "x y",
		"{% if a %}{% set x = 1 %}{% endif %}{{ x }}":                             "a x",
		"{% set ns = namespace(x=a) %}{% set ns.x = b %}{{ ns.x }}":               "a b",
		"{% macro m(a, b=c) %}{{ a b }}{% endmacro %}":                            "!",
		"{% macro m(a, b=c) %}{{ a ~ varargs ~ d }}{{ m() }}{% endmacro %}":       "c d",
		"{% call(x) m(a) %}{{ x }}{{ caller }}{% endcall %}":                      "a m",
		"{% filter replace(a, 'b') %}{{ c }}{% endfilter %}":                      "a c",
		"{% with a = b, c = a %}{{ c }}{% endwith %}":                             "a b",
		"{% raw %}{{ a }}{% endraw %}{# {{ b }} #}{{ c }}":                        "c",
		"{% set a %}{{ b }}{% endset %}{{ a }}":                                   "b",
		"{% do a.append(b) %}{% break %}":                                         "a b",
		"{% trans n=a %}{{ n }} {{ b }}{% pluralize %}{{ c }}{% endtrans %}":      "a b c gettext ngettext",
		"{% from 'x' import a, b as c %}{{ a }}{{ b }}{{ c }}":                    "b",
		"{% set a = 1 %}{% block x scoped %}{{ a }}{{ super() }}{% endblock x %}": "a",
		"{%- if a -%}{{- b -}}{%+ elif c +%}{%- endif %}":                         "a b c",
		"{{ vars['a'] ~ vars.b ~ vars.get('c') }}":                                "a b c vars",
		"{{ lookup('vars', 'a', 'b', default=c) }}":                               "a b c",
		"{{ q('ansible.builtin.vars', *['a']) }}":                                 "",
		"{% for x in ['a', 'b'] %}{{ vars[x] }}{% endfor %}":                      "a b vars",
		"{{ 'a' in vars }}":                                                       "a vars",
		"{{ hostvars[inventory_hostname].a }}":                                    "a hostvars inventory_hostname",
		"{{ range(a) | map('extract', vars) }}":                                   "a vars",
		"{{ 'a' | extract(vars) }}":                                               "a vars",
		"{{ é_1 ~ 1_000.5e3 ~ 0x1f ~ x.0.1 }}":                                    "x é_1",
		"{{ 'it\\'s }}' ~ a }}":                                                   "a",
		"{{ a":                                                                    "!a",
		"{% unknown a %} b":                                                       "!a b unknown",
		"{{ a }}{# never closed b":                                                "!a b closed never",
	} {
		refused := strings.HasPrefix(want, "!")
		text, err := jinja.Parse(src, jinja.Syntax{})
		if (err != nil) != refused {
			t.Errorf("%q: error %v", src, err)
		}
		got := strings.Join(used(text.Names), " ")
		if want != "!" && got != strings.TrimPrefix(want, "!") {
			t.Errorf("%q: got %q, want %q", src, got, want)
		}
	}
}

func defined(name string) jinja.Shape { return jinja.Test{Of: v(name), Name: "defined"} }

func TestShapes(t *testing.T) {
	for src, want := range map[string]jinja.Shape{
		"plain":                                        lit("plain"),
		"{{ a }}":                                      v("a"),
		"{{ a.b['c'].0[-1] }}":                         v("a", "b", "c", "0", "-1"),
		"{{ a[b].c }}":                                 jinja.Part{jinja.Item{v("a"), v("b")}, []string{"c"}},
		"x/{{ a }}.conf":                               cat{lit("x/"), v("a"), lit(".conf")},
		"{{ 'x/' + a ~ 1 }}":                           cat{lit("x/"), v("a"), lit("1")},
		"{{ a + b }}":                                  jinja.Sum{v("a"), v("b")},
		"{{ 1 + 2 }}":                                  jinja.Sum{num("1"), num("2")},
		"{{ a | default('x') }}":                       jinja.Choice{defined("a"), v("a"), lit("x")},
		"{{ a | default(omit) }}":                      v("a"),
		"{{ a or b | d('x', true) }}":                  jinja.Choice{v("a"), v("a"), alt{v("b"), lit("x")}},
		"{{ 'x' if a else b }}":                        jinja.Choice{v("a"), lit("x"), v("b")},
		"{{ a | ternary('x', 'y') }}":                  jinja.Choice{v("a"), lit("x"), lit("y")},
		"{{ a | ternary('x', 'y', 'z') }}":             alt{lit("x"), lit("y"), lit("z")},
		"{{ not a }}":                                  jinja.Choice{v("a"), num("False"), num("True")},
		"{{ a not in b }}":                             jinja.Comparison{"not in", v("a"), v("b")},
		"{{ a == 'x' }}":                               jinja.Comparison{"==", v("a"), lit("x")},
		"{{ a | replace('x', b) }}":                    jinja.Filtered{v("a"), "replace", []jinja.Shape{lit("x"), v("b")}, nil},
		"{{ a.split('/') | last }}":                    jinja.Filtered{jinja.Filtered{v("a"), "split", []jinja.Shape{lit("/")}, nil}, "last", []jinja.Shape{}, nil},
		"{{ a | site_filter }}":                        any_{},
		"{{ query }}":                                  v("query"),
		"{{ 'A/B.c' | basename | lower }}":             lit("b.c"),
		"{{ ['a', 'b'] + [c] }}":                       list{lit("a"), lit("b"), v("c")},
		"{{ [['a'], 'b'] | flatten }}":                 list{lit("a"), lit("b")},
		"{{ [a, 'b'] | flatten }}":                     jinja.Filtered{list{v("a"), lit("b")}, "flatten", []jinja.Shape{}, nil},
		"{{ ['a', b] | join('/') }}":                   cat{lit("a/"), v("b")},
		"{{ ['a', 'b/', 'c'] | path_join }}":           lit("a/b/c"),
		"{{ ['a', b] | path_join }}":                   alt{cat{lit("a/"), v("b")}, v("b")},
		"{{ '%s-%s' | format(a, 'b') }}":               cat{v("a"), lit("-b")},
		"{{ '%s.x' % a }}":                             cat{v("a"), lit(".x")},
		"{{ {'a': 1, 'b': {'c': d}}.b.c }}":            v("d"),
		"{{ dict(a=b) }}":                              dict{"a": v("b")},
		"{{ a.get('b', 'c') }}":                        alt{v("a", "b"), lit("c")},
		"{{ lookup('vars', 'a') }}":                    v("a"),
		"{{ 'a\\nb' }}":                                alt{lit("a\nb"), lit("a\\nb")},
		"{% if a %}x{% elif b %}y{% endif %}.z":        cat{alt{lit("x"), lit("y"), lit("")}, lit(".z")},
		"{% set a = 'x' %}{{ a }}/b":                   lit("x/b"),
		"{% for a in ['x', 'y'] %}{{ a }}{% endfor %}": any_{},
		"{% set x = x ~ 'a' %}{{ x }}":                 cat{alt{cat{any_{}, lit("a")}, v("x")}},
		"{{ 7 }}":                                      num("7"),
		"[{{ a }}]":                                    any_{},
		"{{ a is defined }}":                           jinja.Test{v("a"), "defined", []jinja.Shape{}},
		"{% set l = ['x'] %}{% set m = l %}{% do m.append(a) %}{{ l[0] }}/y":                    cat{any_{}, lit("/y")},
		"{% macro m(l) %}{% do l.append('x') %}{% endmacro %}{% set a = ['y'] %}{{ a.0 }}":      any_{},
		"{% set a %}{% for b in ['x'] recursive %}{{ loop(c) }}{% endfor %}{% endset %}{{ b }}": any_{},
		"{{ item.update }}":   v("item", "update"),
		"{{ hostvars[a].b }}": jinja.Part{Of: jinja.Item{Of: jinja.Variable{Name: "hostvars"}, Key: jinja.Variable{Name: "a"}}, Path: []string{"b"}},
	} {
		got := parse(t, src).Shape
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v, want %#v", src, got, want)
		}
	}
}

func TestHosts(t *testing.T) {
	any1 := "hostvars of a host as a whole"
	for src, want := range map[string]struct {
		read jinja.HostRead
		any  string
	}{
		"{{ hostvars['h'].x }}":                                    {jinja.HostRead{Host: lit("h"), Variable: lit("x")}, ""},
		"{{ hostvars.h['x'].y.z }}":                                {jinja.HostRead{Host: lit("h"), Variable: lit("x")}, ""},
		"{{ hostvars[h].get('x', d) | upper }}":                    {jinja.HostRead{Host: v("h"), Variable: lit("x")}, ""},
		"{{ (hostvars[h] | default({})).x.split() }}":              {jinja.HostRead{Host: v("h"), Variable: lit("x"), Guarded: true}, ""},
		"{{ hostvars[h] }}":                                        {jinja.HostRead{Host: v("h")}, any1},
		"{{ hostvars['h'].items() }}":                              {jinja.HostRead{Host: lit("h")}, ""},
		"{{ hostvars[h]['x_' ~ y] }}":                              {jinja.HostRead{Host: v("h"), Variable: cat{lit("x_"), v("y")}}, any1},
		"{{ hostvars }}":                                           {jinja.HostRead{}, "hostvars as a whole"},
		"{{ hostvars.values() }}":                                  {jinja.HostRead{}, "hostvars as a whole"},
		"{{ a | map('extract', hostvars, 'x') | list }}":           {jinja.HostRead{Variable: lit("x")}, ""},
		"{{ a | map('extract', hostvars, ['x', 'y']) }}":           {jinja.HostRead{Variable: lit("x")}, ""},
		"{{ 'h' | extract(hostvars, 'x') }}":                       {jinja.HostRead{Host: lit("h"), Variable: lit("x")}, ""},
		"{% for h in ['a', 'b'] %}{{ hostvars[h].x }}{% endfor %}": {jinja.HostRead{Host: alt{lit("a"), lit("b")}, Variable: lit("x")}, ""},
		"{{ 'x' in hostvars[h] }}":                                 {jinja.HostRead{Host: v("h"), Variable: lit("x")}, ""},
	} {
		text := parse(t, src)
		want.read.Line = 1
		if len(text.Hosts) != 1 || !reflect.DeepEqual(text.Hosts[0], want.read) || text.AnyVariable != want.any {
			t.Errorf("%q: got %#v, %q; want %#v, %q", src, text.Hosts, text.AnyVariable, want.read, want.any)
		}
	}
	for _, src := range []string{"{{ 'h' in hostvars }}", "{{ hostvars[h] is defined }}", "{{ hostvars.keys() }}", "{{ hostvars | length }}"} {
		if text := parse(t, src); len(text.Hosts) != 0 || text.AnyVariable != "" || len(text.Groups) != 1 {
			t.Errorf("%q: got %#v", src, text)
		}
	}
}

func TestGroups(t *testing.T) {
	for src, want := range map[string][]jinja.Shape{
		"{{ groups['a'] + groups.b + groups.get(c, []) }}": {lit("a"), lit("b"), v("c")},
		"{{ groups | length }}":                            {nil},
		"{{ 'a' in groups and groups[1 * 1] }}":            {lit("a"), nil},
		"{% for g in groups.items() %}{% endfor %}":        {nil},
		"{{ q('inventory_hostnames', 'all') }}":            {nil},
	} {
		if got := parse(t, src).Groups; !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v, want %#v", src, got, want)
		}
	}
}

func TestCalls(t *testing.T) {
	text := parse(t, "a\n{{ lookup('ansible.builtin.file', 'a/' ~ b, errors='ignore')\n ~ query(x, *y) }}")
	want := []jinja.Call{
		{Plugin: "file", Args: []jinja.Shape{cat{lit("a/"), v("b")}}, Keywords: map[string]jinja.Shape{"errors": lit("ignore")}, Line: 2},
		{Open: true, Line: 3},
	}
	if !reflect.DeepEqual(text.Calls, want) {
		t.Errorf("got %#v", text.Calls)
	}
	if got := used(text.Globals); !slices.Equal(got, []string{"lookup", "query"}) {
		t.Errorf("globals: got %v", got)
	}
	if text := parse(t, "{% for q in a %}{{ q('x') }}{% endfor %}"); text.Calls != nil {
		t.Errorf("a name that is bound is no lookup: %#v", text.Calls)
	}
}

func TestAnyVariable(t *testing.T) {
	for src, want := range map[string]struct {
		any, bounded bool
		computed     []jinja.Shape
	}{
		"{{ vars['a_' ~ b] }}":                   {true, true, []jinja.Shape{cat{lit("a_"), v("b")}}},
		"{{ lookup('vars', a) }}":                {true, true, []jinja.Shape{v("a")}},
		"{{ vars[a | site_filter] }}":            {true, false, nil},
		"{{ vars[a | first] }}":                  {true, true, []jinja.Shape{jinja.Filtered{v("a"), "first", []jinja.Shape{}, nil}}},
		"{{ query }}":                            {},
		"{{ query is defined }}":                 {},
		"{{ query | length }}":                   {},
		"{{ (query if a else b)('file', 'x') }}": {true, false, nil},
		"{{ vars }}":                             {true, false, nil},
		"{{ vars | dict2items }}":                {true, false, nil},
		"{{ lookup('varnames', 'x') }}":          {true, false, nil},
		"{{ lookup(a) }}":                        {true, false, nil},
		"{{ [lookup] }}":                         {true, false, nil},
		"{% debug %}":                            {true, false, nil},
		"{{ q('vars', *a) }}":                    {true, false, nil},
		"{{ vars.items() }}":                     {true, false, nil},
		"{{ vars is defined }}":                  {},
		"{% set vars = {} %}{{ vars.items() }}":  {},
		"{{ lookup('file', 'vars') }}":           {},
	} {
		text := parse(t, src)
		var computed []jinja.Shape
		for _, c := range text.Computed {
			computed = append(computed, c.Name)
		}
		if (text.AnyVariable != "") != want.any || text.Bounded != want.bounded || !reflect.DeepEqual(computed, want.computed) {
			t.Errorf("%q: got %q, %v, %#v", src, text.AnyVariable, text.Bounded, computed)
		}
	}
}

func TestFiles(t *testing.T) {
	src := `{% extends "base.j2" %}
{% include ['a.j2', b] ignore missing without context %}
{% for f in ['x', 'y'] %}{% include f ~ '.j2' %}{% endfor %}
{% import 'm.j2' as m with context %}{% from c import d %}`
	want := []jinja.FileRef{
		{Tag: "extends", Path: lit("base.j2"), Context: true, Line: 1},
		{Tag: "include", Path: list{lit("a.j2"), v("b")}, Optional: true, Line: 2},
		{Tag: "include", Path: cat{alt{lit("x"), lit("y")}, lit(".j2")}, Context: true, Line: 3},
		{Tag: "import", Path: lit("m.j2"), Context: true, Line: 4},
		{Tag: "from", Path: v("c"), Line: 4},
	}
	text := parse(t, src)
	if !reflect.DeepEqual(text.Files, want) {
		t.Errorf("got %#v", text.Files)
	}
	if !slices.Equal(text.Binds, []string{"d", "f", "m"}) {
		t.Errorf("binds %v", text.Binds)
	}
}

func TestFilters(t *testing.T) {
	text := parse(t, "{{ a | x.y.z | map('u') | map(attribute='n') | selectattr('n', 't') | select(b) is w(1) }}{% filter f %}{% endfilter %}")
	if want := []string{"f", "map", "select", "selectattr", "u", "x.y.z"}; !slices.Equal(text.Filters, want) {
		t.Errorf("filters: got %v", text.Filters)
	}
	if want := []string{"", "t", "w"}; !slices.Equal(text.Tests, want) {
		t.Errorf("tests: got %v", text.Tests)
	}
}

func TestExpression(t *testing.T) {
	for src, want := range map[string]struct {
		names string
		again bool
	}{
		"a is defined and b | bool": {"a b", false},
		"not (a in ['x', \"y\"])":   {"a", false},
		"a == 'x' if b else c":      {"a b c", false},
		"{{ a == b }}":              {"a b", false},
		"{{ a }}":                   {"a", true},
		"{{ a }} == x and 'y'":      {"a x y", true},
	} {
		text, err := jinja.Expression(src)
		if err != nil {
			t.Errorf("%q: %v", src, err)
		}
		if got := strings.Join(used(text.Names), " "); got != want.names || text.Again != want.again || want.again != (text.AnyVariable != "") {
			t.Errorf("%q: got %q, %v, %q", src, got, text.Again, text.AnyVariable)
		}
	}
	for _, src := range []string{"", "a ==", "a b", "a)", "a %} b", "'x"} {
		text, err := jinja.Expression(src)
		if err == nil || text == nil {
			t.Errorf("%q: no error", src)
		}
	}
}

func TestHeader(t *testing.T) {
	o, rest, ok := jinja.Header("#jinja2: variable_start_string:'[%', variable_end_string : \"%]\", trim_blocks:False\n[% a %]{{ b }}")
	if !ok || rest != "[% a %]{{ b }}" || !o.NoTrimBlocks {
		t.Errorf("got %+v, %q, %v", o, rest, ok)
	}
	text, err := jinja.Parse(rest, o)
	if err != nil || !slices.Equal(used(text.Names), []string{"a"}) {
		t.Errorf("got %v, %v", text.Names, err)
	}
	o, rest, _ = jinja.Header("#jinja2: line_statement_prefix:'%%', line_comment_prefix: '##'\n%% for a in b:\nx {{ a ~ c }} ## {{ d }}\n  %% endfor\n{{ a }}\n")
	text, err = jinja.Parse(rest, o)
	if err != nil || !slices.Equal(used(text.Names), []string{"a", "b", "c"}) {
		t.Errorf("got %v, %v", text.Names, err)
	}
	for _, bad := range []string{"#jinja2: x", "#jinja2: x\n", "#jinja2: block_start_string:[\n", "#jinja2: block_start_string:'a''\n"} {
		if _, _, ok := jinja.Header(bad); ok {
			t.Errorf("%q is ok", bad)
		}
	}
	if _, rest, ok := jinja.Header("# jinja2: x\n"); !ok || rest != "# jinja2: x\n" {
		t.Error("a line that is no header")
	}
}

func TestLines(t *testing.T) {
	text := parse(t, "a\r\nb\r{{ x }}\n{#\n#}{% raw %}\n{% endraw %}{{\n y ~ '\n' ~ x ~\nz }}")
	want := []jinja.Use{{Name: "x", Line: 3}, {Name: "y", Line: 7}, {Name: "z", Line: 9}}
	if !slices.Equal(text.Names, want) {
		t.Errorf("got %v", text.Names)
	}
	_, err := jinja.Parse("a\n\n{% if %}", jinja.Syntax{})
	if e, ok := err.(*jinja.SyntaxError); !ok || e.Line != 3 {
		t.Errorf("got %v", err)
	}
}

// TestDepth holds that nothing that is nested too deeply takes the stack.
func TestDepth(t *testing.T) {
	const n = 200_000
	for _, src := range []string{
		"{{ " + strings.Repeat("(", n), "{{ " + strings.Repeat("[", n) + strings.Repeat("]", n) + " }}",
		"{{ " + strings.Repeat("-", n) + "a }}", "{{ " + strings.Repeat("not ", n) + "a }}",
		"{{ a" + strings.Repeat(".a", n) + " }}", "{{ a" + strings.Repeat("|a", n) + " }}",
		"{{ a" + strings.Repeat("-a", n) + " }}", "{{ a" + strings.Repeat("+a", n) + " }}",
		"{{ a" + strings.Repeat(" if a else a", n) + " }}", "{{ a" + strings.Repeat(" is b", n) + " }}",
		strings.Repeat("{% if a %}", n), strings.Repeat("{% if a %}", n) + strings.Repeat("{% endif %}", n),
		"{% if a %}" + strings.Repeat("{% elif a %}", n) + "{% endif %}",
		strings.Repeat("{% set a = a ~ a %}", n/100), "{{ a" + strings.Repeat(" if a", n) + " }}",
	} {
		text, _ := jinja.Parse(src, jinja.Syntax{})
		if !slices.Contains(used(text.Names), "a") && strings.Contains(src, "a") {
			t.Errorf("%s: got %v", src[:20], text.Names)
		}
	}
}
