package ansible

import (
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

const (
	mostTexts    = 500 // that are told apart; more are one pattern
	mostProducts = 64  // of several parts of a text, each of which can be several
)

// outcome is something that a shape can come to: a text, or a list or map.
type outcome struct {
	text  string
	kind  value.Kind  // what a text is for conditions: a bool, a string
	value value.Value // a list or map, where its kind says so
	list  jinja.List  // a list of shapes, unless nil
	dict  jinja.Map   // a map of shapes, unless nil
	some  []outcome   // a list of any of these, any number of times, unless nil
	owner owner
}

func (out outcome) isText() bool {
	return out.value.Scalar() && out.list == nil && out.dict == nil && out.some == nil
}

func (out outcome) isList() bool {
	return out.value.Kind == value.List || out.list != nil || out.some != nil
}

func (out outcome) isMap() bool { return out.value.Kind == value.Map || out.dict != nil }

// outcomes collects what something can come to, each once. Of too many it keeps
// what says as much with fewer.
type outcomes struct {
	list []outcome
	seen map[outcomeKey]bool // nil as long as there are few
	any  bool                // they are too many, and not all are texts
}

// outcomeKey is the same of outcomes that are the same.
type outcomeKey struct {
	text  string
	kind  value.Kind
	value value.Value
	place any // where the elements are kept of what is no value
	owner owner
}

func (out outcome) key() outcomeKey {
	of := outcomeKey{value: out.value, owner: out.owner}
	switch {
	case len(out.list) > 0:
		of.place = &out.list[0]
	case len(out.some) > 0:
		of.place = &out.some[0]
	case len(out.dict) > 0:
		of.place = reflect.ValueOf(out.dict).Pointer()
	case out.isText():
		return outcomeKey{text: out.text, kind: out.kind}
	}
	return of
}

func (all *outcomes) add(more ...outcome) {
	for _, out := range more {
		if all.any || all.has(out) {
			continue
		}
		if all.list = append(all.list, out); len(all.list) > mostTexts {
			all.widen()
		}
	}
}

// has reports whether an outcome is there, or was before they were widened.
func (all *outcomes) has(out outcome) bool {
	const few = 8 // are compared sooner than they are put into a map
	of := out.key()
	if all.seen == nil {
		if slices.ContainsFunc(all.list, func(known outcome) bool { return known.key() == of }) {
			return true
		}
		if len(all.list) < few {
			return false
		}
		all.seen = make(map[outcomeKey]bool, 2*few)
		for _, known := range all.list {
			all.seen[known.key()] = true
		}
	}
	known := all.seen[of]
	all.seen[of] = true
	return known
}

func (all *outcomes) widen() {
	texts := make([]string, len(all.list))
	for i, out := range all.list {
		if texts[i] = out.text; !out.isText() {
			all.any, all.list = true, unknownOutcome()
			return
		}
	}
	all.list = []outcome{textOutcome(widened(texts))}
}

// limited is the list.
func (all *outcomes) limited() []outcome { return all.list }

func textOutcome(text string) outcome { return outcome{text: text, kind: value.String} }

func unknownOutcome() []outcome { return []outcome{textOutcome(unknownText)} }

// items is what the elements of a list, or what lies at a path in each, can come
// to.
func (w *walk) items(out outcome, at []string) []outcome {
	var all outcomes
	for _, item := range out.value.Items() {
		all.add(w.valueOutcomes(item, at, out.owner)...)
	}
	for _, item := range out.list {
		all.add(w.outcomes(item, at, out.owner)...)
	}
	for _, item := range out.some {
		all.add(w.inside(item, at)...)
	}
	return all.limited()
}

// gone is what a loop of a template over any of some things goes through.
func (w *walk) gone(list []outcome) []outcome {
	var all outcomes
	for _, out := range list {
		switch {
		case out.isList():
			all.add(w.items(out, nil)...)
		case out.isMap():
			all.add(w.keysOf(out)...)
		default:
			all.add(unknownOutcome()...)
		}
	}
	return all.limited()
}

// inside is what lies at a path in something.
func (w *walk) inside(out outcome, at []string) []outcome {
	switch {
	case len(at) == 0:
		return []outcome{out}
	case out.list != nil:
		return w.outcomes(out.list, at, out.owner)
	case out.dict != nil:
		return w.outcomes(out.dict, at, out.owner)
	case out.some != nil:
		if _, err := strconv.Atoi(at[0]); err == nil {
			return w.items(out, at[1:])
		}
	case !out.value.Scalar():
		return w.valueOutcomes(out.value, at, out.owner)
	}
	return unknownOutcome()
}

// texts are the patterns of the texts that a shape can come to, the elements of
// lists included.
func (w *walk) texts(s jinja.Shape, o owner) []string { return w.earlier().textsOf(s, o) }

// textsOf is texts of a shape that another led to.
func (w *walk) textsOf(s jinja.Shape, o owner) []string {
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
				flatten(w.items(out, nil), depth+1)
			case !out.isText():
				add(unknownText)
			default:
				add(out.text)
			}
		}
	}
	flatten(w.outcomes(s, nil, o), 0)
	if len(all) > mostTexts {
		return []string{widened(all)}
	}
	return all
}

