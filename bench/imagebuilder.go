package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// imageBuilderWay is what OpenCHAMI's image-builder does to build and publish
// a layer, done by hand with the same programs.
type imageBuilderWay struct {
	l   *lab
	b   *buildah
	dir string // of the project
	apt string // a copy of package lists and downloads
}

func newImageBuilderWay(l *lab, dir string) (*imageBuilderWay, error) {
	b, err := l.buildah()
	if err != nil {
		return nil, err
	}
	w := &imageBuilderWay{l: l, b: b, dir: dir, apt: l.path("peer", "apt")}
	if err := b.take("compute", "compute"); err != nil {
		return nil, err
	}
	if _, _, err := b.run("push", "--tls-verify=false", "localhost/compute", b.remote("compute")); err != nil {
		return nil, err
	}
	if _, _, err := b.run("rmi", "--all", "--force"); err != nil {
		return nil, err
	}
	return w, w.copyApt()
}

func (b *buildah) remote(name string) string { return "docker://" + b.registry + "/" + name }

// copyApt gives the peer the packages that our cache has, and its lists.
func (w *imageBuilderWay) copyApt() error {
	cache, err := w.l.aptCache()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(w.apt); err != nil {
		return err
	}
	for from, to := range map[string]string{cache.archives: "archives", cache.lists: "lists"} {
		if err := os.CopyFS(filepath.Join(w.apt, to), os.DirFS(from)); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(w.apt, to, "partial"), 0o755); err != nil {
			return err
		}
	}
	sources, err := os.ReadFile(cache.sources)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.apt, "strata.sources"), sources, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.apt, "policy-rc.d"), []byte("#!/bin/sh\nexit 101\n"), 0o755)
}

// run does it once, from a changed variable on.
func (w *imageBuilderWay) run(at *string, parts *phases) (float64, error) {
	if err := setVariable(w.dir, at); err != nil {
		return 0, err
	}
	const name, image = "bench-slurm", "localhost/slurm-compute"
	_, _, _ = w.b.run("rm", name)
	squashfs := w.l.path("tmp", "peer.squashfs")
	if err := os.RemoveAll(squashfs); err != nil {
		return 0, err
	}
	total, mounted := 0.0, ""
	step := func(title string, do func() (float64, error)) error {
		seconds, err := do()
		if err != nil {
			return fmt.Errorf("%s: %w", title, err)
		}
		parts.add(title, seconds)
		total += seconds
		return nil
	}
	program := func(args ...string) func() (float64, error) {
		return func() (float64, error) {
			seconds, last, err := w.b.run(args...)
			if args[0] == "mount" {
				mounted = last
			}
			return seconds, err
		}
	}
	install := append([]string{"run"}, w.volumes()...)
	install = append(install, name, "--", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "APT::Sandbox::User=root",
		"install", "-y", "--no-install-recommends", "munge", "slurmd", "slurm-client")
	for _, s := range []struct {
		title string
		do    func() (float64, error)
	}{
		{"buildah from (pull)", program("from", "--tls-verify=false", "--name", name, w.b.remote("compute"))},
		{"packages (buildah run)", program(install...)},
		{"ansible-playbook", func() (float64, error) {
			return w.b.ansible(w.dir, name, "slurm.yml", []string{"cluster", "HSN", "Compute", "Slurm"})
		}},
		{"buildah mount", program("mount", name)},
		{"mksquashfs", func() (float64, error) {
			return w.l.run(command{Name: "mksquashfs", Args: []string{"mksquashfs", mounted, squashfs, "-no-progress"}})
		}},
		{"buildah config", program("config", "--label", "org.openchami.image.name=slurm-compute", name)},
		{"buildah commit", program("commit", "--quiet", name, image)},
		{"buildah push", program("push", "--tls-verify=false", image, w.b.remote("slurm-compute"))},
		{"buildah rm", program("rm", name)},
		{"buildah rmi (image and parent)", program("rmi", image, strings.TrimPrefix(w.b.remote("compute"), "docker://"))},
	} {
		if err := step(s.title, s.do); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// volumes puts apt's files into the container.
func (w *imageBuilderWay) volumes() []string {
	var args []string
	for from, to := range map[string]string{
		"archives": "/var/cache/apt/archives", "lists": "/var/lib/apt/lists",
		"strata.sources": "/etc/apt/sources.list.d/strata.sources", "policy-rc.d": "/usr/sbin/policy-rc.d",
	} {
		args = append(args, "--volume", filepath.Join(w.apt, from)+":"+to)
	}
	return args
}
