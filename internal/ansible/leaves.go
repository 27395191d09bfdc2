package ansible

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/trace"
)

// Most commits change values that are only written somewhere, and the texts of templates
// and files. Such an answer decides nothing else than the digest of one input: whoever
// asked for it asks the same again, and reaches the same. The trace has told enough to say
// what becomes of that input, so that nothing need be followed.

// Leaf is a file or a variable that some analyses come to, and that may differ while all
// else that they come to stays as it is.
type Leaf struct {
	Name string    // of the file or the variable
	Of   trace.Set // whose traces

	file, class string // of a variable: the only file that defines it, and as what
	told        []toldOf
}

// toldOf is what is told of a leaf, and by whom: where it is read, and in which form.
type toldOf struct {
	at   string
	form form
	by   trace.Set
}

// Touches is what the traces of a file have to do with what differs at another revision.
type Touches struct {
	Follow trace.Set // those that may come to something else in any way
	Leaves []Leaf    // of the others, how their inputs may differ
}

// All are the traces that could be others.
func (t Touches) All() trace.Set {
	all := slices.Clone(t.Follow)
	for _, l := range t.Leaves {
		all.Join(l.Of)
	}
	return all
}

// Has reports whether a trace is among them.
func (t Touches) Has(i int) bool {
	return t.Follow.Has(i) || slices.ContainsFunc(t.Leaves, func(l Leaf) bool { return l.Of.Has(i) })
}

// LeavesOf are those of one trace.
func (t Touches) LeavesOf(i int) []Leaf {
	return slices.DeleteFunc(slices.Clone(t.Leaves), func(l Leaf) bool { return !l.Of.Has(i) })
}

// Same reports whether two leaves are of one thing.
func (l Leaf) Same(other Leaf) bool { return l.Name == other.Name && l.file == other.file }

// Via is what uses a leaf, as the analysis of a trace has it.
func (l Leaf) Via(i int) []string {
	var all via
	for _, t := range l.told {
		if t.by.Has(i) {
			all = all.withText(t.at)
		}
	}
	return all
}

// Add adds to what the playbooks of a trace reach what a leaf of it is in a project.
func (l Leaf) Add(to *Reached, p *Project, i int) {
	if l.file != "" {
		if pair, ok := pairIn(p.files.Document(l.file), l.Name); ok {
			to.Variables = append(to.Variables, Variable{
				Name: l.Name, Digest: sum(l.class, pair.Value.Digest()), Via: l.Via(i),
				Definitions: []Definition{{File: l.file, Line: pair.Key.Line, Shown: pair.Value.Shown(shown)}},
			})
		}
		return
	}
	most := asName
	for _, t := range l.told {
		if t.by.Has(i) {
			most = max(most, t.form)
		}
	}
	f := File{Path: l.Name, Via: l.Via(i)}
	switch most {
	case asTemplate:
		f.Digest = p.files.Template(l.Name).Digest
	case asIncluded:
		f.Digest = p.files.Template(l.Name).Included
	case asWhole:
		f.Digest, _ = p.files.Digest(l.Name)
	}
	to.Files = append(to.Files, f)
}

// pairIn is the one definition of a name in a file of variables; false if there is
// none or there are several, or its value may be more than what is written.
func pairIn(d *tree.Document, name string) (found value.Pair, ok bool) {
	for _, pair := range d.Value.Pairs() {
		if pair.Key.Text == name {
			if ok {
				return found, false
			}
			found, ok = pair, true
		}
	}
	return found, ok && found.Key.Kind == value.String && asWritten(found.Value)
}

// asWritten reports whether a value is what is written: no template, and not encrypted.
func asWritten(v value.Value) bool {
	switch v.Kind {
	case value.Vault, value.Unsafe:
		return false
	case value.List:
		return !slices.ContainsFunc(v.Items(), func(item value.Value) bool { return !asWritten(item) })
	case value.Map:
		return !slices.ContainsFunc(v.Pairs(), func(p value.Pair) bool { return !asWritten(p.Key) || !asWritten(p.Value) })
	}
	return !computes(v.Text)
}

