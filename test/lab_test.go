// Package test holds the tests of the real thing, end to end: the built binary
// runs as a process of its own, on real overlay mounts, with real apt, Ansible
// and Podman, and is killed for real.
//
// It tests no package from within, and fakes nothing but mirrors that fail.
// What a machine cannot do is skipped by name. All tests share one package
// cache, which stays (os.UserCacheDir()/strata-test), and one base that is
// bootstrapped once in each run.
package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// common begins every project: what is in it is built once for all tests.
const common = `strata: 1
cluster: {name: test}
repositories:
  debian: {type: apt, suite: bookworm, components: [main]}
layers:
  base:
    from: {bootstrap: {distribution: debian, repositories: [debian]}}
  tools:
    parent: base
    packages: {install: [python3, systemd, attr, acl, libcap2-bin], no_recommends: true}
`

// lab is what all tests share.
type lab struct {
	dir    string // goes at the end
	binary string
	cache  string // XDG_CACHE_HOME of all builds; stays
	err    error
	ready  func() error // builds the nodes of common, once
}

var theLab = sync.OnceValue(newLab)

func TestMain(m *testing.M) {
	l := theLab()
	if l.err != nil {
		fmt.Fprintln(os.Stderr, "prepare the tests:", l.err)
		os.Exit(1)
	}
	// Started by nohup, this process ignores the signal, and so would all builds.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	status := m.Run()
	os.RemoveAll(l.dir)
	os.Exit(status)
}

// newLab builds the binary.
func newLab() *lab {
	l := &lab{}
	l.ready = sync.OnceValue(l.build)
	home, err := os.UserCacheDir()
	if err == nil {
		l.cache = filepath.Join(home, "strata-test")
		err = os.MkdirAll(l.cache, 0o755)
	}
	if err == nil {
		l.dir, err = os.MkdirTemp("", "strata-test-")
	}
	if err == nil {
		err = os.Chmod(l.dir, 0o755) // other users run the binary
	}
	if err != nil {
		l.err = err
		return l
	}
	l.binary = filepath.Join(l.dir, "strata")
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", "containers_image_openpgp exclude_graphdriver_btrfs", "-o", l.binary, "../cmd/strata")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.err = fmt.Errorf("build strata: %w\n%s", err, out)
	}
	return l
}

func (l *lab) store() string { return filepath.Join(l.dir, "store") }

// template is a store of a node and those below it only, for tests to copy.
func (l *lab) template(node string) string { return filepath.Join(l.dir, "store-"+node) }

// build builds what is common: into the templates, and the shared store.
func (l *lab) build() error {
	dir := filepath.Join(l.dir, "common")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "strata.yaml"), []byte(common), 0o644); err != nil {
		return err
	}
	from := ""
	for _, node := range []string{"base", "tools"} {
		to := l.template(node)
		if err := copyStore(from, to); err != nil {
			return err
		}
		cmd := exec.Command(l.binary, "-C", dir, "--store", to, "build", node)
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+l.cache)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build the common %s: %w\n%s", node, err, out)
		}
		from = to
	}
	return copyStore(from, l.store())
}

// copyStore copies a store; from "" there is nothing to copy.
func copyStore(from, to string) error {
	if from == "" {
		return nil
	}
	out, err := exec.Command("cp", "-a", "--reflink=auto", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy store: %w\n%s", err, out)
	}
	return nil
}

// project is a project, a store and a directory for temporary files.
type project struct {
	t     *testing.T
	dir   string
	top   string // holds store and tmp; what a build leaves behind, it leaves here
	store string
	tmp   string
	cache string   // XDG_CACHE_HOME
	env   []string // in addition to the test's own
	via   []string // a command line that runs the one after it
}

// files are a project's files by path.
type files map[string]string

// newProject makes a project of what is common, more layers, indented as in
// common, and images. Its store is the shared one, in which tests change only
// nodes of their own; see ownStore.
func newProject(t *testing.T, layers, images string, content files) *project {
	t.Helper()
	needRoot(t)
	l := theLab()
	if err := l.ready(); err != nil {
		t.Fatal(err)
	}
	return emptyProject(t, l.store(), common+layers+images, content)
}

