package plan

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

var update = flag.Bool("update", false, "write golden files")

// history is what an earlier build left: a store, and the inputs of each node.
type history struct {
	store map[layer.Key]layer.Digest
	last  map[layer.NodeID][]Input
}

func (h history) have(_ layer.NodeID, k layer.Key) (There, error) {
	if chain, ok := h.store[k]; ok {
		return There{Where: InStore, Chain: chain}, nil
	}
	return There{}, nil
}

func (h history) options() Options {
	return Options{Last: func(id layer.NodeID) []Input { return h.last[id] }}
}

// built is the history of a build of the example.
func built(t *testing.T) history {
	t.Helper()
	h := history{map[layer.Key]layer.Digest{}, map[layer.NodeID][]Input{}}
	p, src := example(), &Source{Files: exampleFiles()}
	digest := map[layer.NodeID]layer.Digest{}
	for _, n := range p.Nodes {
		inputs, err := Inputs(p, n, src)
		if err != nil {
			t.Fatal(err)
		}
		parent := digest[n.Parent]
		digest[n.ID] = layer.Digest("sha256:" + sum(string(parent), string(n.ID)))
		h.store[KeyOf(parent, inputs)] = digest[n.ID]
		h.last[n.ID] = append(inputs, ParentInput(n.Parent, parent))
	}
	return h
}

func leavesOf(p *layer.Project) []layer.NodeID {
	nodes, _, _ := Select(p, nil)
	return nodes
}

func TestPlanGolden(t *testing.T) {
	write := func(name string) func(*layer.Project, fstest.MapFS, *history) {
		return func(_ *layer.Project, m fstest.MapFS, _ *history) { m[name].Data = []byte("- hosts: all\n") }
	}
	tests := []struct {
		name string
		edit func(*layer.Project, fstest.MapFS, *history)
		want []layer.NodeID
		o    Options
	}{
		{name: "nothing there", edit: func(_ *layer.Project, _ fstest.MapFS, h *history) { *h = history{} }},
		{name: "nothing changed"},
		{name: "no cache", o: Options{NoCache: true}},
		{name: "a file of the first layer", edit: write("debs/tool.deb")},
		{name: "a file of one layer in the middle", edit: write("files/etc/motd")},
		{name: "variables of one group", edit: func(_ *layer.Project, m fstest.MapFS, _ *history) {
			m["inventory/group_vars/UAN.yml"].Data = []byte("b: 3\nc: 4\n")
		}},
		{name: "a role of two layers", edit: write("pb/roles/slurm/tasks/main.yml")},
		{name: "a file in the middle and a variable at the end", edit: func(_ *layer.Project, m fstest.MapFS, _ *history) {
			m["scripts/hsn.sh"].Data = nil
			m["inventory/group_vars/UAN.yml"].Data = nil
		}},
		{name: "only one image wanted", edit: write("scripts/hsn.sh"), want: []layer.NodeID{"slurm-uan"}},
		{name: "a definition", edit: func(p *layer.Project, _ fstest.MapFS, _ *history) {
			p.Nodes[3].Env = map[string]string{"A": "b"}
			p.Nodes[3].Steps = nil
		}},
		{name: "a build that is gone", edit: func(_ *layer.Project, _ fstest.MapFS, h *history) {
			clear(h.store)
		}},
		{name: "a parent that came out differently", edit: func(_ *layer.Project, _ fstest.MapFS, h *history) {
			for k, d := range h.store {
				if d == layer.Digest("sha256:"+sum("", "base")) {
					h.store[k] = "sha256:other"
				}
			}
		}},
	}
	var all strings.Builder
	for _, test := range tests {
		p, m, h := example(), exampleFiles(), built(t)
		if test.edit != nil {
			test.edit(p, m, &h)
		}
		want := test.want
		if want == nil {
			want = leavesOf(p)
		}
		o := h.options()
		o.NoCache = test.o.NoCache
		plan, err := Make(p, want, &Source{Files: m}, h.have, o)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		fmt.Fprintf(&all, "# %s\n%s\n", test.name, plan.Text())
		for _, d := range plan.Nodes {
			if (d.Action == Keep) != (d.Digest != "") || d.Action == Keep && d.Key == "" || d.Action == Maybe && d.Key != "" {
				t.Errorf("%s: %s: %s with key %q and digest %q", test.name, d.Node.ID, d.Action, d.Key, d.Digest)
			}
		}
	}
	golden := filepath.Join("testdata", "plans.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if all.String() != string(data) {
		t.Errorf("plans are not as in %s (-update writes it):\n%s", golden, all.String())
	}
}

func TestMakeErrors(t *testing.T) {
	p := example()
	if _, err := Make(p, []layer.NodeID{"nope"}, &Source{Files: exampleFiles()}, history{}.have, Options{}); fault.KindOf(err) != fault.Input {
		t.Errorf("unknown node: %v", err)
	}
	m := exampleFiles()
	delete(m, "debs/tool.deb")
	delete(m, "scripts/hsn.sh")
	if _, err := Make(p, leavesOf(p), &Source{Files: m}, history{}.have, Options{}); len(fault.All(err)) != 2 {
		t.Errorf("want both missing files, got %v", err)
	}
	broken := errors.New("broken")
	have := func(layer.NodeID, layer.Key) (There, error) { return There{}, broken }
	if _, err := Make(p, leavesOf(p), &Source{Files: exampleFiles()}, have, Options{}); !errors.Is(err, broken) {
		t.Errorf("broken store: %v", err)
	}
}

