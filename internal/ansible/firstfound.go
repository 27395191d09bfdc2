package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// candidate is a file that first_found looks for: of one of these names.
type candidate struct {
	names []string
	sure  bool // it is one of these, and not a list of them or nothing
}

// firstFound is what a list of files of which the first is taken can come to. It
// is looked for in a directory of the role's, or of the playbook's.
func (w *walk) firstFound(items value.Value, o owner, in string) []outcome {
	var all []candidate
	for _, term := range items.List() {
		s := w.shapeOf(term)
		found := w.term(s, o)
		if !w.hasValue(s) { // Ansible goes on to the next one
			for i := range found {
				found[i].sure = false
			}
		}
		all = append(all, found...)
	}
	return w.firstOf(all, o, in)
}

// hasValue reports whether all that is in a shape certainly has a value.
func (w *walk) hasValue(s jinja.Shape) bool {
	without := func(one jinja.Shape) bool { return !w.hasValue(one) }
	switch s := s.(type) {
	case nil, jinja.Literal, jinja.Scalar:
		return true
	case jinja.Variable:
		return w.surelyDefined(s.Name, s.Path)
	case jinja.Concat:
		return !slices.ContainsFunc(s, without)
	case jinja.List:
		return !slices.ContainsFunc(s, without)
	case jinja.Map:
		for _, one := range s {
			if without(one) {
				return false
			}
		}
		return true
	}
	return false
}

// lookedFor is what lookup('first_found') can come to.
func (w *walk) lookedFor(s jinja.Found, o owner) []outcome {
	var all []candidate
	for _, term := range s.Terms {
		if term != nil {
			all = append(all, w.term(term, o)...)
		}
	}
	all = append(all, w.filesIn(s.Paths, s.Files, o)...)
	return w.firstOf(all, o, "files")
}

// term is what a term of first_found stands for: a name, a mapping with files and
// paths, or a list of terms.
func (w *walk) term(s jinja.Shape, o owner) []candidate {
	switch s := s.(type) {
	case jinja.Map:
		return w.filesIn(s["paths"], s["files"], o)
	case jinja.List:
		var all []candidate
		for _, one := range s {
			all = append(all, w.term(one, o)...)
		}
		return all
	}
	found := w.outcomes(s, nil, o)
	if !slices.ContainsFunc(found, func(out outcome) bool { return !out.isText() && out.some == nil }) {
		return w.named(found, "")
	}
	v, named := s.(jinja.Variable)
	if len(found) == 1 || !named || o.loop != nil && o.loop.variable == v.Name {
		return w.among(found)
	}
	// Tasks of many roles may give one name values: what that comes to is found once.
	names := w.evaluated().once(node{name: v.Name, path: strings.Join(append(slices.Clone(v.Path), "first_found"), "\x00")}, func() []outcome {
		var all outcomes
		for _, c := range w.among(found) {
			for _, name := range c.names {
				all.add(textOutcome(name))
			}
		}
		return all.limited()
	})
	all := w.named(names, "")
	for i := range all {
		all[i].sure = false
	}
	return all
}

// among is what a term stands for that may be each of these.
func (w *walk) among(found []outcome) []candidate {
	var all []candidate
	for _, out := range found {
		switch {
		case out.isText() || out.some != nil:
			all = append(all, w.named([]outcome{out}, "")...)
		case out.list != nil:
			all = append(all, w.term(out.list, out.owner)...)
		case out.dict != nil:
			all = append(all, w.term(out.dict, out.owner)...)
		default:
			all = append(all, w.term(w.shapeOf(out.value), out.owner)...)
		}
	}
	for i := range all {
		all[i].sure = all[i].sure && len(found) == 1
	}
	return all
}

// filesIn are files in directories, as first_found joins them.
func (w *walk) filesIn(paths, files jinja.Shape, o owner) []candidate {
	dirs := []candidate{{[]string{""}, true}}
	if paths != nil {
		if given := w.splitAt(paths, o, ",;:"); len(given) > 0 {
			dirs = given
		}
	}
	if files == nil {
		return nil
	}
	var all []candidate
	for _, dir := range dirs {
		for _, file := range w.splitAt(files, o, ",;") {
			c := candidate{sure: dir.sure && file.sure}
			for _, d := range dir.names {
				for _, f := range file.names {
					if d != "" {
						f = strings.TrimSuffix(d, "/") + "/" + f
					}
					c.names = append(c.names, f)
				}
			}
			all = append(all, c)
		}
	}
	return all
}

// splitAt are the names of a list, or of a text that is split at any of some
// signs.
func (w *walk) splitAt(s jinja.Shape, o owner, signs string) []candidate {
	if list, ok := s.(jinja.List); ok {
		var all []candidate
		for _, one := range list {
			all = append(all, w.splitAt(one, o, signs)...)
		}
		return all
	}
	found := w.outcomes(s, nil, o)
	if len(found) == 1 && found[0].list != nil {
		return w.splitAt(found[0].list, found[0].owner, signs)
	}
	if len(found) == 1 && found[0].value.Kind == value.List {
		return w.splitAt(w.shapeOf(found[0].value), found[0].owner, signs)
	}
	return w.named(found, signs)
}

// named are the names that some outcomes are, of which only one will be.
func (w *walk) named(found []outcome, signs string) []candidate {
	var texts []string
	for _, out := range found {
		switch {
		case out.isList():
			for _, c := range w.named(w.items(out, nil), signs) {
				texts = append(texts, c.names...)
			}
		case out.isText():
			texts = append(texts, out.text)
		default:
			texts = append(texts, unknownText)
		}
	}
	split := func(text string) []string {
		return strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(signs, c) })
	}
	if len(found) == 1 && found[0].isText() {
		var all []candidate
		for _, name := range split(texts[0]) {
			all = append(all, candidate{[]string{name}, true})
		}
		return all
	}
	several := candidate{sure: true}
	for i, text := range texts {
		names := split(text)
		several.sure = several.sure && len(names) == 1 && i < len(found) && found[i].isText()
		several.names = append(several.names, names...)
	}
	if len(several.names) == 0 {
		return nil
	}
	return []candidate{several}
}

// firstOf are the names of candidates up to the first that is surely there.
func (w *walk) firstOf(all []candidate, o owner, in string) []outcome {
	var found outcomes
	for _, c := range all {
		there := c.sure
		for _, name := range c.names {
			found.add(textOutcome(name))
			there = there && w.surelyThere(name, o, in)
		}
		if there {
			break
		}
	}
	return found.limited()
}

// surelyThere reports whether first_found finds a file of this name: there are
// more places than these, but in these it looks.
func (w *walk) surelyThere(name string, o owner, in string) bool {
	if computed(name) || name == "" {
		return false
	}
	there := func(file string) bool {
		return file != ".." && !strings.HasPrefix(file, "../") && w.files.Kind(file) != tree.Absent && !w.excluded(file)
	}
	name, anchored := strings.CutPrefix(name, projectText)
	switch {
	case anchored:
		return there(path.Join(".", name))
	case strings.HasPrefix(name, "/") || strings.Contains(name, projectText):
		return false
	case o.role != "":
		return there(path.Join(o.role, in, name)) || there(path.Join(o.role, name))
	case len(w.dirs) == 1:
		return there(path.Join(w.dirs[0], in, name)) || there(path.Join(w.dirs[0], name))
	}
	return false
}

// folderOf is the directory in which with_first_found looks for a module.
func folderOf(module string) string {
	switch {
	case strings.Contains(module, "template"):
		return "templates"
	case strings.Contains(module, "var"):
		return "vars"
	}
	return "files"
}
