package dag

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
)

// word is a string and where it is written.
type word struct {
	text string
	at   *yaml.Node
}

// document is the file as it is written.
type document struct {
	at        *yaml.Node
	inventory *word // a path in the project
	shared    *repo // or a repository that holds the inventory
	cluster   *word // the cluster's name, or nil
	short     *word // its short form, or nil
	layers    []*layerDoc
	types     []*entry   // the list at the top
	typesAt   *yaml.Node // its key, if it is there
}

// layerDoc is an entry of "layers".
type layerDoc struct {
	name    word
	repo    *repo
	pb      []word
	groups  []word
	types   []*entry
	typesAt *yaml.Node // the key, if it is there
}

// entry is an entry of an "image_types" or of "children".
type entry struct {
	name     word
	repo     *repo
	pb       []word
	groups   []word
	first    *firstLayer // nil unless written
	children []*entry
	childful bool // "children" is written
	bare     bool // only a name
}

// firstLayer is the value of "firstlayer". Not first is the same as not written.
type firstLayer struct {
	at           *yaml.Node
	is           bool
	text         string // what it starts from, as written; "" for just true
	distribution string // if it is one that Strata has
	suite        string // "" if not written
}

// repo is a git repository.
type repo struct {
	at             *yaml.Node
	url, ref, path string
}

// perLayer says whether image types are listed below each layer.
func (d *document) perLayer() bool {
	return slices.ContainsFunc(d.layers, func(l *layerDoc) bool { return l.typesAt != nil })
}

// byName returns the entries of "layers" and of the list at the top.
func (d *document) byName() (map[string]*layerDoc, map[string]*entry) {
	layers, types := map[string]*layerDoc{}, map[string]*entry{}
	for _, l := range d.layers {
		layers[l.name.text] = l
	}
	for _, e := range d.types {
		types[e.name.text] = e
	}
	return layers, types
}

// document reads the file's tree.
func (s *source) document(root *yaml.Node) *document {
	d := &document{at: root}
	rest, layers := s.topLayers(root)
	if layers != nil {
		d.layers = s.layers(layers)
	}
	for _, p := range s.pairs(rest, "the file", topKeys()...) {
		switch p.key.Value {
		case "inventory":
			s.inventory(p.value, d)
		case "layers":
			d.layers = s.layers(p.value)
		case "image_types":
			d.typesAt, d.types = p.key, s.entries(p.value, "image_types", true)
		}
	}
	if len(s.faults) > 0 {
		return d
	}
	switch {
	case d.perLayer() && d.typesAt != nil:
		s.refuseAt(d.typesAt, "keep the one or the others", "image types are listed here and below layers")
	case !d.perLayer() && len(d.types) == 0:
		s.refuseAt(root, "list them below \"image_types\", at the top or in each layer", "the file has no image types")
	}
	return d
}

type pair struct{ key, value *yaml.Node }

// pairs returns the known keys of a mapping. One that looks like a known key is a
// mistake; any other is noted as not carried over.
func (s *source) pairs(n *yaml.Node, where string, known ...string) []pair {
	if n.Kind != yaml.MappingNode {
		s.refuseAt(n, "its keys are "+strings.Join(known, ", "), "%s must be a mapping, not %s", where, describe(n))
		return nil
	}
	var all []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if slices.Contains(known, key.Value) {
			all = append(all, pair{key, value})
			continue
		}
		if c := fault.Nearest(key.Value, known); c != "" {
			s.refuseAt(key, "did you mean "+quote(c)+"?", "%s: unknown key %s", where, quote(key.Value))
			continue
		}
		s.note(key, "%s of %s is not carried over: the import does not know this key", quote(key.Value), where)
	}
	return all
}

// layers reads the value of "layers": a mapping by name, or a list whose items
// have a "name" or are mappings of one name.
func (s *source) layers(n *yaml.Node) []*layerDoc {
	var all []*layerDoc
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			all = append(all, s.layer(s.word(n.Content[i], "the name of a layer"), n.Content[i+1]))
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			all = append(all, s.layerItem(item))
		}
	default:
		s.refuseAt(n, "write every layer as NAME: and what it has below, indented", "layers must be a mapping or a list, not %s", describe(n))
	}
	all = slices.DeleteFunc(all, func(l *layerDoc) bool { return l == nil })
	seen := map[string]*layerDoc{}
	for _, l := range all {
		if first := seen[l.name.text]; first != nil {
			s.refuseAt(l.name.at, "rename one of them", "layer %s is written twice; first on line %d", quote(l.name.text), first.name.at.Line)
		} else {
			seen[l.name.text] = l
		}
	}
	return all
}

