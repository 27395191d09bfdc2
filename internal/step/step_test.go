package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// busybox makes a tree that can run a shell.
func busybox(t *testing.T) string {
	t.Helper()
	program, ok := sandbox.LookPath("busybox")
	if !ok || !sandbox.HasAdmin() {
		t.Skip("needs busybox-static, and the right to mount")
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	err = errors.Join(os.Mkdir(filepath.Join(tree, "bin"), 0o755), os.Mkdir(filepath.Join(tree, "etc"), 0o750),
		os.WriteFile(filepath.Join(tree, "bin/busybox"), content, 0o755),
		os.WriteFile(filepath.Join(tree, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\nbee:x:7:8::/:/bin/sh\n"), 0o644),
		os.WriteFile(filepath.Join(tree, "etc/group"), []byte("root:x:0:\nhive:x:8:\n"), 0o644))
	for _, name := range []string{"sh", "cat", "ls", "stat", "readlink", "env", "test", "touch", "chmod", "mkdir"} {
		err = errors.Join(err, os.Symlink("busybox", filepath.Join(tree, "bin", name)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// at is a sandbox with a layer on busybox.
type at struct {
	*Work
	t   *testing.T
	log *strings.Builder
}

func open(t *testing.T, project fstest.MapFS) at {
	t.Helper()
	w := at{&Work{Project: project, Node: layer.Node{ID: "slurm-uan", Layer: "slurm", Variant: "uan", Groups: []string{"UAN"}}}, t, &strings.Builder{}}
	w.Log, w.Cluster = w.log, layer.Cluster{Name: "eagle"}
	spec := sandbox.Spec{Lower: []string{busybox(t)}, Upper: t.TempDir(), Scratch: t.TempDir()}
	Equip(&spec)
	box, err := sandbox.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Finish(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	w.Box = box
	return w
}

// says is what a command prints in the tree.
func (w at) says(command string) string {
	w.t.Helper()
	w.log.Reset()
	if err := w.run(w.t.Context(), "/bin/sh", "-c", command); err != nil {
		w.t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSpace(w.log.String())
}

func (w at) apply(s layer.Step) error { return Apply(w.t.Context(), w.Work, s) }

func TestFiles(t *testing.T) {
	w := open(t, fstest.MapFS{
		"plain":         {Data: []byte("plain\n"), Mode: 0o600},
		"tool":          {Data: []byte("#!/bin/sh\n"), Mode: 0o700},
		"tree/sub/one":  {Data: []byte("1"), Mode: 0o644},
		"tree/link":     {Data: []byte("/nowhere"), Mode: os.ModeSymlink | 0o777},
		"motd.tmpl":     {Data: []byte("{{.Cluster.Name}} {{.Node}} {{range .Groups}}{{.}}{{end}}"), Mode: 0o644},
		"mistaken.tmpl": {Data: []byte("{{.Nothing}}"), Mode: 0o644},
	})
	content := "here\n"
	err := w.apply(layer.Files{Files: []layer.File{
		{Src: "plain", Dest: "/etc/plain"}, {Src: "tool", Dest: "/usr/bin/"},
		{Src: "plain", Dest: "/etc/owned", Owner: "bee", Group: "hive", Mode: "2640"},
		{Src: "tree", Dest: "/etc"}, {Src: "motd.tmpl", Dest: "/etc/motd", Template: true},
		{Content: &content, Dest: "/opt/new/here"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		// Of modes counts what git keeps.
		"stat -c '%a %U:%G' /etc/plain":            "644 root:root",
		"stat -c '%a' /usr/bin/tool":               "755",
		"stat -c '%a %U:%G' /etc/owned":            "2640 bee:hive",
		"stat -c '%a' /etc":                        "750", // the image's own
		"cat /etc/sub/one":                         "1",
		"readlink /etc/link":                       "/nowhere",
		"cat /etc/motd":                            "eagle slurm-uan UAN",
		"cat /opt/new/here; stat -c '%a' /opt/new": "here\n755",
	} {
		if got := w.says(command); got != want {
			t.Errorf("%s: %q, not %q", command, got, want)
		}
	}
	for what, f := range map[string]layer.File{
		`mode "9" of /x is not octal`:   {Src: "plain", Dest: "/x", Mode: "9"},
		"put /x: read none":             {Src: "none", Dest: "/x"},
		"render mistaken.tmpl":          {Src: "mistaken.tmpl", Dest: "/x", Template: true},
		"the image has no nobody-there": {Src: "plain", Dest: "/x", Owner: "nobody-there"},
	} {
		if err := w.apply(layer.Files{Files: []layer.File{f}}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q: %v", what, err)
		}
	}
}

func TestCommands(t *testing.T) {
	w := open(t, fstest.MapFS{"scripts/a.sh": {Data: []byte("#!/bin/sh\necho script $0 $B > /a\n"), Mode: 0o644}})
	w.Environment = []string{"A=layer"}
	err := w.apply(layer.Run{Commands: []layer.Command{
		{Command: "echo $A $B >/b", Env: map[string]string{"B": "own"}}, {Script: "scripts/a.sh"},
		{Command: "while read name rest; do case $name in *:) echo $name;; esac; done </proc/net/dev >/n", Network: "none"},
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, w.log)
	}
	if got, want := w.says("cat /b /a /n"), "layer own\nscript /run/strata/script/a.sh\nlo:"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	// The first that fails ends the step, and says which one it was.
	err = w.apply(layer.Run{Commands: []layer.Command{{Command: "touch /before"}, {Command: "false; touch /x"}, {Command: "touch /after"}}})
	if err == nil || err.Error() != "false; touch /x: exit status 1" {
		t.Errorf("error: %v", err)
	}
	if got := w.says("ls / | while read n; do case $n in before|x|after) echo $n;; esac; done"); got != "before" {
		t.Errorf("there is %q", got)
	}
	if err := w.apply(layer.Run{Commands: []layer.Command{{Command: "true", Kernel: "image"}}}); err == nil || !strings.Contains(err.Error(), "has no kernel") {
		t.Errorf("error: %v", err)
	}
}

func TestServices(t *testing.T) {
	w := open(t, nil)
	units := layer.Services{Enable: []string{"a.service", "b.timer"}, Mask: []string{"c.service"}}
	err := w.apply(units)
	if f := fault.All(err); err == nil || !strings.Contains(err.Error(), "has no systemctl") || f[0].Hint == "" {
		t.Errorf("without systemctl: %v", err)
	}
	w.says("mkdir -p /usr/bin; echo '#!/bin/sh\necho \"$@\" >>/calls' >/usr/bin/systemctl; chmod 755 /usr/bin/systemctl")
	if err := w.apply(units); err != nil {
		t.Fatal(err)
	}
	if got, want := w.says("cat /calls"), "enable -- a.service b.timer\nmask -- c.service"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// manager is a package manager that notes what it is asked.
type manager struct {
	packages.Set
	asked []string
}

func (m *manager) Files(names []string) []packages.File {
	return []packages.File{{Path: "/etc/repos/" + strings.Join(names, "+"), Content: "x"}}
}

func (m *manager) Install(ctx context.Context, t packages.Target, what packages.Install) error {
	for _, name := range what.Packages {
		if strings.HasPrefix(name, "/") {
			if err := t.Box.Run(ctx, sandbox.Cmd{Args: []string{"/bin/test", "-s", name}, Env: sandbox.Environ(nil)}, sandbox.RunOptions{}); err != nil {
				return fmt.Errorf("%s is not in the tree: %w", name, err)
			}
		}
	}
	m.asked = append(m.asked, fmt.Sprint("install ", what.Packages, what.Recommends))
	return nil
}

func (m *manager) Remove(_ context.Context, _ packages.Target, names []string) error {
	m.asked = append(m.asked, fmt.Sprint("remove ", names))
	return nil
}

func (m *manager) Installed(context.Context, packages.Target) ([]packages.Package, error) {
	return nil, nil
}
func (m *manager) Scripts(*sandbox.Sandbox) ([][2]time.Time, error) { return nil, nil }
func (m *manager) Close() error                                     { return nil }

// TestPackages: whatever the manager, files of packages are in the tree when it is asked,
// and not after it.
func TestPackages(t *testing.T) {
	w := open(t, fstest.MapFS{"debs/own_1_all.deb": {Data: []byte("deb"), Mode: 0o644}})
	m := &manager{}
	w.Repositories, w.Packages = m, m
	for _, s := range []layer.Step{
		layer.Repositories{Names: []string{"a", "b"}}, layer.Remove{Packages: []string{"nano"}},
		layer.Packages{Install: []string{"chrony", "./debs/own_1_all.deb"}}, layer.Packages{Install: []string{"x"}, NoRecommends: true},
	} {
		if err := w.apply(s); err != nil {
			t.Fatalf("%s: %v", s.Title(), err)
		}
	}
	want := []string{"remove [nano]", "install [chrony /run/strata/packages/own_1_all.deb] true", "install [x] false"}
	if !slices.Equal(m.asked, want) {
		t.Errorf("asked %q", m.asked)
	}
	if got := w.says("stat -c '%a %n' /etc/repos/*"); got != "644 /etc/repos/a+b" {
		t.Errorf("of repositories there is %q", got)
	}
	if err := w.apply(layer.Packages{Install: []string{"debs/none.deb"}}); err == nil || !strings.Contains(err.Error(), "read local package") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A step names itself in errors, unless what it does has names of its own.
func TestBlame(t *testing.T) {
	for want, s := range map[string]layer.Step{
		"packages a b": layer.Packages{Install: []string{"a", "b"}},
		"run":          layer.Run{Commands: []layer.Command{{Command: "true"}}},
		"ansible":      layer.Playbooks{Playbooks: []string{"a.yml"}},
	} {
		if got := Blame(s); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
