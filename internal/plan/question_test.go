package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
)

// TestQuestions: every reason says what was asked, and what is still there is not said
// to be gone.
func TestQuestions(t *testing.T) {
	site := func(edit func(m fstest.MapFS)) fstest.MapFS {
		m := fstest.MapFS{}
		for name, text := range map[string]string{
			"strata.yaml": `{strata: 1, cluster: {name: c}, repositories: {debian: {type: apt, suite: bookworm}}, inventory: hosts, layers: {
 base: {from: {bootstrap: {distribution: debian, repositories: [debian]}}},
 web: {parent: base, files: [{src: motd, dest: /etc/motd}, {src: tree, dest: /tree}], ansible: {playbooks: [web.yml], groups: [web]}, run: ["true"]},
 wide: {parent: base, ansible: {playbooks: [wide.yml], groups: [web]}}}}`,
			"wide.yml":              "- hosts: web\n  tasks:\n    - shell: gen *.list\n      delegate_to: localhost\n",
			"motd":                  "welcome",
			"tree/sub/a":            "a",
			"ansible.cfg":           "[defaults]\nforks = 5\ntimeout = 9\n",
			"hosts":                 "[web]\na size=1\n[db]\nb\n[front]\n[odd]\n",
			"group_vars/web.yml":    "colour: red\nshape: round\n",
			"group_vars/db.yml":     "colour: blue\n",
			"web.yml":               "- hosts: web\n  roles: [one]\n- hosts: front:odd\n  tasks: [{debug: {msg: front}}]\n",
			"roles/one/tasks/t.yml": "- debug: {msg: '{{ size }}'}\n",
			"roles/one/tasks/main.yml": "- template: {src: a.j2, dest: /a}\n- include_tasks: t.yml\n" +
				"- debug: {msg: \"{{ groups['db'] }} {{ hostvars['a'].size }}\"}\n" +
				"- copy: {src: '{{ item }}', dest: /g/}\n  with_fileglob: ['d/*.conf']\n" +
				"- copy: {src: e/, dest: /e}\n" +
				"- include_vars: '{{ item }}'\n  with_first_found: [own.yml, other.yml]\n" +
				"- debug: {msg: big}\n  when: shape == 'big'\n",
			"roles/one/files/d/a.conf": "a",
			"roles/one/files/e/f/g":    "g",
			"roles/one/vars/other.yml": "other: 1\n",
			"roles/one/templates/a.j2": "{{ colour }}",
			"x.list":                   "x",
		} {
			m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
		if edit != nil {
			edit(m)
		}
		return m
	}
	sed := func(name, old, new string) func(m fstest.MapFS) {
		return func(m fstest.MapFS) {
			if !strings.Contains(string(m[name].Data), old) {
				t.Fatalf("%s has no %q", name, old)
			}
			m[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(m[name].Data), old, new)), Mode: 0o644}
		}
	}
	put := func(name string) func(m fstest.MapFS) {
		return func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: []byte("word: 1\n"), Mode: 0o644} }
	}
	for _, c := range []struct {
		what string
		edit func(m fstest.MapFS)
		want []string // some of the reasons
	}{
		{"a variable", sed("group_vars/web.yml", "red", "green"), []string{`variable colour changed {"kind":"variable","name":"colour","node":"web"}`}},
		{"a file", sed("motd", "e", "u"), []string{`motd changed {"kind":"bytes","name":"motd"}`}},
		{"the definition", sed("strata.yaml", `"true"`, `"false"`), []string{`its run changed {"kind":"definition","name":"run","node":"web"}`}},
		{"the members", sed("hosts", "b\n", "b\nc\n"), []string{`variable groups[db] changed {"kind":"members","name":"db","node":"web"}`}},
		{"another host", sed("hosts", "size=1", "size=2"), []string{`variable hostvars[a].size changed {"kind":"variable","name":"size","node":"a"}`}},
		{"a template that is gone", func(m fstest.MapFS) {
			delete(m, "roles/one/templates/a.j2")
			sed("roles/one/tasks/main.yml", "- template: {src: a.j2, dest: /a}\n", "")(m)
		}, []string{
			`roles/one/templates/a.j2 is gone {"kind":"exists","name":"roles/one/templates/a.j2"}`,
			`variable colour is no longer used by web {"kind":"reached","name":"colour","node":"web"}`,
		}},
		{"a template that is not used", sed("roles/one/tasks/main.yml", "- template: {src: a.j2, dest: /a}\n", ""), []string{
			`roles/one/templates/a.j2 is no longer used by web {"kind":"reached","name":"roles/one/templates/a.j2","node":"web"}`,
		}},
		{"a variable that is used", sed("roles/one/templates/a.j2", "}}", "}}{{ shape }}"), []string{
			`roles/one/templates/a.j2 changed {"kind":"bytes","name":"roles/one/templates/a.j2"}`,
			`variable shape is used now by web {"kind":"reached","name":"shape","node":"web"}`,
		}},
		{"a play that matches no more", sed("web.yml", "web", "webs"), []string{
			`roles/one/tasks/main.yml is no longer used by web {"kind":"reached","name":"roles/one/tasks/main.yml","node":"web"}`,
		}},
		{"a directory that gains a name", put("roles/one/files/d/b.conf"), []string{
			`roles/one/files/d/b.conf is new {"kind":"names","name":"roles/one/files/d"}`,
		}},
		{"a directory that loses a name", func(m fstest.MapFS) { delete(m, "roles/one/files/d/a.conf") }, []string{
			`roles/one/files/d/a.conf is gone {"kind":"names","name":"roles/one/files/d"}`,
		}},
		{"a name below a directory", put("roles/one/files/e/f/h"), []string{
			`roles/one/files/e/f/h is new {"kind":"below","name":"roles/one/files/e"}`,
		}},
		{"a name below a directory of the layer", put("tree/sub/b"), []string{`tree/sub/b is new {"kind":"below","name":"tree"}`}},
		{"a file that comes to be", put("roles/one/vars/own.yml"), []string{
			`roles/one/vars/own.yml is new {"kind":"exists","name":"roles/one/vars/own.yml"}`,
		}},
		{"a play that matches now", sed("hosts", "[front]\n", "[front]\n[front:children]\nweb\n"), []string{
			`web.yml is used in another way by web {"kind":"matches","name":"front:odd","node":"web"}`,
		}},
		{"a task that runs now", sed("group_vars/web.yml", "round", "big"), []string{
			`roles/one/tasks/main.yml is used in another way by web {"kind":"reached","name":"roles/one/tasks/main.yml","node":"web"}`,
		}},
		{"a setting", sed("ansible.cfg", "9", "7"), []string{`ansible.cfg changed {"kind":"config","name":"timeout"}`}},
		{"what cannot be followed", sed("x.list", "x", "y"), []string{`x.list changed {"kind":"bytes","name":"x.list"} wide.yml:3: `}},
	} {
		t.Run(c.what, func(t *testing.T) {
			parsed := ansible.NewParsed()
			was, now := site(nil), site(c.edit)
			changed := []string{}
			for name, file := range now {
				if was[name] == nil || string(was[name].Data) != string(file.Data) {
					changed = append(changed, name)
				}
			}
			for name := range was {
				if now[name] == nil {
					changed = append(changed, name)
				}
			}
			base, err := revisionOf(was, parsed)
			if err != nil {
				t.Fatal(err)
			}
			head, err := revisionOf(now, parsed)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compare(base, head, []layer.NodeID{"web", "wide"}, CompareOptions{Changed: changed})
			if err != nil {
				t.Fatal(err)
			}
			web, _ := p.Find("web")
			wide, _ := p.Find("wide")
			var got []string
			for _, r := range append(web.Reasons, wide.Reasons...) {
				if r.Question == nil {
					t.Errorf("%s: no question", r)
					continue
				}
				q, _ := json.Marshal(r.Question)
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", r, q, r.Widened)))
			}
			for _, want := range c.want {
				if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
					t.Errorf("no %s in\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}
