package jinja_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
)

// writer writes random templates that jinja2 mostly accepts, with few names, so
// that scopes meet.
type writer struct {
	*rand.Rand
	strings.Builder
}

func (w *writer) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w *writer) name() string {
	return w.pick("a", "b", "c", "d", "e", "f", "loop", "caller", "kwargs", "varargs", "self", "super", "range", "q")
}

func (w *writer) target() string {
	if w.IntN(200) == 0 {
		// Jinja's own names are bound less surely then; we count more.
		return w.pick("kwargs", "varargs", "caller", "self")
	}
	return w.pick("a", "b", "c", "d", "e", "f", "q")
}

func (w *writer) expr(depth int) string {
	if depth <= 0 {
		return w.pick(w.name(), w.name(), w.name(), "1", "'s'", "1.5", "true", "none", `"x}}\""`)
	}
	x := func() string { return w.expr(depth - 1 - w.IntN(2)) }
	switch w.IntN(20) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", x(), w.pick("+", "-", "*", "/", "//", "%", "**", "~"), x())
	case 1:
		return fmt.Sprintf("%s %s %s", x(), w.pick("==", "!=", "<", ">=", "in", "not in", "and", "or"), x())
	case 2:
		return "not " + x()
	case 3:
		return fmt.Sprintf("(%s if %s else %s)", x(), x(), x())
	case 4:
		return fmt.Sprintf("(%s if %s)", x(), x())
	case 5:
		return fmt.Sprintf("[%s, %s]", x(), x())
	case 6:
		return fmt.Sprintf("{'k': %s, %s: {'n': %s}}", x(), x(), x())
	case 7:
		return fmt.Sprintf("(%s).%s", x(), w.name())
	case 8:
		return fmt.Sprintf("%s[%s]", w.name(), x())
	case 9:
		return fmt.Sprintf("%s[%s:%s]", w.name(), x(), x())
	case 10:
		return fmt.Sprintf("%s(%s, %s=%s, *%s, **%s)", w.name(), x(), w.name(), x(), x(), x())
	case 11:
		return fmt.Sprintf("(%s) | default(%s) | upper", x(), x())
	case 12:
		return fmt.Sprintf("(%s) is %s", x(), w.pick("defined", "not none", "divisibleby 3", "in a", "sameas(b)"))
	case 13:
		return "-" + w.name() + "." + "x"
	case 14:
		return fmt.Sprintf("(%s,)", x())
	case 15:
		return fmt.Sprintf("%s.get('k', %s)", w.name(), x())
	}
	return w.name()
}

func (w *writer) body(depth int) {
	for range 1 + w.IntN(4) {
		w.stmt(depth)
	}
}

func (w *writer) stmt(depth int) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	x := func() string { return w.expr(w.IntN(3)) }
	tag := func() (string, string) { return w.pick("{%", "{%-", "{%+"), w.pick("%}", "-%}", "+%}") }
	kinds := 16
	if depth <= 0 {
		kinds = 5
	}
	o, c := tag()
	switch w.IntN(kinds) {
	case 0, 1:
		p("{{%s %s %s}}", w.pick("", "-"), x(), w.pick("", "-"))
	case 2:
		p("%s set %s = %s %s", o, w.target(), x(), c)
	case 3:
		w.WriteString(w.pick("text\n", "{# {{ a }} {% if #}", "{% raw %}{{ b }}{% endraw %}", " { { } ", "\r\n"))
	case 4:
		p("%s %s %s", o, w.pick("do "+x(), "include "+x(), "import 'x' as "+w.target(),
			"from 'x' import y as "+w.target()+", b with context", "include ['a', b] ignore missing",
			"set "+w.target()+", "+w.target()+" = "+x(), "set ns.x = "+x(), "print "+x()+", "+x()), c)
	case 5, 6, 7:
		p("%s if %s %s", o, x(), c)
		w.body(depth - 1)
		for range w.IntN(3) {
			p("{%% elif %s %%}", x())
			w.body(depth - 1)
		}
		if w.IntN(2) == 0 {
			p("{%% else %%}")
			w.body(depth - 1)
		}
		p("{%% endif %%}")
	case 8, 9:
		p("%s for %s in %s %s %s", o, w.pick(w.target(), "x, "+w.target()), x(), w.pick("", "recursive", "if "+w.name()), c)
		w.body(depth - 1)
		if w.IntN(3) == 0 {
			p("{%% else %%}")
			w.body(depth - 1)
		}
		p("{%% endfor %%}")
	case 10:
		p("%s macro %s(%s, y=%s) %s", o, w.target(), w.pick("a", "b", "x"), x(), c)
		w.body(depth - 1)
		p("{%% endmacro %%}")
	case 11:
		p("%s call(%s) %s(%s) %s", o, w.pick("a", "u"), w.name(), x(), c)
		w.body(depth - 1)
		p("{%% endcall %%}")
	case 12:
		p("%s with %s = %s, x = %s %s", o, w.target(), x(), x(), c)
		w.body(depth - 1)
		p("{%% endwith %%}")
	case 13:
		p("%s %s %s", o, w.pick("set "+w.target(), "filter upper | replace("+x()+", 'x')", "autoescape "+x()), c)
		end := w.String()
		end = end[strings.LastIndex(end, o)+len(o):]
		w.body(depth - 1)
		p("{%% end%s %%}", strings.Fields(end)[0])
	case 14:
		name := fmt.Sprintf("block%d", w.Len())
		p("%s block %s %s %s", o, name, w.pick("", "scoped"), c)
		w.body(depth - 1)
		p("{%% endblock %%}")
	case 15:
		p("{%% trans a, %s=%s %%}{{ b }} text{%% endtrans %%}", "n", x())
	}
}

