package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// TestIncremental: a plan says the same, byte for byte, whatever is known of
// earlier commits. Projects are edited at random, commit by commit, and every
// plan is made with what the ones before it have left, and from nothing. Some are
// held besides against what each node's inputs come to when it is asked alone.
//
// By default it is a sample of 150 edits, with STRATA_TEST_LONG=1 they are 2,000.
func TestIncremental(t *testing.T) {
	histories := 3
	if os.Getenv("STRATA_TEST_LONG") != "" {
		histories = 40
	}
	total := &tally{}
	for seed := range histories {
		t.Run(fmt.Sprint("history ", seed), func(t *testing.T) {
			s := newSteps(t, uint64(seed))
			for range 50 {
				s.step(t)
			}
			s.values(t)
			s.again(t)
			s.together(t)
			if seed%5 == 0 {
				s.damaged(t)
			}
			total.add(s.tally)
		})
	}
	if total.told < histories*10 {
		t.Errorf("of only %d nodes, traces told how they differ", total.told)
	}
	t.Logf("%d nodes of which traces told how they differ", total.told)
	t.Logf("%d edits; %d plans compared, of which %d were refused, on both sides; %d nodes to build, %d kept; %d plans held against nodes alone",
		total.edits, total.plans, total.refused, total.built, total.kept, total.alone)
	if total.refused*3 > total.plans || total.built*20 < total.kept || total.kept*20 < total.built {
		t.Error("these edits test little")
	}
}

// tally counts what was compared.
type tally struct{ edits, plans, refused, built, kept, alone, told int }

func (a *tally) add(b tally) {
	a.edits, a.plans, a.refused = a.edits+b.edits, a.plans+b.plans, a.refused+b.refused
	a.built, a.kept, a.alone, a.told = a.built+b.built, a.kept+b.kept, a.alone+b.alone, a.told+b.told
}

// steps are a project's history as it grows.
type steps struct {
	tally
	project *edited
	repo    *written
	random  *rand.Rand
	cache   string // what plans keep
	all     []revision
	valid   map[string]entry // the last files that a plan could be made of
}

type revision struct {
	id, what string
	files    map[string]entry
}

func newSteps(t *testing.T, seed uint64) *steps {
	t.Helper()
	isolate(t)
	s := &steps{repo: newWritten(t, t.TempDir()), random: rand.New(rand.NewPCG(11, seed)), cache: t.TempDir()}
	for {
		s.project = newEdited(s.random.Uint64())
		id := s.repo.commit(t, s.project.files)
		if s.fresh(t, "--base", id, "--head", id).status == 0 { // else it has a circle in it, or lacks something
			s.commit(t, "begin")
			s.valid = maps.Clone(s.project.files)
			return s
		}
	}
}

// isolate lets plans see nothing of this machine's user.
func isolate(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{"HOME": t.TempDir(), "XDG_CACHE_HOME": "", "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", pinsVariable: "", "GOGC": "100"} {
		t.Setenv(name, value)
	}
}

func (s *steps) commit(t *testing.T, what string, others ...string) {
	t.Helper()
	parents := others
	if len(s.all) > 0 {
		parents = append([]string{s.last().id}, others...)
	}
	id := s.repo.commit(t, s.project.files, parents...)
	s.all = append(s.all, revision{id, what, maps.Clone(s.project.files)})
}

func (s *steps) last() revision { return s.all[len(s.all)-1] }

// step makes a commit and plans it: against the one before, now and then against
// others, and with files that are not committed.
func (s *steps) step(t *testing.T) {
	t.Helper()
	before := s.last().id
	if s.random.IntN(12) == 0 && len(s.all) > 3 {
		s.merge(t)
	} else {
		s.commit(t, s.project.edit())
	}
	s.edits++
	one := s.compare(t, "--base", before, "--head", s.last().id)
	if one.status == 0 {
		s.valid = maps.Clone(s.project.files)
	} else if s.random.IntN(4) > 0 { // most go on from something that can be planned
		s.project.files = maps.Clone(s.valid)
	}
	if s.random.IntN(3) == 0 { // to another, in either direction
		s.compare(t, "--base", s.any().id, "--head", s.any().id)
	}
	if s.random.IntN(8) == 0 {
		s.uncommitted(t)
	}
	if s.random.IntN(10) == 0 {
		s.held(t, before, s.last().id, one)
	}
}

