package recipe

import (
	"io/fs"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
)

// walker decodes a YAML tree into a Go value by a shape.
type walker struct {
	fsys         fs.FS // nil: do not look for files
	file         *file
	faults       *faults
	repositories []reference // names of repositories that were used
	repo         func(layer.Repo, string) (string, error)
	base         string // where paths start: "" for the project's directory
	joined       *sharedRepos

	left        int                 // of the budget
	open        map[*yaml.Node]bool // mappings and lists that are being decoded, against aliases that hold themselves
	formats     map[string]format
	packageName *regexp.Regexp
	word        *regexp.Regexp
}

// reference is a name that stands for something defined elsewhere.
type reference struct {
	word
	path string // of the key that it is the value of, such as layers.base.repositories[0]
}

func newWalker(fsys fs.FS, f *file, faults *faults) *walker {
	table := formats()
	return &walker{
		fsys: fsys, file: f, faults: faults, joined: &sharedRepos{map[sharedRepo]string{}, map[string]bool{}}, left: limit.RecipeValues, open: map[*yaml.Node]bool{}, formats: table,
		packageName: regexp.MustCompile(table["package-name"].pattern),
		word:        regexp.MustCompile(table["word"].pattern),
	}
}

// site is where in the document a value stands: its path, and the node that a
// mistake of the value as a whole is blamed on, usually its key.
type site struct {
	path string
	node *yaml.Node
}

func (s site) key(name string, node *yaml.Node) site {
	if s.path == "" {
		return site{name, node}
	}
	return site{s.path + "." + name, node}
}

func (s site) item(i int, node *yaml.Node) site {
	return site{s.path + "[" + strconv.Itoa(i) + "]", node}
}

// of names the site in a sentence.
func (s site) of() string {
	if s.path == "" {
		return "the file"
	}
	return s.path
}

// prefix names the site before what is wrong with it.
func (s site) prefix() string {
	if s.path == "" {
		return ""
	}
	return s.path + ": "
}

// place returns where a node is.
func (w *walker) place(n *yaml.Node) place { return w.file.at(n.Line, n.Column) }

// decode stores what n says in out, which has the type that s was made of.
func (w *walker) decode(n *yaml.Node, s *shape, out reflect.Value, at site) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if !w.enter(n, at) {
		return
	}
	defer delete(w.open, n)
	if out.Kind() == reflect.Pointer {
		out.Set(reflect.New(out.Type().Elem()))
		out = out.Elem()
	}
	switch s.kind {
	case kindLater:
		w.faults.add(w.place(at.node), "take it out; 'strata schema' lists what there is", "%s is not supported yet", at.path)
	case kindAny:
		if value := w.any(n, at); value != nil {
			out.Set(reflect.ValueOf(value))
		}
	case kindList:
		w.list(n, s, out, at)
	case kindDict, kindEntries:
		w.names(n, s, out, at)
	case kindMapping:
		w.mapping(n, s, out, at)
	default:
		w.scalar(n, s, out, at)
	}
}

// enter reports whether n may be decoded: it holds no tag, does not hold
// itself, and the budget is not used up.
func (w *walker) enter(n *yaml.Node, at site) bool {
	w.left--
	switch {
	case w.left == 0:
		w.faults.add(w.place(at.node), "write out what the aliases stand for", "the file holds more than %d values", limit.RecipeValues)
		return false
	case w.left < 0:
		return false
	case len(w.open) > limit.Depth:
		w.faults.add(w.place(n), "", "%s: it is nested more than %d deep", at.of(), limit.Depth)
		return false
	case w.open[n]:
		w.faults.add(w.place(at.node), "an alias cannot stand for something that it is a part of", "%s: the alias holds itself", at.path)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		w.faults.add(w.place(n), "leave out the tag; to make a string of a number, put it in quotes", "%s: tag %s is not understood", at.path, n.Tag)
		return false
	}
	w.open[n] = true
	return true
}

