package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// ciSite is a site whose pipelines are run. Its playbooks need no Python in the image.
const ciSite = `strata: 1
cluster: {name: test}
registry: @AT@/os
inventory: inventory
repositories:
  debian: {type: apt, suite: bookworm, components: [main]}
layers:
  base:
    from: {bootstrap: {distribution: debian, repositories: [debian]}}
  site: {parent: base, files: [{src: motd, dest: /etc/motd}]}
  compute: {parent: site, ansible: {playbooks: [compute.yml], groups: [Compute]}}
  uan: {parent: site, ansible: {playbooks: [uan.yml], groups: [UAN]}}
  slurm:
    ansible: {playbooks: [slurm.yml]}
    variants:
      compute: {parent: compute}
      uan: {parent: uan}
  desktop: {parent: slurm-uan, ansible: {playbooks: [desktop.yml]}}
images:
  compute: {node: slurm-compute, artifacts: [tar]}
  login: {node: desktop, artifacts: [tar]}
pipeline:
  after_image: [{name: tell, run: ['tar -tf "artifacts/$STRATA_IMAGE/rootfs.tar" | grep -c etc/motd', 'echo "image $STRATA_IMAGE is there"']}]
`

// runner runs pipelines of a git repository as GitLab does, with gitlab-ci-local.
type runner struct {
	*project
	tool []string
	env  []string
}

// newRunner makes the site, its registry, and a strata for jobs that finds an
// empty store and an empty cache every time, but for packages.
func newRunner(t *testing.T) *runner {
	needRoot(t)
	need(t, "git", "ansible-playbook")
	tool, nodeBin := gitlabTool(t)
	if err := theLab().ready(); err != nil {
		t.Fatal(err)
	}
	content := files{
		"motd": "one\n", "README": "one\n", "inventory/hosts": "[Compute]\n[UAN]\n",
		"inventory/group_vars/UAN.yml": "limit: 1\n", "inventory/group_vars/Compute.yml": "limit: 2\n",
	}
	for _, name := range []string{"compute", "uan", "slurm", "desktop"} {
		content[name+".yml"] = "- hosts: all\n  gather_facts: false\n  roles: [" + name + "]\n"
		content["roles/"+name+"/tasks/main.yml"] = "- name: write\n  raw: echo " + name + " > /etc/" + name + "\n"
	}
	content["roles/slurm/tasks/main.yml"] = "- name: write\n  raw: echo {{ limit }} > /etc/limit\n"
	p := emptyProject(t, theLab().template("base"), "", content)
	r := &runner{project: p, tool: append(tool, "--force-shell-executor", "--shell-isolation", "--timestamps", "--ignore-predefined-vars", "CI_PIPELINE_SOURCE,CI_MERGE_REQUEST_IID,CI_MERGE_REQUEST_DIFF_BASE_SHA")}
	at := r.registry()
	p.write("strata.yaml", strings.ReplaceAll(ciSite, "@AT@", at))
	bin := filepath.Join(p.top, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/sh
top=$(mktemp -d %s/job-XXXXXX)
trap 'rm -rf "$top"' EXIT
mkdir -p "$top/cache/strata" %[3]s/strata/apt
ln -s %[3]s/strata/apt "$top/cache/strata/apt"
XDG_CACHE_HOME=$top/cache %[2]s --store "$top/store" "$@"
`, p.top, theLab().binary, theLab().cache)
	if err := os.WriteFile(filepath.Join(bin, "strata"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "PATH="+bin+":"+nodeBin+":"+os.Getenv("PATH"), "HOME="+p.top)
	must(t, p.command("push", "base"))
	likeForge(t, p.dir)
	p.write(".git/info/exclude", ".gitlab-ci-local\nplan.html\npipeline.yml\nartifacts/\n") // the tool leaves them here
	must(t, p.command("pipeline", "gitlab", "--parent", "-o", ".gitlab-ci.yml"))
	r.commit("pipelines")
	return r
}

// registry serves a registry until the test ends, and returns where.
func (r *runner) registry() string { return r.serve(theLab().binary) }

// serve serves a registry by a program, which is strata, until the test ends.
func (r *project) serve(program string) string {
	r.t.Helper()
	log := filepath.Join(r.top, "registry.log")
	f, err := os.Create(log)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(program, "registry", "serve", "--listen", "127.0.0.1:0", "--dir", filepath.Join(r.top, "registry"))
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		f.Close()
	})
	at := regexp.MustCompile(` at (\S+)\n`)
	var found []string
	if !eventually(20*time.Second, func() bool { found = at.FindStringSubmatch(readFile(r.t, log)); return found != nil }) {
		r.t.Fatalf("the registry does not begin to serve:\n%s", readFile(r.t, log))
	}
	return found[1]
}

func (r *runner) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	return strings.TrimSpace(must(r.t, cmd))
}

func (r *runner) commit(message string) {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", message)
}

// change commits a change on a branch of its own.
func (r *runner) change(name, file, text string) {
	r.t.Helper()
	r.git("checkout", "--quiet", "-B", name, "main")
	r.write(file, text)
	r.commit(name)
}

// mergeRequest runs the pipeline of a merge request of what is checked out.
func (r *runner) mergeRequest() ran {
	r.t.Helper()
	return r.run("CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_IID=1", "CI_MERGE_REQUEST_DIFF_BASE_SHA="+r.git("merge-base", "main", "HEAD"))
}

// ran is what was said when a pipeline ran.
type ran struct {
	t    *testing.T
	text string
}

func (r *runner) run(variables ...string) ran {
	r.t.Helper()
	args := slices.Clone(r.tool)
	for _, v := range variables {
		args = append(args, "--variable", v)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out := run(r.t, cmd)
	text := regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]").ReplaceAllString(out.all(), "")
	r.t.Logf("a pipeline took %.0f s", out.took.Seconds())
	return ran{r.t, text}
}

// jobs are those of the child pipeline that ended in a way: PASS or FAIL. The
// parent's have no hyphen in their names.
func (r ran) jobs(how string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^ `+how+` +\[[^]]*\] (?:\[build\] -> )?(\S+-\S+)`).FindAllStringSubmatch(r.text, -1) {
		list = append(list, m[1])
	}
	slices.Sort(list)
	return list
}

