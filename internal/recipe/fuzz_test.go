package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/strata-hpc/strata/internal/fault"
)

// FuzzLoad: no text makes Load panic; every mistake has its place in the file;
// and what Load accepts, the schema accepts.
func FuzzLoad(f *testing.F) {
	seed(f)
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text, schema) })
}

// FuzzLayer is FuzzLoad with the text inside of a layer that is right otherwise,
// so that more of it gets accepted.
func FuzzLayer(f *testing.F) {
	for line := range agree() {
		f.Add(line)
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "\n", "\n    ")
		checkText(t, "strata: 1\nrepositories: {d: {type: apt, suite: bookworm}}\nlayers:\n  base:\n    from: {bootstrap: {distribution: debian, repositories: [d]}}\n    "+text+"\n", schema)
	})
}

// checkText loads a text and checks what FuzzLoad says.
func checkText(t *testing.T, text string, schema *jsonschema.Schema) {
	fsys := project()
	fsys["strata.yaml"] = &fstest.MapFile{Data: []byte(text)}
	p, err := Load(fsys, "strata.yaml", Options{})
	if err != nil {
		checkFaults(t, err)
		lines := len(newFile("", 0, text).lines)
		last := 0
		for _, e := range fault.All(err) {
			if e.File == "strata.yaml" && (e.Line < last || e.Line > lines+1) {
				t.Errorf("%v after line %d of %d", e, last, lines)
			}
			if e.File == "strata.yaml" {
				last = e.Line
			}
			if strings.Count(e.Snippet, "\n") > 1 {
				t.Errorf("snippet %q", e.Snippet)
			}
		}
		return
	}
	seen := map[string]bool{"": true}
	for _, n := range p.Nodes {
		if !seen[string(n.Parent)] || seen[string(n.ID)] || (n.Source == nil) == (n.Parent == "") {
			t.Errorf("node %+v is out of order", n)
		}
		seen[string(n.ID)] = true
	}
	doc, err := instance([]byte(strings.TrimPrefix(text, "\ufeff")))
	if err != nil && strings.Contains(err.Error(), "excessive aliasing") {
		return // the library's own limit is lower than ours
	}
	if err != nil {
		t.Fatalf("accepted, but the YAML library says %v", err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("accepted, but the schema says %v", err)
	}
}

// seed adds the good recipes and the bad ones.
func seed(f *testing.F) {
	good, _ := filepath.Glob("testdata/good/*.yaml")
	for _, name := range good {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	bad, _ := filepath.Glob("testdata/bad/*.txtar")
	for _, name := range bad {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(string(file.Data))
		}
	}
}
