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
		{"a name that may have no value", tasks("- include_vars: '{{ item }}'\n  with_first_found: ['{{ which }}.yml', a.yml]\n- set_fact: {which: b}\n  when: ansible_local.x\n- debug: {var: made}\n"),
			"roles/r/vars/a.yml roles/r/vars/b.yml", "roles/r/vars/sub/c.yml"},
		{"a fact that may not be there", tasks("- include_vars: '{{ item }}'\n  with_first_found: [{files: ['{{ ansible_system }}.yml', a.yml], paths: [vars]}]\n- debug: {var: made}\n") + files("roles/r/vars/Linux.yml"),
			"roles/r/vars/a.yml roles/r/vars/Linux.yml", "roles/r/vars/b.yml"},
		{"a name of the inventory", tasks("- include_vars: '{{ item }}'\n  with_first_found: ['{{ which }}.yml', a.yml]\n- debug: {var: made}\n") + "-- group_vars/all.yml --\nwhich: b\n",
			"roles/r/vars/b.yml", "roles/r/vars/a.yml"},
		{"where nobody knows whether it is there", tasks("- include_vars: '{{ item }}'\n  with_first_found: [/etc/b.yml, a.yml]\n- debug: {var: made}\n"),
			"roles/r/vars/a.yml", "roles/r/vars/b.yml"},
		{"a query of a list of a variable, of which the first is taken", tasks("- copy: {src: \"{{ query('first_found', them) | first }}\", dest: /x}\n  vars: {them: ['/etc/{{ inventory_hostname }}', 'none', '{{ which }}', c]}\n") + "-- group_vars/all.yml --\nwhich: b\n",
			"roles/r/files/b roles/r/files/none", "roles/r/files/c roles/r/vars/a.yml"},
		{"skip", tasks("- include_vars: '{{ item }}'\n  with_first_found: [{files: [none.yml, b.yml], skip: true}]\n- debug: {var: made}\n"),
			"roles/r/vars/b.yml roles/r/vars/none.yml", "roles/r/vars/a.yml"},
		{"files of a list that may be another", tasks("- copy: {src: \"{{ lookup('first_found', list) }}\", dest: /x}\n- set_fact: {list: [b]}\n- set_fact: {list: [c]}\n"),
			"roles/r/files/b roles/r/files/c", "roles/r/files/d"},
	}, Query{Facts: map[string]string{"system": "Linux"}})
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

