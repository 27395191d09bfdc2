package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readers are ways in which programs on the machine that builds read the project, each
// of a layer, and the changes that make another layer of it: a command in the project.
// They are in scripts, which nothing but a build can tell what they read.
var readers = map[string]struct {
	script  string // ways/NAME.sh
	task    string // of a play on the node; "" has the script's output written by a pipe lookup
	changes []string
}{
	"glob":      {"cat glob/*.txt", "", []string{"echo x >> glob/a.txt", "echo x > glob/b.txt", "rm glob/a.txt"}},
	"python":    {"python3 python/show.py", "", []string{"echo x >> python/data.txt", "echo 'print(1)' >> python/show.py", "echo 'x = 2' > python/module.py"}},
	"git":       {"git hash-object git/a", "", []string{"echo x >> git/a"}},
	"here":      {"cat <<E\n$(cat here/data)\nE", "", []string{"echo x >> here/data", "echo : >> ways/here.sh"}},
	"find":      {"find find -type f", "", []string{"touch find/deep/new", "rm find/a"}},
	"later":     {"test -e later/x && cat later/x || echo none", "", []string{"mkdir -p later; echo x > later/x"}},
	"lines":     {"cat lines/*", `raw: "printf '%s' '{{ lookup('lines', 'sh ways/lines.sh') }}' > /etc/it"`, []string{"echo x >> lines/a", "echo x > lines/b"}},
	"delegated": {"cat delegated/*; ls delegated | wc -l", `{shell: "sh ways/delegated.sh", delegate_to: localhost}`, []string{"echo x >> delegated/a", "touch delegated/b"}},
	"action":    {"cp -r action /tmp/strata-test-action", `{local_action: {module: command, cmd: "sh ways/action.sh"}}`, []string{"echo x >> action/a", "touch action/deep/b"}},
	"own":       {"own/run", "", []string{"echo : >> own/run", "echo x >> own/lib.sh"}},
	"link":      {"cat link/a", "", []string{"echo x >> glob/linked/a", "ln -sfn find link"}},
}

// TestPrograms: what programs on the machine that builds were seen to read, by whatever
// way, decides about their layer, and no other file does.
func TestPrograms(t *testing.T) {
	need(t, "ansible-playbook", "git", "python3")
	layers := ""
	content := files{
		"README.md": "about\n", "glob/a.txt": "a\n", "glob/linked/a": "a\n", "git/a": "a\n", "find/a": "a\n", "find/deep/c": "c\n", "lines/a": "a\n", "delegated/a": "a\n",
		"action/a": "a\n", "action/deep/c": "c\n", "own/lib.sh": "echo lib\n", "own/run": "#!/bin/sh\n. own/lib.sh\n",
		"python/data.txt": "a\n", "python/module.py": "x = 1\n", "python/show.py": "import module\nprint(open('python/data.txt').read(), module.x)\n",
		"here/data": "a\n",
	}
	for _, name := range slices.Sorted(maps.Keys(readers)) {
		layers += fmt.Sprintf("  r-%s: {parent: base, ansible: {playbooks: [%s.yml]}}\n", name, name)
		task := readers[name].task
		if task == "" {
			task = `raw: "printf '%s' '{{ lookup('pipe', 'sh ways/` + name + `.sh') }}' > /etc/it"`
		}
		content[name+".yml"] = "- hosts: all\n  gather_facts: false\n  tasks:\n    - " + task + "\n"
		content["ways/"+name+".sh"] = readers[name].script + "\n"
	}
	p := newProject(t, layers, "", content)
	t.Cleanup(func() { os.RemoveAll("/tmp/strata-test-action") })
	sh := func(script string) {
		t.Helper()
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = p.dir
		must(t, cmd)
	}
	sh("chmod +x own/run; ln -s glob/linked link; git init -q -b main .; git add -A; git -c user.name=n -c user.email=e commit -qm m")
	// Bytecode that Python keeps would be another file each time.
	p.env = append(p.env, "PYTHONDONTWRITEBYTECODE=1")
	p.build()
	p.kept(nil)
	sh("echo more >> README.md; mkdir docs; echo x > docs/y; echo '- hosts: none' > other.yml; git add -A; git -c user.name=n -c user.email=e commit -qm documentation")
	p.kept(nil)
	for _, name := range slices.Sorted(maps.Keys(readers)) {
		for _, change := range readers[name].changes {
			t.Run(name+": "+change, func(t *testing.T) {
				p.t = t
				saved := filepath.Join(p.top, "saved")
				must(t, exec.Command("cp", "-a", p.dir, saved))
				defer func() {
					must(t, exec.Command("rm", "-rf", p.dir))
					must(t, exec.Command("mv", saved, p.dir))
				}()
				sh(change)
				p.kept(func(node string) bool { return node == "r-"+name })
			})
		}
	}
	p.t = t
	p.kept(nil)
}

// kept checks that a plan keeps all nodes but those that are to be built.
func (p *project) kept(build func(node string) bool) {
	p.t.Helper()
	var plan struct {
		Nodes []struct {
			ID, Action string
			Reasons    []struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(must(p.t, p.command("plan", "--output", "json"))), &plan); err != nil {
		p.t.Fatal(err)
	}
	for _, n := range plan.Nodes {
		if (n.Action == "keep") == (build != nil && build(n.ID)) && strings.HasPrefix(n.ID, "r-") {
			p.t.Errorf("%s: %s: %v", n.ID, n.Action, n.Reasons)
		}
	}
}
