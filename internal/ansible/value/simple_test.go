package value

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sameAsAny holds what is read in the simple way against the parser of all of YAML; false
// if the text was left to that.
func sameAsAny(t *testing.T, what string, text []byte) bool {
	t.Helper()
	got, ok := simple(text)
	if !ok {
		return false
	}
	want, err := anyYAML(text)
	if err != nil {
		t.Errorf("%s is read, and no YAML: %v\n%s", what, err, text)
	} else if !reflect.DeepEqual(got, want) {
		t.Errorf("%s comes to\n%+v, and is\n%+v\n%s", what, got, want, text)
	}
	return true
}

// TestSimpleFiles reads the files of the projects that are here.
func TestSimpleFiles(t *testing.T) {
	all, read := 0, 0
	root := "../../.."
	if dir := os.Getenv("STRATA_TEST_YAML"); dir != "" {
		root = dir
	}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(name); err != nil || !d.Type().IsRegular() || ext != ".yml" && ext != ".yaml" && ext != ".txtar" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for i, part := range strings.Split(string(text), "\n-- ") { // of an archive, each file
			if i > 0 {
				_, part, _ = strings.Cut(part, "--\n")
			}
			all++
			if sameAsAny(t, name, []byte(part)) {
				read++
			}
		}
		return nil
	})
	if err != nil || read == 0 {
		t.Fatalf("%d of %d texts are simple, %v", read, all, err)
	}
	t.Logf("%d of %d texts are simple", read, all)
}

// pieces are what texts are made of, those too that are left to the other parser.
var pieces = []string{
	"a", "key", "b.c", "x-y", "true", "yes", "012", "1.10", "2024-01-02", "null", "~", "-1", "- ", "-", "---", "...", ":", ": ", ":\n", "\n", "\n\n", "  ", "    ",
	"a: ", "b: ", "key: ", "- a: ", "- key:\n", "\n  a: b", "\n- ", "\n  - ", "\n    c: d", " #", "# c\n", " # c", "\"", "'", "\"q\"", "'q'", "''", "\"a: b\"", "\\", "[", "]", "[]",
	"[a, b]", "['x', \"y\"]", ", ", "{", "}", "{}", "{a: b}", "{{ x }}", "'{{ x }}'", "|", "|\n    text\n", ">", "&a ", "*a", "!vault ", "<<: ", "? ", "%", "@", "`", "é", "\t", "\r\n", " ",
}

// TestSimpleIsYAML makes texts of pieces at random.
func TestSimpleIsYAML(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	read := 0
	for range 300_000 {
		var b strings.Builder
		for range 1 + random.IntN(14) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		if sameAsAny(t, "it", []byte(b.String())) {
			read++
		}
		if t.Failed() {
			return
		}
	}
	if read < 1000 {
		t.Errorf("%d texts were simple", read)
	}
	t.Logf("%d texts were simple", read)
}

// FuzzSimple looks for texts that mean something else to the two parsers.
func FuzzSimple(f *testing.F) {
	for _, text := range []string{"a: b\n", "- a: 1\n  b: [c, 'd']\n", "---\n# c\na:\n- \"x\" # y\n- z\nb:\n  c: -1\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsAny(t, "it", []byte(text)) })
}
