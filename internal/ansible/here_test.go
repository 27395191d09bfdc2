package ansible

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/layer"
)

const hereSite = `
-- hosts --
[web]
n
[db]
d1
d2 ansible_connection=local
[jump]
j1
-- group_vars/web.yml --
lead: data/one
sub: one
unset_fact: "{{ ansible_local.fact }}"
dbs: db
engine: docker
-- data/one.txt --
1
-- data/two.txt --
2
-- data/sub/three.yml --
3: 3
-- other/four.txt --
4
-- files/one --
1
-- scripts/gen.sh (executable) --
#!/bin/sh
-- README.md --
readme
`

// hereCase is a task, with names of files that a change of must rebuild for, and
// must not.
type hereCase struct{ task, build, keep string }

func TestHere(t *testing.T) {
	const here = "\n  delegate_to: localhost"
	all := "data/one.txt other/four.txt README.md scripts/gen.sh"
	for _, c := range []hereCase{
		// Programs that read nothing.
		{"command: date" + here, "", all}, {"command: kubectl" + here, "", all}, {"shell: set -o pipefail; pip show a | grep b | awk '{print $2}'" + here, "", all},
		{"command: az keyvault secret show --vault-name {{ ansible_local.fact }} -n {{ ansible_local.fact }}-password --query value -o tsv" + here, "", all},
		{"shell: wget -q {{ ansible_local.fact }} -O - | gpg --dearmor | sudo tee {{ ansible_local.fact }}" + here, "", all}, {"local_action: command hostname", "", all},
		{"local_action: {module: shell, cmd: 'mkdir -p {{ ansible_local.fact }}'}", "", all}, {"command: {argv: [openssl, rand, '{{ ansible_local.fact }}']}" + here, "", all},
		{"debug: msg={{ lookup('pipe', 'date +%F') }}", "", all}, {"debug: msg={{ item }}\n  with_lines: uname -r", "", all}, {"shell: |\n    {% if fact %}date{% endif %}" + here, "", all}, {"shell: |\n    {% if fact %}gen{% endif %}" + here, all, ""},
		{"command: '{{ engine }} exec x true'" + here, "", all}, {"command: '{{ ansible_local.fact }} exec x true'" + here, all, ""},

		// Files that are named.
		{"command: cat data/one.txt" + here, "data/one.txt", "data/two.txt README.md"}, {"shell: cat {{ lead }}.txt | wc -l" + here, "data/one.txt", "data/two.txt README.md"},
		{"shell: cat data/{{ ansible_local.fact }}.txt" + here, "data/one.txt data/two.txt data/new.txt", "data/sub/three.yml README.md"}, {"shell: cat {{ playbook_dir }}/data/*" + here, "data/one.txt data/sub/three.yml data/new", "README.md other/four.txt"},
		{"shell: cat *.txt" + here, "new.txt", "README.md"}, {"command: cat *.txt" + here, "", all}, {"command: {argv: [cat, '{{ lead }}.txt']}" + here, "data/one.txt", "data/two.txt"},
		{"command: cat one.txt chdir=data" + here, "data/one.txt", "data/two.txt README.md"}, {"command: {cmd: cat one.txt, chdir: '{{ playbook_dir }}/data'}" + here, "data/one.txt", "data/two.txt README.md"}, {"find: {paths: '{{ playbook_dir }}/data', patterns: '*.txt'}" + here, "data/new.txt", "data/one.txt README.md"},
		{"command: cat one.txt\n  args: {chdir: data}" + here, "data/one.txt", "data/two.txt"}, {"command: cat one.txt\n  args: {chdir: '{{ ansible_local.fact }}'}" + here, "data/one.txt new/one.txt", "data/two.txt"},
		{"command: date\n  environment: {CONF: data/one.txt}" + here, "data/one.txt", "data/two.txt"}, {"shell: cd data && cat {{ sub }}.txt" + here, "data/one.txt", "data/two.txt"},
		{"command: cat {{ ansible_local.fact }}" + here, all, ""}, {"debug: msg={{ lookup('pipe', 'cat data/one.txt') }}", "data/one.txt", "data/two.txt"}, {"debug: msg={{ lookup('pipe', 'cat ' ~ lead ~ '.txt') }}", "data/one.txt", "data/two.txt"},
		{"debug: msg={{ item }}\n  with_lines: cat data/one.txt", "data/one.txt", "data/two.txt"}, {"shell: 'cat <<X\n\n    $(cat data/one.txt)\n\n    X'" + here, "data/one.txt", "data/two.txt"},
		{"block:\n  - command: cat data/one.txt" + here, "data/one.txt", "data/two.txt"}, {"raw: cat data/one.txt" + here, "data/one.txt", "data/two.txt"},
		{"expect: {command: cat data/one.txt, responses: {a: b}}" + here, "data/one.txt", "data/two.txt"}, {"command: ls data" + here, "data/new", "README.md"}, {"command: test -e data/one.txt" + here, "data/one.txt=gone", "data/one.txt data/two.txt"},
		{"command: date creates=data/new" + here, "data/new", "data/one.txt README.md"}, {"command: find data -name '*.txt'" + here, "data/new", "data/one.txt README.md"},

		// What could read anything.
		{"command: scripts/gen.sh" + here, all, ""}, {"script: ../scripts/gen.sh" + here, all, ""}, {"command: python3 scripts/none.py" + here, all, ""}, {"shell: gen | tee x" + here, all, ""}, {"debug: msg={{ lookup('pipe', 'gen') }}", all, ""},
		{"debug: msg={{ lookup('pipe', ansible_local.fact) }}", all, ""}, {"command: '{{ ansible_local.fact }}'" + here, all, ""},

		// Where a task is delegated to.
		{"command: gen\n  delegate_to: '{{ ansible_local.fact }}'", all, ""}, {"command: gen\n  delegate_to: j1", "", all}, {"command: gen\n  delegate_to: d1", "", all}, {"command: gen\n  delegate_to: d2", all, ""},
		{"command: gen\n  delegate_to: \"{{ groups['jump'] | first }}+{{ ansible_local.fact }}\"", "", all}, {"command: gen\n  delegate_to: \"{{ groups['jump'][0] }}\"", "", all},
		{"command: gen\n  delegate_to: \"{{ groups.db[0] }}\"", all, ""}, {"command: gen\n  delegate_to: \"{{ groups[dbs][0] }}\"", all, ""}, {"command: gen\n  delegate_to: \"{{ groups[ansible_local.fact][0] }}\"", all, ""},
		{"command: gen\n  delegate_to: 127.0.0.1", all, ""}, {"command: gen\n  delegate_to: '::1'", all, ""}, {"command: gen\n  delegate_to: n", "", all}, {"command: gen\n  delegate_to: '{{ inventory_hostname }}'", "", all},
		{"command: gen\n  delegate_to: j1\n  connection: local", all, ""}, {"command: gen\n  connection: local", "", all}, {"command: gen\n  vars: {ansible_connection: local}", all, ""},
		{"block:\n  - command: gen\n  vars: {ansible_connection: local}", all, ""}, {"set_fact: {ansible_connection: local}\n- command: gen", all, ""},
		{"import_tasks: more.yml" + here, all, ""}, {"include_tasks: {file: more.yml, apply: {delegate_to: localhost}}", all, ""}, {"include_tasks: more.yml\n  delegate_to: localhost", "", all}, {"include_role: {name: r, apply: {delegate_to: localhost}}", all, ""}, {"import_role: {name: r}" + here, all, ""}, {"include_role: {name: r}", "", all},
		{"command: gen\n  when: fact\n  delegate_to: localhost", all, ""},

		// Modules on the node.
		{"community.general.make: {chdir: '{{ ansible_local.fact }}'}", "", all}, {"docker_container: {name: '{{ ansible_local.fact }}'}", "", all}, {"community.general.ufw: {src: '{{ ansible_local.fact }}'}", "", all}, {"mysql_db: {name: x, target: '{{ ansible_local.fact }}'}", "", all},
		{"openstack.cloud.image: {filename: data/one.txt}", "", all}, {"elsewhere.things.module: {path: data/one.txt}", "data/one.txt", "data/two.txt"}, {"elsewhere.things.module: {path: '{{ ansible_local.fact }}'}", all, ""}, {"kubernetes.core.k8s: {src: data/one.txt}", "data/one.txt", "data/two.txt"},
		{"ios_config: {src: data/one.txt}", "data/one.txt", "data/two.txt"}, {"copy: {src: data/one.txt, dest: /x}", "data/one.txt", "data/two.txt"}, {"copy: {src: data/one.txt, dest: /x, remote_src: true}", "", "data/one.txt"},
		{"uri: {url: x, method: POST, body_format: form-multipart, body: {f: {filename: data/one.txt}}}", "data/one.txt", "data/two.txt"}, {"mine: {path: data/one.txt}", "library/mine.py", "data/one.txt"}, {"acted: {path: data/one.txt}", "data/one.txt action_plugins/acted.py", "data/two.txt"},

		// Modules on the machine that builds.
		{"file: {path: '{{ ansible_local.fact }}', state: directory}" + here, "", all}, {"replace: {path: '{{ ansible_local.fact }}', regexp: a}" + here, "", all}, {"blockinfile: {path: data/one.txt, block: a}\n  register: x" + here, "data/one.txt", "data/two.txt"},
		{"slurp: {src: data/one.txt}" + here, "data/one.txt", "data/two.txt"}, {"slurp: {src: '{{ ansible_local.fact }}'}" + here, all, ""}, {"stat: {path: data/one.txt}" + here, "data/one.txt=gone", "data/one.txt data/two.txt"},
		{"stat: {path: data/one.txt}\n  register: x" + here + "\n- debug: {var: x.stat.checksum}", "data/one.txt", "data/two.txt"}, {"find: {paths: data, patterns: '*.txt'}" + here, "data/new.txt data/one.txt=gone", "data/one.txt data/new.yml data/sub/three.yml"},
		{"find: {paths: '{{ playbook_dir }}/data', contains: a}" + here, "data/one.txt data/new", "README.md"}, {"community.docker.docker_image: {source: build, build: {path: data}}" + here, "data/one.txt", "README.md"},
		{"copy: {src: '{{ playbook_dir }}/data/one.txt', dest: /x}" + here, "data/one.txt", "data/two.txt"}, {"template: {src: data/one.txt, dest: /x}" + here, "data/one.txt", "data/two.txt"}, {"apt: {name: '{{ ansible_local.fact }}'}" + here, "", all},
	} {
		c.check(t, Query{})
	}
}

