package replay

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// site is a repository that a test commits to.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t, t.TempDir()}
	s.git("init", "--quiet", "--initial-branch=main")
	return s
}

func (s *site) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), identity()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files, given as name and content in turns, and commits them.
func (s *site) commit(files ...string) {
	s.t.Helper()
	for pair := range slices.Chunk(files, 2) {
		write(s.t, filepath.Join(s.dir, pair[0]), pair[1])
	}
	s.git("add", "--all")
	s.git("commit", "--quiet", "--message", "change "+files[0])
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// strata builds the real program.
func strata(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "strata")
	cmd := exec.Command("go", "build", "-o", name, "./cmd/strata")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build strata: %v\n%s", err, out)
	}
	return name
}

const description = `strata: 1
cluster: {name: t}
inventory: inventory
repositories:
  debian: {type: apt, suite: bookworm}
layers:
  base:
    from: {bootstrap: {distribution: debian, repositories: [debian]}}
    packages: [python3]
  c:
    parent: base
    ansible: {playbooks: [site.yml], groups: [C]}
  top:
    parent: c
    packages: [vim]
`

const (
	playbook = "- hosts: C\n  roles: [a]\n"
	local    = "  post_tasks:\n    - ansible.builtin.command: ./generate {{ v }}\n      delegate_to: localhost\n"
)

