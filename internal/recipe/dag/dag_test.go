package dag

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/recipe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGood imports every archive in testdata/good: strata.yaml and notes are what
// comes out of dag.yaml, and nodes is the graph as package recipe sees it.
func TestGood(t *testing.T) {
	each(t, "testdata/good", func(t *testing.T, archive *txtar.Archive) []txtar.File {
		in := archive.Files[0]
		got, err := Import(in.Name, in.Data, flags(t, archive))
		if err != nil {
			t.Fatal(render(err))
		}
		var notes, nodes bytes.Buffer
		for _, n := range got.Notes {
			fmt.Fprintf(&notes, "%d:%d: %s\n", n.Line, n.Column, n.Message)
		}
		p := load(t, got)
		for _, n := range p.Nodes {
			fmt.Fprintf(&nodes, "%s <- %s %v\n", n.ID, n.Parent, n.Groups)
		}
		for _, im := range p.Images {
			fmt.Fprintf(&nodes, "image %s: %s\n", im.Name, im.Node)
		}
		return []txtar.File{in, {Name: "strata.yaml", Data: got.Recipe}, {Name: "notes", Data: notes.Bytes()}, {Name: "nodes", Data: nodes.Bytes()}}
	})
}

// TestBad imports every archive in testdata/bad: its comment is what a person sees.
func TestBad(t *testing.T) {
	each(t, "testdata/bad", func(t *testing.T, archive *txtar.Archive) []txtar.File {
		in := archive.Files[0]
		text := strings.NewReplacer("%tab%", "\t", "%ff%", "\xff").Replace(string(in.Data))
		_, err := Import(in.Name, []byte(text), flags(t, archive))
		checkFaults(t, err)
		return []txtar.File{in, {Name: "faults", Data: []byte(render(err))}}
	})
}

// flags are what the last line of an archive's comment says, as "with FLAG VALUE...".
func flags(t *testing.T, archive *txtar.Archive) Options {
	lines := strings.Split(strings.TrimSpace(string(archive.Comment)), "\n")
	words := strings.Fields(lines[len(lines)-1])
	opts := Options{Dir: "/home/site"}
	if len(words) == 0 || words[0] != "with" {
		return opts
	}
	opts.Repos = map[string]string{}
	for words = words[1:]; len(words) > 1; words = words[2:] {
		switch name, url, _ := strings.Cut(words[1], "="); words[0] {
		case "--repo":
			opts.Repos[name] = url
		case "--repo-base":
			opts.RepoBase = words[1]
		case "--cluster":
			opts.Cluster = words[1]
		default:
			t.Fatalf("%s: no such flag", words[0])
		}
	}
	return opts
}

// each runs a test for every archive in a directory; what it returns is what the
// archive's files must be.
func each(t *testing.T, dir string, test func(*testing.T, *txtar.Archive) []txtar.File) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if len(names) == 0 {
		t.Fatal("no archives")
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := string(txtar.Format(archive))
			archive.Files = test(t, archive)
			got := string(txtar.Format(archive))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// load loads an imported recipe, which must be right.
func load(t testing.TB, r *Result) *layer.Project {
	t.Helper()
	p, err := recipe.Load(everything(r.Recipe), "strata.yaml", recipe.Options{})
	if err != nil {
		t.Fatalf("%s\n%s", render(err), r.Recipe)
	}
	if len(p.Nodes) != r.Nodes || len(p.Images) != r.Images || r.Images == 0 {
		t.Errorf("%d nodes and %d images, not %d and %d", r.Nodes, r.Images, len(p.Nodes), len(p.Images))
	}
	return p
}

// everything is a file system that holds every file; strata.yaml is its own text.
type everything string

func (e everything) Open(name string) (fs.File, error) {
	return &thing{name, strings.NewReader(string(e))}, nil
}

type thing struct {
	name string
	*strings.Reader
}

func (f *thing) Stat() (fs.FileInfo, error) { return f, nil }
func (f *thing) Close() error               { return nil }
func (f *thing) Name() string               { return f.name }
func (f *thing) Mode() fs.FileMode          { return 0o644 }
func (f *thing) ModTime() time.Time         { return time.Time{} }
func (f *thing) IsDir() bool                { return false }
func (f *thing) Sys() any                   { return nil }

// checkFaults checks what holds of every error of Import.
func checkFaults(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f *fault.Error
		if !errors.As(e, &f) || f.Kind != fault.Input || f.File == "" || f.Message == "" {
			t.Errorf("%v is not a fault of kind input with a file", e)
		}
		if strings.HasSuffix(f.Message, ".") || strings.Contains(f.Message+f.Hint, "%!") || strings.ContainsAny(f.Message+f.Hint, "\n\x00") {
			t.Errorf("message or hint is malformed: %q (%q)", f, f.Hint)
		}
	}
}