// check changes files and looks at whether the answer is another.
func (c hereCase) check(t *testing.T, q Query) {
	t.Helper()
	site := hereSite + "-- more.yml --\n- command: gen\n-- roles/r/tasks/main.yml --\n- command: gen\n-- library/mine.py --\n# code\n-- action_plugins/acted.py --\n# code\n-- p.yml --\n- hosts: web\n  tasks:\n  - " + strings.ReplaceAll(c.task, "\n", "\n  ") + "\n"
	q.Playbooks, q.Host, q.Groups, q.Inventory = []string{"p.yml"}, "n", []string{"web"}, []string{"hosts"}
	before := digestOf(t, project(site), q)
	try := func(names string, build bool) {
		for _, name := range strings.Fields(names) {
			fsys := project(site)
			name, gone := strings.CutSuffix(name, "=gone")
			was := &fstest.MapFile{Mode: 0o644}
			if old := fsys[name]; old != nil {
				was = old
			}
			if fsys[name] = (&fstest.MapFile{Data: []byte(string(was.Data) + "# more\n"), Mode: was.Mode}); gone {
				delete(fsys, name)
			}
			if after := digestOf(t, fsys, q); (after != before) != build {
				t.Errorf("%s\nafter a change of %s: another answer: %v; want %v", c.task, name, after != before, build)
			}
		}
	}
	try(c.build, true)
	try(c.keep, false)
}

