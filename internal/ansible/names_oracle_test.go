package ansible

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/trace"
)

// oracleVariables are those of TestNamesAsAnsible, as YAML.
const oracleVariables = `
flag: yes
disabled: 'no'
number: 010
float: 1.10
version: 1.20.3
path: some/dir/file.conf.j2
list: [b, a, {k: v}]
names: [c, a, b, a]
nested: {one: {value: {src: a}}, two: {value: {src: '{{ names[0] }}'}}}
empty: []
lead: '{{ flag }}'
lists: [[a, [b]], c]
items: [{n: a, keep: true}, {n: b}]
text: ' Mixed Case '
date: 2020-01-02
none: null
`

// oracleExpressions come to something that Ansible can tell.
var oracleExpressions = []string{
	"flag", "disabled | bool", "'x' ~ flag", "number", "'x' ~ float", "lead", "not lead", "version", "path | basename", "path | dirname", "path | dirname | basename",
	"path | basename | replace('.j2', '')", "path | regex_replace('^(.*)/([a-z]+)[.].*$', '\\\\2-\\\\1')", "path.split('/') | last", "path.split('/')[1]",
	"text | trim | lower", "text | upper", "'mIXED' | capitalize", "names | first", "names | last", "names | unique | join('-')", "names | join(',')", "names | length",
	"list[2].k", "list[-1].k", "nested.two.value.src", "nested['one'].value.src", "(nested | dict2items)[0].key", "(nested | dict2items(key_name='k', value_name='v'))[1].v.value.src",
	"nested.keys() | first", "(nested.values() | list)[1].value.src", "(nested | combine({'three': 1})).three", "lists | flatten | join", "(items | map(attribute='n') | list)[1]",
	"(items | selectattr('keep', 'defined') | map(attribute='n') | list)[0]", "(items | rejectattr('keep', 'defined') | first).n", "(names + ['z']) | last", "(empty + names)[0]", "'a' + names[1]",
	"'a' if flag else 'b'", "'a' if disabled | bool else 'b'", "flag | ternary('a', 'b')", "nowhere | default('x')", "names[0] | default('x')", "'' | default('x', true)", "empty or 'x'",
	"flag and 'x'", "names[1] == 'a'", "names[1] != 'a'", "'a' in names", "'z' not in names", "'dir' in path", "'one' in nested", "number == 8", "number < 9", "(number | int) >= 8",
	"version is version('1.3', '>')", "version is version('1.20.3')", "flag is defined", "nowhere is defined", "nowhere is undefined", "empty | length == 0", "none | default('x', true)",
	"'7' | int", "'7x' | int", "names | union(['q']) | last", "names | difference(['a']) | list | length", "['a', names[0]] | join('/')", "date", "number == '8'", "flag == 'True'", "flag == 1", "1.0 == 1",
	"'yes' == flag", "'%s-%s' | format('a', names[0])", "nested | list | first", "nested | length", "text.strip()", "'a,b'.split(',')[1]", "names | sort | first", "{'a': 1} | combine({'a': 2}) | dict2items | map(attribute='value') | first",
	"none == ''", "'x' ~ none", "names | random", "names | shuffle | first", "(names | reject('equalto', 'c') | list)[0]", "'A' | lower in names",
}

// TestNamesAsAnsible has Ansible evaluate expressions: what they come to here must
// have that among it.
func TestNamesAsAnsible(t *testing.T) {
	program, err := exec.LookPath("ansible-playbook")
	if err != nil {
		t.Skip("ansible-playbook is not here: apt-get install ansible-core")
	}
	asked := make([]string, len(oracleExpressions))
	for i, e := range oracleExpressions {
		asked[i] = "<{{ " + e + " }}>"
	}
	all, _ := json.Marshal(asked)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("vars.yml", oracleVariables)
	write("p.yml", "- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars_files: [vars.yml]\n  tasks: [{debug: {msg: "+string(all)+"}}]\n")
	cmd := exec.Command(program, "-i", "localhost,", "p.yml")
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANSIBLE_") }), "ANSIBLE_STDOUT_CALLBACK=json", "LC_ALL=C.UTF-8")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var said struct {
		Plays []struct {
			Tasks []struct {
				Hosts map[string]struct{ Msg []string }
			}
		}
	}
	if err := json.Unmarshal(out[strings.IndexByte(string(out), '{'):], &said); err != nil {
		t.Fatal(err)
	}
	p := Open(project("-- vars.yml --"+oracleVariables), NewParsed())
	w := &walk{Project: p, files: &tree.Seen{Files: p.files, Asked: &trace.Asked{}}, extra: map[string][]definition{}, resolved: map[string][]definition{}}
	for _, p := range w.Project.files.Document("vars.yml").Value.Pairs() {
		w.extra[p.Key.Text] = []definition{{value: &p.Value, class: "extra"}}
	}
	exact := 0
	for i, e := range oracleExpressions {
		got := said.Plays[0].Tasks[0].Hosts["localhost"].Msg[i]
		texts := w.texts(w.textOf("<{{ "+e+" }}>").Shape, owner{})
		fits := slices.ContainsFunc(texts, func(text string) bool { return matches(text, got) })
		if !fits {
			t.Errorf("%s comes to %q, and here to %q", e, got, texts)
		}
		if len(texts) == 1 && !computed(texts[0]) {
			exact++
		}
	}
	if exact < len(oracleExpressions)/2 {
		t.Errorf("only %d of %d are known exactly", exact, len(oracleExpressions))
	}
	t.Logf("%d of %d expressions are known exactly", exact, len(oracleExpressions))
}