// render shows an error as a person gets to see it.
func render(err error) string {
	var b strings.Builder
	for _, f := range fault.All(err) {
		fmt.Fprintln(&b, f.Error())
		if f.Snippet != "" {
			fmt.Fprintln(&b, "  | "+strings.ReplaceAll(f.Snippet, "\n", "\n  | "))
		}
		if f.Hint != "" {
			fmt.Fprintln(&b, "  hint:", f.Hint)
		}
	}
	return b.String()
}

// TestDocs holds the example of the page about the import against what comes out.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/import-dag.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```")
	in, want := strings.TrimPrefix(blocks[1], "yaml\n"), strings.TrimPrefix(blocks[3], "yaml\n")
	got, err := Import("dag.yaml", []byte(in), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Recipe) != want {
		t.Errorf("got\n%s\nwant\n%s", got.Recipe, want)
	}
	for _, n := range got.Notes {
		if line := fmt.Sprintf("    strata: note: dag.yaml:%d: %s\n", n.Line, n.Message); !strings.Contains(blocks[4], line) {
			t.Errorf("the page lacks %s", line)
		}
	}
	load(t, got)
}

// TestCluster names the cluster.
func TestCluster(t *testing.T) {
	const text = "image_types: [{type: base, firstlayer: debian}]\n"
	r, err := Import("dag.yaml", []byte(text), Options{Cluster: "eagle"})
	if err != nil || !bytes.Contains(r.Recipe, []byte("cluster: {name: eagle}\n")) {
		t.Errorf("%v\n%s", err, r.Recipe)
	}
	if load(t, r).Cluster.Name != "eagle" {
		t.Error("another name")
	}
	if _, err := Import("dag.yaml", []byte(text), Options{Cluster: "a b"}); fault.KindOf(err) != fault.Input {
		t.Error(err)
	}
}