// TestDeclaredReads: a program or plugin that is declared reads just that.
func TestDeclaredReads(t *testing.T) {
	local := []layer.Local{
		{Match: "scripts/gen.sh *", Reads: []string{"data/*.txt"}}, {Match: "gen", Reads: nil}, {Match: "make -C {{ ansible_local.fact }}", Reads: []string{"other"}},
		{Match: "{{ ansible_local.fact }}/tool *", Reads: []string{"**/*.yml"}}, {Plugin: "filter_plugins/f.py", Reads: []string{"other/**"}},
	}
	const here = "\n  delegate_to: localhost"
	for _, c := range []hereCase{
		{"command: scripts/gen.sh a" + here, "data/one.txt data/new.txt scripts/gen.sh", "data/sub/three.yml README.md"},
		{"command: scripts/gen.sh {{ ansible_local.fact }}" + here, "data/one.txt", "README.md"}, {"command: scripts/gen.sh" + here, "README.md data/one.txt", ""},
		{"shell: gen" + here, "", "README.md data/one.txt"}, {"command: make -C {{ ansible_local.fact }}" + here, "other/four.txt", "README.md"}, {"command: {argv: [scripts/gen.sh, a]}" + here, "data/one.txt", "README.md"},
		{"debug: msg={{ lookup('pipe', 'scripts/gen.sh ' ~ fact) }}", "data/one.txt", "README.md"}, {"command: '{{ ansible_local.fact }}/tool a'" + here, "data/sub/three.yml", "README.md data/one.txt"},
		{"shell: scripts/gen.sh a > {{ ansible_local.fact }}/x" + here, "data/one.txt", "README.md"},
	} {
		c.check(t, Query{Local: local})
	}
	site := func(more string) string {
		return hereSite + "-- filter_plugins/f.py --\nopen('x')\n-- p.yml --\n- hosts: web\n  tasks:\n  - debug: {msg: \"{{ 1 | f }}\"}\n" + more
	}
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}, Local: local}
	before := digestOf(t, project(site("")), q)
	if before != digestOf(t, project(site("-- README.md --\nother\n")), q) || before == digestOf(t, project(site("-- other/four.txt --\nother\n")), q) {
		t.Error("a declared plugin does not read what is declared")
	}
	r, err := Open(project(site("")), NewParsed()).Reach(q, Options{})
	if err != nil || strings.Join(r.Used, ",") != "plugin filter_plugins/f.py" || len(r.Widenings) != 0 {
		t.Errorf("used %q, widened %v: %v", r.Used, r.Widenings, err)
	}
	q.Local = nil
	if r, err = Open(project(site("")), NewParsed()).Reach(q, Options{}); err != nil || len(r.Widenings) == 0 || r.Widenings[0].File != "filter_plugins/f.py" {
		t.Errorf("widened %v: %v", r.Widenings, err)
	}
}