func TestSelect(t *testing.T) {
	p := example()
	noImages := example()
	noImages.Images = nil
	tests := []struct {
		p             *layer.Project
		names         string
		nodes, images string
	}{
		{p, "", "slurm-compute slurm-uan", "compute login"},
		{noImages, "", "slurm-compute slurm-uan", ""},
		{p, "login", "slurm-uan", "login"},
		{p, "compute", "slurm-compute", "compute"}, // the image, not the node
		{noImages, "compute", "compute", ""},
		{p, "hsn login login slurm-uan", "hsn slurm-uan", "login"},
	}
	for _, test := range tests {
		nodes, images, err := Select(test.p, strings.Fields(test.names))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, im := range images {
			names = append(names, im.Name)
		}
		if got := strings.Trim(fmt.Sprint(nodes), "[]"); got != test.nodes || strings.Join(names, " ") != test.images {
			t.Errorf("%q: nodes %q, images %q", test.names, got, names)
		}
	}
	for name, hint := range map[string]string{
		"computr": "did you mean compute? images: compute, login; nodes: base, hsn, ",
		"slurm":   "did you mean slurm-compute? ",
		"zzz":     "images: compute, login; nodes: ",
	} {
		_, _, err := Select(p, []string{name})
		faults := fault.All(err)
		if len(faults) != 1 || faults[0].Kind != fault.Input || !strings.HasPrefix(faults[0].Hint, hint) {
			t.Errorf("%s: %+v", name, faults)
		}
	}
}

func TestQueue(t *testing.T) {
	decide := func(id, parent layer.NodeID, a Action, seconds float64) Decision {
		return Decision{Node: layer.Node{ID: id, Parent: parent}, Action: a, Seconds: seconds}
	}
	plan := &Plan{Nodes: []Decision{
		decide("root", "", Keep, 100),
		decide("a", "root", Build, 1),
		decide("b", "root", Build, 1),
		decide("a1", "a", Maybe, 1),
		decide("b1", "b", Maybe, 9),
		decide("b2", "b", Maybe, 1),
		decide("a2", "a1", Maybe, 1),
		decide("c", "root", Build, 1),
	}}
	q := NewQueue(plan)
	next := func(want layer.NodeID) {
		t.Helper()
		d, ok := q.Next()
		if d.Node.ID != want || ok != (want != "") {
			t.Fatalf("next is %q, want %q", d.Node.ID, want)
		}
	}
	next("b") // 1 + 9 below it
	next("a") // 3
	next("c")
	next("")
	q.Done("c")
	next("")
	q.Done("b")
	next("b1")
	if got := q.Fail("a"); fmt.Sprint(got) != "[a1 a2]" {
		t.Errorf("skipped %v", got)
	}
	next("b2")
	next("")
	if q.Running() != 2 || !q.Empty() {
		t.Errorf("running %d, empty %v", q.Running(), q.Empty())
	}
	if got := q.Fail("b1"); len(got) != 0 {
		t.Errorf("skipped %v", got)
	}
	q.Done("b2")
	if q.Running() != 0 {
		t.Errorf("running %d", q.Running())
	}
}

// BenchmarkMake plans six nodes that read about a hundred files on disk, as a
// new process does.
func BenchmarkMake(b *testing.B) {
	dir := b.TempDir()
	write := func(name, data string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	roles := ""
	for i := range 16 {
		role := fmt.Sprintf("pb/roles/r%02d/", i)
		roles += fmt.Sprintf("    - r%02d\n", i)
		task := "- name: Configure\n  ansible.builtin.template:\n    src: \"{{ item }}.j2\"\n    dest: /etc/x\n    mode: '0644'\n  loop: [a, b]\n  notify: restart\n"
		write(role+"tasks/main.yml", strings.Repeat(task, 10))
		write(role+"handlers/main.yml", "- name: restart\n  command: x\n")
		write(role+"defaults/main.yml", strings.Repeat("a_variable: value\n", 20))
		write(role+"templates/a.j2", strings.Repeat("{{ a_variable }} and text\n", 40))
		write(role+"meta/main.yml", "dependencies: []\n")
	}
	for name, f := range exampleFiles() {
		if f.Mode.IsRegular() {
			write(name, string(f.Data))
		}
	}
	write("pb/slurm.yml", "- hosts: all\n  roles:\n"+roles)
	p := example()
	have := func(layer.NodeID, layer.Key) (There, error) { return There{Where: InStore, Chain: "sha256:x"}, nil }
	for b.Loop() {
		plan, err := Make(p, leavesOf(p), &Source{Files: os.DirFS(dir)}, have, Options{})
		if err != nil || len(plan.Nodes) != 6 || len(plan.Nodes[4].Inputs) < 80 {
			b.Fatal(err, len(plan.Nodes[4].Inputs))
		}
	}
}

// TestSameNameTwice: two steps may reach a file in two ways, of which either counts.
func TestSameNameTwice(t *testing.T) {
	in := func(digests ...string) []Input {
		var all []Input
		for _, d := range digests {
			all = append(all, Input{Kind: KindVariable, Name: "x", Digest: d})
		}
		return all
	}
	for _, c := range []struct {
		last, now []Input
		reasons   int
	}{
		{in("b", "d"), in("b", "d"), 0}, {in("b", "d"), in("a", "d"), 1}, {in("b", "d"), in("b", "c"), 1},
		{in("b", "d"), in("d"), 1}, {in("d"), in("b", "d"), 1}, {in("b", "d"), in("a", "c"), 2}, {in("d", "b"), in("b", "d"), 0}, {nil, in("a"), 1},
	} {
		if got := differences(c.last, c.now); len(got) != c.reasons {
			t.Errorf("%v %v: %v", c.last, c.now, got)
		}
	}
}