// outcomes is what a shape, or what lies at a path in it, can come to.
func (w *walk) outcomes(s jinja.Shape, at []string, o owner) []outcome {
	switch s := s.(type) {
	case jinja.Literal:
		if len(at) == 0 {
			return []outcome{textOutcome(string(s))}
		}
	case jinja.Scalar:
		if len(at) == 0 {
			kind := kindOf(s)
			return []outcome{{text: printed(value.Value{Kind: kind, Text: strings.ToLower(string(s))}), kind: kind}}
		}
	case jinja.Variable:
		return w.variableOutcomes(s.Name, append(s.Path[:len(s.Path):len(s.Path)], at...), o)
	case jinja.Either:
		var all outcomes
		for _, one := range s {
			all.add(w.outcomes(one, at, o)...)
		}
		return all.limited()
	case jinja.List:
		if len(at) == 0 {
			return []outcome{{list: s, owner: o}}
		}
		if i, ok := index(at[0], len(s)); ok {
			return w.outcomes(s[i], at[1:], o)
		}
	case jinja.Map:
		if len(at) == 0 {
			return []outcome{{dict: s, owner: o}}
		}
		if entry, ok := s[at[0]]; ok {
			return w.outcomes(entry, at[1:], o)
		}
		return nil
	case jinja.Concat:
		if len(at) == 0 {
			return w.concat(s, o)
		}
	case jinja.Found:
		if len(at) == 0 {
			return w.lookedFor(s, o)
		}
	case jinja.Part:
		return w.outcomes(s.Of, append(s.Path[:len(s.Path):len(s.Path)], at...), o)
	case jinja.Choice:
		return w.chosen(s, at, o)
	case jinja.Item:
		return w.item(s, at, o)
	case jinja.Element:
		return w.insideAll(w.gone(w.outcomes(s.Of, nil, o)), at)
	case jinja.Comparison, jinja.Test:
		return w.truthsOf(s, o).outcomes()
	case jinja.Filtered:
		return w.insideAll(w.filtered(s, o), at)
	case jinja.Sum:
		return w.insideAll(w.sum(s, o), at)
	}
	return unknownOutcome()
}

// insideAll is what lies at a path in any of some things.
func (w *walk) insideAll(list []outcome, at []string) []outcome {
	if len(at) == 0 {
		return list
	}
	var all outcomes
	for _, out := range list {
		all.add(w.inside(out, at)...)
	}
	return all.limited()
}

func kindOf(s jinja.Scalar) value.Kind {
	switch s {
	case "True", "False":
		return value.Bool
	case "None":
		return value.Null
	}
	if strings.ContainsAny(string(s), ".eE") && !strings.HasPrefix(string(s), "0x") {
		return value.Float
	}
	return value.Int
}

// concat is every combination of what the parts can come to.
func (w *walk) concat(parts jinja.Concat, o owner) []outcome {
	all := []string{""}
	for _, part := range parts {
		var texts []string
		for _, out := range w.outcomes(part, nil, o) {
			if !out.isText() {
				out.text = unknownText
			}
			texts = append(texts, out.text)
		}
		if len(texts) == 0 {
			return nil // it has no value: whoever asks fails
		}
		all = joined(all, texts)
	}
	out := make([]outcome, len(all))
	for i, text := range all {
		out[i] = textOutcome(text)
	}
	return out
}

