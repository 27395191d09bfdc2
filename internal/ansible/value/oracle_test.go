package value

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// encode is encode of testdata/oracle.py, except for numbers of YAML, which
// keep their text: of those only the kind counts.
func encode(v Value, numbers bool) any {
	switch v.Kind {
	case List:
		list := []any{}
		for _, item := range v.Items() {
			list = append(list, encode(item, numbers))
		}
		return list
	case Map:
		pairs := []any{}
		for _, p := range v.Pairs() {
			pairs = append(pairs, []any{encode(p.Key, numbers), encode(p.Value, numbers)})
		}
		return map[string]any{"": pairs}
	case Unsafe:
		return "x:"
	case Time:
		return "t:"
	case Int, Float:
		if !numbers {
			return string("nbif"[v.Kind]) + ":"
		}
	}
	return string("nbiftsuv"[v.Kind]) + ":" + v.Text
}

func shown(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// withoutNumbers takes the numbers from an answer, to compare kinds.
func withoutNumbers(v any) any {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, "i:") || strings.HasPrefix(v, "f:") {
			return v[:2]
		}
	case []any:
		for i := range v {
			v[i] = withoutNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = withoutNumbers(v[k])
		}
	}
	return v
}

type question struct {
	Literals  []string `json:"literals"`
	Documents []string `json:"documents"`
}

