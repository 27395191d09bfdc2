// Package soundness holds what a plan says against what Ansible does: it changes
// one thing at a time in projects, really runs the playbooks before and after,
// and compares the trees that come of it.
//
// Whenever trees differ, the plan must have said so: a change that it misses is
// a failure. That it says build where the trees are equal is imprecise, which is
// counted and reported.
//
// Trees are small: a chroot with the machine's /usr, in which modules that need
// a whole machine only write down what they were asked for. See driver.py.
//
// By default every change runs that the plan takes for nothing, several at once
// where they are of different files, unless Ansible never looks at what is
// changed; and a sample of the others. STRATA_SOUNDNESS=all runs every change by
// itself, STRATA_SOUNDNESS=builds every change that is to be built (builds:3/8 the third
// of eight parts of them, each of which takes as long), and STRATA_SOUNDNESS=none only asks the planner; STRATA_SOUNDNESS_ONLY names
// projects.
package soundness

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/trace"
)

// sample is how many of the changes that a plan says to build are run where not
// all are: one in so many.
const sample = 30

// trial is one change as one node sees it.
type trial struct {
	*mutation
	project *project
	node    *node
	says    verdict
	run     bool // it is to run
	done    bool // it has
	outcome outcome
}

// verdict is what the plan says.
type verdict string

const (
	keep   verdict = "keep"
	build  verdict = "build"
	refuse verdict = "refuse" // it is a mistake
)

func TestSoundness(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for small trees to change the root to")
	}
	if testing.Short() {
		t.Skip("takes several minutes")
	}
	d := newDrivers(t)
	var projects []*project
	projects = append(projects, example(t))
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		projects = append(projects, nasty(t, name))
	}
	if only := os.Getenv("STRATA_SOUNDNESS_ONLY"); only != "" {
		projects = slices.DeleteFunc(projects, func(p *project) bool { return !slices.Contains(strings.Split(only, ","), p.name) })
	}
	var trials []*trial
	for _, p := range projects {
		trials = append(trials, p.trials(t, d)...)
	}
	if t.Failed() {
		t.FailNow() // the projects are not what they should be
	}
	chosen, kept := 0, 0
	for _, x := range trials {
		if x.run = x.chosen(); x.run {
			if chosen++; x.says == keep {
				kept++
			}
		}
	}
	t.Logf("%d trials, of which %d run: %d that are to be kept, %d that are to be built or are refused", len(trials), chosen, kept, chosen-kept)
	if os.Getenv("STRATA_SOUNDNESS") == "none" {
		return // who changes the planner sees soon what it says
	}
	d.runTogether(t, trials)
	d.runAll(t, trials)
	report(t, trials)
	t.Logf("Ansible ran %d times", d.runs)
}