func (s *source) layerItem(n *yaml.Node) *layerDoc {
	if isString(n) {
		return s.layer(s.word(n, "the name of a layer"), nil)
	}
	if n.Kind == yaml.MappingNode {
		if name := value(n, "name"); name != nil {
			return s.layer(s.word(name, "the name of a layer"), n)
		}
		if len(n.Content) == 2 && (n.Content[1].Kind == yaml.MappingNode || isNothing(n.Content[1])) {
			return s.layer(s.word(n.Content[0], "the name of a layer"), n.Content[1])
		}
	}
	s.refuseAt(n, "write \"- name: NAME\", and below it what the layer has", "a layer in a list needs a name")
	return nil
}

// layer reads a layer; n is nil where there is only a name.
func (s *source) layer(name word, n *yaml.Node) *layerDoc {
	l := &layerDoc{name: name}
	switch {
	case n == nil || isNothing(n):
		return l
	case isString(n): // a repository, and nothing else
		l.repo = s.repo(n, "layer "+quote(name.text))
		return l
	}
	where := "layer " + quote(name.text)
	known := []string{"repo", "pb", "playbook", "playbooks", "groups", "image_types"}
	if slices.ContainsFunc(n.Content, func(v *yaml.Node) bool { return v == name.at }) {
		known = append(known, "name")
	}
	for _, p := range s.pairs(n, where, known...) {
		switch p.key.Value {
		case "repo":
			l.repo = s.repo(p.value, "repo of "+where)
		case "pb", "playbook", "playbooks":
			l.pb = s.playbooks(p, l.pb, where)
		case "groups":
			l.groups = s.groups(p.value, where)
		case "image_types":
			l.typesAt, l.types = p.key, s.entries(p.value, "image_types of "+where, true)
		}
	}
	return l
}

// entries reads a list of image types, or of children.
func (s *source) entries(n *yaml.Node, where string, full bool) []*entry {
	if n.Kind != yaml.SequenceNode {
		if !full && isNothing(n) {
			return nil
		}
		if !full && isString(n) {
			return []*entry{s.entry(n, where)}
		}
		s.refuseAt(n, "begin every item with \"- \"", "%s must be a list, not %s", where, describe(n))
		return nil
	}
	var all []*entry
	seen := map[string]*entry{}
	for _, item := range n.Content {
		e := s.entry(item, where)
		if first := seen[e.name.text]; first != nil && e.name.text != "" {
			s.refuseAt(e.name.at, "make one of the two, or rename one", "%s: type %s is written twice; first on line %d", where, quote(e.name.text), first.name.at.Line)
		} else {
			seen[e.name.text] = e
		}
		all = append(all, e)
	}
	return all
}

// entry reads an image type: a name, or a mapping.
func (s *source) entry(n *yaml.Node, where string) *entry {
	if n.Kind == yaml.SequenceNode || n.Kind == yaml.ScalarNode && !isString(n) {
		s.refuseAt(n, "write \"- type: NAME\", and below it what the type has", "an item of %s must be a name or a mapping, not %s", where, describe(n))
		return &entry{name: word{at: n}, bare: true}
	}
	if n.Kind != yaml.MappingNode {
		return &entry{name: s.word(n, "an item of "+where), bare: true}
	}
	e := &entry{name: word{at: n}, bare: true}
	inside := "an item of " + where
	if t := value(n, "type"); t != nil && isString(t) {
		inside = "type " + quote(t.Value)
	}
	for _, p := range s.pairs(n, inside, "type", "repo", "groups", "pb", "playbook", "playbooks", "firstlayer", "children") {
		if p.key.Value != "type" {
			e.bare = false
		}
		switch p.key.Value {
		case "type":
			e.name = s.word(p.value, "the type")
		case "repo":
			e.repo = s.repo(p.value, "repo of "+inside)
		case "groups":
			e.groups = s.groups(p.value, inside)
		case "pb", "playbook", "playbooks":
			e.pb = s.playbooks(p, e.pb, inside)
		case "firstlayer":
			e.first = s.first(p.value)
		case "children":
			e.childful, e.children = true, s.entries(p.value, "children of "+inside, false)
		}
	}
	if value(n, "type") == nil {
		s.refuseAt(n, "write \"type: NAME\"", "%s has no type", inside)
	}
	return e
}