// list decodes a list.
func (w *walker) list(n *yaml.Node, s *shape, out reflect.Value, at site) {
	if s.alone && n.Kind != yaml.SequenceNode {
		delete(w.open, n)
		out.Set(reflect.MakeSlice(out.Type(), 1, 1))
		w.decode(n, s.elem, out.Index(0), at)
		return
	}
	if n.Kind != yaml.SequenceNode {
		w.wrongType(n, "a list", listHint(n), at)
		return
	}
	if len(n.Content) < s.min {
		w.faults.add(w.place(n), "name at least one", "%s: the list is empty", at.path)
	}
	list := reflect.MakeSlice(out.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		w.decode(item, s.elem, list.Index(i), at.item(i, item))
	}
	out.Set(list)
}

// pair is a key of a mapping and its value.
type pair struct {
	key, value *yaml.Node
	merged     bool // it came through <<
}

// pairs returns what a mapping holds, merge keys followed: what is written in
// the mapping itself wins over what is merged, and an earlier merge over a
// later one, as YAML's merge key says. It reports duplicates.
func (w *walker) pairs(n *yaml.Node, at site) []pair {
	var all, merged []pair
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			w.faults.add(w.place(n.Content[i]), "", "%sa key must be a string, not %s", at.prefix(), describe(key))
		case key.Style&yaml.TaggedStyle != 0:
			w.faults.add(w.place(key), "leave out the tag", "%stag %s is not understood", at.prefix(), key.Tag)
		case key.ShortTag() == "!!merge":
			merged = append(merged, w.merge(value, at)...)
		case !isString(key):
			w.faults.add(w.place(key), "write "+quote(key.Value)+" in quotes", "%sa key must be a string, not %s", at.prefix(), describe(key))
		case first[key.Value] != nil:
			w.faults.add(w.place(key), "rename one, or make one of the two", "%s%s is written twice; first on line %d", at.prefix(), quote(key.Value), first[key.Value].Line)
		default:
			first[key.Value] = key
			all = append(all, pair{key, value, false})
		}
	}
	for _, p := range merged {
		if first[p.key.Value] == nil {
			first[p.key.Value] = p.key
			all = append(all, pair{p.key, p.value, true})
		}
	}
	return all
}

// merge returns what the value of a merge key holds: a mapping, or several.
func (w *walker) merge(n *yaml.Node, at site) []pair {
	from := n
	if n.Kind == yaml.AliasNode {
		from = n.Alias
	}
	if !w.enter(from, site{at.of(), n}) {
		return nil
	}
	defer delete(w.open, from)
	switch from.Kind {
	case yaml.MappingNode:
		return w.pairs(from, at)
	case yaml.SequenceNode:
		var all []pair
		for _, item := range from.Content {
			all = append(all, w.merge(item, at)...)
		}
		return all
	}
	w.faults.add(w.place(n), "write <<: *NAME, where &NAME stands before a mapping", "%s<< takes a mapping, not %s", at.prefix(), describe(from))
	return nil
}

// names decodes a mapping whose keys are names that people choose, into a map
// or into entries.
func (w *walker) names(n *yaml.Node, s *shape, out reflect.Value, at site) {
	if n.Kind != yaml.MappingNode {
		w.wrongType(n, "a mapping", "write every entry as NAME: and its value below, indented", at)
		return
	}
	pairs := w.pairs(n, at)
	if s.kind == kindDict {
		out.Set(reflect.MakeMapWithSize(out.Type(), len(pairs)))
	}
	for _, p := range pairs {
		name := word{p.key.Value, w.place(p.key)}
		w.checkName(name, s.keys, at)
		below := at.key(p.key.Value, p.key)
		if s.kind == kindDict {
			value := reflect.New(out.Type().Elem()).Elem()
			w.decode(p.value, s.elem, value, below)
			out.SetMapIndex(reflect.ValueOf(p.key.Value), value)
			continue
		}
		item := reflect.New(out.Type().Elem()).Elem()
		item.FieldByName("Name").SetString(p.key.Value)
		item.FieldByName("At").Set(reflect.ValueOf(name.At))
		w.decode(p.value, s.elem, item.FieldByName("Value"), below)
		out.Set(reflect.Append(out, item))
	}
}

// checkName checks a name that somebody chose.
func (w *walker) checkName(name word, keys *shape, at site) {
	if name.Text == "" {
		w.faults.add(name.At, "", "%s: a name is empty", at.path)
		return
	}
	if keys.legal == nil || keys.legal.MatchString(name.Text) {
		return
	}
	hint := "a name is " + w.formats[keys.format].means
	if lower := strings.NewReplacer(" ", "-", "/", "-").Replace(strings.ToLower(name.Text)); keys.format == "name" && keys.legal.MatchString(lower) {
		hint += ": " + quote(lower)
	}
	w.faults.add(name.At, hint, "%s: %s is not a legal name", at.path, quote(name.Text))
}

