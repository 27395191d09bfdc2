package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
)

// observed runs a program below a project under observation.
func observedRun(t *testing.T, dir string, joined map[string]string, args ...string) (layer.Observed, []*Program) {
	t.Helper()
	o, err := Observe(dir, t.TempDir(), joined)
	if err != nil {
		t.Fatal(err)
	}
	o.ready = true // what Python says of itself is tested with real Ansible
	program, start := o.Start()
	path, ok := LookPath(args[0])
	if !ok && !strings.Contains(args[0], "/") {
		t.Skip("this machine has no " + args[0])
	}
	if !ok {
		path = args[0]
	}
	start = append(append(start, "1", path), args...)
	var out strings.Builder
	err = runAs(program, start, Cmd{Dir: dir, Stdout: &out, Stderr: &out})
	t.Logf("%q: %v: %s", args, err, out.String())
	ran, unknown := o.Close()
	all := layer.Observed{Unknown: unknown}
	for _, p := range ran {
		all.Add(p.Observed)
	}
	return all, ran
}

// runAs runs a program under the name that its first argument says.
func runAs(program string, args []string, c Cmd) error {
	c.Args = append([]string{"sh", "-c", `exec -a "$@"`, "bash"}, append([]string{args[0], program}, args[1:]...)...)
	c.Args[0] = "bash"
	return Host(context.Background(), c)
}

func TestObserver(t *testing.T) {
	for _, c := range []struct {
		name, run string
		want      layer.Observed // that much at least
		not       []string       // no question is about these
	}{
		{"a read", "cat data/a", layer.Observed{Contents: []string{"data/a"}}, []string{"data/b", "other"}},
		{"a glob", "cat data/*.txt", layer.Observed{Names: []string{"data"}, Contents: []string{"data/x.txt"}}, []string{"other/c", "data/b"}},
		{"Python's open", `python3 -I -c 'open("data/a").read()'`, layer.Observed{Contents: []string{"data/a"}}, []string{"data/b"}},
		{"a here-document", "cat <<E\n$(cat data/a)\nE", layer.Observed{Contents: []string{"data/a"}}, []string{"data/b"}},
		{"find", "find other -name '*.c'", layer.Observed{Names: []string{"other", "other/deep"}}, []string{"data/a"}},
		{"git", "git hash-object data/a", layer.Observed{Contents: []string{"data/a"}}, []string{"data/b"}},
		{"git's commit", "git rev-parse HEAD", layer.Observed{Unknown: "git reads what git knows of the commit"}, nil},
		{"what is not there", "test -e data/none || stat none/at/all", layer.Observed{Contents: []string{"data/none"}, Kinds: []string{"none"}}, nil},
		{"access", `python3 -I -c 'import os; os.access("other/c", os.F_OK)'`, layer.Observed{Kinds: []string{"other/c"}}, nil},
		{"a script", "./run.sh", layer.Observed{Contents: []string{"run.sh", "tools/interpreter"}}, nil},
		{"a link", "cat link/a", layer.Observed{Contents: []string{"data/a"}, Links: []string{"link"}}, nil},
		{"where a link leads", "readlink link", layer.Observed{Links: []string{"link"}}, []string{"data/a"}},
		{"up from a link", "cat link/../other/c", layer.Observed{Contents: []string{"other/c"}}, nil},
		{"from elsewhere", `cd / && cat "$OLDPWD/data/a"`, layer.Observed{Contents: []string{"data/a"}}, nil},
		{"a directory's descriptor", `python3 -I -c 'import os; d = os.open("data", os.O_RDONLY); os.open("a", os.O_RDONLY, dir_fd=d); os.listdir(d)'`,
			layer.Observed{Contents: []string{"data", "data/a"}, Names: []string{"data"}}, nil},
		{"a link from outside", `ln -s "$PWD/data/a" "$TMP/l" && cat "$TMP/l"`, layer.Observed{Contents: []string{"data/a"}}, []string{"data/b"}},
		{"a hard link from before", `cat "$TMP/hard"`, layer.Observed{Contents: []string{"data/h"}}, nil},
		{"a new hard link", `ln data/b "$TMP/b" && cat "$TMP/b"`, layer.Observed{Contents: []string{"data/b"}}, nil},
		{"a file that is moved", `mv other/c "$TMP/c" && cat "$TMP/c"`, layer.Observed{Contents: []string{"other/c"}}, nil},
		{"a directory that is moved", `mv other moved && cat moved/c`, layer.Observed{Unknown: "mv moves a directory of the project"}, nil},
		{"its own descriptor", `cat /proc/self/cwd/data/a`, layer.Observed{Contents: []string{"data/a"}}, nil},
		{"what is written anew", "echo x > made", layer.Observed{Kinds: []string{"made"}}, nil},
		{"a chroot", `python3 -I -c 'import os; os.chroot("."); open("data/a").read()'`, layer.Observed{Unknown: "python3 changes what paths mean"}, nil},
		{"a mount", `unshare -m true`, layer.Observed{Unknown: "unshare changes what paths mean"}, nil},
		{"another program's socket", `python3 -I -c 'import socket; socket.socket(socket.AF_UNIX).connect("/tmp/strata-none")'`,
			layer.Observed{Unknown: "python3 talks to /tmp/strata-none, which may read for it"}, nil},
		{"nothing of the project", "date; id; cat /etc/passwd", layer.Observed{}, []string{"data", "data/a", "other", "run.sh"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, tmp := t.TempDir(), t.TempDir()
			t.Setenv("TMP", tmp)
			setUp := `mkdir -p data other/deep tools; for f in data/a data/b data/h data/x.txt other/c other/deep/d.c; do echo $f > $f; done
				cp /bin/sh tools/interpreter; printf '#!tools/interpreter\ntrue\n' > run.sh; chmod +x run.sh; ln -s data link; ln data/h "$TMP/hard"
				git init -q . && git add data && git -c user.name=n -c user.email=e commit -qm m`
			if err := Host(t.Context(), Cmd{Args: []string{"sh", "-c", setUp}, Dir: dir}); err != nil {
				t.Fatal(err)
			}
			got, _ := observedRun(t, dir, nil, "sh", "-c", c.run)
			if got.Unknown != c.want.Unknown {
				t.Errorf("unknown: %q; want %q", got.Unknown, c.want.Unknown)
			}
			for what, lists := range map[string][2][]string{
				"contents": {got.Contents, c.want.Contents}, "kinds": {got.Kinds, c.want.Kinds},
				"names": {got.Names, c.want.Names}, "links": {got.Links, c.want.Links},
			} {
				for _, name := range lists[1] {
					if !slices.Contains(lists[0], name) {
						t.Errorf("%s: %q lack %s", what, lists[0], name)
					}
				}
				for _, name := range c.not {
					if slices.Contains(lists[0], name) {
						t.Errorf("%s: %q have %s", what, lists[0], name)
					}
				}
			}
		})
	}
}