// passed wants just these jobs to have run, and to have succeeded.
func (r ran) passed(jobs ...string) {
	r.t.Helper()
	slices.Sort(jobs)
	if got, failed := r.jobs("PASS"), r.jobs("FAIL"); !slices.Equal(got, jobs) || failed != nil {
		r.t.Errorf("passed: %v, want %v; failed: %v\n%s", got, jobs, failed, end(r.text))
	}
}

// built wants just these nodes to have been built, and not fetched.
func (r ran) built(nodes ...string) {
	r.t.Helper()
	var got []string
	for _, m := range regexp.MustCompile(`> (\S+) +\| == built in`).FindAllStringSubmatch(r.text, -1) {
		got = append(got, m[1])
	}
	slices.Sort(got)
	slices.Sort(nodes)
	if !slices.Equal(got, nodes) {
		r.t.Errorf("built: %v, want %v\n%s", got, nodes, end(r.text))
	}
}

// says wants a line of a node's log.
func (r ran) says(node, line string) {
	r.t.Helper()
	if !regexp.MustCompile(`> ` + node + ` +\| ` + regexp.QuoteMeta(line) + `\s`).MatchString(r.text) {
		r.t.Errorf("%s does not say %q\n%s", node, line, end(r.text))
	}
}

// together wants two jobs to have run at the same time.
func (r ran) together(a, b string) {
	r.t.Helper()
	at := func(job, what string) int { return strings.Index(r.text, "[build] -> "+job+" "+what) }
	text := regexp.MustCompile(` +`).ReplaceAllString(r.text, " ")
	r.text = text
	if max(at(a, "starting"), at(b, "starting")) > min(at(a, "finished"), at(b, "finished")) {
		r.t.Errorf("%s and %s did not run at the same time", a, b)
	}
}