// joined is each of some texts with each of others behind it, or with what these
// have in common.
func joined(all, texts []string) []string {
	if len(all) > 1 && len(texts) > 1 && len(all)*len(texts) > mostProducts {
		texts = []string{widened(texts)}
	}
	next := make([]string, 0, len(all)*len(texts))
	seen := make(map[string]bool, len(all)*len(texts))
	for _, before := range all {
		for _, text := range texts {
			if text = before + text; len(text) > longestPattern {
				text = fixedPart(text[:longestPattern/2]) + unknownText
			}
			if !seen[text] {
				seen[text] = true
				next = append(next, text)
			}
		}
	}
	return next
}

// variableOutcomes is what a variable, or what lies at a path in it, can be.
func (w *walk) variableOutcomes(name string, at []string, o owner) []outcome {
	if own := w.ownPath(name, o); own != nil && len(at) == 0 {
		return own
	}
	if name == "groups" && len(at) > 0 {
		return w.members(at)
	}
	e := w.evaluated()
	if o.loop != nil && o.loop.variable == name {
		return e.once(node{name, strings.Join(at, "\x00"), o}, func() []outcome {
			return w.elements(o.loop, at, owner{file: o.file, role: o.role, book: o.book})
		})
	}
	return e.once(node{name: name, path: strings.Join(at, "\x00")}, func() []outcome { return w.valuesOf(name, at) })
}

// valuesOf is what a variable that has one meaning for all can be.
func (w *walk) valuesOf(name string, at []string) []outcome {
	if name == "hostvars" {
		return w.foreignOutcomes(at)
	}
	var all outcomes
	known := false
	if fact, ok := factOf(name, at); ok {
		known = true
		all.add(w.fact(fact)...)
		for _, l := range w.locals.at(fact) { // set_fact has cacheable
			all.add(w.valueOutcomes(l.value, nil, l.owner)...)
		}
	}
	if lsb := w.lsb(name, at); lsb != nil {
		known = true
		all.add(lsb...)
	}
	for _, l := range w.locals.at(name) {
		known = true
		if l.result {
			all.add(w.foundIn(l, at)...)
			continue
		}
		if l.elements {
			all.add(w.elements(&loop{variable: name, items: l.value}, at, l.owner)...)
			continue
		}
		all.add(w.valueOutcomes(l.value, at, l.owner)...)
	}
	for _, d := range w.definitions(name) {
		known = true
		all.add(w.valueOutcomes(*d.value, at, d.owner)...)
	}
	// What has no value brings whoever asks for it to an end.
	if w.mayBeAnything(name) || w.sealedIn(name) || !known && (w.facts || w.outside || reserved(name)) {
		all.add(unknownOutcome()...)
	}
	return all.limited()
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
			out[i] = textOutcome(projectText + n)
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
		w.evaluated().once(node{name: "role_path"}, func() []outcome { return nil }) // enterRole forgets it
		return dirs(w.roleNames()...)
	case "role_name", "ansible_role_name":
		if o.role != "" {
			return []outcome{textOutcome(path.Base(o.role))}
		}
	case "ansible_playbook_python":
		return []outcome{textOutcome("python3")}
	case "inventory_hostname":
		w.asksOwn()
		if len(w.definitions(name)) > 0 { // host_vars are stronger
			return unknownOutcome()
		}
		return []outcome{textOutcome(w.q.Host)}
	}
	return nil
}

// valueOutcomes is what a value, or what lies at a path in it, can come to.
func (w *walk) valueOutcomes(v value.Value, at []string, o owner) []outcome {
	switch v.Kind {
	case value.String:
		if computes(v.Text) {
			return w.outcomes(w.textOf(v.Text).Shape, at, o)
		}
		fallthrough
	case value.Unsafe, value.Bool, value.Int, value.Float, value.Time:
		if len(at) > 0 {
			return unknownOutcome()
		}
		return []outcome{{text: printed(v), kind: v.Kind}}
	case value.Null:
		return []outcome{{}}
	case value.List:
		if len(at) == 0 {
			return []outcome{{value: v, owner: o}}
		}
		if i, ok := index(at[0], len(v.Items())); ok {
			return w.valueOutcomes(v.Items()[i], at[1:], o)
		}
	case value.Map:
		if len(at) == 0 {
			return []outcome{{value: v, owner: o}}
		}
		if entry, ok := v.Get(at[0]); ok {
			return w.valueOutcomes(entry, at[1:], o)
		}
		return w.keyed(v, at, o)
	}
	return unknownOutcome()
}

