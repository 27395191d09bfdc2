package jinja_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"plain", "{{ a.b['c'] | d(e, f=g) is h }}", "{% for a, b in c if d recursive %}{{ loop }}{% else %}{% endfor %}",
		"{% set a.b = c %}{% set d | e %}{% endset %}", "{% macro m(a, b=1) %}{{ caller() }}{% endmacro %}",
		"{% raw -%}{{ a }}{%- endraw %}{#- b -#}", "{{ {'a': [1, 2.5e3, 0x1F, (b,)]}[c:d:e] }}",
		"{{ hostvars[a]['b'] ~ vars.get('c') ~ groups.d ~ lookup('vars', e) }}", "#jinja2: block_start_string:'<'\n< if a %}",
		"#jinja2: line_statement_prefix:'#', line_comment_prefix:'##'\n# for a in b\n## c\n# endfor",
		"{% include ['a', b] ignore missing %}{% from c import d as e with context %}{% trans %}{{ a }}{% endtrans %}",
		"{{ 'a\\x4f\\u00e9\\N{DASH}' 'b' }}", "a is not b and {{ c }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		o, rest, _ := jinja.Header(src)
		for _, parse := range []func() (*jinja.Text, error){
			func() (*jinja.Text, error) { return jinja.Parse(rest, o) },
			func() (*jinja.Text, error) { return jinja.Parse(src, jinja.Syntax{}) },
			func() (*jinja.Text, error) { return jinja.Expression(src) },
		} {
			text, _ := parse()
			if text == nil || text.Shape == nil {
				t.Fatal("no text")
			}
			for _, uses := range [][]jinja.Use{text.Names, text.Globals} {
				for i, u := range uses {
					if i > 0 && strings.Compare(uses[i-1].Name, u.Name) >= 0 {
						t.Errorf("not sorted: %v", uses)
					}
					if u.Line < 1 || u.Line > 1+strings.Count(src, "\n")+strings.Count(src, "\r") {
						t.Errorf("line %d of %s", u.Line, u.Name)
					}
				}
			}
			if !slices.IsSorted(text.Filters) || !slices.IsSorted(text.Tests) {
				t.Errorf("not sorted: %v, %v", text.Filters, text.Tests)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	template := strings.Repeat(`# {{ ansible_managed }}
{% for host in groups['compute'] | sort %}
NodeName={{ host }} CPUs={{ hostvars[host].cpus | default(slurm_cpus) }} Sockets={{ slurm.sockets }}
{% endfor %}
{% if slurm_accounting is defined and slurm_accounting.host != inventory_hostname %}
AccountingStorageHost={{ slurm_accounting.host }}
{% endif %}
`, 20)
	for _, c := range []struct{ name, src string }{
		{"plain", "/etc/slurm/slurm.conf"},
		{"braces", `{"a": {"b": 1}}`},
		{"variable", "{{ slurm_version }}"},
		{"string", "{{ slurm_root | default('/opt/slurm') }}/{{ slurm_version }}/bin"},
		{"template", template},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jinja.Parse(c.src, jinja.Syntax{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("condition", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jinja.Expression("slurm_enabled | bool and 'compute' in group_names"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
