package python

import (
	"fmt"
	"strings"
	"testing"
)

// plugin joins files; MORE stands for statements of its run, TOP for some of the module.
const plugin = `# joins files that are templates
import os
import shutil
import tempfile
TOP

from ansible.plugins.action import ActionBase

DOCUMENTATION = '''
open('what is in a text', "is no code")
'''


class ActionModule(ActionBase):

    TRANSFERS_FILES = True

    def piece(self, name):
        if not os.access(name, os.R_OK):
            return None
        with open(name, 'r') as f:
            said = f.read()
        self._templar.environment.loader.searchpath = [
            self._loader._basedir, os.path.dirname(name)]
        return self._templar.template(said)

    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        parts = self._task.args.get('parts', [])
        if not isinstance(parts, list):
            parts = [parts]
        MORE
        text = ''.join([self.piece(part) or '' for part in PARTS])
        made = tempfile.mkdtemp()
        try:
            with open(os.path.join(made, 'whole'), 'w') as out:
                out.write(text)
            task = self._task.copy()
            task.args.pop('parts', None)
            task.args.update(dict(src=os.path.join(made, 'whole')))
            copy = self._shared_loader_obj.action_loader.get(
                'copy', task=task, connection=self._connection, play_context=self._play_context,
                loader=self._loader, templar=self._templar, shared_loader_obj=self._shared_loader_obj)
            result.update(copy.run(task_vars=task_vars))
        finally:
            shutil.rmtree(made)
        return result
`

// with is the plugin with a loop, further statements in run, and some before all.
func with(more, top string) string {
	code := strings.Replace(plugin, "''.join([self.piece(part) or '' for part in PARTS])", "''", 1)
	lines := "for part in parts:\n            self.piece(part)\n"
	for _, line := range strings.Split(more, "\n") {
		lines += "        " + line + "\n"
	}
	return strings.NewReplacer("MORE", lines, "TOP", top).Replace(code)
}

