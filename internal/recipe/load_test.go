package recipe

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

var update = flag.Bool("update", false, "write the golden files and the documents in docs anew")

// project is the project's directory of the tests, but for its strata.yaml.
func project() fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, name := range []string{
		"hsn.yml", "uan.yml", "slurm.yml", "more.yml", "inventory/hosts", "files/motd", "files/tree/a", "keys/rocky9.asc", "keys/site.gpg",
		"debs/tool_1.0_amd64.deb", "local.deb", "scripts/setup.sh", "roles/motd/tasks/main.yml", "collections/ansible_collections/x", "ansible.cfg",
	} {
		fsys[name] = &fstest.MapFile{Data: []byte("x\n")}
	}
	fsys["layers/extra.yaml"] = &fstest.MapFile{Data: []byte("layers:\n  extra: {parent: base}\n")}
	return fsys
}

// TestBad loads every archive in testdata/bad: its comment is what the person
// sees, its files are the project's, besides those of project.
func TestBad(t *testing.T) {
	archives, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Load(archiveFS(t, archive), "strata.yaml", Options{})
			checkFaults(t, err)
			got := render(err)
			if *update {
				archive.Comment = []byte(got + "\n")
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := strings.TrimRight(string(archive.Comment), "\n") + "\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// archiveFS lays an archive over the test project. Text between % signs stands
// for bytes that an archive cannot hold: %tab%, %nul%, %ff%.
func archiveFS(t *testing.T, archive *txtar.Archive) fs.FS {
	t.Helper()
	fsys := project()
	replace := strings.NewReplacer("%tab%", "\t", "%ff%", "\xff", "%bell%", "\a", "%bom%", "\xef\xbb\xbf")
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, "/") {
			fsys[strings.TrimSuffix(f.Name, "/")] = &fstest.MapFile{Mode: fs.ModeDir}
			continue
		}
		fsys[f.Name] = &fstest.MapFile{Data: []byte(replace.Replace(string(f.Data)))}
	}
	return fsys
}

// checkFaults checks what holds of every error of Load.
func checkFaults(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no mistake was found")
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("the error is no errors.Join: %T", err)
	}
	for _, e := range joined.Unwrap() {
		var f *fault.Error
		if !errors.As(e, &f) || f.Kind != fault.Input || f.File == "" || f.Message == "" {
			t.Errorf("%v is not a fault of kind input with a file", e)
		}
		if strings.HasSuffix(f.Message, ".") || strings.Contains(f.Message, "%!") || strings.Contains(f.Hint, "%!") {
			t.Errorf("message or hint is malformed: %v (%s)", f, f.Hint)
		}
	}
	if fault.KindOf(err) != fault.Input {
		t.Error("the kind of the whole error is not input")
	}
}

// render shows an error as a person gets to see it.
func render(err error) string {
	var b strings.Builder
	for _, f := range fault.All(err) {
		fmt.Fprintln(&b, f.Error())
		for line := range strings.Lines(f.Snippet) {
			fmt.Fprint(&b, "    ", line)
		}
		if f.Snippet != "" {
			fmt.Fprintln(&b)
		}
		if f.Hint != "" {
			fmt.Fprintln(&b, "  hint:", f.Hint)
		}
	}
	return strings.ReplaceAll(b.String(), "\t", "%tab%")
}

// TestGood loads every file in testdata/good and compares the project.
func TestGood(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			p := loadFile(t, name)
			got, err := json.MarshalIndent(readable(p), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, strings.TrimSuffix(name, ".yaml")+".golden", append(got, '\n'))
		})
	}
}

func loadFile(t *testing.T, name string) *layer.Project {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return mustLoad(t, string(text))
}

func mustLoad(t *testing.T, text string) *layer.Project {
	t.Helper()
	fsys := project()
	fsys["strata.yaml"] = &fstest.MapFile{Data: []byte(text)}
	p, err := Load(fsys, "strata.yaml", Options{})
	if err != nil {
		t.Fatalf("load: %v\n%s", err, render(err))
	}
	return p
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs (go test -update writes it anew); got\n%s", name, got)
	}
}

// readable names the kinds of the steps, which JSON would leave out.
func readable(p *layer.Project) any {
	type step struct {
		Kind string
		Step layer.Step
	}
	type node struct {
		layer.Node
		Steps []step
	}
	var nodes []node
	for _, n := range p.Nodes {
		out := node{Node: n}
		for _, s := range n.Steps {
			out.Steps = append(out.Steps, step{s.Kind(), s})
		}
		nodes = append(nodes, out)
	}
	return struct {
		*layer.Project
		Nodes []node
	}{p, nodes}
}

