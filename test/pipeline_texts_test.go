package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPipelineTexts lets gitlab-ci-local, act and make run jobs whose text means
// something to each of them, in a directory of such a name: what arrives is what
// was written. Package pipeline has the same for any text.
func TestPipelineTexts(t *testing.T) {
	need(t, "git", "rsync", "make")
	const value = "one\nendef\nX != touch made\n\"two\" 'three' `touch made` $(touch made) ${HOME} $HOME $$ %PATH% ${{ github.ref }} \\"
	const lines = "-minus\n+plus\n@at\n- item: x\n\ttabbed\n  # no comment\n$HOME ${HOME} $(HOME) ${{ github.ref }} }} 'x' \"y\" \\\nend"
	top := t.TempDir()
	const sub = `it's ${{ a }} $PWD`
	out := filepath.Join(top, "out")
	for _, dir := range []string{filepath.Join(top, "git", sub), out} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(top, "git")
	script := "printf '%s' \"$TEXT\" >" + out + "/value\ncat >" + out + "/lines <<'END'\n" + lines + "\nEND\nbasename \"$PWD\" >" + out + "/place"
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) } // YAML reads it as well
	site := "strata: 1\ncluster: {name: c}\nrepositories: {debian: {type: apt, suite: bookworm}}\n" +
		"layers: {base: {from: {bootstrap: {distribution: debian, repositories: [debian]}}}}\n" +
		"pipeline:\n  variables: {TEXT: " + quoted(value) + "}\n  before: [{name: texts, run: [" + quoted(script) + "]}]\n"
	if err := os.WriteFile(filepath.Join(dir, sub, "strata.yaml"), []byte(site), 0o644); err != nil {
		t.Fatal(err)
	}
	likeForge(t, dir)
	generate := func(forge, file string) {
		t.Helper()
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		must(t, exec.Command(theLab().binary, "-C", filepath.Join(dir, sub), "pipeline", forge, "--all", "--out", file))
	}
	for name, start := range map[string]func(*testing.T) *exec.Cmd{
		"gitlab": func(t *testing.T) *exec.Cmd {
			cmd := gitlab(t, dir, "--force-shell-executor", "--shell-isolation", "before-texts")
			generate("gitlab", ".gitlab-ci.yml")
			return cmd
		},
		"github": func(t *testing.T) *exec.Cmd {
			file := ".github/workflows/images.yml"
			cmd := exec.Command(ciTool(t, "bin", "act"), "workflow_dispatch", "-P", "ubuntu-latest=-self-hosted", "-j", "before-texts")
			generate("github", file)
			must(t, exec.Command(ciTool(t, "bin", "actionlint"), "-shellcheck=", "-pyflakes=", filepath.Join(dir, file)))
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "DOCKER_HOST=", "HOME="+top)
			return cmd
		},
		"make": func(t *testing.T) *exec.Cmd {
			generate("make", "images.mk")
			// It is made for where it was started: the directory is in it.
			cmd := exec.Command("make", "-f", "images.mk", "before-texts")
			cmd.Dir = dir
			return cmd
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := start(t)
			if r := run(t, cmd); r.code != 0 {
				t.Fatalf("exit status %d\n%s", r.code, r.all())
			}
			for file, want := range map[string]string{"value": value, "lines": lines + "\n", "place": sub + "\n"} {
				if got := readFile(t, filepath.Join(out, file)); got != want {
					t.Errorf("%s is %q, want %q", file, got, want)
				}
				if err := os.Remove(filepath.Join(out, file)); err != nil {
					t.Error(err)
				}
			}
			made, _ := filepath.Glob(filepath.Join(dir, "*", "made"))
			if _, err := os.Stat(filepath.Join(dir, "made")); err == nil || len(made) > 0 {
				t.Errorf("code in a text ran: %s", strings.Join(made, " "))
			}
		})
	}
}