func TestReadAction(t *testing.T) {
	const bounded = "opens parts, a template, runs copy"
	for _, test := range []struct{ name, more, top, want string }{
		{"as it is", "", "", bounded},
		{"one argument more", "extra = self._task.args['extra']\nself.piece(extra)", "", "opens extra parts, a template, runs copy"},
		{"an element", "self.piece(parts[0])", "", bounded},
		{"the arguments by another name", "args = self._task.args\nself.piece(args.get('other'))", "", "opens other parts, a template, runs copy"},
		{"a file that is looked for", "self.piece(self._find_needle('templates', self._task.args.get('src')))", "", "opens parts src, searched, a template, runs copy"},
		{"a message", "self._display.vvv(f\"{len(parts)} parts of {self._task.action}\")", "", bounded},
		{"one variable", "x = task_vars.get('site_kind', 'none')", "", bounded + ", variable site_kind"},
		{"one variable, in another way", "x = task_vars['site_kind']", "", bounded + ", variable site_kind"},
		{"all variables", "x = dict(task_vars)", "", bounded + ", any variable"},
		{"all variables, one by one", "for k in task_vars:\n    x = k", "", bounded + ", any variable"},
		{"variables of other hosts", "x = task_vars['hostvars']", "", bounded + ", any variable"},
		{"a text that is evaluated", "x = self._templar.template('{{ a }}')", "", bounded + ", any variable"},
		{"modules that read nothing", "x = json.loads(re.sub('a', 'b', '{}'))", "import json\nimport re", bounded},
		{"a module of Ansible", "x = to_text(self.piece(parts[0]))", "from ansible.module_utils._text import to_text", bounded},
		{"a file that is written", "with open('/var/log/x', 'w') as log:\n    log.write('x')", "", bounded},

		{"a file by its name", "self.piece('/etc/x')", "", "wide"},
		{"a file by its name in the module", "", "DATA = open('data')", "wide"},
		{"a default that names a file", "self.piece(self._task.args.get('more', 'files/x'))", "", "wide"},
		{"a path that is made of one", "self.piece(parts[0] + '.d')", "", "wide"},
		{"a path beside the plugin", "self.piece(os.path.join(os.path.dirname(__file__), 'x'))", "", "wide"},
		{"a path in the playbook's directory", "self.piece(os.path.join(self._loader._basedir, 'x'))", "", "wide"},
		{"a path from a variable", "self.piece(task_vars['path'])", "", "wide"},
		{"a path from a file", "for line in self.piece(parts[0]).splitlines():\n    self.piece(line)", "", "wide"},
		{"one more in the list", "parts.append('files/x')", "", "wide"},
		{"one more in a list of that name", "more = parts\nmore += ['files/x']", "", "wide"},
		{"one more by another name", "more = parts\nmore.append('files/x')", "", "wide"},
		{"one instead of another", "parts[0] = 'files/x'", "", "wide"},
		{"in a list of its own", "own = []\nown.append('files/x')\nfor one in own:\n    self.piece(one)", "", "wide"},
		{"in a mapping of its own", "own = {}\nown['a'] = 'files/x'\nself.piece(own['a'])", "", "wide"},
		{"arguments that it changes", "self._task.args['parts'] = ['files/x']", "", "wide"},
		{"arguments that it updates", "self._task.args.update({'parts': ['files/x']})", "", "wide"},
		{"arguments by another name that it changes", "args = self._task.args\nargs['parts'] = ['x']\nself.piece(args.get('parts'))", "", "wide"},
		{"an argument that it changes", "self._task.args['parts'].append('files/x')", "", "wide"},
		{"an argument that it gets, and changes", "self._task.args.get('parts').append('files/x')", "", "wide"},
		{"an argument that it keeps, and changes", "self.kept = parts\nself.kept.append('files/x')", "", "wide"},
		{"an argument that it keeps by its name, and changes", "self.kept = self._task.args['parts']\nself.kept.append('files/x')", "", "wide"},
		{"a list that it changes by its kind", "list.append(parts, 'files/x')", "", "wide"},
		{"something of its own that it changes", "self.kept = []\nself.kept.append('files/x')", "", bounded},
		{"the task by another name", "mine = self._task\nmine.args['parts'] = ['files/x']", "", "wide"},
		{"another source of the copy", "task = self._task.copy()\ntask.args.update(dict(src='files/x'))", "", "wide"},
		{"another source, assigned", "task = self._task.copy()\ntask.args['src'] = 'files/x'", "", "wide"},
		{"other arguments", "task = self._task.copy()\ntask.args = dict(src='files/x')", "", "wide"},
		{"another plugin", "self._shared_loader_obj.action_loader.get('site_plugin', task=self._task.copy())", "", "wide"},
		{"another plugin by another name", "loader = self._shared_loader_obj.action_loader\nloader.get('site_plugin')", "", "wide"},
		{"a plugin whose name is computed", "self._shared_loader_obj.action_loader.get('co' + 'py')", "", "wide"},
		{"a lookup", "self._shared_loader_obj.lookup_loader.get('file')", "", "wide"},
		{"the loader", "x = self._loader.load_from_file('vars/x.yml')", "", "wide"},
		{"the loader by another name", "loader = self._loader\nloader.load_from_file('vars/x.yml')", "", "wide"},
		{"a file to be sent", "self._connection.put_file('files/x', '/tmp/x')", "", "wide"},
		{"a program", "subprocess.run(['cat', 'x'])", "import subprocess", "wide"},
		{"a program of the system", "os.system('cat x')", "", "wide"},
		{"names of files", "x = os.listdir('.')", "", "wide"},
		{"whether there is a file", "x = os.path.exists('files/x')", "", "wide"},
		{"whether there is one, with another name for os", "x = o.path.exists('files/x')", "import os as o", "wide"},
		{"a function of os", "x = listdir('.')", "from os import listdir", "wide"},
		{"open by another name", "o = open\no('x')", "", "wide"},
		{"open for each", "x = map(open, ['x'])", "", "wide"},
		{"open of another module", "io.open('x')", "import io", "wide"},
		{"pathlib", "x = Path('x').read_text()", "from pathlib import Path", "wide"},
		{"a module that is not known", "x = site_tool.read('x')", "import site_tool", "wide"},
		{"code", "exec('x')", "", "wide"},
		{"an attribute by its name", "getattr(self, '_loa' + 'der')", "", "wide"},
		{"a function without a name", "f = lambda name: open(name)\nf('x')", "", "wide"},
		{"a name that is something else", "self.piece(to_text(parts[0]))", "def to_text(x):\n    return 'files/x'", "wide"},
		{"a name that is imported as something else", "self.piece(to_text(parts[0]))", "from random import choice as to_text", "wide"},
		{"a parameter with a default", "self.other()", "def nothing():\n    pass", "wide"},
		{"several at once", "self.piece(*['files/x'])", "", "wide"},
		{"the function by its name", "x = [f('files/x') for f in [self.piece]]", "", "wide"},
		{"the function for each", "x = list(map(self.piece, ['files/x']))", "", "wide"},
		{"a number for a text", "x = '\\x2e'\nself.piece(self._task.args['p\\x61rts'])", "", "wide"},
		{"an expression in a text", "x = f\"{open('x').read()}\"", "", "wide"},
		{"what cannot be read", "x = (", "", "wide"},
		{"the same name in a loop of an expression", "x = [part for part in ['files/x']]", "", "wide"},
		{"a name from an exception", "try:\n    pass\nexcept OSError as part:\n    pass", "", "wide"},
		{"an assignment in an expression", "if (part := 'files/x'):\n    pass", "", "wide"},
		{"two names at once", "part, x = 'files/x', 1", "", "wide"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := said(with(test.more, test.top)); got != test.want {
				t.Errorf("it is said to be %q, not %q, of\n%s", got, test.want, with(test.more, test.top))
			}
		})
	}
}