// TestObservedPrograms tests who is said to have read what.
func TestObservedPrograms(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "", "b": "", "gen.sh": "#!/bin/sh\ncat b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, ran := observedRun(t, dir, nil, "sh", "-c", "cat a; ./gen.sh x | cat")
	for _, p := range ran {
		var chain []string
		for at := p; at != nil; at = at.Parent {
			chain = append(chain, at.Commands()...)
		}
		if slices.Contains(p.Contents, "b") != (p.Args[0] == "cat" && slices.Contains(chain, "./gen.sh x")) {
			t.Errorf("%q reads %q", chain, p.Contents)
		}
	}
}

// TestObservedStart tests that what is observed starts as it would by itself.
func TestObservedStart(t *testing.T) {
	o, err := Observe(t.TempDir(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	program, start := o.Start()
	run := func(args ...string) (string, int) {
		var out strings.Builder
		err := runAs(program, append(slices.Clone(start), args...), Cmd{Stdout: &out, Env: []string{"A=b"}})
		if e, ok := err.(*ExitError); ok {
			return out.String(), e.Status
		}
		return out.String(), 0
	}
	if out, status := run("2", "/nowhere/sh", "/bin/sh", "name", "-c", `echo $0 $A "$@"; exit 3`, "zero", "x y"); out != "zero b x y\n" || status != 3 {
		t.Errorf("%q, %d", out, status)
	}
	if _, status := run("1", "/nowhere/sh", "sh"); status != 127 {
		t.Errorf("a program that is not there: %d", status)
	}
	if _, status := run("1", "/etc/passwd", "sh"); status != 126 {
		t.Errorf("a program that may not run: %d", status)
	}
}

// TestObservedJoined tests a directory of links that join a project with repositories.
func TestObservedJoined(t *testing.T) {
	at := t.TempDir()
	setUp := "mkdir -p project/data commit/files joined; echo a > project/data/a; echo b > commit/files/b; echo t > project/top; ln -s $PWD/project/data joined/data; ln -s $PWD/project/top joined/top; ln -s $PWD/commit joined/@repo; mkdir -p set/roles unit; echo > unit/y; ln -s $PWD/unit set/roles/x"
	if err := Host(t.Context(), Cmd{Args: []string{"sh", "-c", setUp}, Dir: at}); err != nil {
		t.Fatal(err)
	}
	got, _ := observedRun(t, filepath.Join(at, "joined"), map[string]string{"@galaxy": filepath.Join(at, "set")}, "sh", "-c", "cat ../set/roles/x/y data/a @repo/files/* top; test -e ../project/absent; find ../project")
	for _, name := range []string{"data/a", "@repo/files/b", "top", "absent", "@galaxy/roles/x/y"} {
		if !slices.Contains(got.Contents, name) {
			t.Errorf("%q lack %s", got.Contents, name)
		}
	}
	for _, name := range []string{"@repo/files", ".", "data"} {
		if !slices.Contains(got.Names, name) {
			t.Errorf("%q lack %s", got.Names, name)
		}
	}
}