// mapping decodes a mapping with fixed keys into a struct.
func (w *walker) mapping(n *yaml.Node, s *shape, out reflect.Value, at site) {
	if n.Kind != yaml.MappingNode {
		if s.short != nil && shortFits(n, s.short.shape) {
			w.decodeShort(n, s, out, at)
			return
		}
		hint := "its keys are " + strings.Join(s.known(), ", ")
		if list := listHint(n); list != "" && s.short != nil && s.short.shape.kind == kindList {
			hint = list
		}
		w.wrongType(n, wanted(s), hint, at)
		return
	}
	k := keys{w: w, at: at, written: map[string]*yaml.Node{}, values: map[string]*yaml.Node{}, meant: map[string]bool{}}
	pairs := w.pairs(n, at)
	defer w.startIn(out, pairs, at)()
	for _, p := range pairs {
		f := s.field(p.key.Value)
		if f == nil {
			w.faults.add(w.place(p.key), unknownHint(p.key.Value, s), "%sunknown key %s", at.prefix(), quote(p.key.Value))
			k.meant[fault.Nearest(p.key.Value, s.known())] = true
			continue
		}
		k.written[f.key], k.values[f.key] = p.key, p.value
		w.decode(p.value, f.shape, out.FieldByIndex(f.index), at.key(f.key, p.key))
	}
	w.complete(s, k, out)
	w.check(out.Interface(), k)
}

// complete reports the keys that had to be written and fills in the defaults of
// the rest.
func (w *walker) complete(s *shape, k keys, out reflect.Value) {
	choices := map[string][]string{}
	for _, f := range s.fields {
		switch {
		case f.oneof != "":
			choices[f.oneof] = append(choices[f.oneof], f.key)
		case k.has(f.key) || k.meant[f.key]:
		case f.required:
			w.faults.add(w.place(k.at.node), requiredHint(f), "%skey %s is missing", k.at.prefix(), quote(f.key))
		case f.standby != nil:
			w.decode(f.standby, f.shape, out.FieldByIndex(f.index), k.at.key(f.key, k.at.node))
		}
	}
	for _, choice := range sorted(choices) {
		w.oneOf(choices[choice], k)
	}
}

// oneOf wants exactly one of some keys.
func (w *walker) oneOf(choices []string, k keys) {
	var have []string
	for _, key := range choices {
		if k.has(key) || k.meant[key] {
			have = append(have, key)
		}
	}
	words := strings.Join(choices, " or ")
	switch {
	case len(have) == 0:
		w.faults.add(w.place(k.at.node), "write one of them", "%s%s is missing", k.at.prefix(), words)
	case len(have) > 1 && k.has(have[1]):
		w.faults.add(w.place(k.written[have[1]]), "take one of them out", "%sonly one of %s can be written", k.at.prefix(), words)
	}
}

// decodeShort decodes a mapping that is written as the value of one of its keys.
func (w *walker) decodeShort(n *yaml.Node, s *shape, out reflect.Value, at site) {
	delete(w.open, n)
	w.decode(n, s.short.shape, out.FieldByIndex(s.short.index), at)
	for _, f := range s.fields {
		if f.standby != nil {
			w.decode(f.standby, f.shape, out.FieldByIndex(f.index), at)
		}
	}
	at.node = n
	alone := map[string]*yaml.Node{s.short.key: n}
	w.check(out.Interface(), keys{w: w, at: at, written: alone, values: alone})
}

// shortFits reports whether n can only be meant as the short form.
func shortFits(n *yaml.Node, short *shape) bool {
	if short.kind == kindList {
		return n.Kind == yaml.SequenceNode
	}
	return n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null"
}

// wrongType reports a value of another type than the one that belongs there.
func (w *walker) wrongType(n *yaml.Node, want, hint string, at site) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		w.faults.add(w.place(at.node), "write a value after the colon, or take the line out", "%s has no value", at.of())
		return
	}
	w.faults.add(w.place(n), hint, "%s must be %s, not %s", at.of(), want, describe(n))
}
