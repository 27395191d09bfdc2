package ansible

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// namesTest is a project in which a name is computed: a change of each of these
// files counts, one of those does not. A file is changed by a line at its end, or is
// made where there is none.
type namesTest struct {
	name, project string
	build, keep   string
}

// testNames runs tests against a node n in the group web; q says what else is known.
func testNames(t *testing.T, tests []namesTest, q Query) {
	t.Helper()
	q.Playbooks, q.Host, q.Groups, q.Inventory = []string{"p.yml"}, "n", []string{"web"}, []string{"hosts"}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := "-- hosts --\n[web]\nw1\n" + test.project
			before := digestOf(t, project(base), q)
			check := func(names string, build bool) {
				for _, name := range strings.Fields(names) {
					was := "\n"
					if f := project(base)[name]; f != nil {
						was = string(f.Data)
					}
					line := "# changed\n"
					switch {
					case strings.Contains(name, "tasks/"):
						was, line = strings.TrimPrefix(was, "[]\n"), "- debug: {msg: changed}\n"
					case strings.Contains(name, "vars/"):
						line = "changed: 1\n"
						for _, variable := range strings.Split(was, "\n") {
							if key, _, ok := strings.Cut(variable, ":"); ok && !strings.HasPrefix(key, " ") {
								line += key + ": changed\n"
								was = ""
							}
						}
					}
					after := digestOf(t, project(base+"-- "+name+" --\n"+was+line), q)
					if (after != before) != build {
						t.Errorf("%s: the digest must change: %v, of\n%s\nto\n%s", name, build, before, after)
					}
				}
			}
			check(test.build, true)
			check(test.keep, false)
		})
	}
}

// files makes files with a line in each.
func files(names string) string {
	var all strings.Builder
	for _, name := range strings.Fields(names) {
		says := "x"
		switch {
		case strings.Contains(name, "tasks/"):
			says = "[]"
		case strings.Contains(name, "vars/"):
			says = "made: " + name
		}
		fmt.Fprintf(&all, "-- %s --\n%s\n", name, says)
	}
	return all.String()
}

const book = "-- p.yml --\n- hosts: all\n  gather_facts: false\n"

func TestNamesOfScalars(t *testing.T) {
	all := files("files/x-True files/x-true files/x-8 files/x-010 files/x-1.1 files/x-1.10 files/x-7 files/sub/x-8")
	copies := func(written string) string {
		return book + "  vars: {flag: " + written + "}\n  tasks: [{copy: {src: 'x-{{ flag }}', dest: /x}}]\n" + all
	}
	testNames(t, []namesTest{
		{"a bool as Python writes it", copies("yes"), "files/x-True", "files/x-true files/x-7"},
		{"an octal number", copies("010"), "files/x-8", "files/sub/x-8"},
		{"a number", copies("7"), "files/x-7", "files/x-8"},
		{"a number with a zero at its end", copies("1.10"), "files/x-1.1", "files/sub/x-8"},
	}, Query{})
}

func TestNamesOfFirstFound(t *testing.T) {
	role := book + "  roles: [r]\n" + files("roles/r/vars/a.yml roles/r/vars/b.yml roles/r/vars/sub/c.yml roles/r/b.yml roles/r/files/b roles/r/files/c")
	tasks := func(text string) string { return role + "-- roles/r/tasks/main.yml --\n" + text }
	testNames(t, []namesTest{
		{"the first that is there", tasks("- include_vars: '{{ item }}'\n  with_first_found: [none.yml, b.yml, a.yml]\n- debug: {var: made}\n"),
			"roles/r/vars/b.yml roles/r/vars/none.yml", "roles/r/vars/a.yml"},
		{"one that comes before", tasks("- include_vars: '{{ item }}'\n  with_first_found: [none.yml, a.yml]\n- debug: {var: made}\n"),
			"roles/r/vars/a.yml roles/r/vars/none.yml", "roles/r/vars/b.yml"},
		{"files and paths of a variable", tasks("- include_vars: \"{{ lookup('first_found', params) }}\"\n  vars: {params: {files: [none.yml, c.yml, a.yml], paths: [vars/sub, vars]}}\n- debug: {var: made}\n"),
			"roles/r/vars/sub/c.yml roles/r/vars/sub/none.yml", "roles/r/vars/a.yml roles/r/vars/b.yml"},
		{"a name that may be several", tasks("- include_vars: '{{ item }}'\n  with_first_found: ['{{ which }}.yml', a.yml]\n- set_fact: {which: b}\n- set_fact: {which: none}\n- debug: {var: made}\n"),
			"roles/r/vars/a.yml roles/r/vars/b.yml", "roles/r/vars/sub/c.yml"},
		{"where nobody knows whether it is there", tasks("- include_vars: '{{ item }}'\n  with_first_found: [/etc/b.yml, a.yml]\n- debug: {var: made}\n"),
			"roles/r/vars/a.yml", "roles/r/vars/b.yml"},
		{"skip", tasks("- include_vars: '{{ item }}'\n  with_first_found: [{files: [none.yml, b.yml], skip: true}]\n- debug: {var: made}\n"),
			"roles/r/vars/b.yml roles/r/vars/none.yml", "roles/r/vars/a.yml"},
		{"files of a list that may be another", tasks("- copy: {src: \"{{ lookup('first_found', list) }}\", dest: /x}\n- set_fact: {list: [b]}\n- set_fact: {list: [c]}\n"),
			"roles/r/files/b roles/r/files/c", "roles/r/files/d"},
	}, Query{})
}

