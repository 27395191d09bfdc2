package ansible

import (
	"path"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// What a computed text can be is told by patterns: texts in which unknownText
// stands for anything, and projectText for the project's directory.
const (
	unknownText = "\x00"
	projectText = "\x01"
)

const (
	deepestValue = 16  // variables that lead to variables
	mostTexts    = 200 // more are as good as unknown
)

// outcome is something that a shape can come to: a text, or a list or map.
type outcome struct {
	text  string
	value value.Value // a list or map, where its kind says so
	list  jinja.List  // a list of shapes, unless nil
	owner owner
}

func (out outcome) isText() bool { return out.value.Scalar() && out.list == nil }

func (out outcome) isList() bool { return out.value.Kind == value.List || out.list != nil }

// items is what the elements of a list, or what lies at a path in each, can come
// to.
func (w *walk) items(out outcome, at []string, depth int) []outcome {
	var all []outcome
	for _, item := range out.value.Items() {
		all = append(all, w.valueOutcomes(item, at, out.owner, depth+1)...)
	}
	for _, item := range out.list {
		all = append(all, w.outcomes(item, at, out.owner, depth+1)...)
	}
	return all
}

func unknownOutcome() []outcome { return []outcome{{text: unknownText}} }

// texts are the patterns of the texts that a shape can come to, the elements of
// lists included.
func (w *walk) texts(s jinja.Shape, o owner) []string { return w.earlier().textsAt(s, o, 0) }

// textsAt is texts of a shape that is met when this many others have led to it.
func (w *walk) textsAt(s jinja.Shape, o owner, at int) []string {
	var all []string
	seen := map[string]bool{}
	add := func(t string) {
		if !seen[t] {
			seen[t] = true
			all = append(all, t)
		}
	}
	var flatten func(list []outcome, depth int)
	flatten = func(list []outcome, depth int) {
		for _, out := range list {
			switch {
			case out.isList() && depth < 3:
				flatten(w.items(out, nil, at), depth+1)
			case !out.isText():
				add(unknownText)
			default:
				add(out.text)
			}
		}
	}
	flatten(w.outcomes(s, nil, o, at), 0)
	if len(all) > mostTexts {
		return []string{unknownText}
	}
	return all
}

// outcomes is what a shape, or what lies at a path in it, can come to.
func (w *walk) outcomes(s jinja.Shape, at []string, o owner, depth int) []outcome {
	if depth > deepestValue {
		return unknownOutcome()
	}
	switch s := s.(type) {
	case jinja.Literal:
		if len(at) == 0 {
			return []outcome{{text: string(s)}}
		}
	case jinja.Scalar:
		if len(at) == 0 {
			return []outcome{{text: string(s)}}
		}
	case jinja.Variable:
		return w.variableOutcomes(s.Name, append(s.Path[:len(s.Path):len(s.Path)], at...), o, depth)
	case jinja.Either:
		var all []outcome
		for _, one := range s {
			all = append(all, w.outcomes(one, at, o, depth+1)...)
		}
		return limited(all)
	case jinja.List:
		if len(at) == 0 {
			return []outcome{{list: s, owner: o}}
		}
		if i, err := strconv.Atoi(at[0]); err == nil && i >= 0 && i < len(s) {
			return w.outcomes(s[i], at[1:], o, depth+1)
		}
	case jinja.Map:
		if len(at) == 0 {
			return unknownOutcome()
		}
		if entry, ok := s[at[0]]; ok {
			return w.outcomes(entry, at[1:], o, depth+1)
		}
		return nil
	case jinja.Concat:
		if len(at) == 0 {
			return w.concat(s, o, depth)
		}
	case jinja.Found:
		if len(at) == 0 {
			return w.lookedFor(s, o, depth)
		}
	}
	return unknownOutcome()
}

func limited(all []outcome) []outcome {
	if len(all) > mostTexts {
		return unknownOutcome()
	}
	return all
}

// concat is every combination of what the parts can come to.
func (w *walk) concat(parts jinja.Concat, o owner, depth int) []outcome {
	all := []string{""}
	for _, part := range parts {
		var next []string
		for _, out := range w.outcomes(part, nil, o, depth+1) {
			text := out.text
			if !out.isText() {
				text = unknownText
			}
			for _, before := range all {
				next = append(next, before+text)
			}
		}
		if len(next) > mostTexts {
			next = []string{unknownText}
		}
		all = next
	}
	out := make([]outcome, len(all))
	for i, text := range all {
		out[i].text = text
	}
	return out
}

// variableOutcomes is what a variable, or what lies at a path in it, can be.
func (w *walk) variableOutcomes(name string, at []string, o owner, depth int) []outcome {
	if own := w.ownPath(name, o); own != nil && len(at) == 0 {
		return own
	}
	if o.loop != nil && o.loop.variable == name {
		return w.elements(o.loop, at, owner{file: o.file, role: o.role, book: o.book}, depth)
	}
	var all []outcome
	known := false
	for _, l := range w.locals.at(name) {
		known = true
		if l.elements {
			all = append(all, w.elements(&loop{variable: name, items: l.value}, at, l.owner, depth)...)
			continue
		}
		all = append(all, w.valueOutcomes(l.value, at, l.owner, depth+1)...)
	}
	for _, d := range w.definitions(name) {
		known = true
		all = append(all, w.valueOutcomes(*d.value, at, d.owner, depth+1)...)
	}
	if !known || w.unknown.has(name) || w.opaque {
		all = append(all, outcome{text: unknownText})
	}
	return limited(all)
}

// ownPath is the value of a variable of Ansible's own that says where something
// of the project lies, or which node or role this is.
func (w *walk) ownPath(name string, o owner) []outcome {
	dirs := func(names ...string) []outcome {
		if len(names) == 0 {
			names = []string{""}
		}
		out := make([]outcome, len(names))
		for i, n := range names {
			out[i].text = projectText + n
		}
		return out
	}
	switch name {
	case "playbook_dir":
		return dirs(w.playbookDirs(o)...)
	case "inventory_dir":
		return dirs(w.inv.Dirs...)
	case "inventory_file", "ansible_inventory_sources":
		return dirs(w.q.Inventory...)
	case "ansible_config_file":
		return dirs(w.cfg.file)
	case "role_path":
		if o.role != "" {
			return dirs(o.role)
		}
		return dirs(w.roleNames()...)
	case "role_name", "ansible_role_name":
		if o.role != "" {
			return []outcome{{text: path.Base(o.role)}}
		}
	case "inventory_hostname":
		w.own = true
		return []outcome{{text: w.q.Host}}
	}
	return nil
}

// valueOutcomes is what a value, or what lies at a path in it, can come to.
func (w *walk) valueOutcomes(v value.Value, at []string, o owner, depth int) []outcome {
	if depth > deepestValue {
		return unknownOutcome()
	}
	switch v.Kind {
	case value.String:
		if computes(v.Text) {
			return w.outcomes(w.textOf(v.Text).Shape, at, o, depth+1)
		}
		fallthrough
	case value.Unsafe, value.Bool, value.Int, value.Float, value.Time:
		if len(at) > 0 {
			return unknownOutcome()
		}
		return []outcome{{text: v.Text}}
	case value.Null:
		return []outcome{{}}
	case value.List:
		if len(at) == 0 {
			return []outcome{{value: v, owner: o}}
		}
		if i, err := strconv.Atoi(at[0]); err == nil && i >= 0 && i < len(v.Items()) {
			return w.valueOutcomes(v.Items()[i], at[1:], o, depth+1)
		}
	case value.Map:
		if len(at) == 0 {
			return []outcome{{value: v, owner: o}}
		}
		if entry, ok := v.Get(at[0]); ok {
			return w.valueOutcomes(entry, at[1:], o, depth+1)
		}
		return nil
	}
	return unknownOutcome()
}

// elements is what the variable of a loop can be.
func (w *walk) elements(l *loop, at []string, o owner, depth int) []outcome {
	switch l.kind {
	case "", "items", "list", "flattened", "random_choice":
	case "first_found":
		return w.firstFound(l.items, o, depth)
	case "fileglob":
		if len(at) > 0 {
			return unknownOutcome()
		}
		var all []outcome
		for _, pattern := range w.textsAt(w.shapeOf(l.items), o, depth+1) {
			all = append(all, outcome{text: unknownText + globbed(pattern)})
		}
		return limited(all)
	case "dict":
		return w.entries(l.items, at, o, depth)
	default:
		return unknownOutcome()
	}
	var all []outcome
	for _, list := range w.valueOutcomes(l.items, nil, o, depth+1) {
		switch {
		case list.isList():
			for _, item := range w.items(list, nil, depth) {
				all = append(all, w.element(item, at, l.kind != "", depth)...)
			}
		case l.kind != "" && list.text != "": // with_items takes a single one, too
			all = append(all, list)
		default:
			return unknownOutcome()
		}
	}
	return limited(all)
}

// element is what lies at a path in an element of a loop's list. Lists in it are
// taken apart by all but loop.
func (w *walk) element(item outcome, at []string, apart bool, depth int) []outcome {
	switch {
	case item.isList() && apart:
		return w.items(item, at, depth+1)
	case len(at) == 0:
		return []outcome{item}
	case !item.isText():
		return w.valueOutcomes(item.value, at, item.owner, depth+1)
	}
	return unknownOutcome()
}

// entries is what item of a loop over a map can be: item.key, item.value.
func (w *walk) entries(items value.Value, at []string, o owner, depth int) []outcome {
	if len(at) == 0 {
		return unknownOutcome()
	}
	var all []outcome
	for _, m := range w.valueOutcomes(items, nil, o, depth+1) {
		if m.value.Kind != value.Map {
			return unknownOutcome()
		}
		for _, p := range m.value.Pairs() {
			switch at[0] {
			case "key":
				all = append(all, outcome{text: p.Key.Text})
			case "value":
				all = append(all, w.valueOutcomes(p.Value, at[1:], m.owner, depth+1)...)
			}
		}
	}
	return limited(all)
}

// firstFound is what a list of files of which the first is taken can come to.
func (w *walk) firstFound(items value.Value, o owner, depth int) []outcome {
	var all []outcome
	for _, term := range items.List() {
		if term.Kind != value.Map {
			all = append(all, w.valueOutcomes(term, nil, o, depth+1)...)
			continue
		}
		paths := []string{""}
		if given := term.At("paths"); given.Kind != value.Null {
			paths = w.textsAt(w.shapeOf(given), o, depth+1)
		}
		all = append(all, filesIn(paths, w.textsAt(w.shapeOf(term.At("files")), o, depth+1))...)
	}
	return limited(all)
}

// shapeOf is shapeOf, each text parsed once.
func (p *Project) shapeOf(v value.Value) jinja.Shape {
	switch {
	case v.Kind == value.List:
		list := make(jinja.List, len(v.Items()))
		for i, item := range v.Items() {
			list[i] = p.shapeOf(item)
		}
		return list
	case v.Kind == value.String && computes(v.Text):
		return p.textOf(v.Text).Shape
	}
	return shapeOf(v)
}

// filesIn are files in directories, as first_found joins them.
func filesIn(dirs, files []string) []outcome {
	split := func(list []string, at string) []string {
		var all []string
		for _, s := range list {
			all = append(all, strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(at, c) })...)
		}
		return all
	}
	files = split(files, ",;")
	if dirs = split(dirs, ",;:"); len(dirs) == 0 {
		dirs = []string{""}
	}
	var all []outcome
	for _, dir := range dirs {
		for _, file := range files {
			if dir != "" {
				file = strings.TrimSuffix(dir, "/") + "/" + file
			}
			all = append(all, outcome{text: file})
		}
	}
	return all
}

