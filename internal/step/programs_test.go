package step

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	if status, done, err := sandbox.Rootless(); done {
		os.Exit(status)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "rootless:", err)
	}
	os.Exit(m.Run())
}

// TestProgramsHook starts programs in every way that Python has, as ansible-playbook or
// as another program.
func TestProgramsHook(t *testing.T) {
	if _, ok := sandbox.LookPath("python3"); !ok || !sandbox.HasAdmin() {
		t.Skip("needs python3, and the right to mount")
	}
	for _, c := range []struct {
		name, code, says string
		reads            []string
	}{
		{"Popen", `print(subprocess.run(["cat", "a"], stdout=-1).stdout.decode(), end="")`, "A", []string{"a"}},
		{"a shell", `print(subprocess.getoutput("cat a; exit 3"), subprocess.call("exit 3", shell=True))`, "A 3", []string{"a"}},
		{"system", `print(os.system("cat a; exit 3"))`, "A 768", []string{"a"}},
		{"popen", `print(os.popen("cat a").read(), end="")`, "A", []string{"a"}},
		{"spawn", `os.waitpid(os.posix_spawn("/bin/cat", ["cat", "a"], os.environ), 0)`, "A", []string{"a"}},
		{"spawnp", `os.waitpid(os.posix_spawnp("cat", ["cat", "a"], os.environ), 0)`, "A", []string{"a"}},
		{"exec", `pid = os.fork()
if pid: os.waitpid(pid, 0)
else: os.execvp("cat", ["cat", "a"])`, "A", []string{"a"}},
		{"execve", `pid = os.fork()
if pid: os.waitpid(pid, 0)
else: os.execve("/bin/sh", ["sh", "-c", "cat a; echo $X"], {"X": "y", "PATH": os.environ["PATH"]})`, "A y", []string{"a"}},
		{"in another directory", `subprocess.run(["./show"], cwd="sub")`, "A", []string{"a", "sub/show"}},
		{"missing", `
try: subprocess.run(["./none"])
except FileNotFoundError as e: print("missing", e.errno)`, "missing 2", nil},
		{"what is started has Python's own settings", `print(subprocess.run([sys.executable, "-c", "import os, sys; print('STRATA_OBSERVER' in os.environ, [p for p in sys.path if 'programs-' in p])"], stdout=-1).stdout.decode())`, "False []", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, out := hooked(t, "ansible-playbook", "import os, subprocess, sys\n"+c.code)
			if got := strings.Join(strings.Fields(out), " "); got != c.says || seen.Unknown != "" {
				t.Errorf("%q, unknown %q; want %q", got, seen.Unknown, c.says)
			}
			for _, name := range c.reads {
				if !slices.Contains(seen.Contents, name) {
					t.Errorf("%q lack %s", seen.Contents, name)
				}
			}
			if c.name == "missing" && !slices.Contains(seen.Kinds, "none") {
				t.Errorf("%q lack what was looked for", seen.Kinds)
			}
		})
	}
	if seen, _ := hooked(t, "other", "pass"); seen.Unknown == "" {
		t.Error("another Python speaks for ansible-playbook")
	}
	if seen, _ := hooked(t, "ansible-playbook", "import os\nif os.fork() == 0: os.execve(os.open('/bin/true', os.O_RDONLY), ['true'], os.environ)"); seen.Unknown == "" {
		t.Error("a program that was started by its descriptor is known")
	}
}

// hooked runs Python code from a file of that name, and returns what was seen and said.
func hooked(t *testing.T, name, code string) (layer.Observed, string) {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{"a": "A\n", "sub/show": "#!/bin/sh\ncat ../a\n", name: code} {
		at := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w := &Work{Dir: dir, Project: os.DirFS(dir), Temporary: t.TempDir()}
	p, err := w.observe(nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = sandbox.Host(context.Background(), sandbox.Cmd{
		Args: []string{"/usr/bin/python3", name}, Dir: dir, Stdout: &out, Stderr: &out, Env: append(p.env, "PATH="+os.Getenv("PATH")),
	})
	if err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
	if err := p.end(w, nil); err != nil {
		t.Fatal(err)
	}
	return w.Observed, out.String()
}
