package pipeline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// random is a plan of up to n nodes with strange names, and its project.
func random(r *rand.Rand, n int) (*plan.Plan, *layer.Project) {
	p, project := &plan.Plan{Repos: []plan.Repo{{Name: "a b", Ref: "../c"}}}, &layer.Project{Registry: "registry.example/x"}
	n = 1 + r.IntN(n)
	wide := 1 + r.IntN(n) // how far back parents are: 1 is a chain
	for i := range n {
		d := plan.Decision{Node: layer.Node{ID: layer.NodeID(strangeName(r, i))}, Action: plan.Build, Reason: "line one\nline # two: ${{ x }} $(y)"}
		if i > 0 && r.IntN(20) > 0 {
			d.Node.Parent = p.Nodes[max(0, i-1-r.IntN(wide))].Node.ID
		}
		if r.IntN(10) == 0 {
			d.Action = plan.Keep
		}
		if r.IntN(2) == 0 {
			d.Key = layer.Key(fmt.Sprint("0", i))
		}
		p.Nodes = append(p.Nodes, d)
		project.Nodes = append(project.Nodes, d.Node)
		for range r.IntN(3) {
			im := layer.Image{Name: "im" + strangeName(r, len(project.Images)), Node: d.Node.ID}
			for _, t := range []layer.ArtifactType{layer.Squashfs, layer.Kernel, layer.Initrd}[:1+r.IntN(3)] {
				im.Artifacts = append(im.Artifacts, layer.Artifact{Type: t})
			}
			project.Images = append(project.Images, im)
			if r.IntN(5) == 0 {
				p.Images = append(p.Images, im.Name)
			}
		}
	}
	hooks := func(most int) (list []layer.Hook) {
		for i := range r.IntN(most) {
			list = append(list, layer.Hook{Name: strangeName(r, i), Run: []string{"echo '$X' ${{ y }}\necho \"$STRATA_NODE\"", "- odd: [x", "@true"}})
		}
		return list
	}
	project.Pipeline = layer.Pipeline{Variables: map[string]string{"A": "b $C # d\n ${{ e }}"}, Before: hooks(3), AfterNode: hooks(3), AfterImage: hooks(3)}
	if r.IntN(5) == 0 {
		project.Pipeline.Before = hooks(200)
	}
	return p, project
}

// strangeName is a name that is unique among those of other numbers.
func strangeName(r *rand.Rand, i int) string {
	name := []string{"a", "a-b", "a.b", "a_b", "a__b", "image", "9", "stages", strings.Repeat("long", 30), "A", "é ü", "b:c/d"}[r.IntN(12)]
	return fmt.Sprintf("%s%s%d", name, []string{"", "-", ".", "_"}[r.IntN(4)], i)
}

// TestProperties: whatever the plan, a pipeline is one that CI systems take.
func TestProperties(t *testing.T) {
	legal := regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	for seed := range 150 {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		p, project := random(r, []int{5, 20, 50, 100, 1500}[seed%5])
		o := GitLabOptions(Options{Dir: "some dir", Command: []string{"strata", "-C", "some dir"}})
		if seed%7 == 0 {
			o.MostJobs, o.MostNeeds = 60+len(project.Pipeline.Before)*2, 4
		}
		out := Of(p, project, o)
		if len(out.Jobs) > o.MostJobs {
			t.Fatalf("seed %d: %d jobs, of at most %d", seed, len(out.Jobs), o.MostJobs)
		}
		seen := map[string]bool{}
		built := map[string]int{} // which job builds a node, by its place
		for i, j := range out.Jobs {
			if seen[j.ID] || !legal.MatchString(j.ID) || len(j.ID) > longest {
				t.Fatalf("seed %d: ID %q is no ID, or there twice", seed, j.ID)
			}
			if len(j.Needs) > o.MostNeeds {
				t.Fatalf("seed %d: %s needs %d", seed, j.ID, len(j.Needs))
			}
			for _, need := range j.Needs {
				if !seen[need] { // earlier ones only, so there is no cycle
					t.Fatalf("seed %d: %s needs %s, which does not come before it", seed, j.ID, need)
				}
			}
			seen[j.ID] = true
			if j.Stage == Build && j.Lock != "" {
				for _, word := range strings.Split(j.Script[0], " ") {
					built[word] = i + 1
				}
			}
		}
		reach := closure(out)
		for _, d := range p.Nodes {
			if d.Action == plan.Keep {
				continue
			}
			own := built[quote(string(d.Node.ID))]
			if own == 0 && !strings.ContainsAny(string(d.Node.ID), " ") {
				t.Fatalf("seed %d: nothing builds %s", seed, d.Node.ID)
			}
			if parent := built[quote(string(d.Node.Parent))]; own > 0 && parent > 0 && own != parent && !reach[own-1][parent-1] {
				t.Fatalf("seed %d: the job of %s does not come after that of its parent %s", seed, d.Node.ID, d.Node.Parent)
			}
		}
		checkYAML(t, out)
	}
}

// closure says of each job which others it comes after.
func closure(p *Pipeline) []map[int]bool {
	at := map[string]int{}
	reach := make([]map[int]bool, len(p.Jobs))
	for i, j := range p.Jobs {
		at[j.ID], reach[i] = i, map[int]bool{}
		for _, need := range j.Needs {
			reach[i][at[need]] = true
			for k := range reach[at[need]] {
				reach[i][k] = true
			}
		}
	}
	return reach
}