func TestNamesOfFacts(t *testing.T) {
	all := files("tasks/debian.yml tasks/redhat.yml tasks/sub/debian.yml tasks/Debian-12.yml tasks/Debian-11.yml tasks/sub/x.yml")
	tasks := func(text string) string { return book + "  tasks:\n" + text + all }
	known := Query{Facts: map[string]string{"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12"}}
	testNames(t, []namesTest{
		{"of a known distribution", tasks("  - include_tasks: 'tasks/{{ ansible_os_family | lower }}.yml'\n"), "tasks/debian.yml", "tasks/redhat.yml tasks/sub/debian.yml"},
		{"by the mapping", tasks("  - include_tasks: \"tasks/{{ ansible_facts['distribution'] }}-{{ ansible_facts.distribution_major_version }}.yml\"\n"), "tasks/Debian-12.yml", "tasks/Debian-11.yml"},
		{"that is set", tasks("  - set_fact: {ansible_os_family: RedHat}\n  - include_tasks: 'tasks/{{ ansible_os_family | lower }}.yml'\n"), "tasks/debian.yml tasks/redhat.yml", "tasks/Debian-12.yml"},
		{"that is set in another way", tasks("  - set_fact: {os_family: RedHat, cacheable: true}\n  - include_tasks: 'tasks/{{ ansible_facts.os_family | lower }}.yml'\n"), "tasks/debian.yml tasks/redhat.yml", "tasks/Debian-12.yml"},
		{"that the inventory has", tasks("  - include_tasks: 'tasks/{{ ansible_os_family | lower }}.yml'\n") + "-- group_vars/all.yml --\nansible_os_family: RedHat\n", "tasks/debian.yml tasks/redhat.yml", "tasks/Debian-12.yml"},
		{"that a module makes", tasks("  - other_facts:\n  - include_tasks: 'tasks/{{ ansible_os_family | lower }}.yml'\n"), "tasks/debian.yml tasks/redhat.yml", "files/x"},
		{"in a condition", tasks("  - include_tasks: tasks/redhat.yml\n    when: ansible_os_family == 'RedHat'\n  - include_tasks: tasks/debian.yml\n    when: ansible_os_family == 'Debian'\n"), "tasks/debian.yml", "tasks/Debian-12.yml"},
	}, known)
	testNames(t, []namesTest{
		{"of a distribution that is not known", tasks("  - include_tasks: 'tasks/{{ ansible_os_family | lower }}.yml'\n"), "tasks/debian.yml tasks/redhat.yml", "tasks/sub/debian.yml"},
		{"of which nothing is known", tasks("  - include_tasks: 'tasks/{{ ansible_local.x }}.yml'\n"), "tasks/debian.yml tasks/sub/debian.yml", "files/x"},
	}, Query{})
	testNames(t, []namesTest{
		{"in a role's condition, known", book + "  roles: [r]\n-- roles/r/tasks/main.yml --\n- include_tasks: a.yml\n  when: ansible_os_family == 'RedHat'\n- include_tasks: b.yml\n  when: ansible_os_family == 'Debian'\n" + files("roles/r/tasks/a.yml roles/r/tasks/b.yml"),
			"roles/r/tasks/b.yml", "roles/r/tasks/a.yml"},
		{"in a block's condition, known", book + "  roles: [r]\n-- roles/r/tasks/main.yml --\n- when: ansible_facts.distribution in ['CentOS', 'Rocky']\n  block: [{include_tasks: a.yml}]\n" + files("roles/r/tasks/a.yml"),
			"roles/r/tasks/main.yml", "roles/r/tasks/a.yml"},
	}, known)
}