// TestPipelineGitLab runs what a project commits and what it makes of merge
// requests: the stories that pipelines are for.
func TestPipelineGitLab(t *testing.T) {
	r := newRunner(t)
	uan := []string{"build-slurm-uan", "build-desktop", "image-login", "after-login__tell"}
	login := []string{"build-desktop", "image-login", "after-login__tell"}
	everything := append([]string{"build-site", "build-compute", "build-uan", "build-slurm-compute", "image-compute", "after-compute__tell"}, uan...)
	nodes := []string{"site", "compute", "uan", "slurm-compute", "slurm-uan", "desktop"}

	first := r.run("CI_PIPELINE_SOURCE=push")
	first.passed(everything...)
	first.built(nodes...)
	first.says("site", "== build: no build of it yet")
	again := r.run("CI_PIPELINE_SOURCE=push")
	again.passed("nothing-to-build")
	if !strings.Contains(again.text, "Nothing is to be built") {
		t.Errorf("the second pipeline of a commit does not say that there is nothing to do:\n%s", end(again.text))
	}

	r.change("last-role", "roles/desktop/tasks/main.yml", "- name: write\n  raw: echo other > /etc/desktop\n")
	role := r.mergeRequest()
	role.passed(login...)
	role.built("desktop")

	r.change("variable", "inventory/group_vars/UAN.yml", "limit: 3\n")
	variable := r.mergeRequest()
	variable.passed(uan...)
	variable.built("slurm-uan", "desktop")
	variable.says("slurm-uan", "== build: variable limit changed")
	variable.says("desktop", "== build: parent slurm-uan is rebuilt")

	r.change("readme", "README", "two\n")
	r.mergeRequest().passed("nothing-to-build")

	r.change("base", "motd", "two\n")
	base := r.mergeRequest()
	base.passed(everything...)
	base.built(nodes...)
	base.together("build-compute", "build-uan")

	r.change("broken", "motd", "two\n") // of which the registry has what does not fail
	r.write("roles/compute/tasks/main.yml", "- name: break\n  raw: echo this cannot work >&2; exit 3\n")
	r.commit("broken, too")
	broken := r.mergeRequest()
	if got := broken.jobs("FAIL"); !slices.Equal(got, []string{"build-compute"}) {
		t.Errorf("failed: %v\n%s", got, end(broken.text))
	}
	want := append([]string{"build-site", "build-uan"}, uan...)
	slices.Sort(want)
	if got := broken.jobs("PASS"); !slices.Equal(got, want) {
		t.Errorf("passed: %v, want %v\n%s", got, want, end(broken.text))
	}
	for _, says := range []string{"this cannot work", "node compute: ansible: ansible-playbook compute.yml: exit status 2"} {
		if !strings.Contains(broken.text, says) {
			t.Errorf("it does not say %q:\n%s", says, end(broken.text))
		}
	}
	r.change("handed-on", "roles/desktop/tasks/main.yml", "- name: write\n  raw: echo handed on > /etc/desktop\n")
	r.write("strata.yaml", strings.Replace(readFile(t, r.dir+"/strata.yaml"), "tar -tf \"artifacts/$STRATA_IMAGE/",
		"strata export \"$STRATA_IMAGE\" out && tar -tf \"out/", 1))
	r.write("strata.yaml", strings.Replace(readFile(t, r.dir+"/strata.yaml"), "pipeline:", "pipeline:\n  artifacts: registry", 1))
	r.commit("through the registry")
	handed := r.mergeRequest()
	handed.passed(login...)
	handed.built("desktop")
	handed.says("image login", "== taken")
	if n := strings.Count(handed.text, "| == made in"); n != 1 {
		t.Errorf("the artifacts were made %d times\n%s", n, end(handed.text))
	}
	// What the registry has by now makes these cheap.
	t.Run("actions", func(t *testing.T) { workflows(t, r) })
	t.Run("make", func(t *testing.T) { makefiles(t, r) })
	t.Run("verify", func(t *testing.T) { verifies(t, r) })
}

