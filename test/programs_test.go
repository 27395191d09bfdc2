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
var readers = map[string]struct {
	task    string // of a play on the node
	changes []string
}{
	"glob":      {`raw: "printf '%s' '{{ lookup('pipe', 'cat glob/*.txt') }}' > /etc/it"`, []string{"echo x >> glob/a.txt", "echo x > glob/b.txt", "rm glob/a.txt"}},
	"python":    {`raw: "printf '%s' '{{ lookup('pipe', 'python3 python/show.py') }}' > /etc/it"`, []string{"echo x >> python/data.txt", "echo 'print(1)' >> python/show.py", "echo 'x = 2' > python/module.py"}},
	"git":       {`raw: "printf '%s' '{{ lookup('pipe', 'git hash-object git/a') }}' > /etc/it"`, []string{"echo x >> git/a"}},
	"here":      {`raw: "printf '%s' '{{ lookup('pipe', 'sh here/doc.sh') }}' > /etc/it"`, []string{"echo x >> here/data", "echo : >> here/doc.sh"}},
	"find":      {`raw: "printf '%s' '{{ lookup('pipe', 'find find -type f') }}' > /etc/it"`, []string{"touch find/deep/new", "rm find/a"}},
	"later":     {`raw: "printf '%s' '{{ lookup('pipe', 'test -e later/x && cat later/x || echo none') }}' > /etc/it"`, []string{"mkdir -p later; echo x > later/x"}},
	"lines":     {`raw: "printf '%s' '{{ lookup('lines', 'cat lines/*') }}' > /etc/it"`, []string{"echo x >> lines/a", "echo x > lines/b"}},
	"delegated": {`{shell: "cat delegated/* ; ls delegated | wc -l", delegate_to: localhost}`, []string{"echo x >> delegated/a", "touch delegated/b"}},
	"action":    {`{local_action: {module: command, cmd: "cp -r action /tmp/strata-test-action"}}`, []string{"echo x >> action/a", "touch action/deep/b"}},
	"own":       {`raw: "printf '%s' '{{ lookup('pipe', 'own/run') }}' > /etc/it"`, []string{"echo : >> own/run", "echo x >> own/lib.sh"}},
	"link":      {`raw: "printf '%s' '{{ lookup('pipe', 'cat link/a') }}' > /etc/it"`, []string{"echo x >> glob/linked/a", "ln -sfn find link"}},
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
		"here/data": "a\n", "here/doc.sh": "cat <<E\n$(cat here/data)\nE\n",
	}
	for _, name := range slices.Sorted(maps.Keys(readers)) {
		layers += fmt.Sprintf("  r-%s: {parent: base, ansible: {playbooks: [%s.yml]}}\n", name, name)
		content[name+".yml"] = "- hosts: all\n  gather_facts: false\n  tasks:\n    - " + readers[name].task + "\n"
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