// TestNamesOfData has names that are made of what variables hold.
func TestNamesOfData(t *testing.T) {
	all := files("files/a files/b files/c files/sub/a files/a-b files/A files/x.conf files/sub/x.conf")
	vars := `
-- group_vars/all.yml --
list: [{src: a, keep: true}, {src: b}]
nested: {one: {value: {src: a}}, two: {value: {src: '{{ b }}'}}}
names: {a: 1, b: 2}
b: b
empty: []
none: {}
path: some/dir/a
dotted: a.b
flag: 'yes'
number: 3
`
	copies := func(src, more string) string {
		return book + "  tasks:\n  - copy: {src: \"" + src + "\", dest: /x}\n" + more + vars + all
	}
	loop := func(loop string) string { return "    " + loop + "\n" }
	register := "  - command: x\n    register: "
	testNames(t, []namesTest{
		{"with_items", copies("{{ item.src }}", loop("with_items: '{{ list }}'")), "files/a files/b", "files/c files/sub/a"},
		{"with_dict", copies("{{ item.key }}", loop("with_dict: '{{ names }}'")), "files/a files/b", "files/c"},
		{"dict2items", copies("{{ item.value.value.src }}", loop("loop: '{{ nested | dict2items }}'")), "files/a files/b", "files/c"},
		{"dict2items with other names", copies("{{ item.k }}", loop("loop: \"{{ names | dict2items(key_name='k', value_name='v') }}\"")), "files/a files/b", "files/c"},
		{"keys", copies("{{ item }}", loop("loop: '{{ names.keys() | list }}'")), "files/a files/b", "files/c"},
		{"a default that is not needed", copies("{{ item.src }}", loop("loop: '{{ list | default([]) }}'")), "files/a files/b", "files/c"},
		{"an empty list", copies("{{ item.src }}", loop("loop: '{{ empty }}'")), "group_vars/all.yml", "files/a files/c"},
		{"a list that is nowhere", copies("{{ item.src }}", loop("loop: '{{ nowhere }}'")), "", "files/a files/c"},
		{"a mapping that is nowhere", copies("{{ item.value.src }}", loop("loop: '{{ nowhere | default({}) | dict2items }}'")), "", "files/a files/c"},
		{"a list that something registers", copies("{{ item.src }}", loop("loop: '{{ nowhere }}'")+register+"nowhere\n"), "files/a files/c files/sub/a", ""},
		{"a list that a task makes longer", copies("{{ item.src }}", loop("loop: '{{ list }}'")+"  - set_fact: {list: [{src: c}]}\n"), "files/a files/b files/c", "files/sub/a"},
		{"select", copies("{{ item.src }}", loop("loop: \"{{ list | selectattr('keep', 'defined') | list }}\"")), "files/a files/b", "files/c"},
		{"map", copies("{{ item }}", loop("loop: \"{{ list | map(attribute='src') | list }}\"")), "files/a files/b", "files/c"},
		{"map of a filter", copies("{{ item }}", loop("loop: \"{{ [path] | map('basename') }}\"")), "files/a", "files/b files/sub/a"},
		{"a sum of lists", copies("{{ item.src }}", loop("loop: '{{ list + [{\"src\": \"c\"}] }}'")), "files/a files/b files/c", "files/sub/a"},
		{"a union", copies("{{ item }}", loop("loop: \"{{ ['a'] | union(['b']) | unique }}\"")), "files/a files/b", "files/c"},
		{"combine", copies("{{ (names | combine({'c': 1})).keys() | first }}", ""), "files/a files/c", "files/sub/a"},
		{"flatten", copies("{{ item }}", loop("loop: \"{{ [['a', [b]], []] | flatten }}\"")), "files/a files/b", "files/c"},
		{"basename", copies("{{ path | basename }}", ""), "files/a", "files/b files/sub/a"},
		{"replace", copies("{{ dotted | replace('.', '-') }}", ""), "files/a-b", "files/a"},
		{"regex_replace", copies("{{ dotted | regex_replace('^([a-z])[.]([a-z])$', '\\\\1-\\\\2') }}", ""), "files/a-b", "files/a"},
		{"split", copies("{{ path.split('/') | last }}", ""), "files/a", "files/b"},
		{"join", copies("{{ ['a', b] | join('-') }}", ""), "files/a-b", "files/a"},
		{"upper", copies("{{ 'a' | upper }}", ""), "files/A", "files/a"},
		{"upper of a variable", copies("{{ dotted.split('.')[0] | upper }}", ""), "files/A", "files/a"},
		{"a choice", copies("{{ 'a' if flag | bool else 'b' }}", ""), "files/a", "files/b"},
		{"a choice that a task changes", copies("{{ 'a' if flag | bool else 'b' }}", "  - set_fact: {flag: false}\n"), "files/a files/b", "files/c"},
		{"a comparison", copies("{{ (number | int > 2) | ternary('a', 'b') }}", ""), "files/a", "files/b"},
		{"not", copies("{{ 'a' if not flag | bool and number == 3 else 'b' }}", ""), "files/b", "files/a"},
		{"in", copies("{{ 'a' if 'a' in names else 'b' }}", ""), "files/a", "files/b"},
		{"a key that is computed", copies("{{ nested[item].value.src }}", loop("loop: [two]")), "files/b", "files/a"},
		{"a key that nobody knows", copies("{{ nested[which].value.src }}", register+"which\n"), "files/a files/b", "files/c"},
		{"the name of a file that nobody knows", copies("{{ (which.path | basename) }}.conf", register+"which\n"), "files/x.conf", "files/sub/x.conf"},
		{"a lookup of each element", copies("x", "  - debug: {msg: \"{{ lookup('file', item.src) }}\"}\n    loop: '{{ list }}'\n"), "files/a files/b", "files/c"},
		{"a lookup of each element, in a condition", copies("x", "  - debug: {msg: x}\n    loop: '{{ list }}'\n    when: lookup('file', item.src) == 'y'\n"), "files/a files/b", "files/c"},
		{"a lookup of each element of a list that is looked up", copies("x", "  - debug: {msg: \"{{ lookup('file', item) }}\"}\n    loop: \"{{ lookup('file', 'c').split() }}\"\n"), "files/a files/b files/c", ""},
		{"a lookup of an outer element, in an inner list", copies("x", "  - include_tasks: tasks/in.yml\n    loop: [a, b]\n") + "-- tasks/in.yml --\n- debug: {msg: '{{ item }}'}\n  loop: \"{{ lookup('file', item).split() }}\"\n", "files/a files/b", ""},
		{"a lookup without a loop", copies("x", "  - debug: {msg: \"{{ lookup('file', item.src) }}\"}\n"), "files/a files/c", ""},
		{"an element", copies("{{ list[-1].src }}", ""), "files/b", "files/a"},
		{"a filter of the project's", copies("{{ path | site_filter }}", ""), "files/a files/b", ""},
		{"a variable called query", copies("x", "  - debug: {msg: '{{ query }}'}\n"), "", "files/b other/x"},
	}, Query{})
}