// workflows runs the workflow that a project commits, with act.
func workflows(t *testing.T, r *runner) {
	act := ciTool(t, "bin", "act")
	r.git("checkout", "--quiet", "-B", "workflows", "main")
	r.write("roles/slurm/tasks/main.yml", "- name: write\n  raw: echo {{ limit }} > /etc/limit.act\n")
	r.write("roles/compute/tasks/main.yml", "- name: break\n  raw: echo this cannot work >&2; exit 3\n")
	if err := os.MkdirAll(filepath.Join(r.dir, ".github/workflows"), 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, r.command("pipeline", "github", "--parent", "-o", ".github/workflows/images.yml"))
	r.commit("workflows")
	event := filepath.Join(r.top, "event.json")
	if err := os.WriteFile(event, []byte(`{"pull_request": {"base": {"sha": "`+r.git("rev-parse", "main")+`"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(act, append([]string{"pull_request", "-P", "ubuntu-latest=-self-hosted", "--eventpath", event}, keeper(t)...)...)
	cmd.Dir, cmd.Env = r.dir, append(r.env, "DOCKER_HOST=")
	out := run(t, cmd)
	text := ran{t, strings.ReplaceAll(out.all(), "]   | ", "] > ")}
	var done []string
	for _, m := range regexp.MustCompile(`\[images/(\S+) *\] 🏁  Job (\w+)`).FindAllStringSubmatch(text.text, -1) {
		done = append(done, m[1]+" "+m[2])
	}
	slices.Sort(done)
	want := []string{"after-login__tell succeeded", "build-compute failed", "build-desktop succeeded", "build-slurm-uan succeeded", "image-login succeeded", "plan succeeded"}
	if !slices.Equal(done, want) {
		t.Errorf("jobs: %v, want %v\n%s", done, want, end(text.text))
	}
	text.built("slurm-uan", "desktop")
	text.says("slurm-uan", "== build: roles/slurm/tasks/main.yml changed")
}

// keeper has act take actions for artifacts that keep them in a directory of the
// test: those of GitHub need GitHub.
func keeper(t *testing.T) (flags []string) {
	t.Helper()
	kept := t.TempDir()
	for name, script := range map[string]string{
		"upload-artifact":   `test -e "$AT" && mkdir -p "$KEPT/$NAME" && cp -a "$AT/." "$KEPT/$NAME"`,
		"download-artifact": `mkdir -p "$AT" && cp -a "$KEPT/$NAME/." "$AT"`,
	} {
		dir := t.TempDir()
		action := "name: x\ndescription: x\ninputs: {name: {}, path: {}, retention-days: {}, if-no-files-found: {}, include-hidden-files: {}, overwrite: {}}\n" +
			"runs:\n  using: composite\n  steps:\n    - shell: sh\n      env: {KEPT: '" + kept + "', NAME: '${{ inputs.name }}', AT: '${{ inputs.path }}'}\n      run: " + script + "\n"
		if err := os.WriteFile(filepath.Join(dir, "action.yml"), []byte(action), 0o644); err != nil {
			t.Fatal(err)
		}
		likeForge(t, dir)
		flags = append(flags, "--local-repository", "actions/"+name+"@v4="+dir)
	}
	return flags
}

// makefiles runs a Makefile of a change, and then of what it left undone.
func makefiles(t *testing.T, r *runner) {
	need(t, "make")
	r.change("make", "roles/slurm/tasks/main.yml", "- name: write\n  raw: echo {{ limit }} > /etc/limit.make\n")
	cmd := exec.Command("sh", "-c", "strata pipeline make --base main -o images.mk && make -f images.mk -j2")
	cmd.Dir, cmd.Env = r.dir, r.env
	out := run(t, cmd)
	if out.code != 0 {
		t.Errorf("make: exit status %d\n%s", out.code, end(out.all()))
	}
	ran{t, regexp.MustCompile(`(?m)^`).ReplaceAllString(out.all(), "> ")}.built("slurm-compute", "slurm-uan", "desktop")
}

// verifies compares with the registry what comes out again, from an empty store.
func verifies(t *testing.T, r *runner) {
	r.git("checkout", "--quiet", "main")
	verify := func() result {
		cmd := exec.Command(filepath.Join(r.top, "bin", "strata"), "ci", "verify", "--seed", "2", "--sample", "2")
		cmd.Dir, cmd.Env = r.dir, r.env
		return run(t, cmd)
	}
	same := verify()
	for _, says := range []string{"building 2 nodes of 7 again (--seed 2)\n", "node compute came out the same: sha256:", "node desktop came out the same: sha256:"} {
		if same.code != 0 || !strings.Contains(same.out, says) {
			t.Errorf("exit status %d, %q is not said\n%s", same.code, says, end(same.all()))
		}
	}
	r.write("motd", "nobody built this\n")
	other := verify()
	for _, says := range []string{"image compute is not what this commit says: node slurm-compute: ", "image login is not what this commit says: node desktop: "} {
		if other.code != 1 || !strings.Contains(other.err, says) {
			t.Errorf("exit status %d, %q is not said\n%s", other.code, says, end(other.all()))
		}
	}
}