// TestPluginKinds: what code of the project makes count.
func TestPluginKinds(t *testing.T) {
	for _, c := range []struct {
		file, code string
		code2      string // of module_utils/u.py
		all        bool   // anything counts
		itself     bool
	}{
		{"connection_plugins/c.py", "open('x')", "", false, true}, {"callback_plugins/c.py", "open('x')", "", false, true}, {"inventory_plugins/i.py", "open('x')", "", false, true},
		{"filter_plugins/f.py", "open('x')", "", true, true}, {"filter_plugins/f.py", "os.path.join(a, b); reopen(x)", "", false, true}, {"vars_plugins/v.py", "glob.glob('x')", "", true, true},
		{"strategy_plugins/s.py", "open('x')", "", true, true}, {"test_plugins/t.py", "pathlib.Path('x')", "", true, true}, {"library/unused.py", "open('x')", "", false, false},
		{"filter_plugins/f.py", "from ansible.module_utils.u import x", "open('x')", true, true}, {"filter_plugins/f.py", "from ansible.module_utils.u import x", "x = 1", false, true}, {"filter_plugins/f.py", "x = 1", "open('x')", false, true},
	} {
		site := hereSite + "-- " + c.file + " --\n" + c.code + "\n-- module_utils/u.py --\n" + c.code2 + "\n-- p.yml --\n- hosts: web\n  tasks:\n  - debug: {msg: a}\n"
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
		before := digestOf(t, project(site), q)
		if got := digestOf(t, project(site+"-- README.md --\nother\n"), q) != before; got != c.all {
			t.Errorf("%s %q: README.md counts: %v", c.file, c.code, got)
		}
		if got := digestOf(t, project(site+"-- "+c.file+" --\n"+c.code+"#\n"), q) != before; got != c.itself {
			t.Errorf("%s %q counts itself: %v", c.file, c.code, got)
		}
	}
}

// TestCommit: what asks git of the commit is told.
func TestCommit(t *testing.T) {
	for task, want := range map[string]string{
		"command: git rev-parse HEAD\n    delegate_to: localhost": "p.yml:3", "command: git rev-parse HEAD": "",
		"debug: {msg: \"{{ lookup('pipe', 'git describe --always') }}\"}": "p.yml:3", "command: git -C /opt/x log -1\n    delegate_to: localhost": "",
	} {
		site := hereSite + "-- p.yml --\n- hosts: web\n  tasks:\n  - " + task + "\n"
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
		for _, local := range [][]layer.Local{nil, {{Match: "git *", Reads: []string{".git"}}}, {{Match: "git *"}}} {
			q.Local = local
			if len(local) > 0 && local[0].Reads == nil {
				want = ""
			}
			r, err := Open(project(site), NewParsed()).Reach(q, Options{})
			if err != nil || strings.Join(r.Commit, ",") != want {
				t.Errorf("%s, of which is said %v: %q, %v; want %q", task, local, r.Commit, err, want)
			}
		}
	}
}
