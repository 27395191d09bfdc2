package ansible

import (
	"strings"
	"testing"
)

// joinedPlugin is an action plugin that opens what its argument parts names; MORE stands for
// further statements.
const joinedPlugin = `
-- action_plugins/joined.py --
import os
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):

    def piece(self, name):
        if os.path.exists(name):
            with open(name) as f:
                return self._templar.template(f.read())

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        for part in self._task.args.get('parts', []):
            self.piece(part)
        MORE
        return result
-- library/joined.py --
-- files/plain --
{{ read }} {% include 'common.j2' %}
-- group_vars/all.yml --
read: 1
also: 1
other: 1
handled: 1
parts: ["{{ playbook_dir }}/files/plain", /etc/x]
kinds: {a: 1, b: 2}
`

// TestBoundedActions has tasks of an action plugin that only opens what its arguments
// name, and of some that may do more.
func TestBoundedActions(t *testing.T) {
	all := strings.Replace(joinedPlugin, "MORE", "", 1) + files("files/other files/kind-a files/kind-b files/kind-c templates/common.j2 files/common.j2 common.j2 parts/x README.md")
	tasks := func(text string) string { return book + "  tasks:\n" + text + all }
	with := func(more string) string {
		return book + "  tasks:\n  - joined: {parts: [files/plain], dest: /x}\n" + strings.Replace(joinedPlugin, "MORE", more, 1) + files("files/other README.md")
	}
	const task = "  - joined: {parts: ['{{ playbook_dir }}/files/plain'], dest: /x}\n"
	testNames(t, []namesTest{
		{"a path of the project", tasks(task), "files/plain templates/common.j2 files/common.j2 common.j2 action_plugins/joined.py library/joined.py", "files/other parts/x README.md"},
		{"where Ansible works", tasks("  - joined: {parts: [files/plain], dest: /x}\n"), "files/plain", "files/other README.md"},
		{"not where a task's files are", tasks("  - joined: {parts: [plain], dest: /x}\n"), "plain", "files/plain README.md"},
		{"a list in a variable", tasks("  - joined: {parts: '{{ parts }}', dest: /x}\n"), "files/plain", "files/other README.md"},
		{"names of a mapping", tasks("  - joined: {parts: ['files/kind-{{ item.key }}'], dest: /x}\n    with_dict: '{{ kinds }}'\n"), "files/kind-a files/kind-b", "files/kind-c README.md"},
		{"a name that nobody knows", tasks("  - joined: {parts: ['{{ ansible_local.x }}'], dest: /x}\n"), "files/plain files/other README.md", ""},
		{"a name that is known in part", tasks("  - joined: {parts: ['parts/{{ ansible_local.x }}'], dest: /x}\n"), "parts/x", "files/other README.md"},
		{"a path outside", tasks("  - joined: {parts: ['/etc/{{ ansible_local.x }}'], dest: /x}\n"), "", "files/plain README.md"},
		{"a file that is not there", tasks("  - joined: {parts: [files/none], dest: /x}\n"), "files/none", "README.md"},
		{"a module whose name is computed", tasks("  - action: {module: '{{ ansible_local.x }}', parts: [files/plain]}\n"), "files/plain", ""},
		{"arguments in one line", tasks("  - joined: parts=files/plain dest=/x\n"), "files/plain", "README.md"},
		{"arguments that are computed", tasks("  - joined: '{{ ansible_local.x }}'\n"), "files/other README.md", ""},
		{"arguments from elsewhere", tasks("  - joined: {dest: /x}\n    module_defaults: {joined: {parts: [files/other]}}\n"), "files/other", ""},
		{"arguments from around it", tasks("  - block: [{joined: {dest: /x}}]\n    module_defaults: {joined: {parts: [files/other]}}\n"), "files/other", ""},
		{"arguments of the play", strings.Replace(tasks("  - joined: {dest: /x}\n"), "  gather", "  module_defaults: {joined: {parts: [files/other]}}\n  gather", 1), "files/other", ""},
		{"what a handler does that is not notified", book + "  roles: [r]\n-- roles/r/tasks/main.yml --\n" + "- joined: {parts: [files/plain], dest: /x}\n" + "-- roles/r/handlers/main.yml --\n- name: h\n  copy: {src: files/other, dest: /x}\n" + all, "files/plain", "files/other README.md"},

		{"a plugin that opens something else, too", with("open('files/other')"), "files/other README.md", ""},
		{"one that runs a program", with("os.system('cat files/other')"), "files/other README.md", ""},
		{"one that adds to its arguments", with("self._task.args['parts'].append('files/other')"), "files/other README.md", ""},
	}, Query{})
}