// Moved reports whether what is in a file may be on other lines at the other revision.
func (c *Change) Moved(file string) bool {
	at, ok := c.files[file]
	if !ok || !at.Changed() {
		return false
	}
	return c.moved.Get(file, func() bool {
		if c.from.files.Kind(file) != tree.File || c.to.files.Kind(file) != tree.File {
			return true
		}
		was, now := c.from.files.Document(file), c.to.files.Document(file)
		readable := was.Err == nil && !was.Vaulted
		if readable != (now.Err == nil && !now.Vaulted) || readable && !value.SameLines(was.Value, now.Value) {
			return true
		}
		return !sameReads(c.from.files.Template(file), c.to.files.Template(file))
	})
}

// Stale says what of the traces of a file is not to be told of the other revision any
// more: of a variable or file that is used at a place which may be another now, all.
func (c *Change) Stale(traces *trace.File) (func(trace.Question) bool, error) {
	stale := map[trace.Question]bool{}
	var errs []error
	for _, kind := range []trace.Kind{tellVariable, tellFile} {
		errs = append(errs, traces.Each(kind, "", func(_ int, name string) bool {
			if c.Moved(FileAt(name[strings.LastIndex(name, nul)+1:])) {
				stale[trace.Question{Kind: kind, Name: firstPart(name)}] = true
			}
			return true
		}))
	}
	return func(q trace.Question) bool {
		return len(stale) > 0 && stale[trace.Question{Kind: q.Kind, Name: firstPart(q.Name)}]
	}, errors.Join(errs...)
}

// FileAt is the file of a place as people read it.
func FileAt(place string) string {
	place, _, _ = strings.Cut(place, ": ")
	file, _ := lineOf(place)
	return file
}

// sameReads reports whether two templates read the same, at the same lines.
func sameReads(a, b *tree.Template) bool {
	if a.Text == nil || b.Text == nil || a.Err != nil || b.Err != nil || a.Header || b.Header {
		return false
	}
	of := func(t *jinja.Text) (r reads) { r.text(t, 1); return r }
	return reflect.DeepEqual(of(a.Text), of(b.Text))
}

// only are the members of one set that another has, or has not.
func only(set, other trace.Set, in bool) trace.Set {
	set = slices.Clone(set)
	for i := range set {
		if in {
			set[i] &= other[i]
		} else {
			set[i] &^= other[i]
		}
	}
	return set
}

// telling are the traces that tell something that begins so, by what it is.
func (t *touching) telling(kind trace.Kind, begins string) map[string]trace.Set {
	found := map[string]trace.Set{}
	t.err = errors.Join(t.err, t.traces.Each(kind, begins, func(i int, name string) bool {
		set, err := t.traces.Asking(i)
		t.err = errors.Join(t.err, err)
		if found[name[len(begins):]] = set; set == nil {
			delete(found, name[len(begins):])
		}
		return err == nil
	}))
	return found
}

// tells are the traces that tell just that.
func (t *touching) tells(kind trace.Kind, name string) trace.Set {
	if set := t.asking(trace.Question{Kind: kind, Name: name}); set != nil {
		return set
	}
	return trace.NewSet(t.traces.Len())
}

// leafFile finds those among traces for which a file is a leaf, and notes it.
func (t *touching) leafFile(name string, kind trace.Kind, among trace.Set) trace.Set {
	none := trace.NewSet(t.traces.Len())
	if t.files.Differs(tree.AskKind, name) || t.from.files.Linked(name, false) || t.to.files.Linked(name, false) ||
		t.from.files.Kind(name) != tree.File || t.to.files.Kind(name) != tree.File {
		return none
	}
	for _, side := range []*Project{t.from, t.to} {
		if _, err := side.files.Digest(name); err != nil { // who follows says so
			return none
		}
	}
	if kind == tree.AskTemplate && !sameReads(t.from.files.Template(name), t.to.files.Template(name)) {
		return none
	}
	l, other := Leaf{Name: name, Of: trace.NewSet(t.traces.Len())}, none
	for what, by := range t.telling(tellFile, name+nul) {
		text, at, _ := strings.Cut(what, nul)
		number, err := strconv.Atoi(text)
		if err != nil {
			return none
		}
		if f := form(number); f >= asTemplate {
			l.Of.Join(by)
			l.told = append(l.told, toldOf{at, f, by})
		} else { // it is tasks, too, or the like
			other.Join(by)
		}
	}
	l.Of = only(only(only(l.Of, among, true), t.tells(tree.TellText, name), false), other, false)
	if l.Of.Len() > 0 {
		t.leaves = append(t.leaves, l)
	}
	return l.Of
}

