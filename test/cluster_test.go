package test

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheExampleClusterBoots builds the example's images and boots both, with
// their tests, as a cluster node boots them.
func TestTheExampleClusterBoots(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several minutes")
	}
	needRoot(t)
	p := emptyProject(t, "", "", nil).freshStore()
	p.dir = filepath.Join(p.top, "cluster")
	must(t, exec.Command("cp", "-a", "../examples/cluster", p.dir))
	p.compareFacts()
	b := p.build()
	if len(b.Images) != 2 {
		t.Fatalf("built images %v", b.Images)
	}
	for _, name := range []string{"compute", "uan"} {
		t.Run(name, func(t *testing.T) { bootsWithTests(t, p, name) })
	}
	t.Run("nothing changed", func(t *testing.T) {
		for _, n := range p.build().Nodes {
			if n.Status != "cached" {
				t.Errorf("node %s was %s: %s", n.ID, n.Status, n.Reason)
			}
		}
	})
	t.Run("a variable of one image type", func(t *testing.T) {
		p.replace("inventory/group_vars/UAN/uan.yml", "limits_user_cpu_weight: 50", "limits_user_cpu_weight: 40")
		for _, n := range p.build().Nodes {
			touched := n.ID == "uan" || n.ID == "slurm-uan"
			if (n.Status != "cached") != touched {
				t.Errorf("node %s was %s: %s", n.ID, n.Status, n.Reason)
			}
		}
	})
}

// bootsWithTests boots an image and looks at the JUnit report.
func bootsWithTests(t *testing.T, p *project, name string) {
	report := filepath.Join(p.tmp, name+".xml")
	args := []string{"boot", name, "--report", report}
	if name == "uan" { // as a pipeline's job does it
		dir := filepath.Join(p.tmp, "artifacts")
		must(t, p.command("export", name, dir))
		args = append(args, "--from", dir)
		defer os.RemoveAll(dir)
	}
	must(t, p.command(args...))
	content, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		XMLName  xml.Name
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	text := string(content)
	if i := strings.Index(text, "<testsuite "); i > 0 {
		text = text[i:]
	}
	if err := xml.Unmarshal([]byte(text), &suite); err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	if suite.Tests < 5 || suite.Failures != 0 {
		t.Errorf("%d tests, %d failed\n%s", suite.Tests, suite.Failures, content)
	}
}

// replace changes a text in one of the project's files.
func (p *project) replace(name, old, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	content, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		p.t.Fatalf("%s has no %q", name, old)
	}
	p.write(name, strings.ReplaceAll(string(content), old, text))
}