// TestOracleGenerated compares templates that nobody would write.
func TestOracleGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	const count = 4000
	var in bytes.Buffer
	e := json.NewEncoder(&in)
	r := rand.New(rand.NewPCG(3, 14))
	for range count {
		w := &writer{Rand: r}
		w.body(3)
		if err := e.Encode(w.String()); err != nil {
			t.Fatal(err)
		}
	}
	n := &tally{files: map[string]bool{}}
	for _, a := range oracle(t, &in, "check") {
		n.check(t, a)
	}
	n.report(t)
	if n.texts-n.refused < count/2 {
		t.Errorf("jinja2 refused %d of %d", n.refused, n.texts)
	}
	if n.more*10 > n.texts {
		t.Errorf("%d of %d have more names than jinja2 finds", n.more, n.texts)
	}
}

// commented writes a template with comments in all kinds of places.
func (w *writer) commented(depth int) {
	for range 1 + w.IntN(6) {
		switch open, end := w.pick("{%", "{%", "{%-", "{%+"), w.pick("%}", "%}", "-%}", "+%}"); w.IntN(12) {
		case 0, 1:
			w.WriteString(w.pick("x", " ", "  y", "100%}", "\t"))
		case 2, 3:
			w.WriteString(w.pick("\n", "\n", "\n\n", " \n", "z\n"))
		case 4, 5, 6, 7:
			w.WriteString(w.pick("\n", "\n", "\n", "") + w.pick("{#", "{#", "{#", "{#-", "{#+") + w.pick("", " c ", "\n", " {{ a }} ") +
				w.pick("#}", "#}", "#}", "-#}", "+#}") + w.pick("\n", "\n", "\n", ""))
		case 8, 9:
			w.WriteString(w.pick("{{", "{{", "{{-") + w.pick(" a ", " b ", " c ", ` "{# no #}\n" `) + w.pick("}}", "}}", "-}}"))
		case 10:
			w.WriteString(open + w.pick(" if t ", " if f ", " for i in [1, 2] ") + end)
			w.loopOrCondition(depth, open, end)
		case 11:
			w.WriteString(open + " raw " + w.pick("%}", "-%}") + w.pick("{# no #}", "\n{# no #}\n", "") + open + " endraw " + end)
		}
	}
}

func (w *writer) loopOrCondition(depth int, open, end string) {
	loop := strings.HasSuffix(strings.TrimRight(w.String(), "-+%}"), "] ")
	if depth > 0 {
		w.commented(depth - 1)
	}
	w.WriteString(open + map[bool]string{true: " endfor ", false: " endif "}[loop] + end)
}

// TestUncommentedOracle wants of Jinja that templates come to the same without
// their comments.
func TestUncommentedOracle(t *testing.T) {
	var in bytes.Buffer
	lines := 0
	for seed := range uint64(2000) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 2))}
		w.commented(2)
		text := w.String()
		alone, within := jinja.Uncommented(text, jinja.Syntax{}, false), jinja.Uncommented(text, jinja.Syntax{}, true)
		if strings.Count(alone, "\n") < strings.Count(strings.ReplaceAll(text, "#\n#", "##"), "\n") {
			lines++
		}
		line, err := json.Marshal([]string{text, alone, within})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	for _, r := range oracle(t, &in, "render") {
		t.Errorf("%q comes to something else than %q, or %q if it is included", r.Text, r.File, r.Error)
	}
	if lines < 200 {
		t.Errorf("only %d have comments in lines of their own", lines)
	}
}