// values makes commits that change only what is written somewhere: values of variables,
// and texts. Mostly the traces say how nodes differ then.
func (s *steps) values(t *testing.T) {
	t.Helper()
	s.project.files = maps.Clone(s.valid)
	s.commit(t, "back to what can be planned")
	first := s.last().id
	for range 20 {
		before := s.last().id
		names := slices.Sorted(maps.Keys(s.project.files))
		what := s.project.retext(names)
		if s.random.IntN(2) == 0 {
			what = s.project.revalue(names)
		}
		s.commit(t, what)
		s.edits++
		if s.random.IntN(4) == 0 {
			before = first
		}
		if s.compare(t, "--base", before, "--head", s.last().id).status != 0 {
			s.project.files = maps.Clone(s.valid)
			continue
		}
		s.valid = maps.Clone(s.project.files)
		s.count(t, before, s.last().id)
	}
}

// count counts the nodes of which traces tell how they differ.
func (s *steps) count(t *testing.T, base, head string) {
	t.Helper()
	if err := os.Setenv("XDG_CACHE_HOME", s.cache); err != nil {
		t.Fatal(err)
	}
	a := &app{dir: s.repo.dir, file: "strata.yaml", output: "json", ctx: context.Background(), out: io.Discard, err: io.Discard}
	h, err := a.openHistory()
	if err != nil {
		t.Fatal(err)
	}
	if made, _, err := h.compare(base, head, nil); err == nil {
		s.told += made.Told
	}
}

func (s *steps) any() revision { return s.all[s.random.IntN(len(s.all))] }