// TestReadActionOf has plugins of other forms.
func TestReadActionOf(t *testing.T) {
	for code, want := range map[string]string{
		"": "wide", "open('x')": "wide",
		"class ActionModule(ActionBase):\n    pass\n":                                                "wide", // of what is imported from nowhere
		"from ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n    pass\n": "opens ",
		"from ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n    def run(self, tmp=None, task_vars=None):\n        return open(self._task.args['a']).read()\n": "opens a",
		"from ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n    def run(self, tmp=None, vars=None):\n        return {}\n":                                     "opens , any variable",
		"from ansible.plugins.action.copy import ActionModule as Base\nclass ActionModule(Base):\n    pass\n":                                                                              "wide",
		"from ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase, Mixin):\n    pass\n":                                                                                "wide",
		"from ansible.plugins.action import ActionBase\nfrom ansible_collections.site.x.plugins.plugin_utils.y import Z\nclass ActionModule(ActionBase):\n    pass\n":                      "wide",
	} {
		if got := said(code); got != want {
			t.Errorf("%q\nis said to be %q, not %q", code, got, want)
		}
	}
}

// said is what ReadAction says, in words.
func said(code string) string {
	a, ok := ReadAction(code)
	if !ok {
		return "wide"
	}
	all := []string{"opens " + strings.Join(a.Opens, " ")}
	for what, is := range map[string]bool{"searched": a.Searches} {
		if is {
			all = append(all, what)
		}
	}
	if a.Templates {
		all = append(all, "a template")
	}
	if len(a.Calls) > 0 {
		all = append(all, "runs "+strings.Join(a.Calls, " "))
	}
	for _, name := range a.Variables {
		all = append(all, "variable "+name)
	}
	if a.Any {
		all = append(all, "any variable")
	}
	return fmt.Sprint(strings.Join(all, ", "))
}