func TestNamesOfVariables(t *testing.T) {
	testNames(t, []namesTest{
		{"variables of a template", book + "  tasks: [{debug: {msg: \"{{ lookup('template', 't.j2', template_vars={'file': 'u.j2'}) }}\"}}]\n-- templates/t.j2 --\n{% include file %}\n-- templates/u.j2 --\nx\n", "templates/u.j2", ""},
		{"what an import passes in the old way", "-- p.yml --\n- import_playbook: q.yml file=b\n-- q.yml --\n- hosts: all\n  tasks: [{copy: {src: '{{ file }}', dest: /x}}]\n" + files("files/b"), "files/b", ""},
		{"what an include applies", book + "  tasks: [{include_tasks: {file: tasks/x.yml, apply: {vars: {file: b}}}}]\n-- tasks/x.yml --\n- copy: {src: '{{ file }}', dest: /x}\n" + files("files/b files/c"), "files/b", "files/c"},
		{"a list of variables", "-- p.yml --\n- hosts: all\n  vars: [{file: b}]\n  tasks: [{copy: {src: '{{ file }}', dest: /x}}]\n" + files("files/b files/c"), "files/b", "files/c"},
		{"a name in a group", book + "  tasks: [{group_by: {key: 'on_{{ enabled | bool }}'}}]\n- hosts: on_True\n  tasks: [{copy: {src: b, dest: /x}}]\n- hosts: on_False\n  tasks: [{copy: {src: c, dest: /x}}]\n-- group_vars/all.yml --\nenabled: \"yes\"\n" + files("files/b files/c"), "files/b", "files/c"},
		{"a group of a host that is added", book + "  tasks: [{add_host: {name: '{{ item }}', groups: 'on_{{ hostvars[item].kind }},x'}, loop: '{{ groups.web }}'}]\n- hosts: on_a\n  tasks: [{copy: {src: a, dest: /x}}]\n- hosts: on_b\n  tasks: [{copy: {src: b, dest: /x}}]\n- hosts: x\n  tasks: [{copy: {src: d, dest: /x}}]\n-- group_vars/all.yml --\nkind: '{{ lead }}'\nlead: b\n-- host_vars/n.yml --\nkind: b\n" + files("files/a files/b files/c files/d"), "files/b files/d", "files/a files/c"},
		{"a group of one that is added by another name", book + "  tasks: [{add_host: 'name=w1 group=on_b'}]\n- hosts: on_b\n  tasks: [{copy: {src: b, dest: /x}}]\n- hosts: on_c\n  tasks: [{copy: {src: c, dest: /x}}]\n" + files("files/b files/c"), "files/b", "files/c"},
		{"a group that nobody knows", book + "  tasks: [{add_host: {name: w1, groups: '{{ ansible_local.x }}'}}]\n- hosts: on_b\n  tasks: [{copy: {src: b, dest: /x}}]\n" + files("files/b files/c"), "files/b", "files/c"},
		{"a host that is added as nobody knows", book + "  tasks: [{add_host: '{{ ansible_local.x }}'}]\n- hosts: on_b\n  tasks: [{copy: {src: b, dest: /x}}]\n" + files("files/b files/c"), "files/b", "files/c"},
		{"variables of a group that only playbooks make", book + "  tasks: [{group_by: {key: 'on_{{ enabled | bool }}'}}, {copy: {src: '{{ which }}', dest: /x}}]\n-- group_vars/on_True.yml --\nwhich: b\n-- group_vars/on_False.yml --\nwhich: c\n-- group_vars/all.yml --\nenabled: \"yes\"\nwhich: a\n" + files("files/a files/b files/c"), "files/a files/b group_vars/on_True.yml", "files/c group_vars/on_False.yml"},
		{"a name in a group that a task changes", book + "  tasks: [{set_fact: {enabled: false}}, {group_by: {key: 'on_{{ enabled | bool }}'}}]\n- hosts: on_True\n  tasks: [{copy: {src: b, dest: /x}}]\n- hosts: on_False\n  tasks: [{copy: {src: c, dest: /x}}]\n-- group_vars/all.yml --\nenabled: \"yes\"\n" + files("files/b files/c files/d"), "files/b files/c", "files/d"},
	}, Query{})
}

