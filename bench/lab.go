package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lab is where everything is measured.
type lab struct {
	ctx   context.Context
	repo  string // of Strata's source
	dir   string // holds all that bench writes
	n     int    // how often each side runs
	began time.Time
	load  string // of the machine at the beginning

	example func() error // builds the example into the store, once
	peer    *buildah     // nil until it is needed
}

func newLab(ctx context.Context, dir string, n int) (*lab, error) {
	if dir == "" || n < 1 {
		return nil, errors.New("start it with bench/run")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	repo, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	l := &lab{ctx: ctx, repo: repo, dir: dir, n: n, began: time.Now(), load: loadAverage()}
	l.example = sync.OnceValue(l.buildExample)
	for _, d := range []string{"log", "tmp"} {
		if err := os.MkdirAll(l.path(d), 0o755); err != nil {
			return nil, err
		}
	}
	return l, l.install()
}

func (l *lab) close() {
	if l.peer != nil {
		l.peer.close()
	}
}

func (l *lab) path(elements ...string) string {
	return filepath.Join(append([]string{l.dir}, elements...)...)
}

func (l *lab) store() string { return l.path("store") }

// install installs what is missing.
func (l *lab) install() error {
	return installPackages(l, "buildah", "skopeo", "zstd", "curl", "mmdebstrap", "ansible", "docker-registry", "squashfs-tools", "erofs-utils")
}

func installPackages(l *lab, names ...string) error {
	var missing []string
	for _, p := range names {
		out, err := exec.CommandContext(l.ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", p).Output()
		if err != nil || string(out) != "installed" {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Println("installing", strings.Join(missing, " "))
	_, err := l.run(command{Name: "install", Args: append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, missing...),
		Env: []string{"DEBIAN_FRONTEND=noninteractive"}})
	return err
}

// command is a program to run. What it says goes to a log of its name.
type command struct {
	Name string
	Args []string
	Dir  string
	Env  []string // in addition to our own
	As   *syscall.Credential
	// CPU receives the seconds of CPU time that it and all that it waited for took.
	CPU *float64
	// Usage receives what the process itself used.
	Usage *syscall.Rusage
	// Started is called with the process's id once it runs.
	Started func(pid int)
}

// run runs a program, and returns the seconds it took.
func (l *lab) run(c command) (float64, error) {
	seconds, _, err := l.output(c)
	return seconds, err
}

// output is run, and returns standard output too.
func (l *lab) output(c command) (float64, []byte, error) {
	log, err := os.Create(l.path("log", c.Name+".log"))
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	var out bytes.Buffer
	cmd := exec.CommandContext(l.ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, &out, log
	// Strata's package cache is the lab's own: the peers are given what is in it.
	cmd.Env = append(append(os.Environ(), "XDG_CACHE_HOME="+l.path("cache")), c.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if c.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.As}
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	if c.Started != nil {
		c.Started(cmd.Process.Pid)
	}
	err = cmd.Wait()
	seconds := time.Since(start).Seconds()
	if c.CPU != nil {
		*c.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && c.Usage != nil {
		*c.Usage = *used
	}
	if _, writeErr := log.Write(out.Bytes()); writeErr != nil {
		return 0, nil, writeErr
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, tail(log.Name()))
	}
	return seconds, out.Bytes(), nil
}

func tail(path string) string {
	content, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// built is what strata build says with --output json.
type built struct {
	Nodes []struct {
		ID, Key, Digest, Status, Reason string
		Seconds                         float64
	}
	Images []struct {
		Name, Digest, Directory string
		Artifacts               map[string]string
	}
	seconds float64 // of the whole command
}

// status of a node; "" if the build was not about it.
func (b *built) status(node string) string {
	for _, n := range b.Nodes {
		if n.ID == node {
			return n.Status
		}
	}
	return ""
}

// build runs strata build in a project of the lab, on the lab's store.
func (l *lab) build(project string, args ...string) (*built, error) {
	return l.buildWith(command{Name: "build-" + project}, l.store(), project, args...)
}

func (l *lab) buildWith(c command, store, project string, args ...string) (*built, error) {
	c.Args = append([]string{l.path("strata"), "-C", l.path(project), "--store", store, "--output", "json", "build"}, args...)
	seconds, out, err := l.output(c)
	if err != nil {
		return nil, err
	}
	b := &built{seconds: seconds}
	if err := json.Unmarshal(out, b); err != nil {
		return nil, fmt.Errorf("read what strata build says: %w", err)
	}
	return b, nil
}

// steps returns the seconds of a node's steps, from strata history.
func (l *lab) steps(project, node string) (names []string, seconds map[string]float64, err error) {
	_, out, err := l.output(command{Name: "history", Args: []string{l.path("strata"), "-C", l.path(project), "--store", l.store(), "--output", "json", "history", node}})
	if err != nil {
		return nil, nil, err
	}
	var history []struct {
		Node  string
		Steps []struct {
			Title   string
			Seconds float64
		}
	}
	if err := json.Unmarshal(out, &history); err != nil {
		return nil, nil, fmt.Errorf("read what strata history says: %w", err)
	}
	seconds = map[string]float64{}
	for _, h := range history {
		if h.Node != node {
			continue
		}
		for _, s := range h.Steps {
			names = append(names, s.Title)
			seconds[s.Title] += s.Seconds
		}
	}
	return names, seconds, nil
}

// project copies the example cluster to a project of the lab.
func (l *lab) project(name string) (string, error) {
	dir := l.path(name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.CopyFS(dir, os.DirFS(filepath.Join(l.repo, "examples", "cluster")))
}

// buildExample builds the whole example, as an administrator has it.
func (l *lab) buildExample() error {
	if _, err := l.project("cluster"); err != nil {
		return err
	}
	_, err := l.build("cluster")
	return err
}