// index is a subscript of a list as Python has it.
func index(key string, length int) (int, bool) {
	i, err := strconv.Atoi(key)
	if i < 0 {
		i += length
	}
	return i, err == nil && i >= 0 && i < length
}

// keyed is what lies at a path in a map that has no such key as it is written: a key
// may be computed, or no string.
func (w *walk) keyed(v value.Value, at []string, o owner) []outcome {
	var all outcomes
	for _, p := range v.Pairs() {
		if p.Key.Kind != value.String || computes(p.Key.Text) {
			all.add(w.valueOutcomes(p.Value, at[1:], o)...)
		}
	}
	return all.limited()
}

var (
	plainInt   = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,17})$`)
	plainFloat = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,8})\.([0-9]{0,5}[1-9]|0)$`)
	plainDate  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// printed is the pattern of a scalar as Python prints it, which is not always as
// it is written: yes is True, 010 is 8 and 1.10 is 1.1.
func printed(v value.Value) string {
	plain := true
	switch v.Kind {
	case value.Bool:
		if v.Text == "true" {
			return "True"
		}
		return "False"
	case value.Int:
		plain = plainInt.MatchString(v.Text)
	case value.Float:
		plain = plainFloat.MatchString(v.Text)
	case value.Time:
		plain = plainDate.MatchString(v.Text)
	}
	if !plain {
		return wordText
	}
	return v.Text
}

// elements is what the variable of a loop can be.
func (w *walk) elements(l *loop, at []string, o owner) []outcome {
	var all outcomes
	switch l.kind {
	case "", "items", "list", "flattened", "random_choice":
	case "first_found":
		for _, out := range w.firstFound(l.items, o, l.folder) {
			all.add(w.inside(out, at)...)
		}
		return all.limited()
	case "fileglob":
		for _, pattern := range w.textsOf(w.shapeOf(l.items), o) {
			all.add(w.inside(textOutcome(unknownText+globbed(pattern)), at)...)
		}
		return all.limited()
	case "dict":
		return w.entries(l.items, at, o)
	default:
		return unknownOutcome()
	}
	for _, list := range w.valueOutcomes(l.items, nil, o) {
		switch {
		case list.isList():
			for _, item := range w.items(list, nil) {
				all.add(w.element(item, at, l.kind != "")...)
			}
		case l.kind != "" && !(list.isText() && list.text == ""): // with_items takes a single one, too
			all.add(w.inside(list, at)...)
		case l.kind != "": // and nothing of nothing
		default:
			return unknownOutcome()
		}
	}
	return all.limited()
}

// element is what lies at a path in an element of a loop's list. Lists in it are
// taken apart by all but loop.
func (w *walk) element(item outcome, at []string, apart bool) []outcome {
	if item.isList() && apart {
		return w.items(item, at)
	}
	return w.inside(item, at)
}

// entries is what item of a loop over a map can be: item.key, item.value.
func (w *walk) entries(items value.Value, at []string, o owner) []outcome {
	var all outcomes
	for _, m := range w.valueOutcomes(items, nil, o) {
		if !m.isMap() {
			return unknownOutcome()
		}
		for _, list := range dictItems(m, jinja.Filtered{}) {
			all.add(w.items(list, at)...)
		}
	}
	return all.limited()
}

// entriesOf is dict2items of a map.
func entriesOf(m value.Value, key, val string) value.Value {
	name := func(s string) value.Value { return value.Value{Kind: value.String, Text: s} }
	items := make([]value.Value, len(m.Pairs()))
	for i, p := range m.Pairs() {
		items[i] = value.Value{Kind: value.Map}.WithPairs([]value.Pair{{Key: name(key), Value: p.Key}, {Key: name(val), Value: p.Value}})
	}
	return value.Value{Kind: value.List}.WithItems(items)
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
	case v.Kind == value.Map:
		m := make(jinja.Map, len(v.Pairs()))
		for _, pair := range v.Pairs() {
			m[pair.Key.Text] = p.shapeOf(pair.Value)
		}
		return m
	case v.Kind == value.String && computes(v.Text):
		return p.textOf(v.Text).Shape
	}
	return shapeOf(v)
}