// TestNamesEnd has variables that lead to each other in every way.
func TestNamesEnd(t *testing.T) {
	var all strings.Builder
	for i := range 40 {
		fmt.Fprintf(&all, "v%d: [", i)
		for j := range 40 {
			fmt.Fprintf(&all, "'{{ v%d }}-{{ v%d.a[1] }}/{{ v%d }}', ", j, (i+j)%40, (i*j)%40)
		}
		fmt.Fprintf(&all, "]\nw%d: '{{ w%d }}{{ w%d }}{{ w%d.a }}'\n", i, i+1, i+1, i+1)
	}
	all.WriteString("w40: '{{ many }}{{ many }}{{ many }}'\nmany: x\n")
	text := book + "  tasks: [{copy: {src: '{{ item }}', dest: /x}, loop: '{{ v0 }}'}, {copy: {src: '{{ w0 }}', dest: /x}}]\n" +
		files("files/one files/sub/two") + "-- group_vars/all.yml --\n" + all.String()
	start := time.Now()
	digestOf(t, project("-- hosts --\n"+text), Query{Playbooks: []string{"p.yml"}, Host: "n", Inventory: []string{"hosts"}})
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// TestNamesInAnyOrder asks for variables that lead to each other in different
// orders: what they come to is the same.
func TestNamesInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for range 300 {
		const count = 7
		w := &walk{Project: Open(project(""), NewParsed()), files: tree.NewSeen(nil), extra: map[string][]definition{}, resolved: map[string][]definition{}}
		give := func(name, text string) {
			w.extra[name] = []definition{{value: &value.Value{Kind: value.String, Text: text}}}
		}
		for i := range count {
			text := ""
			for range 1 + random.Intn(3) {
				text += fmt.Sprintf("{{ v%d }}%c", random.Intn(count+2), 'a'+rune(random.Intn(3)))
			}
			give(fmt.Sprintf("v%d", i), text)
		}
		give("v7", "x")
		give("v8", "y")
		ask := func(i int) string {
			return fmt.Sprintf("%q", w.texts(w.textOf(fmt.Sprintf("{{ v%d }}", i)).Shape, owner{}))
		}
		var alone [count]string
		for i := range count {
			w.evaluation = nil
			alone[i] = ask(i)
		}
		w.evaluation = nil
		for _, i := range random.Perm(count) {
			if got := ask(i); got != alone[i] {
				t.Fatalf("v%d comes to %s, and asked for first to %s, of %v", i, got, alone[i], w.extra)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false},
		{"\x00.yml", "a/b.yml", true}, {"\x02.yml", "a/b.yml", false}, {"\x02.yml", "b.yml", true}, {"\x02.yml", ".yml", true},
		{"a/\x02/\x00.yml", "a/b/c/d.yml", true}, {"a/\x02.yml", "a/b/c.yml", false}, {"a\x02a", "a", false}, {"a\x02a", "aa", true},
		{"\x00lit\x02", "x/lit/lity", true}, {"\x00lit\x02", "x/lit/y", false}, {"\x02-\x02-\x02", "a-b-c-d", true}, {"\x02-\x02-\x02", "a-b", false},
		{"\x02a\x02a\x02a\x02a\x02a\x02a\x02a\x02a\x02ab", strings.Repeat("a", 5000), false},
	} {
		if got := matches(test.pattern, test.text); got != test.want {
			t.Errorf("matches(%q, %.20q): %v", test.pattern, test.text, got)
		}
	}
	for _, test := range []struct {
		texts []string
		want  string
	}{
		{[]string{"a1.yml", "a22.yml"}, "a\x02.yml"}, {[]string{"a/1.yml", "a/2/3.yml"}, "a/\x00.yml"}, {[]string{"a", "b"}, "\x02"}, {[]string{"aa", "a"}, "a\x02"},
	} {
		got := widened(test.texts)
		if got != test.want {
			t.Errorf("widened(%q): %q", test.texts, got)
		}
		for _, text := range test.texts {
			if !matches(got, text) {
				t.Errorf("%q does not match %q", got, text)
			}
		}
	}
}