// checkYAML reads back what was written: scripts and variables as they were.
func checkYAML(t *testing.T, p *Pipeline) {
	t.Helper()
	var text bytes.Buffer
	if err := GitLab(&text, p); err != nil {
		t.Fatal(err)
	}
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal(text.Bytes(), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for _, j := range p.Jobs {
		var back gitlabJob
		node := doc[j.ID]
		if err := node.Decode(&back); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(back.Script, texts(j.Script)) {
			t.Fatalf("%s: %q became %q", j.ID, j.Script, back.Script)
		}
	}
	text.Reset()
	if err := GitHub(&text, p); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text.Bytes(), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
}

// TestMakeOrder runs Makefiles with strata as a command that says what it was
// given: everything comes after what it needs, and is there as it was written.
func TestMakeOrder(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	for seed := range 8 {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		p, project := random(r, 30)
		project.Pipeline.Before, project.Pipeline.AfterNode, project.Pipeline.AfterImage = nil, nil, []layer.Hook{{Name: "h", Run: []string{`printf 'echo %s\n' "hook $STRATA_IMAGE of $A" '$X`, `#'`}}}
		out := Of(p, project, Options{Command: []string{"echo"}})
		var text bytes.Buffer
		if err := Make(&text, out); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("make", "--silent", "--output-sync=target", "-j3", "-f", "-")
		cmd.Stdin = &text
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, got)
		}
		for _, d := range p.Nodes {
			own := strings.Index("\n"+string(got), "\nbuild "+string(d.Node.ID)+" ")
			parent := strings.Index("\n"+string(got), "\nbuild "+string(d.Node.Parent)+" ")
			if d.Action == plan.Keep && own >= 0 || d.Action != plan.Keep && (own < 0 || d.Node.Parent != "" && parent > own) {
				t.Fatalf("seed %d: %s at %d, its parent %s at %d:\n%s", seed, d.Node.ID, own, d.Node.Parent, parent, got)
			}
		}
		for _, j := range out.Jobs {
			if want := "echo hook " + j.Variables["STRATA_IMAGE"] + " of b $C # d\n ${{ e }}\necho $X\n#\n"; j.Stage == After && !strings.Contains(string(got), want) {
				t.Fatalf("seed %d: no %q in\n%s", seed, want, got)
			}
		}
	}
}

// FuzzID: IDs are legal, and only equal names have equal ones.
func FuzzID(f *testing.F) {
	f.Add("a.b", "a-b", "c")
	f.Add("A", "a", "")
	f.Add("a__b", "a", "b__c")
	f.Add(strings.Repeat("0", 81), "\x00", "0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		legal := regexp.MustCompile(`^after-[a-z0-9_-]*$`)
		for _, pair := range [][2][]string{{{a}, {b}}, {{a, c}, {b, c}}, {{a, c}, {c, b}}, {{a, b}, {b, a}}, {{a, b + c}, {a + b, c}}} {
			x, y := idOf("after", pair[0]...), idOf("after", pair[1]...)
			if !legal.MatchString(strings.ToLower(x)) || len(x) > longest {
				t.Errorf("%q: %q", pair[0], x)
			}
			if strings.EqualFold(x, y) != slices.Equal(pair[0], pair[1]) {
				t.Errorf("%q is %q, and %q is %q", pair[0], x, pair[1], y)
			}
		}
	})
}

// BenchmarkPipeline is a pipeline of 1,000 nodes.
func BenchmarkPipeline(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	p, project := random(r, 1)
	for len(p.Nodes) < 1000 {
		p, project = random(r, 1500)
	}
	for b.Loop() {
		var text bytes.Buffer
		if err := GitLab(&text, Of(p, project, Options{Reports: true})); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLimits: with few jobs, neighbours share one, and with few needs, others
// stand between. The site's own commands run for each.
func TestLimits(t *testing.T) {
	p, project := &plan.Plan{}, &layer.Project{}
	node := func(id, parent layer.NodeID) {
		n := layer.Node{ID: id, Parent: parent}
		project.Nodes = append(project.Nodes, n)
		p.Nodes = append(p.Nodes, plan.Decision{Node: n, Action: plan.Build, Reason: "new"})
		if parent == "base" {
			project.Images = append(project.Images, layer.Image{Name: "im-" + string(id), Node: id + "-top"})
		}
	}
	node("base", "")
	for _, id := range []layer.NodeID{"a", "b", "c", "d", "e"} {
		node(id, "base")
		node(id+"-top", id)
	}
	project.Pipeline.Before = []layer.Hook{{Name: "x", Run: []string{"x"}}, {Name: "y", Run: []string{"y"}}, {Name: "z", Run: []string{"z"}}}
	project.Pipeline.AfterNode = []layer.Hook{{Name: "h", Run: []string{"h", "i"}, Only: []string{"a", "a-top", "b", "e"}}}
	out := Of(p, project, Options{MostJobs: 22, MostNeeds: 2})
	var got strings.Builder
	for _, j := range out.Jobs {
		fmt.Fprintf(&got, "%s %v %q\n", j.ID, j.Needs, strings.Join(j.Script, "; "))
	}
	got.WriteString(strings.Join(out.Notes, "\n"))
	const want = `before-x [] "x"
before-y [] "y"
before-z [] "z"
join-before__before-x [before-x before-y] "echo 2 jobs are done"
build-base [join-before__before-x before-z] "strata build base"
build-a [build-base] "strata build a b a-top b-top"
after-a__h [build-a] "for STRATA_NODE in a b a-top; do export STRATA_NODE\nh\ni\ndone"
build-c [build-base] "strata build c d c-top d-top"
build-e [build-base] "strata build e e-top"
after-e__h [build-e] "h; i"
image-im-a [build-a build-c] "strata build im-a im-b im-c"
image-im-d [build-c build-e] "strata build im-d im-e"
11 nodes share 4 jobs, so that the pipeline has no more than 22
5 images share 2 jobs, so that the pipeline has no more than 22`
	if got.String() != want {
		t.Errorf("%s", got.String())
	}
}
