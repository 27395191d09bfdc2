package recipe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
)

// loader reads a recipe's files.
type loader struct {
	fsys         fs.FS
	faults       *faults
	main         *file
	files        []string // that were read
	repositories []reference
	repo         func(layer.Repo, string) (string, error)
	joined       *sharedRepos // of all files
	bytes        int          // that were read
	broken       bool         // a file could not be read, so names that are not there may be in it
}

// load reads the main file and those it includes. It is false where there is no
// document to go on with.
func (l *loader) load(name string) (*projectDoc, []*includedDoc, bool) {
	l.main = newFile(name, 0, "")
	if !fs.ValidPath(name) {
		l.faults.add(l.main.at(0, 0), "name a file in the project's directory", "%s leaves the project's directory", quote(name))
		return nil, nil, false
	}
	text, problem, hint := l.read(name)
	if problem != "" {
		l.faults.add(l.main.at(0, 0), hint, "%s", problem)
		return nil, nil, false
	}
	l.main = newFile(name, 0, text)
	root := l.parse(l.main)
	if root == nil || !l.versionFits(root) {
		return nil, nil, false
	}
	doc := &projectDoc{}
	l.decode(l.main, root, doc)
	fragments := []*includedDoc{&doc.includedDoc}
	return doc, append(fragments, l.include(doc.Include)...), true
}

// decode decodes a file's tree.
func (l *loader) decode(f *file, root *yaml.Node, doc any) {
	w := newWalker(l.fsys, f, l.faults)
	w.repo = l.repo
	if l.joined == nil {
		l.joined = w.joined
	}
	w.joined = l.joined
	decodeInto(w, root, doc)
	l.repositories = append(l.repositories, w.repositories...)
}

// decodeInto decodes a tree into the document that doc points to.
func decodeInto(w *walker, root *yaml.Node, doc any) {
	value := reflect.ValueOf(doc).Elem()
	w.decode(root, shapeOf(value.Interface()), value, site{"", root})
}

// include reads the files that the patterns of the main file match, each once,
// in the order of the patterns and then of their names.
func (l *loader) include(patterns []word) []*includedDoc {
	var docs []*includedDoc
	seen := map[string]bool{}
	w := newWalker(l.fsys, l.main, l.faults)
	for i, p := range patterns {
		for _, name := range l.match(w, p, fmt.Sprintf("include[%d]", i)) {
			if seen[name] {
				continue
			}
			seen[name] = true
			if doc := l.fragment(name, p.At, len(seen)); doc != nil {
				docs = append(docs, doc)
			}
		}
	}
	return docs
}

// match returns the files that a pattern stands for.
func (l *loader) match(w *walker, p word, where string) []string {
	if p.Text == "" {
		return nil
	}
	pattern, ok := w.inside(p, where)
	if !ok {
		return nil
	}
	if strings.Contains(pattern, "**") {
		l.faults.add(p.At, "name every directory: layers/*.yaml, layers/*/*.yaml", "%s: ** is not understood", where)
		return nil
	}
	names, err := fs.Glob(l.fsys, pattern)
	bad := l.outside(pattern)
	switch {
	case bad != nil:
		names = nil
		l.faults.add(p.At, hintOf(bad, ""), "%s: %s %s", where, p.Text, plain(bad))
	case err != nil:
		l.faults.add(p.At, "", "%s: %s is not a pattern", where, quote(p.Text))
	case len(names) == 0 && !strings.ContainsAny(pattern, "*?[\\"):
		l.faults.add(p.At, w.likePath(pattern), "%s: %s does not exist", where, p.Text)
	case len(names) == 0:
		l.faults.add(p.At, "patterns begin at the project's directory", "%s: no file matches %s", where, quote(p.Text))
	}
	l.broken = l.broken || len(names) == 0
	return names
}

// outside is the error for a link on the way of a pattern that leads out of the
// project: for fs.Glob, what is behind it is not there.
func (l *loader) outside(pattern string) error {
	parts := strings.Split(pattern, "/")
	for i := range parts {
		names, _ := fs.Glob(l.fsys, path.Join(parts[:i+1]...))
		for _, name := range names {
			if err := stat(l.fsys, name); len(fault.All(err)) > 0 {
				return err
			}
		}
		if len(names) == 0 {
			if err := stat(l.fsys, path.Join(parts[:i+1]...)); len(fault.All(err)) > 0 {
				return err
			}
		}
	}
	return nil
}

func stat(fsys fs.FS, name string) error {
	_, err := fs.Stat(fsys, name)
	return err
}