// TestRun replays a history of one commit of each kind, and a merge.
func TestRun(t *testing.T) {
	s := newSite(t)
	s.commit("README.md", "one\n", "site.yml", playbook, "other.yml", "- hosts: D\n  tasks: []\n",
		"roles/a/tasks/main.yml", "- ansible.builtin.template: {src: t.j2, dest: /t}\n", "roles/a/templates/t.j2", "{{ v }}\n",
		"inventory/hosts", "[C]\n[D]\n", "inventory/group_vars/C.yml", "v: 1\nunused: 1\n", "inventory/group_vars/D.yml", "v: 1\n")
	first := s.git("rev-parse", "HEAD")
	kinds := []struct {
		name                string
		files               []string
		idle, wide          bool
		ours, theirs, fault string
	}{
		{name: "documentation", files: []string{"README.md", "two\n"}, idle: true},
		{name: "a playbook of no layer", files: []string{"other.yml", "- hosts: D\n  tasks: [{debug: {}}]\n"}, idle: true},
		{name: "a variable that nothing reads", files: []string{"inventory/group_vars/C.yml", "v: 1\nunused: 2\n"}, theirs: "c top"},
		{name: "a variable that is read", files: []string{"inventory/group_vars/C.yml", "v: 2\nunused: 2\n"}, ours: "c top", theirs: "c top"},
		{name: "the same of another group", files: []string{"inventory/group_vars/D.yml", "v: 2\n"}},
		{name: "a template", files: []string{"roles/a/templates/t.j2", "{{ v }}!\n"}, ours: "c top", theirs: "c top"},
		{name: "a command that is run here", files: []string{"site.yml", playbook + local}, ours: "c top", theirs: "c top"},
		{name: "documentation that it might read", files: []string{"README.md", "three\n"}, idle: true, wide: true, ours: "c top"},
		{name: "a role that is missing", files: []string{"site.yml", "- hosts: C\n  roles: [a, b]\n"}, theirs: "c top", fault: `the role "b" is not in the project (site.yml:2)`},
		{name: "the same without it", files: []string{"site.yml", playbook}, theirs: "c top", fault: `the role "b" is not in the project (site.yml:2)`},
	}
	for _, k := range kinds {
		s.commit(k.files...)
	}
	s.git("switch", "--quiet", "--create", "side")
	s.commit("README.md", "four\n")
	s.commit("roles/a/templates/t.j2", "{{ v }}?\n")
	s.git("switch", "--quiet", "main")
	s.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
	kinds = append(kinds, kinds[5])
	kinds[len(kinds)-1].name = "a merge, as one change"

	results := t.TempDir()
	write(t, filepath.Join(results, "tiny.yaml"), description)
	sum, err := Run(t.Context(), Options{Site: s.dir, Range: first + "..main", Overlay: filepath.Join(results, "tiny.yaml"), Dir: results, Strata: strata(t),
		Listing: filepath.Join("..", "layers.py"), Limits: Limits{Time: time.Minute, Memory: 1 << 30}, Check: true, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Different != nil {
		t.Errorf("other plans without traces: %v", sum.Different)
	}
	records := readRecords(t, filepath.Join(results, "tiny.jsonl"))
	if len(records) != len(kinds) {
		t.Fatalf("%d records of %d commits", len(records), len(kinds))
	}
	for i, k := range kinds {
		r := records[i]
		if r.Listing.Error != "" {
			t.Fatalf("%s: Listing 6: %s", k.name, r.Listing.Error)
		}
		if got := strings.Join(r.Strata.rebuilt(), " "); got != k.ours {
			t.Errorf("%s: Strata rebuilds %q, want %q", k.name, got, k.ours)
		}
		if got := strings.Join(r.Listing.Nodes, " "); got != k.theirs {
			t.Errorf("%s: Listing 6 rebuilds %q, want %q", k.name, got, k.theirs)
		}
		if r.idle() != k.idle {
			t.Errorf("%s: beside the layers are %v of %v", k.name, r.Beside, r.Changed)
		}
		if k.fault != "" != !r.Strata.answered() || !strings.HasSuffix(r.Strata.refusal(), k.fault) {
			t.Errorf("%s: %s, want %q", k.name, r.Strata.refusal(), k.fault)
		}
		if got := len(r.Strata.Nodes) > 0 && r.Strata.Nodes[0].widened(); got != k.wide {
			t.Errorf("%s: built only for what cannot be followed: %v, want %v: %+v", k.name, got, k.wide, r.Strata.Nodes)
		}
	}
	if sum.Commits != 11 || sum.Compared != 9 || sum.Build != 5 || sum.Maybe != 5 || sum.Listed != 10 || sum.Beyond != 2 || sum.Less != 2 ||
		sum.Refused() != 2 || sum.Idle != 3 || !slices.Equal(sum.IdleBuilt, []string{records[7].Commit}) || sum.Widened != 1 {
		t.Errorf("the summary is %+v", sum)
	}
	if wide := sum.Widest(5); len(wide) != 1 || !strings.HasPrefix(wide[0].At, "site.yml:4: ") || !strings.Contains(wide[0].Text, "./generate") {
		t.Errorf("the widest places are %+v", wide)
	}
	if left, err := Load(results, "tiny"); err != nil || left.Build != sum.Build {
		t.Errorf("loaded %+v, %v", left, err)
	}
	if s.git("status", "--porcelain") != "" || s.git("for-each-ref", "--format=%(refname)") != "refs/heads/main\nrefs/heads/side" {
		t.Error("the site has been written to")
	}
}

func readRecords(t *testing.T, name string) []Record {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []Record
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestGuard starts programs that do not end by themselves.
func TestGuard(t *testing.T) {
	for _, test := range []struct {
		limits Limits
		want   string
	}{
		{Limits{Time: 50 * time.Millisecond}, "time"},
		{Limits{Time: time.Minute, Memory: 1}, "memory"},
	} {
		cmd := exec.Command("sleep", "60")
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		g := startGuard(cmd.Process, test.limits)
		err := cmd.Wait()
		if got := g.end(); got != test.want || err == nil || time.Since(began) > 30*time.Second {
			t.Errorf("%+v: stopped for %q (%v) after %s, want %q", test.limits, got, err, time.Since(began), test.want)
		}
	}
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g := startGuard(cmd.Process, Limits{Time: time.Minute, Memory: 1 << 30})
	if err := cmd.Wait(); err != nil || g.end() != "" {
		t.Errorf("a program that ends by itself: %v", err)
	}
}

// TestCheck asks a program whose answers depend on what it has kept.
func TestCheck(t *testing.T) {
	s := newSite(t)
	s.commit("strata.yaml", description)
	s.commit("README.md", "one\n")
	s.commit("README.md", "two\n")
	results := t.TempDir()
	forgetful := filepath.Join(results, "strata")
	write(t, forgetful, "#!/bin/sh\nmkdir -p \"$XDG_CACHE_HOME\"\ncase \"$*\" in *--fresh*) set \"$XDG_CACHE_HOME/fresh\"; echo >\"$1\";; *) set \"$XDG_CACHE_HOME/asked\"; echo >>\"$1\";; esac\necho '{\"nodes\": [], \"asked\": '$(wc -l <\"$1\")'}'\n")
	if err := os.Chmod(forgetful, 0o755); err != nil {
		t.Fatal(err)
	}
	sum, err := Run(t.Context(), Options{Site: s.dir, Range: "HEAD~2..HEAD", Name: "t", Dir: results, Strata: forgetful,
		Listing: filepath.Join("..", "layers.py"), Check: true, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{s.git("rev-parse", "HEAD")}; !slices.Equal(sum.Different, want) {
		t.Errorf("other plans without traces: %v, want %v", sum.Different, want)
	}
}

// TestMissing replays a copy that lacks a large file, as partial clones do.
func TestMissing(t *testing.T) {
	s := newSite(t)
	s.commit("large", "one\n", "README.md", "one\n")
	s.commit("README.md", "two\n")
	s.commit("large", "two\n")
	for _, rev := range []string{"HEAD~1:large", "HEAD:large"} {
		id := s.git("rev-parse", rev)
		if err := os.Remove(filepath.Join(s.dir, ".git", "objects", id[:2], id[2:])); err != nil {
			t.Fatal(err)
		}
	}
	h, err := openHistory(t.Context(), Options{Site: s.dir}, filepath.Join(t.TempDir(), "scratch"))
	if err != nil {
		t.Fatal(err)
	}
	commits, err := h.commits("HEAD~2..HEAD")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"README.md", "large"} {
		base, err := h.laid(commits[i].parent, "")
		if err != nil {
			t.Fatal(err)
		}
		head, err := h.laid(commits[i].id, base)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.checkOut(head); err != nil {
			t.Fatal(err)
		}
		if got, err := h.git("diff", "--name-only", base, head); err != nil || got != want {
			t.Errorf("commit %d changes %q (%v), want %q", i, got, err, want)
		}
	}
}
