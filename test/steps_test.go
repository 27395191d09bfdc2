package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A failing step is told with its command, its exit status, the end of its log,
// where the whole log is and how to open the tree.
func TestFailingSteps(t *testing.T) {
	need(t, "ansible-playbook")
	for _, c := range []struct {
		name  string
		layer string
		files files
		code  int
		says  []string
	}{
		{"command", `run: ["echo before it; echo why it failed >&2; exit 7"]`, nil, 1,
			[]string{"why it failed", "exit status 7", "whole log: ", "shell --failed bad"}},
		{"missing program", `run: ["no-such-program"]`, nil, 1, []string{"no-such-program", "not found", "exit status 127"}},
		{"script that is missing", `run: [{script: no-such.sh}]`, nil, 2, []string{"strata.yaml:", "no-such.sh", "hint: "}},
		{"script without interpreter", `run: [{script: a.sh}]`, files{"a.sh": "#!/no/such/interpreter\n"}, 1, []string{"a.sh", "exit status 127"}},
		{"file that is missing", `files: [{src: no-such, dest: /etc/x}]`, nil, 2, []string{"strata.yaml:", "no-such", "hint: "}},
		{"unknown owner", `files: [{content: x, dest: /etc/x, owner: nobody-here}]`, nil, 1, []string{"/etc/x", "nobody-here"}},
		{"template", `files: [{content: "{{ .Nothing }}", dest: /etc/x, template: true}]`, nil, 1, []string{"/etc/x", "Nothing", "hint: "}},
		{"unknown package", `packages: [no-such-package-here]`, nil, 1, []string{"Unable to locate package no-such-package-here", "hint: "}},
		{"playbook's syntax", `ansible: {playbooks: [site.yml]}`, files{"site.yml": "- hosts: all\n  tasks:\n  - name: x\n     raw: y\n"}, 2, []string{"site.yml:4", "hint: "}},
		{"failing task", `ansible: {playbooks: [site.yml]}`, files{"site.yml": "- hosts: all\n  gather_facts: false\n  tasks:\n  - name: the one that fails\n    raw: echo out of cheese; exit 3\n"}, 1,
			[]string{"the one that fails", "out of cheese", "exit status 2", "whole log: "}},
		{"unknown service", `services: {enable: [no-such.service]}`, nil, 1, []string{"no systemctl", "hint: "}},
		{"secret that is not set", "secrets: {token: {env: STRATA_TEST_NOT_SET}}\n    run: [\"true\"]", nil, 2, []string{"STRATA_TEST_NOT_SET", "hint: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProject(t, "  bad:\n    parent: base\n    "+c.layer+"\n", "", c.files)
			before := p.images()["test/bad"]
			p.fails(c.code, c.says, "build", "bad")
			if p.images()["test/bad"] != before {
				t.Error("an image was published")
			}
			p.swept()
		})
	}
}

// The tree of a failed step can be opened as it was.
func TestShellFailed(t *testing.T) {
	p := newProject(t, `
  broken: {parent: base, run: ["echo as it was > /etc/evidence; exit 1"]}
`, "", nil)
	p.fails(1, []string{"shell --failed broken"}, "build", "broken")
	got := must(t, p.command("shell", "--failed", "broken", "--", "cat", "/etc/evidence"))
	if got != "as it was\n" {
		t.Errorf("the failed tree has %q", got)
	}
	p.swept()
}

// A file that cannot be read is told with its place in the configuration.
func TestUnreadableFile(t *testing.T) {
	need(t, "setpriv")
	p := newProject(t, `
  bad: {parent: base, files: [{src: secret, dest: /etc/secret}]}
`, "", files{"secret": "x"})
	if err := os.Chmod(p.dir+"/secret", 0); err != nil {
		t.Fatal(err)
	}
	// Root reads everything; without these capabilities it does not.
	p.via = []string{"setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"}
	p.fails(2, []string{"strata.yaml:", "secret", "permission denied"}, "build", "bad", "--dry-run")
}

// A program of this machine that is missing is named, with the way to get it.
func TestMissingPrograms(t *testing.T) {
	for program, project := range map[string]struct{ layers, images string }{
		"ansible-playbook": {"  missing: {parent: base, ansible: {playbooks: [site.yml]}}\n", ""},
		"mksquashfs":       {"  missing: {parent: base, run: [\"true\"]}\n", "images: {missing: {node: missing, artifacts: [squashfs]}}\n"},
		"mkfs.erofs":       {"  missing: {parent: base, run: [\"true\"]}\n", "images: {missing: {node: missing, artifacts: [erofs]}}\n"},
		"apt-get":          {"  missing: {parent: base, packages: [hello]}\n", ""},
	} {
		t.Run(program, func(t *testing.T) {
			p := newProject(t, project.layers, project.images, files{"site.yml": playbook})
			p.env = append(p.env, "PATH="+pathWithout(t, program))
			p.fails(1, []string{program + " is not installed", "hint: "}, "build", "missing")
			p.swept()
		})
	}
}

// pathWithout is a directory with links to this machine's programs but one.
func pathWithout(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(from)
		for _, e := range entries {
			if e.Name() != program {
				_ = os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name()))
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "sh")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A secret is readable in its steps, and nowhere afterwards.
func TestSecretsStaySecret(t *testing.T) {
	p := newProject(t, `
  secret:
    parent: base
    secrets: {token: {env: STRATA_TEST_TOKEN}}
    run: ["test $(wc -c < /run/secrets/token) = 12; cat /run/secrets/token; echo done > /etc/done"]
`, `
images: {secret: {node: secret, artifacts: [dir, oci]}}
`, nil).ownStore()
	p.env = append(p.env, "STRATA_TEST_TOKEN=hush-hush-42")
	r := p.strata("build", "secret")
	if r.code != 0 {
		t.Fatal(end(r.all()))
	}
	if strings.Contains(r.all(), "hush-hush-42") || !strings.Contains(r.all(), "[secret]") {
		t.Errorf("the output tells the secret:\n%s", end(r.all()))
	}
	found := run(t, exec.Command("grep", "-rlF", "hush-hush-42", p.store))
	if found.code != 1 {
		t.Errorf("the secret is in the store:\n%s%s", found.out, found.err)
	}
}