// fragment reads an included file; nil when there is nothing in it to use.
func (l *loader) fragment(name string, from place, order int) *includedDoc {
	if name == l.main.name {
		l.faults.add(from, "put the files to include in a directory of their own", "%s includes itself", name)
		return nil
	}
	text, problem, hint := l.read(name)
	if problem != "" {
		l.broken = true
		l.faults.add(from, hint, "%s: %s", name, problem)
		return nil
	}
	f := newFile(name, order, text)
	root := l.parse(f)
	if root == nil {
		l.broken = true
		return nil
	}
	doc := &includedDoc{}
	l.decode(f, root, doc)
	return doc
}

// read returns a file's text, or what is wrong with the file and a hint.
func (l *loader) read(name string) (text, problem, hint string) {
	l.files = append(l.files, name)
	data, err := limit.Read(l.fsys, name, limit.Recipe)
	if l.bytes += len(data); err == nil && l.bytes > limit.Recipes {
		return "", fmt.Sprintf("is one too many: with it, strata.yaml and what it includes have more than %d MiB", limit.Recipes>>20), "include fewer files"
	}
	if err == nil {
		err = limit.YAML(data, limit.RecipeValues)
	}
	if err != nil {
		if info, statErr := fs.Stat(l.fsys, name); statErr == nil && info.IsDir() {
			return "", "is a directory, not a file", "name the file in it"
		}
		if errors.Is(err, fs.ErrNotExist) {
			w := newWalker(l.fsys, l.main, l.faults)
			return "", "does not exist", missingHint(w.likePath(name))
		}
		return "", plain(err), hintOf(err, "")
	}
	// A byte order mark says nothing in UTF-8, and editors on Windows write it.
	return strings.TrimPrefix(string(data), "\ufeff"), "", ""
}

func missingHint(like string) string {
	if strings.HasPrefix(like, "did you mean") {
		return like
	}
	return "start strata in the project's directory, or name it with -C DIR, or the file with -f FILE"
}

// badOffset is the offset of the first byte that is not UTF-8, or -1.
func badOffset(text string) int {
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return -1
}

// plain tells an error of a file system in words.
func plain(err error) string {
	var pathErr *fs.PathError
	var said *fault.Error
	switch {
	case errors.As(err, &said):
		return "cannot be read: " + said.Message
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "cannot be read: permission denied"
	case errors.As(err, &pathErr):
		err = pathErr.Err
	}
	return "cannot be read: " + err.Error()
}

// hintOf is what an error of a file system says is to be done, or else other.
func hintOf(err error, other string) string {
	if said, ok := errors.AsType[*fault.Error](err); ok && said.Hint != "" {
		return said.Hint
	}
	return other
}

// parse returns the root of a file's one document, or nil.
func (l *loader) parse(f *file) *yaml.Node {
	if i := badOffset(f.text); i >= 0 {
		before := newFile(f.name, f.order, f.text[:i])
		line := len(before.lines)
		l.faults.add(f.at(line, column(before.line(line), i)), "save it as UTF-8", "the file is not UTF-8 text")
		return nil
	}
	if strings.Trim(f.text, " \t\r\n") == "" {
		l.empty(f)
		return nil
	}
	dec := yaml.NewDecoder(strings.NewReader(f.text))
	var first, second yaml.Node
	err := dec.Decode(&first)
	switch {
	case errors.Is(err, io.EOF):
		l.empty(f)
		return nil
	case err != nil:
		l.syntax(f, err)
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		l.faults.add(secondDocument(f, &second), "put the second one into a file of its own and include it", "the file holds more than one YAML document")
		return nil
	} else if !errors.Is(err, io.EOF) {
		l.syntax(f, err)
		return nil
	}
	root := first.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		l.empty(f)
		return nil
	}
	return root
}

// secondDocument is the line with the dashes before the second document.
func secondDocument(f *file, second *yaml.Node) place {
	for n := min(second.Line, len(f.lines)); n > 0; n-- {
		if strings.HasPrefix(f.line(n), "---") {
			return f.at(n, 1)
		}
	}
	return f.at(max(second.Line, 1), 1)
}

func (l *loader) empty(f *file) {
	hint := "write layers, images or repositories into it, or do not include it"
	if f == l.main {
		hint = fmt.Sprintf("begin with \"strata: %d\"; %s has an example", version, path.Join("docs", "configuration.md"))
	}
	l.faults.add(f.at(0, 0), hint, "the file is empty")
}

// versionFits looks at the version before all else, since a file of another
// version would only give misleading mistakes.
func (l *loader) versionFits(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		return true
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Value != "strata" || value.ShortTag() != "!!int" || value.Value == fmt.Sprint(version) {
			continue
		}
		l.faults.add(l.main.at(value.Line, value.Column), fmt.Sprintf("this strata reads version %d; for a later one it has to be newer", version), "version %s of the file format is not known", value.Value)
		return false
	}
	return true
}
