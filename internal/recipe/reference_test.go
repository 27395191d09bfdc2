package recipe

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/fault"
)

// TestExamples decodes every example of the reference, and wants one for every
// section.
func TestExamples(t *testing.T) {
	names, err := fs.Glob(examples, "examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(Reference()), "\n## ")[1:]
	for _, s := range sections {
		title, _, _ := strings.Cut(s, "\n")
		if title != "Not supported yet" && !strings.Contains(s, "```yaml") {
			t.Errorf("section %s has no example", title)
		}
	}
	if len(names) != len(sections)-1 {
		t.Errorf("%d examples for %d sections", len(names), len(sections)-1)
	}
	for _, name := range names {
		text := example(strings.TrimPrefix(name, "examples/"))
		if !strings.HasPrefix(text, "strata:") {
			text = "strata: 1\n" + text
		}
		l := &loader{fsys: fstest.MapFS{}, faults: &faults{}}
		f := newFile(name, 0, text)
		w := newWalker(nil, f, l.faults) // without a file system, files are not looked for
		decodeInto(w, l.parse(f), &projectDoc{})
		for _, e := range fault.All(l.faults.err()) {
			t.Errorf("%v (%s)", e, e.Hint)
		}
	}
}