// leafVariable finds those among traces for which a variable that a file defines
// otherwise is a leaf, and notes it. With them are those for which it does not count.
func (t *touching) leafVariable(name, file string, among trace.Set) trace.Set {
	settled := trace.NewSet(t.traces.Len())
	_, ok1 := pairIn(t.from.files.Document(file), name)
	_, ok2 := pairIn(t.to.files.Document(file), name)
	if !ok1 || !ok2 || implicit(name) || reserved(name) || slices.Contains(ownNames, name) ||
		t.from.files.Linked(file, false) || t.to.files.Linked(file, false) {
		return settled
	}
	reading := t.telling(tellVariable, name+nul)
	can := trace.NewSet(t.traces.Len())
	var told []toldOf
	for at, by := range reading {
		can.Join(by)
		told = append(told, toldOf{at: at, by: by})
	}
	can = only(only(only(can, among, true), t.tells(tellEvaluated, name), false), t.tells(tellEvaluated, nul), false)
	if can.Len() == 0 {
		return settled
	}
	definers := t.definers(name, file)
	byClass := map[string]trace.Set{}
	for i := range t.traces.Len() {
		if !can.Has(i) {
			continue
		}
		class, counts, ok := definedFor(definers, i)
		if !ok {
			continue
		}
		if settled.Add(i); counts {
			if byClass[class] == nil {
				byClass[class] = trace.NewSet(t.traces.Len())
			}
			byClass[class].Add(i)
		}
	}
	for class, of := range byClass {
		t.leaves = append(t.leaves, Leaf{Name: name, Of: of, file: file, class: class, told: told})
	}
	return settled
}

// definer is a file that defines a variable, and for whom it does.
type definer struct {
	scope  trace.Set            // whose inventory has it
	others map[string]trace.Set // who reads it as something else: by whether it is weak, the role and the class
}

// definers are the files that define a variable: first a file that is known to do so,
// then the others that may count beside it.
func (t *touching) definers(name, file string) []definer {
	of := func(file string) definer {
		return definer{t.tells(tellScope, file), t.telling(tellDefines, file+nul)}
	}
	all := []definer{of(file)}
	for other := range t.telling(tellDefiner, name+nul) {
		if other != file {
			all = append(all, of(other))
		}
	}
	return all
}

// as is what a file's variables are for a trace: of the inventory, weak or strong, once
// each time it is read.
func (d definer) as(i int) (scope, weak, strong int, class string) {
	if d.scope.Has(i) {
		scope, class = 1, "inventory"
	}
	for what, by := range d.others {
		if !by.Has(i) {
			continue
		}
		isWeak, rest, _ := strings.Cut(what, nul)
		_, class, _ = strings.Cut(rest, nul)
		if isWeak == "true" {
			weak++
		} else {
			strong++
		}
	}
	return scope, weak, strong, class
}

// definedFor reports whether the definition of the first of these files counts for a
// trace, alone, and as what; ok is false if several may count. See walk.resolve.
func definedFor(definers []definer, i int) (class string, counts, ok bool) {
	scope, weak, strong, class := definers[0].as(i)
	var scopes, weaks, strongs int // of the others
	for _, d := range definers[1:] {
		a, b, c, _ := d.as(i)
		scopes, weaks, strongs = scopes+a, weaks+b, strongs+c
	}
	switch {
	case scope+weak+strong != 1:
		return "", false, false
	case scope == 1:
		return class, true, scopes+strongs == 0
	case weak == 1 && scopes > 0: // which override it, whatever it is
		return "", false, true
	}
	return class, true, scopes+weaks+strongs == 0
}

// firstPart is what is before the rest of what is told.
func firstPart(told string) string {
	first, _, _ := strings.Cut(told, nul)
	return first
}
