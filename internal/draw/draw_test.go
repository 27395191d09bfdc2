package draw

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// formats are all that can be drawn, by the ending of a file's name.
func formats() map[string]func(io.Writer, Graph) error {
	return map[string]func(io.Writer, Graph) error{"dot": Dot, "mmd": Mermaid, "svg": SVG, "html": HTML}
}

func drawn(t *testing.T, f func(io.Writer, Graph) error, g Graph) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// project is the bare graph of the figures.
func project() *layer.Project {
	p, images := figures()
	project := &layer.Project{Cluster: layer.Cluster{Name: "clusterA"}, Images: images}
	for _, d := range p.Nodes {
		project.Nodes = append(project.Nodes, d.Node)
	}
	return project
}

func TestGolden(t *testing.T) {
	own := regexp.MustCompile(`(?s)(<style>|<script>).*?(</style>|</script>)`)
	policy := regexp.MustCompile(`sha256-.*?(&#39;)`)
	graphs := map[string]Graph{
		"figures": Of(figures()),
		"layers":  Layers(project()),
		"empty":   {Title: "Plan", Plan: true},
	}
	for name, g := range graphs {
		for ending, f := range formats() {
			t.Run(name+"."+ending, func(t *testing.T) {
				got := drawn(t, f, g)
				if again := drawn(t, f, g); again != got {
					t.Error("the same graph is not drawn in the same way")
				}
				// What is the same in all pages is not in the golden files.
				got = policy.ReplaceAllString(own.ReplaceAllString(got, "$1$2"), "sha256-$1")
				file := filepath.Join("testdata", name+"."+ending)
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s is not as expected; look at what -update makes of it. It is now:\n%s", file, got)
				}
			})
		}
	}
}

// TestLarge draws a large site in every format: all of it is there.
func TestLarge(t *testing.T) {
	g := Of(site(300))
	for ending, f := range formats() {
		got := drawn(t, f, g)
		for _, n := range g.Nodes {
			if !strings.Contains(got, string(n.ID)) {
				t.Errorf("%s: node %s is not there", ending, n.ID)
			}
			for _, image := range n.Images {
				if !strings.Contains(got, image) {
					t.Errorf("%s: image %s is not there", ending, image)
				}
			}
		}
		if ending == "html" && len(got) > 300_000 {
			t.Errorf("the page has %d bytes", len(got))
		}
	}
}

func TestMermaidLeavesReasonsOut(t *testing.T) {
	p, images := site(500)
	for i := range p.Nodes {
		p.Nodes[i].Reason = strings.Repeat("because ", 20)
	}
	got := drawn(t, Mermaid, Of(p, images))
	if len(got) >= mermaidMost || strings.Contains(got, "because") || !strings.Contains(got, "build") {
		t.Errorf("%d bytes, and with the reasons: %v", len(got), strings.Contains(got, "because"))
	}
}

// TestClosed closes what is kept in large graphs, and nothing in small ones.
func TestClosed(t *testing.T) {
	closed := func(g Graph) (n int) {
		count, kept := g.below(g.forest())
		var walk func([]*item)
		walk = func(list []*item) {
			for _, it := range list {
				if it.Closed {
					n++
					at := indexOf(g, it.ID)
					if !kept[at] || count[at] == 0 {
						t.Errorf("%s is closed: below it are %d nodes, all kept: %v", it.ID, count[at], kept[at])
					}
				}
				walk(it.Children)
			}
		}
		walk(items(g, g.forest()))
		return n
	}
	p, _ := site(50)
	if n := closed(Of(p, nil)); n > 0 {
		t.Errorf("%d closed subtrees in a small graph", n)
	}
	p, _ = site(300)
	if n := closed(Of(p, nil)); n == 0 {
		t.Error("no closed subtree in a large graph")
	}
	for i := range p.Nodes {
		p.Nodes[i].Action = plan.Build
	}
	if n := closed(Of(p, nil)); n > 0 {
		t.Errorf("%d closed subtrees where all is built", n)
	}
}

func indexOf(g Graph, id layer.NodeID) int {
	for i, n := range g.Nodes {
		if n.ID == id {
			return i
		}
	}
	return -1
}

func TestWrap(t *testing.T) {
	tests := []struct {
		text         string
		width, lines int
		want         string
	}{
		{"", 10, 2, ""},
		{"short", 10, 2, "short"},
		{"files/motd changed", 10, 0, "files/motd|changed"},
		{"slurm-compute-gpu-large", 10, 0, "slurm-|compute-|gpu-large"},
		{"abcdefghijklmnopqrstuvwxyz", 10, 0, "abcdefghij|klmnopqrst|uvwxyz"},
		{"one two three four five six", 10, 2, "one two|three fou…"},
		{"節点節点節点", 6, 0, "節点節|点節点"},
		{"new\nline\x00\u202eend", 40, 0, `new\nline\x00\u202eend`},
		{"\xff\xfe", 40, 0, `\xff\xfe`},
	}
	for _, test := range tests {
		got := wrap(test.text, test.width, test.lines)
		if strings.Join(got, "|") != test.want {
			t.Errorf("wrap(%q, %d, %d): %q, want %q", test.text, test.width, test.lines, got, test.want)
		}
		for _, line := range got {
			if cells(line) > test.width {
				t.Errorf("%q is wider than %d", line, test.width)
			}
		}
	}
}

// What the text of a plan says of its commits and repositories, pictures say as well.
func TestAbout(t *testing.T) {
	p, images := figures()
	g := Of(p, images)
	if len(g.About) != 2 || p.SinceText()+p.ReposText() != strings.Join(g.About, "\n")+"\n" {
		t.Errorf("about %q", g.About)
	}
	for ending, f := range formats() {
		got := drawn(t, f, g)
		for _, want := range []string{"main has 2 commits that are not in what is planned", "at 3333333 merged with main 2222222"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q", ending, want)
			}
		}
	}
	for ending, want := range map[string]string{"svg": "1 image has other tests", "html": "1 image has other tests"} {
		if !strings.Contains(drawn(t, formats()[ending], g), want) {
			t.Errorf("%s lacks %q", ending, want)
		}
	}
}