func ask(t *testing.T, q question) (answers struct{ Literals, Documents []any }) {
	t.Helper()
	interpreters := []string{"python3", "/usr/bin/python3"} // the first may be one of the user's own
	i := slices.IndexFunc(interpreters, func(python string) bool {
		return exec.Command(python, "-c", "import ansible").Run() == nil
	})
	if i < 0 {
		t.Skip("python3 cannot import ansible")
	}
	cmd := exec.Command(interpreters[i], "testdata/oracle.py")
	in, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

func stirred(r *rand.Rand, most int, parts []string) string {
	var b strings.Builder
	for range 1 + r.Intn(most) {
		b.WriteString(parts[r.Intn(len(parts))])
	}
	return b.String()
}

func oracleCount(n int) int {
	if more, err := strconv.Atoi(os.Getenv("ORACLE_COUNT")); err == nil {
		return more
	}
	return n
}

// TestLiteralOracle asks Python about literals and what nearly is one.
func TestLiteralOracle(t *testing.T) {
	q := question{Literals: literals(), Documents: []string{}}
	r := rand.New(rand.NewSource(1))
	parts := []string{"1", "0", "12", ".", "e", "5", "_", "x", "0x", "0b1", "0o7", "j", "+", "-", "'", `"`, "a", "b", "r", "u", "'a'", `"b"`, "b'c'", "r'\\d'",
		"[", "]", "(", ")", "{", "}", ",", ":", " ", "True", "None", "False", "set()", "...", `\n`, `\x41`, `\101`, `\u00e9`, `\`, "#", "é", "\t", "''", "1:", "'''", "f'x'", "1e5", ".5", "\f"}
	for range oracleCount(20000) {
		q.Literals = append(q.Literals, stirred(r, 8, parts))
	}
	nested := []string{"[", "]", "(", ")", "{", "}", ",", ", ", ":", "1", "'a'", "'b'", "True", "1.0", "-2", "()", "[]", "{}", "{'k': 1}", "(1,)", "b'x'", "2j", " "}
	for range oracleCount(20000) {
		q.Literals = append(q.Literals, stirred(r, 9, nested))
	}
	answers := ask(t, q).Literals
	accepted, differ := 0, 0
	for i, text := range q.Literals {
		v, ok := Literal(text)
		var got any
		if ok {
			got = encode(v, true)
			accepted++
		}
		if want := answers[i]; shown(got) != shown(want) && !unread(text, ok) {
			if differ++; differ < 40 {
				t.Errorf("%q is %s, Python's is %s", text, shown(got), shown(want))
			}
		}
	}
	t.Logf("compared %d texts, %d of them literals", len(q.Literals), accepted)
}

// unread are literals that Literal leaves as they are written: with characters by
// name, halves of surrogate pairs, or bytes within something.
func unread(text string, ok bool) bool {
	return !ok && (strings.Contains(text, `\N`) || strings.Contains(text, `\ud`) || strings.ContainsAny(text, "bB"))
}

// literals are those that inventories are known to have.
func literals() []string {
	return []string{"", " ", "1", "-1", "+1", "- 1", "--1", "0", "00", "007", "0_0", "1_000", "1__0", "_1", "1_", "0x1F", "0X_f", "0b101", "0o17", "017", "1.", ".5", "1.5", "1.20", "1e3", "1E-3",
		"1e16", "1e15", "123456789012345678", "1.5e300", "1e400", "-1e400", "1e-5", "0.0001", "-0", "-0.0", "1j", "1+2j", "1-2j", "-1+2j", "1+2", "1j+1", "01.5", "01j", "1_0.5_0", "1._5", "1_.5",
		"True", "False", "None", "true", "yes", "null", "'a'", `"a"`, "'a' 'b'", "'a'\"b\"", "u'a'", "U'a'", "r'\\n'", "R'a'", "b'a'", "b'\\xc3\\xa9'", "b'\\xff'", "rb'a'", "Rb'a'", "ub'a'", "f'a'", "'a' b'b'", "b'a' b'b'",
		"'''a'''", `"""a"b"""`, "''", "'", "'a", `'\''`, `'\\'`, `'\q'`, `'\x4'`, `'\xe9'`, `'\u00e9'`, `'\U0001F600'`, `'\U11000000'`, `'\ud800'`, `'\N{DASH}'`, `'\101'`, `'\400'`, `b'\400'`, `'\8'`, "'\\", "'\\\n'",
		"[]", "[1]", "[1,]", "[,]", "[1 2]", "[1,'a',[2]]", "[(1)]", "[(1,2)]", "[(1),(2)]", "[(1,)]", "()", "(1)", "(1,)", "((1))", "((1,),)", "1,", "1,2", ",", "1,,2", "80,443", "(1", "1)", "[1)", "{}", "{'a': 1}", "{'a': 1,}", "{1}", "{1,2,}", "{,}",
		"{'a': 1, 'a': 2}", "{1: 'a', True: 'b', 1.0: 'c'}", "{0: 1, False: 2, -0.0: 3}", "{[]: 1}", "{(): 1}", "{(1, []): 1}", "{{}}", "{'a': {'b': [1, {'c': None}]}}", "{**{}}", "{'a'}", "{'a': 1, 'b'}", "{'a', 'b': 1}", "set()", "set( )", "set(())", "set", "[set()]", "...", "[...]",
		"-True", "-(1)", "-'a'", "-(1,)", "(-1)", "- -1", "+1.5", "1 # c", "'a' # c", "a # c", "# c", "[1, # c", " 1", "\t1", "1 ", "1\t", "\u00a01", "1\u00a0", "10.0.0.1", "1.2.3", "2020-01-01", "2020-10-10", "00:11:22", "a=b", "/x", "{{ a }}", "'{{ a }}'", "[{{ a }}]",
		"1if 1", "1or 2", "0x", "0xg", "1e", "1e+", "..", ".", "1..real", "lambda: 1", "a.b", "a()", "Truee", "True False", "TRUE", "[1 for a in b]", "(yield)", "*a", "not True", "1 < 2", "\x00", "é", "'é'", "b'é'", "1\n", "[1,\n2]", "'a\nb'", "\\", "[1]\\", "\f1", "1\f2",
		strings.Repeat("[", 150) + strings.Repeat("]", 150), strings.Repeat("[", 250) + strings.Repeat("]", 250), strings.Repeat("9", 4300), strings.Repeat("9", 4301)}
}

// TestYAMLOracle asks Ansible's own reader about scalars without quotes, and
// about documents of them.
func TestYAMLOracle(t *testing.T) {
	q := question{Literals: []string{}}
	for _, s := range scalars() {
		q.Documents = append(q.Documents, "a: "+s+"\n")
	}
	r := rand.New(rand.NewSource(1))
	parts := []string{"0", "1", "7", "9", "_", ".", "e", "+", "-", ":", "x", "o", "b", "inf", ".nan", "0x", "T", "Z", " ", "2020-01-01", "12:30:45", "e+5", "y", "n", "f", "~", "null", "true", "on", "a"}
	for range oracleCount(8000) {
		q.Documents = append(q.Documents, "a: x"+"\nb: "+stirred(r, 6, parts)+"\n")
	}
	for i := range 64 {
		q.Documents = append(q.Documents, documents()[i%len(documents())])
	}
	answers := ask(t, q).Documents
	differ, more, known := 0, 0, 0
	for i, text := range q.Documents {
		var got any
		if v, err := YAML([]byte(text)); err == nil {
			got = encode(v, false)
			if v.At("a").Kind == Unsafe {
				got = encode(Value{Kind: Map}.WithPairs([]Pair{{v.Pairs()[0].Key, Value{Kind: String, Text: v.At("a").Text}}}), false)
			}
		}
		want := withoutNumbers(answers[i])
		switch {
		case shown(got) == shown(want):
		case want == nil: // where Ansible stops, whatever is read does no harm
			more++
		case knownDifference(text):
			known++
		default:
			if differ++; differ < 60 {
				t.Errorf("%q is %s, Ansible's is %s", text, shown(got), shown(want))
			}
		}
	}
	t.Logf("compared %d documents; %d that Ansible refuses, %d that are known to differ", len(q.Documents), more, known)
}

// knownDifference are documents that YAML reads otherwise than Ansible.
func knownDifference(text string) bool {
	switch {
	case strings.HasPrefix(text, "{\""): // numbers with exponents and \/ in JSON
	case strings.HasPrefix(text, "%YAML 1.2"):
	case strings.Contains(text, "!!float 1"):
	case strings.HasPrefix(text, "1: a\ntrue: b\n"): // keys that Python takes for equal
	default:
		return false
	}
	return true
}

func scalars() []string {
	return []string{"", "~", "null", "Null", "NULL", "nUll", "yes", "Yes", "YES", "yEs", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N",
		"0", "1", "-1", "+1", "01", "07", "08", "0o7", "0x1F", "0xg", "0b11", "0b2", "1_000", "_1", "1_", "1:30", "1:60", "12:30:45", "1:30.5", "-1:30", "190:20:30", "1.", "1.5", ".5", "-.5", "+.5", "1e3", "1e+3", "1.0e3", "1.0e+3", "1.e+3", ".5e-3", "1_0.5_0", ".inf", "-.inf", "+.inf", ".Inf", ".INF", ".iNF", ".nan", ".NaN", ".NAN", ".Nan", "inf", "nan", ".", "..", "...", "-", "+", "=", "<<",
		"2020-01-01", "2020-1-1", "2020-01-01 10:00:00", "2020-01-01T10:00:00Z", "2020-01-01T10:00:00.5+01:00", "2020-01-01t10:00:00", "2020-01-01 10:00", "2020-13-01", "20-01-01", "2020-01-01x", "'1'", "\"1\"", "'yes'", "!!str 1", "!!int '1'", "!!float 1", "!!bool 'yes'", "!unsafe 1", "!!null ''", "10.0.0.1", "1.2.3", "0755", "1e400", "0.", "-0", "00", "0_0", "+0x1", "-0b1", "0x_1", "_", "1__0", "+", "12e03", "-2E+05", "0:0", "1:2:3.4"}
}

func documents() []string {
	return []string{"", "---\n", "# c\n", "a", "[1, a]", "{a: 1, b: {c: [~]}}", `{"a": 1e5, "b": 1.5, "c": null, "d": true}`, "a: 1\na: 2\n", "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n", "x: &x {a: 1}\nz: &z {a: 2, b: 2}\ny: {<<: [*x, *z], c: 3}\n",
		"a: |\n  b\n  c\n", "a: >\n  b\n  c\n", "1: a\ntrue: b\n~: c\n1.5: d\n", "a: 1\n---\nb: 2\n", "a: {\n", "? [a]\n: b\n", "\ta: 1\n", "a:\tb\n", "a: 'b\n\n  c'\n", "- a\n-\n- - b\n", "%YAML 1.1\n---\na: yes\n", "%YAML 1.2\n---\na: yes\n", "\ufeffa: 1\n", "a: b: c\n", "a: @b\n", "a: %b\n", "a: `b`\n", "{\"a\": \"\\/\"}", "[1,]", "a: \"\\x41\\u00e9\"\n", "a: *b\n"}
}

func FuzzLiteral(f *testing.F) {
	for _, s := range literals() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := Literal(text)
		again, ok2 := Literal(text)
		if ok != ok2 || v.Digest() != again.Digest() || !ok && v.Kind != Null {
			t.Errorf("%q is %v %v", text, v, ok)
		}
	})
}

func FuzzYAML(f *testing.F) {
	for _, s := range append(scalars(), documents()...) {
		f.Add(s)
		f.Add("a: " + s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := YAML([]byte(text))
		if err != nil {
			return
		}
		if again, err := YAML([]byte(text)); err != nil || again.Digest() != v.Digest() {
			t.Errorf("%q is read in two ways", text)
		}
		v.Shown(80)
		v.Strings(func(string, int) {})
	})
}
