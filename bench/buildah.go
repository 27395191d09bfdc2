package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// buildah is Buildah with a store of its own and a registry beside it, as the
// peers use them.
type buildah struct {
	l        *lab
	env      []string
	registry string // host:port
	serving  *exec.Cmd
}

// buildah prepares it, once.
func (l *lab) buildah() (*buildah, error) {
	if l.peer != nil {
		return l.peer, nil
	}
	dir := l.path("peer")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// The driver must be named from the first use on.
	conf := fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "root"), filepath.Join(dir, "run"))
	if err := os.WriteFile(filepath.Join(dir, "storage.conf"), []byte(conf), 0o644); err != nil {
		return nil, err
	}
	b := &buildah{l: l, env: []string{"CONTAINERS_STORAGE_CONF=" + filepath.Join(dir, "storage.conf")}}
	if err := b.serve(filepath.Join(dir, "registry")); err != nil {
		return nil, fmt.Errorf("start a registry: %w", err)
	}
	l.peer = b
	return b, nil
}

// serve starts a registry on this machine's loopback.
func (b *buildah) serve(dir string) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.registry = free.Addr().String()
	free.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	conf := fmt.Sprintf("version: 0.1\nlog: {level: warn}\nstorage:\n  filesystem: {rootdirectory: %q}\n  delete: {enabled: true}\nhttp: {addr: %q}\n", dir, b.registry)
	path := b.l.path("peer", "registry.yml")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		return err
	}
	log, err := os.Create(b.l.path("log", "registry.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	b.serving = exec.Command("docker-registry", "serve", path)
	b.serving.Stdout, b.serving.Stderr = log, log
	b.serving.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.serving.Start(); err != nil {
		return err
	}
	for range 100 {
		if conn, err := net.Dial("tcp", b.registry); err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("it does not listen")
}

func (b *buildah) close() {
	_ = b.serving.Process.Kill()
	_ = b.serving.Wait()
}

// run runs buildah, and returns the seconds it took and the last line it said.
func (b *buildah) run(args ...string) (float64, string, error) {
	seconds, out, err := b.l.output(command{Name: "buildah-" + args[0], Args: append([]string{"buildah"}, args...), Env: b.env})
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return seconds, lines[len(lines)-1], err
}

// take copies a node's image from Strata's store to Buildah's, as NAME.
func (b *buildah) take(node, name string) error {
	from := fmt.Sprintf("containers-storage:[overlay@%s+%s]localhost/clustera/%s:latest", b.l.store(), b.l.path("peer", "run-strata"), node)
	_, err := b.l.run(command{Name: "skopeo", Args: []string{"skopeo", "copy", from, "containers-storage:localhost/" + name + ":latest"}, Env: b.env})
	if err != nil {
		return fmt.Errorf("give %s to buildah: %w", node, err)
	}
	return nil
}

// container is a working container of an image.
type container struct {
	b    *buildah
	name string
	dir  string // where its tree is mounted
}

// from makes a container and mounts it. The caller removes it.
func (b *buildah) from(image, name string) (*container, error) {
	_, _, _ = b.run("rm", name) // of a run that was interrupted
	if _, _, err := b.run("from", "--pull-never", "--name", name, "localhost/"+image); err != nil {
		return nil, err
	}
	_, dir, err := b.run("mount", name)
	return &container{b: b, name: name, dir: dir}, err
}

func (c *container) remove() { _, _, _ = c.b.run("rm", c.name) }