// TestVariablesOfActions: which variables an action plugin of the project reads.
func TestVariablesOfActions(t *testing.T) {
	for _, test := range []struct{ more, build, keep string }{
		{"", "read", "also other"},
		{"x = task_vars['other']", "read other", "also"},
		{"x = self._templar.template('{{ ' + 'other }}')", "read also other", ""},
		{"x = [v for v in task_vars]", "read also other", ""},
	} {
		site := "-- hosts --\n[web]\nw1\n" + book + "  tasks: [{joined: {parts: [files/plain], dest: /x}}]\n" + strings.Replace(joinedPlugin, "MORE", test.more, 1)
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
		before := digestOf(t, project(site), q)
		for names, build := range map[string]bool{test.build: true, test.keep: false} {
			for _, name := range strings.Fields(names) {
				if got := digestOf(t, project(site+"-- group_vars/web.yml --\n"+name+": 2\n"), q) != before; got != build {
					t.Errorf("with %q, the variable %s counts: %v", test.more, name, got)
				}
			}
		}
	}
}

// TestScriptsHere has scripts of the project that Python runs on the machine that builds.
func TestScriptsHere(t *testing.T) {
	const script = "import argparse\nimport json\nimport sys\np = argparse.ArgumentParser()\np.add_argument('-n', type=int)\nargs = p.parse_args()\nprint(json.dumps({'n': args.n}))\nsys.exit(0)\n"
	run := func(command, script string) string {
		return book + "  tasks:\n  - command: " + command + "\n    delegate_to: localhost\n-- scripts/a.py --\n" + script + files("data README.md")
	}
	testNames(t, []namesTest{
		{"one that reads nothing", run("python3 scripts/a.py -n 3", script), "scripts/a.py scripts/json.py", "data README.md"},
		{"one that keeps no options", run("python3 scripts/a.py -n 3", "import argparse\np = argparse.ArgumentParser()\np.add_argument('-n')\nprint(p.parse_args().n)\n"), "scripts/a.py", "data README.md"},
		{"by its path", run("'{{ ansible_playbook_python }} {{ playbook_dir }}/scripts/a.py -n {{ ansible_local.x }}'", script), "scripts/a.py", "data README.md"},
		{"one that reads", run("python3 scripts/a.py", script+"print(open('data').read())\n"), "data README.md", ""},
		{"one that reads what it is told", run("python3 scripts/a.py data", script+"print(open(sys.argv[1]).read())\n"), "data README.md", ""},
		{"one that imports from beside it", run("python3 scripts/a.py", script) + files("scripts/json/x"), "data README.md", ""},
		{"one that imports what is not known", run("python3 scripts/a.py", "import helper\n"), "data README.md", ""},
		{"one that reads by argparse", run("python3 scripts/a.py", strings.Replace(script, "type=int", "type=argparse.FileType('r')", 1)), "data README.md", ""},
		{"one that runs a program", run("python3 scripts/a.py", "import subprocess\nsubprocess.run(['cat', 'data'])\n"), "data README.md", ""},
		{"one whose name is computed", run("'python3 scripts/{{ ansible_local.x }}.py'", script), "scripts/a.py data README.md", ""},
		{"one that is not there", run("python3 other/a.py", script), "data README.md", ""},
		{"another interpreter", run("ruby scripts/a.py", script), "data README.md", ""},
	}, Query{})
}