// merge adds a commit of two parents: another's edits of an earlier commit, laid
// over what there is.
func (s *steps) merge(t *testing.T) {
	t.Helper()
	ours, from := s.project.files, s.any()
	s.project.files = maps.Clone(from.files)
	what := s.project.edit()
	side := s.repo.commit(t, s.project.files, from.id)
	theirs := s.project.files
	s.project.files = maps.Clone(ours)
	for name := range from.files {
		if _, ok := theirs[name]; !ok {
			delete(s.project.files, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if theirs[name] != from.files[name] {
			s.project.place(name, theirs[name])
		}
	}
	s.commit(t, "merge: "+what, side)
}

// uncommitted plans a work tree in which something was edited since.
func (s *steps) uncommitted(t *testing.T) {
	t.Helper()
	s.checkOut(t)
	kept, there := s.project.files, s.last().files // the last commit may be one that cannot be planned
	s.project.files = maps.Clone(kept)
	for range 1 + s.random.IntN(3) {
		s.project.edit()
	}
	for name := range there {
		if _, ok := s.project.files[name]; !ok {
			s.remove(t, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.project.files)) {
		if e := s.project.files[name]; e != there[name] {
			s.put(t, name, e)
		}
	}
	s.project.files = kept
	s.compare(t, "--base", s.last().id)
	s.compare(t, "--base", s.any().id)
	s.compare(t, "--store", t.TempDir()) // keys are told
	s.checkOut(t)
	s.compare(t, "--base", s.any().id) // what was edited is as it was
}

// checkOut makes the work tree that of the last commit.
func (s *steps) checkOut(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"reset", "--quiet", "--hard"}, {"clean", "--quiet", "-ffdx"}} {
		if out, err := exec.Command("git", append([]string{"-C", s.repo.dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
}

func (s *steps) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(s.repo.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func (s *steps) put(t *testing.T, name string, e entry) {
	t.Helper()
	s.remove(t, name)
	at := filepath.Join(s.repo.dir, name)
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	if err == nil && e.mode == "120000" {
		err = os.Symlink(e.text, at)
	} else if err == nil {
		err = os.WriteFile(at, []byte(e.text), map[string]fs.FileMode{"100644": 0o644, "100755": 0o755}[e.mode])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// said is what a command said.
type said struct {
	out, err string
	status   int
}

func (a said) String() string { return fmt.Sprintf("exit status %d\n%s%s", a.status, a.err, a.out) }

// plan plans with what a directory keeps.
func (s *steps) plan(t *testing.T, cache string, args ...string) said {
	t.Helper()
	if err := os.Setenv("XDG_CACHE_HOME", cache); err != nil { // isolate puts it back
		t.Fatal(err)
	}
	var out, err bytes.Buffer
	status := run(s.planArgs(args), strings.NewReader(""), &out, &err)
	return said{out.String(), err.String(), status}
}

func (s *steps) planArgs(args []string) []string {
	return append([]string{"-C", s.repo.dir, "--output", "json", "plan"}, args...)
}

// fresh plans from nothing: where nothing can be kept, and is told so.
func (s *steps) fresh(t *testing.T, args ...string) said {
	t.Helper()
	cache := os.DevNull
	if !slices.Contains(args, "--base") { // what looks at a store needs a cache
		cache = t.TempDir()
	}
	return s.plan(t, cache, append(slices.Clip(args), "--fresh")...)
}

// compare makes a plan with what is kept, and from nothing.
func (s *steps) compare(t *testing.T, args ...string) said {
	t.Helper()
	known, fresh := s.plan(t, s.cache, args...), s.fresh(t, args...)
	s.equal(t, known, fresh, args)
	return known
}

func (s *steps) equal(t *testing.T, known, fresh said, args []string) {
	t.Helper()
	if known != fresh {
		at, a, b := differsAt(known.String(), fresh.String())
		t.Fatalf("after edit %d (%s), plan %s says from line %d on\n%s\nand from nothing\n%s", len(s.all)-1, s.last().what, strings.Join(args, " "), at, a, b)
	}
	s.plans++
	if fresh.status != 0 {
		s.refused++
	}
	for _, n := range fresh.nodes(t) {
		if n.Action == plan.Keep {
			s.kept++
		} else {
			s.built++
		}
	}
}

// differsAt returns the number of the first line that differs, and some lines of
// both from just before it on.
func differsAt(a, b string) (at int, someA, someB string) {
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for at < min(len(linesA), len(linesB)) && linesA[at] == linesB[at] {
		at++
	}
	some := func(lines []string) string {
		return strings.Join(lines[min(max(at-10, 0), len(lines)):min(at+10, len(lines))], "\n")
	}
	return at + 1, some(linesA), some(linesB)
}

func (a said) nodes(t *testing.T) []planned {
	t.Helper()
	if a.status != 0 {
		return nil
	}
	var doc planDocument
	if err := json.Unmarshal([]byte(a.out), &doc); err != nil {
		t.Fatalf("%v\n%s", err, a)
	}
	return doc.Nodes
}

// held holds a plan against what is found for each node of each commit alone.
func (s *steps) held(t *testing.T, base, head string, one said) {
	t.Helper()
	was, errBase := s.inputs(t, base)
	now, errHead := s.inputs(t, head)
	if (errBase == nil && errHead == nil) != (one.status == 0) {
		t.Fatalf("after edit %d (%s), plan says\n%s\nand the nodes alone: at base %v, at head %v", len(s.all)-1, s.last().what, one, errBase, errHead)
	}
	if one.status != 0 {
		return
	}
	s.alone++
	for _, n := range one.nodes(t) {
		before, there := was[n.ID]
		same := there && before.parent == now[n.ID].parent && plan.SameInputs(before.inputs, now[n.ID].inputs)
		if same == (n.Action == plan.Build) {
			t.Fatalf("after edit %d (%s), node %s: the plan says %s; alone its inputs are the same: %v", len(s.all)-1, s.last().what, n.ID, n.Action, same)
		}
		if n.Parent == "" && n.Key != plan.KeyOf("", now[n.ID].inputs) {
			t.Fatalf("after edit %d (%s), node %s: another key than alone", len(s.all)-1, s.last().what, n.ID)
		}
	}
}

type alone struct {
	parent layer.NodeID
	inputs []plan.Input
}

// inputs are those of each node, all found anew.
func (s *steps) inputs(t *testing.T, commit string) (map[layer.NodeID]alone, error) {
	t.Helper()
	found := map[layer.NodeID]alone{}
	a := &app{dir: s.repo.dir, file: "strata.yaml", output: "json", ctx: context.Background(), out: io.Discard, err: io.Discard}
	revision := func() (plan.Revision, error) {
		h, err := a.openHistory()
		if err != nil {
			return plan.Revision{}, err
		}
		return h.revision(commit, nil, nil)
	}
	first, err := revision()
	if err != nil {
		return nil, err
	}
	for _, n := range first.Project.Nodes {
		r, err := revision()
		if err != nil {
			return nil, err
		}
		inputs, err := plan.Inputs(r.Project, n, r.Source)
		if err != nil {
			return nil, err
		}
		found[n.ID] = alone{n.Parent, inputs}
	}
	return found, nil
}

// again plans early commits by what later ones have left, and the other way round.
func (s *steps) again(t *testing.T) {
	t.Helper()
	s.cache = t.TempDir()
	last := len(s.all) - 1
	for _, pair := range [][2]int{{0, 1}, {last - 4, last}, {last, last - 4}, {0, 1}, {1, 0}, {last / 2, last}, {0, last}} {
		s.compare(t, "--base", s.all[pair[0]].id, "--head", s.all[pair[1]].id)
	}
}

// together plans in several processes at once that keep what they find in one place.
func (s *steps) together(t *testing.T) {
	t.Helper()
	cache := t.TempDir()
	type process struct {
		args []string
		said said
	}
	all := make([]process, 6)
	done := make(chan bool)
	for i := range all {
		at := len(s.all) - 1 - i/2 // two ask the same
		all[i].args = []string{"--base", s.all[at-1].id, "--head", s.all[at].id}
		go func() {
			cmd := exec.Command("strata", s.planArgs(all[i].args)...)
			cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
			var out, err bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &err
			_ = cmd.Run()
			all[i].said = said{out.String(), err.String(), cmd.ProcessState.ExitCode()}
			done <- true
		}()
	}
	for range all {
		<-done
	}
	for _, p := range all {
		s.equal(t, p.said, s.fresh(t, p.args...), p.args)
	}
}

// damaged plans with files that are not as plans have left them.
func (s *steps) damaged(t *testing.T) {
	t.Helper()
	other := newSteps(t, 1000+s.random.Uint64N(1000))
	s.keepSome(t, other)
	good := s.keepSome(t, s)
	foreign := readAll(t, other.cache)
	last := len(s.all) - 1
	args := []string{"--base", s.all[last-1].id, "--head", s.all[last].id}
	want := s.fresh(t, args...)
	try := func(files map[string]string) {
		t.Helper()
		s.cache = filepath.Join(os.Getenv("HOME"), "damaged")
		defer os.RemoveAll(s.cache)
		for name, text := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(s.cache, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(s.cache, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s.equal(t, s.plan(t, s.cache, args...), want, args)
		s.equal(t, s.plan(t, s.cache, args...), want, args) // and by what that has left
	}
	for _, name := range slices.Sorted(maps.Keys(good)) {
		for _, text := range damages(good[name]) {
			files := maps.Clone(good)
			files[name] = text
			try(files)
		}
		for _, text := range foreign {
			files := maps.Clone(good)
			files[name] = text
			try(files)
		}
	}
	try(nil)
}

// keepSome returns what a few plans leave, with the commits just before the last
// among them.
func (s *steps) keepSome(t *testing.T, of *steps) map[string]string {
	t.Helper()
	of.cache = t.TempDir()
	for planned := 0; planned < 2; {
		of.project.files = maps.Clone(of.valid)
		of.commit(t, of.project.edit())
		last := len(of.all) - 1
		if of.compare(t, "--base", of.all[last-1].id, "--head", of.all[last].id).status == 0 {
			of.valid = maps.Clone(of.project.files)
			planned++
		}
	}
	files := readAll(t, of.cache)
	if len(files) == 0 {
		t.Fatal("plans leave nothing")
	}
	return files
}

func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		name, _ = filepath.Rel(dir, name)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// damages are ways in which a file comes to harm: bytes here and there that are
// others, the beginning byte for byte, as a version is there; a part of it; none.
func damages(text string) []string {
	regions := 6
	if os.Getenv("STRATA_TEST_LONG") != "" {
		regions = 40
	}
	all := []string{"", "nonsense\n", text + "\x00more", strings.Repeat("\x00", len(text)), text[:len(text)/2], text[:max(len(text)-1, 0)]}
	flip := func(at, n int) {
		b := []byte(text)
		for i := at; i < min(at+n, len(b)); i++ {
			b[i] ^= 0x01
		}
		all = append(all, string(b))
	}
	for at := range min(regions, len(text)) {
		flip(at, 1)
	}
	for i := range regions {
		flip(i*len(text)/regions, 1)
		flip(i*len(text)/regions+len(text)/(2*regions), 16)
	}
	return all
}