func TestNamesOfResults(t *testing.T) {
	find := func(more, use string) string {
		return book + "  tasks:\n  - find: {paths: '{{ playbook_dir }}/myvars/', patterns: ip.yml" + more + "}\n    register: found\n    delegate_to: localhost\n" +
			"  - include_vars: {file: '{{ item }}', name: '{{ item | dirname | basename }}'}\n    loop: \"{{ found.files | map(attribute='path') | list }}\"\n  - debug: {msg: '" + use + "'}\n" +
			"-- myvars/one/ip.yml --\na: 1\n-- myvars/two/ip.yml --\na: 1\n-- myvars/ip.yml --\na: 1\n-- myvars/one/other.yml --\nb: 1\n-- group_vars/all.yml --\na: 1\nunused: 1\n"
	}
	testNames(t, []namesTest{
		{"files that a task finds, each in a variable of its own", find(", recurse: true", "{{ one.a }}"), "myvars/one/ip.yml", "myvars/two/ip.yml myvars/one/other.yml"},
		{"another of them", find(", recurse: true", "{{ two.a }}"), "myvars/two/ip.yml", "myvars/one/ip.yml"},
		{"only in the directory itself", find("", "{{ myvars.a }} {{ one | default(1) }}"), "myvars/ip.yml", "myvars/one/ip.yml"},
		{"where the name is an expression", find(", use_regex: true", "{{ one.a }}"), "myvars/one/ip.yml", ""},
		{"how many there are, nobody knows", book + "  tasks:\n  - find: {paths: '{{ playbook_dir }}/files', patterns: x}\n    register: found\n  - copy: {src: '{{ found.matched }}', dest: /x}\n" + files("files/0 files/1"), "files/0 files/1", ""},
		{"of two with one name", book + "  tasks:\n  - find: {paths: '{{ playbook_dir }}/files', patterns: x*}\n    register: found\n  - command: x\n    register: found\n  - copy: {src: '{{ found.files[0].path }}', dest: /x}\n" + files("files/x1 files/y"), "files/x1 files/y", ""},
		{"whether there are any", book + "  roles: [r]\n-- roles/r/tasks/main.yml --\n- find: {paths: /x, patterns: x}\n  register: found\n- include_tasks: a.yml\n  when: found.files | length == 0\n- include_tasks: b.yml\n  when: found.files | length == 1\n" + files("roles/r/tasks/a.yml roles/r/tasks/b.yml"), "roles/r/tasks/a.yml roles/r/tasks/b.yml", ""},
		{"the first of them", book + "  tasks:\n  - find: {paths: '{{ playbook_dir }}/files', patterns: 'x*,z'}\n    register: found\n  - copy: {src: '{{ (found.files | first).path }}', dest: /x}\n" + files("files/x1 files/x2 files/y files/z files/sub/x1"), "files/x1 files/x2 files/z", "files/y files/sub/x1"},
	}, Query{})
}