// example is the example cluster, with every node that runs playbooks.
func example(t *testing.T) *project {
	p := &project{name: "example", inventory: []string{"inventory"}, files: files{}}
	root := "../../examples/cluster"
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		p.files[filepath.ToSlash(rel)] = &content{data: string(text), mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p.nodes = []*node{
		{host: "base", groups: []string{"cluster"}, playbooks: []string{"base.yml"}},
		{host: "hsn", groups: []string{"cluster", "HSN"}, playbooks: []string{"hsn.yml"}},
		{host: "compute", groups: []string{"cluster", "HSN", "Compute"}, playbooks: []string{"compute.yml"}},
		{host: "uan", groups: []string{"cluster", "HSN", "UAN"}, playbooks: []string{"uan.yml"}},
		{host: "slurm-compute", groups: []string{"cluster", "HSN", "Compute", "Slurm"}, playbooks: []string{"slurm.yml"}},
		{host: "slurm-uan", groups: []string{"cluster", "HSN", "UAN", "Slurm"}, playbooks: []string{"slurm.yml"}},
	}
	// What these do is in no playbook.
	maps.DeleteFunc(p.files, func(name string, _ *content) bool { return strings.HasPrefix(name, "files/") || name == "strata.yaml" })
	return p
}

// nasty is a project of testdata.
func nasty(t *testing.T, name string) *project {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p := &project{name: strings.TrimSuffix(filepath.Base(name), ".txtar"), files: files{}}
	n := &node{host: "node"}
	for _, f := range archive.Files {
		name, mode := f.Name, fs.FileMode(0o644)
		if rest, ok := strings.CutSuffix(name, " (executable)"); ok {
			name, mode = rest, 0o755
		}
		data := string(f.Data)
		if rest, ok := strings.CutSuffix(name, " (binary)"); ok {
			name, data = rest, unhex(t, data)
		}
		if rest, ok := strings.CutSuffix(name, " (next)"); ok {
			p.next = p.next.with(files{rest: {data: data, mode: mode}})
			continue
		}
		if rest, ok := strings.CutSuffix(name, " (link)"); ok {
			name, data, mode = rest, strings.TrimSpace(data), fs.ModeSymlink|0o777
		}
		p.files[name] = &content{data: data, mode: mode}
	}
	for line := range strings.Lines(string(archive.Comment)) {
		key, text, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		switch key {
		case "playbooks":
			n.playbooks = strings.Fields(text)
		case "groups":
			n.groups = strings.Fields(text)
		case "host":
			n.host = text
		case "others":
			p.others = strings.Fields(text)
		case "inventory":
			p.inventory = strings.Fields(text)
		case "password":
			p.password = text
		case "vault":
			p.vault = text
		case "tags":
			p.tags = text
		case "extra":
			p.extra = map[string]any{}
			for _, word := range strings.Fields(text) {
				name, value, _ := strings.Cut(word, "=")
				p.extra[name] = value
			}
		case "collections":
			t.Fatalf("%s: collections are found beside playbooks", name)
		default:
			t.Fatalf("%s: unknown setting %s", name, key)
		}
	}
	p.nodes = []*node{n}
	return p
}

// project is an Ansible project with nodes.
type project struct {
	name      string
	files     files
	next      files // of collections, what they are at their next version
	inventory []string
	others    []string // groups that nodes may be put in
	password  string   // of the vault
	vault     string   // what its files of variables are said to have: plain, if that is not said
	tags      string   // of the tasks that run; all, if that is not said
	extra     map[string]any
	nodes     []*node
}

type node struct {
	host      string
	groups    []string
	playbooks []string

	before outcome
	inputs []plan.Input
	reach  *ansible.Reached
}

// trials asks the plan about every mutation for every node.
func (p *project) trials(t *testing.T, d *drivers) []*trial {
	t.Helper()
	parsed := ansible.NewParsed()
	now := p.revision(p.files, parsed)
	for _, n := range p.nodes {
		var err error
		if n.inputs, n.reach, err = now.ask(t, n, n.groups); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
	}
	var jobs []*trial
	for _, n := range p.nodes {
		jobs = append(jobs, &trial{mutation: &mutation{name: "nothing"}, project: p, node: n, run: true})
	}
	d.runAll(t, jobs)
	for _, j := range jobs {
		if j.outcome.Status != 0 {
			t.Errorf("%s: the playbooks fail as they are, for %s:\n%s", p.name, j.node.host, j.outcome.Log)
		}
		j.node.before = j.outcome
		j.node.before.saw = map[string]bool{}
		for _, name := range j.outcome.Opened {
			j.node.before.saw[strings.TrimPrefix(name, "./")] = true
		}
	}
	var all []*trial
	start := time.Now()
	defer func() { t.Logf("%s: %d trials planned in %s", p.name, len(all), time.Since(start).Round(time.Second)) }()
	for _, m := range p.mutations() {
		changed := p.revision(p.files.with(m.change), parsed)
		for _, n := range p.nodes {
			all = append(all, changed.trial(t, m, n))
		}
	}
	return all
}

func (r *revision) trial(t *testing.T, m *mutation, n *node) *trial {
	x := &trial{mutation: m, project: r.project, node: n}
	groups := n.groups
	if m.groups != nil {
		groups = m.groups(groups)
	}
	inputs, reached, err := r.ask(t, n, groups)
	switch {
	case err != nil:
		x.says = refuse
	case plan.SameInputs(inputs, n.inputs):
		x.says = keep
	default:
		x.says = build
	}
	if err == nil && (x.says == keep) != (digest(reached) == digest(n.reach)) {
		t.Errorf("%s: %s: package plan and package ansible do not agree", r.project.name, m.name)
	}
	if m.groups == nil && x.says != keep {
		r.touches(t, x)
	}
	return x
}

// touches wants that the trace of what comes to something else says so.
func (r *revision) touches(t *testing.T, x *trial) {
	p := r.project
	base := ansible.Open(p.files.fsys(), r.parsed)
	changed := slices.Collect(maps.Keys(x.change))
	analysis, err := base.Analyse(p.query(x.node, x.node.groups), ansible.Options{Changed: changed})
	if err != nil {
		t.Errorf("%s: %v", p.name, err)
		return
	}
	file := trace.Encode(nil, []trace.Trace{{Asked: analysis.Asked()}})
	traces, err := trace.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if touched, err := base.To(r.together, changed).Touched(traces); err != nil || !touched.Has(0) {
		t.Errorf("%s: %s: for %s the plan says %s, but no question is answered otherwise (%v)", p.name, x.name, x.node.host, x.says, err)
	}
}

func (p *project) query(n *node, groups []string) ansible.Query {
	return ansible.Query{Playbooks: n.playbooks, Host: n.host, Groups: groups, Inventory: p.inventory, ExtraVars: p.extra, VaultTemplates: p.vault == "templates", Tags: strings.Fields(p.tags)}
}

// revision is a project at one moment, as plans see it: all nodes ask one value,
// which answers to each what it has found for the others.
type revision struct {
	project  *project
	files    files
	parsed   *ansible.Parsed
	together *ansible.Project
	source   *plan.Source
}

func (p *project) revision(f files, parsed *ansible.Parsed) *revision {
	r := &revision{project: p, files: f, parsed: parsed, together: ansible.Open(f.fsys(), parsed)}
	r.source = &plan.Source{Files: f.fsys(), Parsed: parsed}
	// Some others ask first.
	for _, groups := range [][]string{p.nodes[0].groups, p.others, nil} {
		q := p.query(p.nodes[0], groups)
		q.Host = "another"
		_, _ = r.together.Reach(q, ansible.Options{})
	}
	return r
}

// ask returns what decides about a node.
func (r *revision) ask(t *testing.T, n *node, groups []string) ([]plan.Input, *ansible.Reached, error) {
	p := r.project
	reached, err := r.together.Reach(p.query(n, groups), ansible.Options{})
	alone, errAlone := ansible.Open(r.files.fsys(), r.parsed).Reach(p.query(n, groups), ansible.Options{})
	if err != nil && errAlone != nil {
		return nil, nil, err
	}
	if err != nil || errAlone != nil || digest(reached) != digest(alone) {
		t.Errorf("%s: what %s reaches depends on who has asked before: %v %v", p.name, n.host, err, errAlone)
		return nil, nil, errors.Join(err, errAlone)
	}
	of := layer.Node{ID: layer.NodeID(n.host), Groups: groups, Steps: []layer.Step{layer.Playbooks{Playbooks: n.playbooks, ExtraVars: p.extra, Vault: p.vault, Tags: strings.Fields(p.tags)}}}
	inputs, err := plan.Inputs(&layer.Project{Inventory: p.inventory}, of, r.source)
	return inputs, reached, err
}

// digest is the Ansible part of a key.
func digest(r *ansible.Reached) string {
	var b strings.Builder
	for _, f := range r.Files {
		fmt.Fprintf(&b, "%q %s\n", f.Path, f.Digest)
	}
	for _, v := range r.Variables {
		fmt.Fprintf(&b, "%q %s\n", v.Name, v.Digest)
	}
	return b.String()
}

// chosen reports whether a trial runs.
func (x *trial) chosen() bool {
	if os.Getenv("STRATA_SOUNDNESS") == "all" {
		return true
	}
	h := fnv.New32a()
	fmt.Fprint(h, x.project.name, x.node.host, x.name)
	if part, ok := strings.CutPrefix(os.Getenv("STRATA_SOUNDNESS"), "builds"); ok {
		one, of := uint32(1), uint32(1)
		_, _ = fmt.Sscanf(part, ":%d/%d", &one, &of)
		return x.says == build && h.Sum32()%of+1 == one
	}
	if x.says == keep {
		return !x.unseen()
	}
	return h.Sum32()%sample == 0
}

// unseen reports whether the change is of files only that Ansible never asks for:
// then it does what it did.
func (x *trial) unseen() bool {
	saw := x.node.before.saw
	if x.groups != nil || saw["//subprocess"] || x.project.links() { // seen by another name
		return false
	}
	for name, c := range x.change {
		was := x.project.files[name]
		if saw[name] || was != nil && c != nil && was.mode != c.mode {
			return false
		}
		if was != nil && c != nil {
			continue
		}
		for dir := path.Dir(name); ; dir = path.Dir(dir) { // it comes or goes
			if saw[dir+"/"] || !x.project.has(dir, name) && saw[dir] {
				return false
			}
			if dir == "." {
				break
			}
		}
	}
	return true
}

func (p *project) links() bool {
	for _, c := range p.files {
		if c.isLink() {
			return true
		}
	}
	return false
}

// has reports whether the project has a directory whatever becomes of a file.
func (p *project) has(dir, but string) bool {
	for name := range p.files {
		if name != but && (dir == "." || strings.HasPrefix(name, dir+"/")) {
			return true
		}
	}
	return false
}

// report counts, and fails for what the plan missed.
func report(t *testing.T, trials []*trial) {
	byProject := map[string][]*trial{}
	for _, x := range trials {
		byProject[x.project.name] = append(byProject[x.project.name], x)
	}
	var total count
	for _, name := range slices.Sorted(maps.Keys(byProject)) {
		var c count
		for _, x := range byProject[name] {
			c.add(t, x)
		}
		t.Logf("%-16s %s", name, &c)
		total.plus(&c)
	}
	mutations := map[*mutation]bool{}
	for _, x := range trials {
		mutations[x.mutation] = true
	}
	t.Logf("%-16s %s", "all", &total)
	t.Logf("%d mutations in %d projects; of %d their effect is known, %d misses", len(mutations), len(byProject), total.run, total.misses)
	if total.run < 500 && os.Getenv("STRATA_SOUNDNESS_ONLY") == "" {
		t.Errorf("of only %d their effect is known", total.run)
	}
}

type count struct {
	all, kept, built, refused, run, misses int
	builtRun, equal                        int // of those that were to be built
	unseen                                 int
	wrong                                  int // refused although Ansible takes it
}

func (c *count) plus(d *count) {
	c.all, c.kept, c.built, c.refused = c.all+d.all, c.kept+d.kept, c.built+d.built, c.refused+d.refused
	c.run, c.misses, c.unseen, c.wrong = c.run+d.run, c.misses+d.misses, c.unseen+d.unseen, c.wrong+d.wrong
	c.builtRun, c.equal = c.builtRun+d.builtRun, c.equal+d.equal
}

func (c *count) String() string {
	share := 0.0
	if c.builtRun > 0 {
		share = 100 * float64(c.equal) / float64(c.builtRun)
	}
	return fmt.Sprintf("%5d trials: %d keep, %d build, %d refuse; %d judged, %d never seen; misses %d; needless builds %d of %d (%.1f %%); refused in vain %d",
		c.all, c.kept, c.built, c.refused, c.run, c.unseen, c.misses, c.equal, c.builtRun, share, c.wrong)
}

func (c *count) add(t *testing.T, x *trial) {
	c.all++
	switch x.says {
	case keep:
		c.kept++
	case build:
		c.built++
	case refuse:
		c.refused++
	}
	if !x.run {
		if x.says == keep {
			c.unseen++
		}
		return
	}
	c.run++
	difference := x.node.before.difference(x.outcome)
	switch {
	case x.says == keep && difference != "":
		c.misses++
		t.Errorf("MISS %s: %s: for %s: %s", x.project.name, x.name, x.node.host, difference)
	case x.says == build:
		c.builtRun++
		if difference == "" {
			c.equal++
			t.Logf("needless %s: %s: for %s", x.project.name, x.name, x.node.host)
		}
	case x.says == refuse && x.outcome.Status == 0:
		c.wrong++
		t.Logf("in vain %s: %s: for %s", x.project.name, x.name, x.node.host)
	}
}

// difference says in which way two outcomes differ; "" if they do not. Two
// failures are alike: neither makes a tree that anybody uses.
func (o outcome) difference(p outcome) string {
	if (o.Status != 0) != (p.Status != 0) {
		return fmt.Sprintf("exit status %d and %d\n%s", o.Status, p.Status, p.Log)
	}
	if o.Status != 0 {
		return ""
	}
	var all []string
	for name, entry := range o.Tree {
		if p.Tree[name] != entry {
			all = append(all, fmt.Sprintf("/%s: %s / %s", name, entry, cmp.Or(p.Tree[name], "not there")))
		}
	}
	for name, entry := range p.Tree {
		if o.Tree[name] == "" {
			all = append(all, fmt.Sprintf("/%s: not there / %s", name, entry))
		}
	}
	slices.Sort(all)
	return strings.Join(all[:min(len(all), 5)], "; ")
}