// value returns the value of a mapping's key, or nil.
func value(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// word reads a string.
func (s *source) word(n *yaml.Node, where string) word {
	w := word{n.Value, n}
	switch {
	case isNothing(n):
		s.refuseAt(n, "write a value, or take the key out", "%s has no value", where)
	case !isString(n):
		hint := ""
		if n.Kind == yaml.ScalarNode {
			hint = "put it in quotes: " + quote(n.Value)
		}
		s.refuseAt(n, hint, "%s must be a string, not %s", where, describe(n))
		w.text = ""
	case n.Style == 0 && boolean(n.Value) != "":
		s.refuseAt(n, "put it in quotes: "+quote(n.Value), "%s is %s, which many readers of YAML take for %s", where, n.Value, boolean(n.Value))
	case strings.TrimSpace(n.Value) == "":
		s.refuseAt(n, "write a value", "%s is empty", where)
	case regexp.MustCompile(`[\x00-\x1f\x7f-\x9f]`).MatchString(n.Value):
		s.refuseAt(n, "write it on one line", "%s holds control characters or line ends", where)
	}
	return w
}

// boolean says what YAML 1.1, which PyYAML reads, takes a word for; "" for a string.
func boolean(text string) string {
	switch strings.ToLower(text) {
	case "yes", "on", "true":
		return "true"
	case "no", "off", "false":
		return "false"
	}
	return ""
}

// words reads a string or a list of strings; nothing counts as none.
func (s *source) words(n *yaml.Node, where string) []word {
	switch {
	case isNothing(n):
		return nil
	case n.Kind == yaml.MappingNode:
		s.refuseAt(n, "write one string, or [ONE, ANOTHER]", "%s must be a string or a list of strings, not a mapping", where)
		return nil
	case n.Kind != yaml.SequenceNode:
		return []word{s.word(n, where)}
	case len(n.Content) > maxWords:
		s.refuseAt(n, "", "%s has more than %d items", where, maxWords)
		return nil
	}
	var all []word
	for _, item := range n.Content {
		w := s.word(item, "an item of "+where)
		if j := slices.IndexFunc(all, func(o word) bool { return o.text == w.text }); j >= 0 && w.text != "" {
			s.refuseAt(item, "take one of them out", "%s: %s is written twice", where, quote(w.text))
		}
		all = append(all, w)
	}
	return all
}

func (s *source) groups(n *yaml.Node, where string) []word {
	legal := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	groups := s.words(n, "groups of "+where)
	for _, g := range groups {
		if isString(g.at) && !legal.MatchString(g.text) {
			hint := "a group is letters, digits, underscores, dots and hyphens"
			if parts := strings.FieldsFunc(g.text, func(r rune) bool { return r == ',' || r == ' ' }); len(parts) > 1 && !slices.ContainsFunc(parts, func(p string) bool { return !legal.MatchString(p) }) {
				hint = "to name several groups, write a list: [" + strings.Join(parts, ", ") + "]"
			}
			s.refuseAt(g.at, hint, "%s: %s cannot be the name of a group", where, quote(g.text))
		}
	}
	return groups
}

// playbooks reads playbooks; before are those that another of its keys named.
func (s *source) playbooks(p pair, before []word, where string) []word {
	if before != nil {
		s.refuseAt(p.key, "write only \"pb\"", "%s: playbooks are named by two keys", where)
		return before
	}
	playbooks := s.words(p.value, "pb of "+where)
	if len(playbooks) == 0 && (isNothing(p.value) || p.value.Kind == yaml.SequenceNode) {
		s.refuseAt(p.value, "name a playbook, or take the key out", "pb of %s is empty", where)
	}
	for i, pb := range playbooks {
		playbooks[i].text = s.inside(pb, "playbook")
	}
	return playbooks
}

// inside returns the clean form of a path, which must not lead out.
func (s *source) inside(w word, what string) string {
	clean := path.Clean(w.text)
	switch {
	case w.text == "":
		return ""
	case path.IsAbs(clean):
		s.refuseAt(w.at, "copy it into the project's directory, or a repository, and write its path from there", "%s %s is an absolute path", what, quote(w.text))
	case clean == ".." || strings.HasPrefix(clean, "../"):
		s.refuseAt(w.at, "copy it into the project's directory, or a repository, and write its path from there", "%s %s leads out of the directory that it must be in", what, quote(w.text))
	case clean == "." && what == "playbook":
		s.refuseAt(w.at, "name a file", "%s %s is a directory", what, quote(w.text))
	}
	return clean
}