// lookedFor is what lookup('first_found') can come to.
func (w *walk) lookedFor(s jinja.Found, o owner, depth int) []outcome {
	var all []outcome
	in := func(paths, files jinja.Shape) {
		if files == nil {
			return
		}
		var dirs []string
		if paths != nil {
			dirs = w.textsAt(paths, o, depth+1)
		}
		all = append(all, filesIn(dirs, w.textsAt(files, o, depth+1))...)
	}
	var down func(list []outcome, depth int)
	down = func(list []outcome, depth int) {
		for _, out := range list {
			switch {
			case out.isList() && depth < deepestValue:
				down(w.items(out, nil, depth), depth+1)
			case out.value.Kind == value.Map:
				all = append(all, w.firstFound(out.value, out.owner, depth)...)
			case out.isText():
				all = append(all, out)
			default:
				all = append(all, unknownOutcome()...)
			}
		}
	}
	var each func(term jinja.Shape)
	each = func(term jinja.Shape) {
		switch term := term.(type) {
		case nil:
		case jinja.Map:
			in(term["paths"], term["files"])
		case jinja.List:
			for _, one := range term {
				each(one)
			}
		default:
			down(w.outcomes(term, nil, o, depth+1), depth+1)
		}
	}
	for _, term := range s.Terms {
		each(term)
	}
	in(s.Paths, s.Files)
	return limited(all)
}

// matches reports whether a text can be what a pattern says.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, unknownText)
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, last)
}
