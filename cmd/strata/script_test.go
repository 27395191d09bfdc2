package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.podman.io/storage/pkg/reexec"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// workshop is the place that the scripts of one run share: a store, so that the
// first layer is bootstrapped once, and a storage.conf that points to it for
// Strata and Podman alike. Package downloads stay in the user's cache.
type workshop struct {
	dir   string
	cache string // XDG_CACHE_HOME
	ours  string // the directory of this package
}

var update = flag.Bool("update", false, "write what scripts compare with into them")

// workshopEnv tells the tests where the workshop is; TestMain sets it.
const workshopEnv = "STRATA_TEST_WORKSHOP"

// TestMain makes the workshop, and makes this test binary the strata that scripts call.
func TestMain(m *testing.M) {
	sandbox.Init()
	if reexec.Init() {
		return
	}
	testscript.Main(inWorkshop{m}, map[string]func(){"strata": main, probeName: main, "rm-tree": removeTree})
}

type inWorkshop struct{ m *testing.M }

// Run implements testscript.TestingM.
func (w inWorkshop) Run() (status int) {
	dir, err := os.MkdirTemp("/var/tmp", "strata-test-")
	if err == nil {
		err = os.Setenv(workshopEnv, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a workshop:", err)
		return 1
	}
	defer func() {
		if out, err := exec.Command("rm-tree", dir).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "remove the workshop: %v\n%s", err, out)
			status = 1
		}
	}()
	return w.m.Run()
}

// removeTree is rm -rf for what a rootless store holds: files of subordinate ids.
func removeTree() {
	// Where the rights cannot be had there was no store either.
	if status, done, _ := sandbox.Rootless(); done {
		os.Exit(status)
	}
	if err := os.RemoveAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestScript runs testdata/script/*.txtar: one behaviour each, as a user sees it.
func TestScript(t *testing.T) {
	w := newWorkshop(t)
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	together := slices.DeleteFunc(slices.Clone(all), func(f string) bool { return strings.HasPrefix(filepath.Base(f), "alone_") })
	alone := slices.DeleteFunc(slices.Clone(all), func(f string) bool { return !strings.HasPrefix(filepath.Base(f), "alone_") })
	t.Run("together", func(t *testing.T) { w.run(t, together) })
	// These need the shared store for themselves: gc refuses while others build.
	t.Run("alone", func(t *testing.T) {
		for _, f := range alone {
			t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { w.run(t, []string{f}) })
		}
	})
	t.Run("nothing is left behind", w.leftovers)
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	dir := os.Getenv(workshopEnv)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "strata-test") // package test uses it, too
	ours, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"store", "run", "xdg"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	conf := fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "store"), filepath.Join(dir, "run"))
	if err := os.WriteFile(filepath.Join(dir, "storage.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return &workshop{dir: dir, cache: cache, ours: ours}
}

func (w *workshop) run(t *testing.T, files []string) {
	testscript.Run(t, testscript.Params{
		Files:               files,
		Setup:               w.setup,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "keep": keep, "same": same, "lacks": lacks, "commit": commit,
		},
	})
}

// setup makes a script's environment: the shared store, and nothing of the
// machine that runs the tests but its package cache.
func (w *workshop) setup(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME":                    home,
		"XDG_CACHE_HOME":          w.cache,
		"XDG_RUNTIME_DIR":         filepath.Join(w.dir, "xdg"),
		"CONTAINERS_STORAGE_CONF": filepath.Join(w.dir, "storage.conf"),
		"STORE":                   filepath.Join(w.dir, "store"),
		"WORKSHOP":                w.dir,
		"EXAMPLES":                filepath.Join(w.ours, "..", "..", "examples"),
		"DOCS":                    filepath.Join(w.ours, "..", "..", "docs"),
		"RECORD":                  os.Getenv("STRATA_TEST_RECORD"),
		"NO_COLOR":                "1",
		// Commits have the same names wherever they are made.
		"GIT_CONFIG_GLOBAL":   os.DevNull,
		"GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME":     "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
		"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
	} {
		env.Setenv(name, value)
	}
	env.Defer(func() {
		if out, err := exec.Command("rm-tree", filepath.Join(env.WorkDir, "store")).CombinedOutput(); err != nil {
			env.T().Fatal(fmt.Sprintf("remove the script's own store: %v\n%s", err, out))
		}
		left, _ := filepath.Glob(filepath.Join(env.WorkDir, ".tmp", "*"))
		if len(left) > 0 {
			env.T().Fatal("left in the directory of temporary files:", left)
		}
	})
	return nil
}

// condition answers [store]: can this user have a store and mount layers?
func condition(name string) (bool, error) {
	switch name {
	case "store":
		return os.Geteuid() == 0 || subordinate(), nil
	case "record":
		return os.Getenv("STRATA_TEST_RECORD") != "", nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

func subordinate() bool {
	me, err := user.Current()
	if err != nil {
		return false
	}
	_, err = exec.LookPath("newuidmap")
	content, _ := os.ReadFile("/etc/subuid")
	return err == nil && slices.ContainsFunc(strings.Split(string(content), "\n"), func(line string) bool {
		return strings.HasPrefix(line, me.Username+":") || strings.HasPrefix(line, me.Uid+":")
	})
}

// exits N PROGRAM [ARG]... runs a program and wants this exit status of it.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, not %d", got, want)
	}
}

// keep NAME REGEXP remembers in $NAME what the first group of the expression
// matched in the output of the last program.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME REGEXP")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("%s has no match with one group in the output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// same A B wants two words to be equal, and not empty; ! same to differ.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || args[0] == "" {
		ts.Fatalf("usage: [!] same A B")
	}
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%s and %s", args[0], args[1])
	}
}

// commit DIR MESSAGE commits everything in a directory, which becomes a git
// repository if it is none.
func commit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: commit DIR MESSAGE")
	}
	if _, err := os.Stat(ts.MkAbs(filepath.Join(args[0], ".git"))); err != nil {
		ts.Check(ts.Exec("git", "-C", args[0], "init", "--quiet", "--initial-branch=main"))
	}
	ts.Check(ts.Exec("git", "-C", args[0], "add", "--all"))
	ts.Check(ts.Exec("git", "-C", args[0], "commit", "--quiet", "--message="+args[1]))
}

// lacks DIR TEXT wants no regular file below DIR to contain the text.
func lacks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lacks DIR TEXT")
	}
	// grep reports files with the text by 0, and none by 1.
	err := ts.Exec("grep", "--recursive", "--binary-files=text", "--files-with-matches", "--devices=skip", "--fixed-strings", "-e", args[1], args[0])
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		ts.Fatalf("%q is in:\n%s(%v)", args[1], ts.ReadFile("stdout"), err)
	}
}

// leftovers looks for what the scripts should have cleaned up.
func (w *workshop) leftovers(t *testing.T) {
	staged, _ := filepath.Glob(filepath.Join(w.dir, "store/overlay/staging/*"))
	scratch, _ := filepath.Glob(filepath.Join(w.dir, "store/strata/scratch/*"))
	making, _ := filepath.Glob(filepath.Join(w.dir, "store/strata/artifacts/.*"))
	if left := slices.Concat(staged, scratch, making); len(left) > 0 {
		t.Errorf("in the store: %v", left)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, w.dir) {
			t.Errorf("mounted: %s", line)
		}
	}
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range commands {
		// An agent's arguments are its name only; its root tells whose it is.
		if content, err := os.ReadFile(c); err == nil && strings.Contains(string(content), w.dir) {
			t.Errorf("running: %s: %q", c, content)
		}
	}
}