// TestDesign checks what the example of the design means.
func TestDesign(t *testing.T) {
	p := loadFile(t, "testdata/good/design.yaml")
	var order []string
	for _, n := range p.Nodes {
		order = append(order, string(n.ID)+"<"+string(n.Parent))
	}
	if got, want := strings.Join(order, " "), "base< hsn<base compute<hsn uan<hsn slurm-compute<compute slurm-uan<uan extra<base"; got != want {
		t.Errorf("nodes %s, want %s", got, want)
	}
	n, _ := p.Node("slurm-compute")
	if got := strings.Join(n.Groups, " "); got != "Compute HSN" {
		t.Errorf("groups of slurm-compute: %s", got)
	}
	if n.Pos.Line != 21 || n.Arch != "amd64" || n.Layer != "slurm" || n.Variant != "compute" {
		t.Errorf("slurm-compute: %+v", n)
	}
	if im, ok := p.Image("compute"); !ok || im.Tests[0].Timeout != 60 || len(im.Artifacts) != 3 {
		t.Errorf("image: %+v", im)
	}
}

// TestParentsFirst writes the children first.
func TestParentsFirst(t *testing.T) {
	p := mustLoad(t, `
strata: 1
layers:
  c: {parent: b}
  b: {parent: a}
  x: {variants: {one: {parent: y}, two: {parent: b}}}
  y: {variants: {one: {parent: a}, two: {parent: a}}}
  a: {from: {bootstrap: {distribution: debian, repositories: [d]}}}
repositories: {d: {type: apt, suite: bookworm}}
`)
	seen := map[layer.NodeID]bool{"": true}
	var order []string
	for _, n := range p.Nodes {
		if !seen[n.Parent] {
			t.Errorf("%s stands before its parent %s", n.ID, n.Parent)
		}
		seen[n.ID] = true
		order = append(order, string(n.ID))
	}
	if got, want := strings.Join(order, " "), "a b c y-one x-one x-two y-two"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}

// TestSameMeaning: what may be written in two ways gives the same project.
func TestSameMeaning(t *testing.T) {
	const head = "strata: 1\nrepositories: {d: {type: apt, suite: bookworm}}\nlayers:\n  base:\n    from: {bootstrap: {distribution: debian, repositories: [d]}}\n"
	for _, c := range [][2]string{
		{"    packages: [a, b]\n", "    packages: {install: [a, b]}\n"},
		{"    run: [x]\n", "    run: [{command: x, network: host}]\n"},
		{"    packages: []\n", ""},
		{"    packages: [&x a, *x]\n", "    packages: [a, a]\n"},
		{"    env: {A: 1, B: yes, C: 1.10, D: 2024-01-01}\n", "    env: {A: \"1\", B: \"yes\", C: \"1.10\", D: \"2024-01-01\"}\n"},
		{"    files: [&f {dest: /a, content: x}, {<<: *f, dest: /b}]\n", "    files: [{dest: /a, content: x}, {dest: /b, content: x, owner: root}]\n"},
		{"    run: [x]\n    packages: [y]\n", "    packages: [y]\n    run: [x]\n"},
	} {
		a, b := mustLoad(t, head+c[0]), mustLoad(t, head+c[1])
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s and %s differ:\n%+v\n%+v", c[0], c[1], a.Nodes, b.Nodes)
		}
	}
}

// TestInherited: secrets are a layer's own, environment and labels go on.
func TestInherited(t *testing.T) {
	p := loadFile(t, "testdata/good/full.yaml")
	n, ok := p.Node("apps-compute")
	if got := strings.Join(n.Repositories, " "); got != "debian local flat" {
		t.Errorf("repositories of apps-compute: %s", got)
	}
	if !ok || len(n.Secrets) != 0 || n.Env["SITE"] != "hpc" || n.Env["LEVEL"] != "3" || n.Labels["org.example.team"] != "os" {
		t.Errorf("apps-compute: %+v", n)
	}
}

// TestUnreadable is for what a txtar cannot hold.
func TestUnreadable(t *testing.T) {
	for name, want := range map[string]string{
		"missing.yaml": "missing.yaml: does not exist",
		"inventory":    "inventory: is a directory, not a file",
		"../x.yaml":    "../x.yaml: \"../x.yaml\" leaves the project's directory",
		"/x.yaml":      "/x.yaml: \"/x.yaml\" leaves the project's directory",
	} {
		_, err := Load(project(), name, Options{})
		checkFaults(t, err)
		if err.Error() != want {
			t.Errorf("%s: got %q, want %q", name, err, want)
		}
	}
	if os.Getuid() == 0 {
		return // who may read everything
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "strata.yaml"), nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(os.DirFS(dir), "strata.yaml", Options{}); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
}

// TestArch: the machine's architecture is that of every node.
func TestArch(t *testing.T) {
	text := "strata: 1\nrepositories: {d: {type: apt, suite: bookworm}}\nlayers:\n  base: {arch: arm64, from: {bootstrap: {distribution: debian, repositories: [d]}}}\n"
	p, err := Load(fstest.MapFS{"strata.yaml": {Data: []byte(text)}}, "strata.yaml", Options{Arch: "arm64"})
	if err != nil || p.Nodes[0].Arch != "arm64" {
		t.Errorf("got %v, %v", p, err)
	}
}