// emptyProject makes a project with a configuration of its own.
func emptyProject(t *testing.T, store, config string, content files) *project {
	t.Helper()
	// t.TempDir makes long paths, and sockets must have short ones.
	top, err := os.MkdirTemp("", "strata-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	p := &project{t: t, dir: filepath.Join(top, "project"), top: top, store: store, tmp: filepath.Join(top, "tmp"), cache: theLab().cache}
	for _, dir := range []string{top, p.dir, p.tmp} {
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	p.write("strata.yaml", config)
	for name, text := range content {
		p.write(name, text)
	}
	return p
}

// ownStore gives the project a store of its own, which has what is common.
func (p *project) ownStore() *project {
	p.t.Helper()
	l, node := theLab(), "base"
	if strings.Contains(strings.TrimPrefix(readFile(p.t, p.dir+"/strata.yaml"), common), "parent: tools") {
		node = "tools"
	}
	p.freshStore()
	if err := copyStore(l.template(node), p.store); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// freshStore gives the project an empty store.
func (p *project) freshStore() *project {
	p.store = filepath.Join(p.top, "store")
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		p.t.Fatal(err)
	}
}

// command is strata with the project's directories.
func (p *project) command(args ...string) *exec.Cmd {
	line := append(append([]string{}, p.via...), theLab().binary, "-C", p.dir, "--store", p.store)
	line = append(line, args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+p.cache, "TMPDIR="+p.tmp, "GITLAB_CI=", "GITHUB_ACTIONS=") // wherever this runs
	cmd.Env = append(cmd.Env, p.env...)
	return cmd
}

// result is what a command said.
type result struct {
	code     int
	out, err string
	took     time.Duration
}

func (r result) all() string { return r.out + r.err }

// runs runs a command to its end, whatever that is; ten minutes at most.
func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errw bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errw
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(10*time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), out.String(), errw.String(), time.Since(start)}
}

// must runs a command that has to succeed, and returns what it said.
func must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	r := run(t, cmd)
	if r.code != 0 {
		t.Fatalf("%s: exit status %d\n%s", strings.Join(cmd.Args, " "), r.code, end(r.all()))
	}
	return r.out
}

// strata runs the binary to its end.
func (p *project) strata(args ...string) result {
	p.t.Helper()
	return run(p.t, p.command(args...))
}

// fails runs a build that has to fail with an exit status, and say things.
func (p *project) fails(code int, says []string, args ...string) result {
	p.t.Helper()
	r := p.strata(args...)
	if r.code != code {
		p.t.Errorf("strata %s: exit status %d, want %d\n%s", strings.Join(args, " "), r.code, code, end(r.all()))
	}
	for _, text := range says {
		if !strings.Contains(r.err, text) {
			p.t.Errorf("strata %s: the error does not say %q:\n%s", strings.Join(args, " "), text, end(r.err))
		}
	}
	return r
}

// built is what build --output json prints.
type built struct {
	Nodes []struct {
		ID, Key, Digest, Status, Reason string
	}
	Images []struct {
		Name, Digest, Directory, At string
		Artifacts                   map[string]string
	}
}

// build builds, which has to succeed.
func (p *project) build(args ...string) built {
	p.t.Helper()
	out := must(p.t, p.command(append([]string{"--output", "json", "build"}, args...)...))
	var b built
	if err := json.Unmarshal([]byte(out), &b); err != nil {
		p.t.Fatalf("build --output json: %v\n%s", err, out)
	}
	return b
}

// digests are those of all nodes and files of artifacts.
func (b built) digests(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, n := range b.Nodes {
		all["node "+n.ID] = n.Digest
	}
	for _, im := range b.Images {
		var m struct {
			Files []struct{ Name, SHA256 string }
		}
		content, err := os.ReadFile(im.Artifacts["manifest"])
		if err == nil {
			err = json.Unmarshal(content, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Files {
			all["file "+im.Name+"/"+f.Name] = f.SHA256
		}
	}
	return all
}

// shell runs a command in a node's tree and returns what it printed.
func (p *project) shell(node, command string) string {
	p.t.Helper()
	return must(p.t, p.command("shell", node, "--", "/bin/sh", "-ec", command))
}

// images are the names and digests that strata images lists.
func (p *project) images() map[string]string {
	p.t.Helper()
	var list []struct{ Name, Digest string }
	out := must(p.t, p.command("--output", "json", "images"))
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		p.t.Fatal(err)
	}
	all := map[string]string{}
	for _, im := range list {
		all[im.Name] = im.Digest
	}
	return all
}

// end returns the last lines of a text.
func end(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// need skips a test that needs programs which are not here.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s, which is not installed", name)
		}
	}
}

// eventually waits until something holds, for at most a while.
func eventually(within time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return holds()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}