// TestManyParents refuses a few lines that stand for very many nodes, and takes
// a long chain.
func TestManyParents(t *testing.T) {
	text := "image_types:\n- {type: l0, firstlayer: true, children: [a0, b0]}\n"
	for i := range 40 {
		for _, side := range "ab" {
			text += fmt.Sprintf("- {type: %c%d, pb: x.yml, children: [a%d, b%d]}\n", side, i, i+1, i+1)
		}
	}
	text += "- {type: a40, pb: x.yml}\n- {type: b40, pb: x.yml}\n"
	_, err := Import("dag.yaml", []byte(text), Options{})
	checkFaults(t, err)
	if !strings.Contains(err.Error(), "more than 5000 nodes") {
		t.Error(err)
	}
	text = "image_types:\n- {type: l0, firstlayer: true, children: [l1]}\n"
	for i := 1; i < 3000; i++ {
		text += fmt.Sprintf("- {type: l%d, pb: x.yml, children: [l%d]}\n", i, i+1)
	}
	text += "- {type: l3000, pb: x.yml}\n"
	r, err := Import("dag.yaml", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	load(t, r)
}

// TestBomb refuses aliases at once, however many values they would stand for.
func TestBomb(t *testing.T) {
	text := "a0: &a0 [x]\n"
	for i := range 60 {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	_, err := Import("dag.yaml", []byte(text), Options{})
	checkFaults(t, err)
	_, err = Import("dag.yaml", []byte("a: "+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"\n"), Options{})
	checkFaults(t, err)
	_, err = Import("dag.yaml", bytes.Repeat([]byte("#\n"), 1<<20), Options{})
	checkFaults(t, err)
	for _, item := range []string{"[],", "{type: a},", "{type: a, x: y},", "{groups: [a, b, c]},"} {
		// On one line, so that all snippets are of a very long line.
		_, err = Import("dag.yaml", []byte("image_types: ["+strings.Repeat(item, 15_000)+"]\n"), Options{})
		checkFaults(t, err)
		if n := len(fault.All(err)); n > maxFaults+1 {
			t.Errorf("%d faults for %s", n, item)
		}
	}
}

// TestPlaces wants of every place that is given for a repository that it is one.
func TestPlaces(t *testing.T) {
	const text = "a: {repo: A, image_types: [{type: x, firstlayer: true}]}\n"
	for given, want := range map[string]string{
		"https://git.example/a.git":  "https://git.example/a.git",
		"git@git.example:a.git":      "git@git.example:a.git",
		"/srv/a":                     "/srv/a",
		"../a":                       "/home/a",
		"a:b":                        "a:b",
		"./a:b":                      "/home/site/a:b",
		"https://me@git.example/a":   "",
		"ssh://me:word@git.example/": "",
		"--upload-pack=x":            "",
		"a b":                        "",
		"~/a":                        "",
		"a\x1b":                      "",
	} {
		for _, opts := range []Options{{Repos: map[string]string{"A": given}, Dir: "/home/site"}, {RepoBase: given, Dir: "/home/site"}} {
			r, err := Import("dag.yaml", []byte(text), opts)
			if want == "" {
				if fault.KindOf(err) != fault.Input || strings.Contains(err.Error(), "word@") || strings.Contains(err.Error(), "\x1b") {
					t.Errorf("%q: %v", given, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%q: %v", given, err)
			}
			url := want
			if opts.RepoBase != "" {
				url = strings.TrimSuffix(want, "/") + "/A"
			}
			if !bytes.Contains(r.Recipe, []byte("repo: {url: "+scalar(url)+"}\n")) {
				t.Errorf("%q: no %s in\n%s", given, url, r.Recipe)
			}
		}
	}
}

// FuzzImport wants no panic, the same result twice, places that exist, and a
// recipe that package recipe takes.
func FuzzImport(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		names, _ := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
		for _, name := range names {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(archive.Files[0].Data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := Import("dag.yaml", []byte(text), Options{RepoBase: "https://git.example"})
		second, err2 := Import("dag.yaml", []byte(text), Options{RepoBase: "https://git.example"})
		if fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("%v, then %v", err, err2)
		}
		if err != nil {
			checkFaults(t, err)
			return
		}
		if !bytes.Equal(first.Recipe, second.Recipe) || fmt.Sprint(first.Notes) != fmt.Sprint(second.Notes) {
			t.Errorf("%s\nthen\n%s", first.Recipe, second.Recipe)
		}
		for _, n := range first.Notes {
			if n.Line < 1 || strings.ContainsAny(n.Message, "\n\r") {
				t.Errorf("note %+v", n)
			}
		}
		load(t, first)
		// Without places, they are all that is missing.
		third, err := Import("dag.yaml", []byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = recipe.Load(everything(third.Recipe), "strata.yaml", recipe.Options{})
		for _, f := range fault.All(err) {
			if !strings.Contains(f.Message, "is still to be filled in") {
				t.Errorf("%s\n%s", f, third.Recipe)
			}
		}
	})
}
