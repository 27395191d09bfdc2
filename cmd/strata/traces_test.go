package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.podman.io/image/v5/signature/sigstore"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/trace"
	"github.com/strata-hpc/strata/internal/trust"
)

// lied is a project of two commits whose plan has something to build, and a file of
// traces of the second one that says otherwise: that its playbooks asked nothing.
type lied struct {
	*steps
	base, head string
	honest     []byte
	about      aboutTraces
}

func newLied(t *testing.T, more, key string) *lied {
	t.Helper()
	isolate(t)
	l := &lied{steps: &steps{repo: newWritten(t, t.TempDir())}}
	files := map[string]entry{}
	for name, text := range map[string]string{
		"strata.yaml": "strata: 1\ncluster: {name: c}\nrepositories: {debian: {type: apt, suite: bookworm}}\nlayers:\n" +
			"  base:\n    from: {bootstrap: {distribution: debian, repositories: [debian]}}\n" +
			"  web:\n    parent: base\n    ansible: {playbooks: [web.yml]}\n  db:\n    parent: base\n    ansible: {playbooks: [db.yml]}\n" + more,
		"web.yml":  "- hosts: all\n  vars_files: [vars.yml]\n  tasks: [{copy: {dest: /w, content: '{{ word }}'}}]\n",
		"db.yml":   "- hosts: all\n  tasks: [{copy: {dest: /w, content: db}}]\n",
		"vars.yml": "word: one\n",
		"other":    "1",
		"ci.pub":   key,
	} {
		files[name] = entry{"100644", text}
	}
	l.base = l.repo.commit(t, files)
	files["vars.yml"] = entry{"100644", "word: two\n"}
	l.head = l.repo.commit(t, files, l.base)
	files["other"] = entry{"100644", "2"}
	l.all = []revision{{id: l.head, what: "lie", files: maps.Clone(files)}}
	l.checkOut(t) // trust is read from the files on disk
	l.honest = l.tracesOf(t, l.base, l.head)
	f, err := trace.Open(bytes.NewReader(l.honest), int64(len(l.honest)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.About()
	if err == nil {
		err = json.Unmarshal(text, &l.about)
	}
	if err != nil || f.Len() != 2 {
		t.Fatal(err, f.Len())
	}
	return l
}

// tracesOf is what a plan of the second of two commits leaves.
func (l *lied) tracesOf(t *testing.T, base, head string) (file []byte) {
	t.Helper()
	cache := t.TempDir()
	if said := l.plan(t, cache, "--base", base, "--head", head); said.status != 0 || !strings.Contains(said.out, `"word"`) {
		t.Fatal(said)
	}
	for _, text := range readAll(t, cache) {
		file = []byte(text)
	}
	return file
}

func (l *lied) args() []string { return []string{"--base", l.base, "--head", l.head} }

// lie is the file without its questions, that says this of itself.
func (l *lied) lie(t *testing.T, about []byte) string {
	t.Helper()
	f, err := trace.Open(bytes.NewReader(l.honest), int64(len(l.honest)))
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.Traces(func(int) bool { return true }, func(trace.Question) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].Asked = &trace.Asked{}
	}
	return string(trace.Encode(about, all))
}

// says is what the honest file says of itself.
func (l *lied) says(t *testing.T) []byte {
	t.Helper()
	text, err := json.Marshal(l.about)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// with plans with one file of traces.
func (l *lied) with(t *testing.T, dir, text string) said {
	t.Helper()
	cache := t.TempDir()
	at := tracesDir(filepath.Join(cache, "strata"), filepath.Join(dir, ".git"), "strata.yaml")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at, "some"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	one := *l.steps
	one.repo = &written{dir: dir}
	return one.plan(t, cache, l.args()...)
}

// TestForeignTraces: a file of traces that is of something else is not believed, whatever
// it says; one that is of this project and program is, so that this could be told.
func TestForeignTraces(t *testing.T) {
	l := newLied(t, "", "")
	want := l.fresh(t, l.args()...)
	for what, change := range map[string]func(a *aboutTraces){
		"an older version":       func(a *aboutTraces) { a.Version-- },
		"a newer version":        func(a *aboutTraces) { a.Version = ansible.Version + 1 },
		"no version":             func(a *aboutTraces) { a.Version = 0 },
		"another project":        func(a *aboutTraces) { a.Place = "sub/strata.yaml" },
		"a commit nobody has":    func(a *aboutTraces) { a.Commit = strings.Repeat("7", 40) },
		"a name for a commit":    func(a *aboutTraces) { a.Commit = "main" },
		"a part of an id":        func(a *aboutTraces) { a.Commit = a.Commit[:12] },
		"no commit":              func(a *aboutTraces) { a.Commit = "" },
		"other repositories":     func(a *aboutTraces) { a.Repos = []string{"slurm=" + a.Commit} },
		"an outline of nonsense": func(a *aboutTraces) { a.Commit, a.Outline = strings.Repeat("7", 40), []byte("nonsense") },
		"an empty outline":       func(a *aboutTraces) { a.Commit, a.Outline = strings.Repeat("7", 40), []byte{} },
	} {
		about := l.about
		change(&about)
		text, err := json.Marshal(about)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.with(t, l.repo.dir, l.lie(t, text)); got != want {
			t.Errorf("%s is believed:\n%s", what, got)
		}
	}
	for _, about := range []string{"", "null", "[]", "nonsense", `{"Version":"1"}`, `{}`} {
		if got := l.with(t, l.repo.dir, l.lie(t, []byte(about))); got != want {
			t.Errorf("traces that say %q of themselves are believed:\n%s", about, got)
		}
	}
	lie := l.lie(t, l.says(t))
	if got := l.with(t, l.repo.dir, lie); got == want || strings.Contains(got.out, `"word"`) {
		t.Fatalf("a file of this project and program is not believed, so that nothing is tested:\n%s", got)
	}
	// Every byte decides: one that is another makes the lie no file of traces.
	step := 7
	if os.Getenv("STRATA_TEST_LONG") != "" {
		step = 1
	}
	believed := 0
	for at := 0; at < len(lie); at += step {
		bad := []byte(lie)
		bad[at] ^= 0x10
		if got := l.with(t, l.repo.dir, string(bad)); got != want {
			believed++
		}
		honest := bytes.Clone(l.honest)
		honest[at%len(honest)] ^= 0x10
		if got := l.with(t, l.repo.dir, string(honest)); got != want {
			t.Errorf("traces whose byte %d is another: the plan is\n%s", at%len(honest), got)
		}
	}
	// Only in what was not needed: no plan of this kind reads all.
	if believed*step > len(lie)/4 {
		t.Errorf("%d of %d lies are believed with a byte that is another", believed, len(lie)/step)
	}
	for at := 0; at < len(lie); at += 5 * step {
		if got := l.with(t, l.repo.dir, lie[:at]); got != want {
			t.Errorf("the first %d bytes of %d are believed", at, len(lie))
		}
	}
}

// TestShallowClone: traces that come with the outline of their commit are of use where the
// commit is not, and honest ones come to the same as none.
func TestShallowClone(t *testing.T) {
	l := newLied(t, "", "")
	files := l.all[0].files
	later := maps.Clone(files)
	later["vars.yml"] = entry{"100755", "word: three\n"}
	later["new"] = entry{"100644", "n"}
	other := l.repo.commit(t, later, l.head) // the traces are of it, and the clone has it not
	honest := l.tracesOf(t, l.head, other)
	l.repo.write(t, "refs/heads/main", l.head+"\n")
	clone := t.TempDir()
	if out, err := exec.Command("git", "clone", "-q", "--depth", "2", "file://"+l.repo.dir, clone).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := exec.Command("git", "-C", clone, "cat-file", "-e", other).Run(); err == nil {
		t.Fatal("the clone has the commit")
	}
	one := *l.steps
	one.repo = &written{dir: clone}
	want := one.fresh(t, l.args()...)
	if want.status != 0 {
		t.Fatal(want)
	}
	a := &app{dir: l.repo.dir, file: "strata.yaml", output: "json", ctx: context.Background(), out: io.Discard, err: io.Discard}
	h, err := a.openHistory()
	if err != nil {
		t.Fatal(err)
	}
	with := (&traces{history: h}).outlined(honest)
	if len(with) <= len(honest) {
		t.Fatal("no outline is added")
	}
	f, err := trace.Open(bytes.NewReader(with), int64(len(with)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.About()
	if err != nil {
		t.Fatal(err)
	}
	if got := l.with(t, clone, string(with)); got != want {
		t.Errorf("with traces of a commit that is not here:\n%s", got)
	}
	if got := l.with(t, clone, string(honest)); got != want {
		t.Errorf("with traces of a commit that is not here, without its outline:\n%s", got)
	}
	if got := l.with(t, clone, l.lie(t, text)); got == want {
		t.Error("traces of a commit that is not here are not used")
	}
}

// TestLyingRegistry: what a registry has that is not trusted, and that nobody signed whom
// the project names, is not believed. What is signed, or on this machine, is.
func TestLyingRegistry(t *testing.T) {
	ours, theirs := keyPair(t, "ci"), keyPair(t, "thief")
	for what, c := range map[string]struct {
		trust    string // %s is the registry
		signed   *signingKey
		believed bool
	}{
		"on this machine":            {"registry: %s\n", nil, true},
		"said to be trusted":         {"registry: {url: %s, trusted: true}\n", nil, true},
		"not signed":                 {"registry: %s\ntrust: {keys: [ci.pub]}\n", nil, false},
		"signed by somebody else":    {"registry: %s\ntrust: {keys: [ci.pub]}\n", &theirs, false},
		"signed by whom it believes": {"registry: %s\ntrust: {keys: [ci.pub]}\n", &ours, true},
	} {
		t.Run(what, func(t *testing.T) {
			h, stop, err := registry.Handler(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			server := httptest.NewServer(h)
			defer server.Close()
			at := strings.TrimPrefix(server.URL, "http://") + "/site"
			l := newLied(t, strings.ReplaceAll(c.trust, "%s", at), string(ours.public))
			x := engine.Exchange{At: at, Cluster: "c", Trust: trust.Place{}}
			if c.signed != nil {
				x.Options.Signer = c.signed.signer
			}
			of := (&traces{history: &history{file: "strata.yaml"}}).name()
			if _, err := x.PutTraces(t.Context(), of, []byte(l.lie(t, l.says(t)))); err != nil {
				t.Fatal(err)
			}
			want, got := l.fresh(t, l.args()...), l.plan(t, t.TempDir(), l.args()...)
			if believed := got.out != want.out; believed != c.believed {
				t.Errorf("believed: %v\n%s", believed, got)
			}
			x.Trust = trust.Nobody{} // as of a registry elsewhere that nothing is said of
			var unfit *engine.Unfit
			if _, _, err := x.TakeTraces(t.Context(), of, t.TempDir()); !errors.As(err, &unfit) {
				t.Errorf("where nobody is trusted: %v", err)
			}
		})
	}
}

// signingKey is one that signs.
type signingKey struct {
	signer *trust.Signer
	public []byte
}

func keyPair(t *testing.T, name string) signingKey {
	t.Helper()
	made, err := sigstore.GenerateKeyPair([]byte("pass"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := trust.ParseSigner(made.PrivateKey, []byte("pass"))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return signingKey{signer, made.PublicKey}
}
