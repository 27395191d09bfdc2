package ansible

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/trace"
)

// Reached is what decides what playbooks do to a node.
type Reached struct {
	Files     []File     // sorted by path
	Variables []Variable // sorted by name
	Programs  []Program  // on the machine that builds, which nothing else bounds than what was seen, if it was
	Commit    []string   // what asks git of the commit, as file:line
	Widenings []Widening // what could not be followed, sorted
	Used      []string   // the declarations of Query.Local that were of use, sorted
	Warnings  []Warning  // in order of their places
	Without   []string   // what runs, and is not here: "role x"; sorted
	Unveiled  []string   // names that files of variables which are encrypted as a whole were taken not to define, sorted
}

// File is a file that counts.
type File struct {
	Path string // relative to the project's directory
	// Digest is of what counts of it: of tasks, plays and the like what they
	// say, whatever their comments and the order of their keywords; of others
	// the content, and whether it may be executed.
	Digest string
	Reason string   // why it counts, in a few words: "role slurm"
	Via    []string // what reaches it, as file:line; where that can be anything, with ": " and why
	// Vaulted is a file of variables that is encrypted as a whole. Its values were taken to
	// be no templates, unless the query says otherwise.
	Vaulted bool
}

// Variable is a variable that counts, with all that its value can be.
type Variable struct {
	Name        string
	Digest      string
	Definitions []Definition // the strongest last; none if it is defined nowhere
	Via         []string     // what reads it, in the same form
}

// Definition is one place where a variable gets a value.
type Definition struct {
	File  string
	Line  int
	Shown string // the value for people, shortened; of a vaulted one a digest
	Extra bool   // it is given with the query
}

// Options of Reach.
type Options struct {
	// Changed are the names of files that differ from the revision that this one is
	// compared with: of those that only other hosts have, Ansible stops at the ones that
	// cannot be read.
	Changed []string
}

// Analysis is what is known of playbooks that were followed. It is for one goroutine.
type Analysis struct {
	walk    *walk
	reached *Reached
}

// Asked is all that the analysis depends on.
func (a *Analysis) Asked() *trace.Asked { return a.walk.files.Asked }

// Told is what people are told of the analysis, and whether it asks git of the commit:
// all but files and variables.
func (a *Analysis) Told() *Reached { return a.walk.notes() }

func (w *walk) notes() *Reached {
	return &Reached{
		Warnings: w.warnings(), Commit: w.commit, Widenings: w.widenings(), Used: slices.Sorted(w.used.keys()),
		Programs: slices.Clone(w.programs), Without: slices.Sorted(w.without.keys()),
		Unveiled: slices.Sorted(w.unveiled.keys()),
	}
}

// Circles are links that lead to a directory that they are in, of those that the
// analysis looked through.
func (a *Analysis) Circles() []string {
	p := a.walk.Project
	if !p.files.Circled() { // it mostly is so
		return nil
	}
	var all []string
	a.Asked().All(func(q trace.Question) {
		if q.Kind == tree.AskBelow {
			all = append(all, p.files.CirclesBelow(q.Name)...)
		}
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// Reached is what the playbooks reach.
func (a *Analysis) Reached() *Reached {
	if a.reached == nil {
		a.reached = a.walk.reached()
	}
	return a.reached
}

// Reach returns what the playbooks of q reach. Mistakes that stop Ansible too (a
// role that is not there, a cycle of role dependencies, YAML that cannot be
// read) are faults of kind Input, joined.
func (p *Project) Reach(q Query, o Options) (*Reached, error) {
	a, err := p.Analyse(q, o)
	if err != nil {
		return nil, err
	}
	return a.Reached(), nil
}

// Analyse follows the playbooks of q. Its errors are those of Reach.
func (p *Project) Analyse(q Query, o Options) (*Analysis, error) {
	w, err := p.begin(q, o)
	if err != nil {
		return nil, err
	}
	w.settle()
	if err := errors.Join(append(w.files.Faults(), w.faults...)...); err != nil {
		return nil, err
	}
	for h := range w.hostReads.keys() { // they look at files, too
		w.foreignValue(h)
	}
	w.suspect()
	w.tellCircumstances()
	// What it was found with: many analyses are kept until all are there.
	w.evaluation, w.other, w.resolved, w.requests, w.trial = nil, nil, map[string][]definition{}, nil, nil
	return &Analysis{walk: w}, nil
}

func (w *walk) reached() *Reached {
	r := w.notes()
	r.Files, r.Variables = w.reachedFiles(), w.reachedVariables()
	if foreign := w.foreignVariables(); len(foreign) > 0 {
		r.Variables = append(r.Variables, foreign...)
		slices.SortStableFunc(r.Variables, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	}
	return r
}

// reachedFiles are sorted by path.
func (w *walk) reachedFiles() []File {
	say := func(name string) (File, bool) {
		f := w.found.at(name)
		digest := f.digest
		switch {
		case f.form == asSettings && digest == "" && !w.vars.has("ansible_config_file"):
			return File{}, false // as good as none
		case f.list != nil && f.form != asWhole:
			says := w.says(f.list)
			if digest = says.said; f.form == asNamed || w.readsNames() {
				digest = says.named
			}
			if digest == "" && f.alone {
				return File{}, false // as good as none
			}
		case f.list != nil && len(f.list.guards) > 0: // its bytes do not say which of its tasks run
			digest = sum(digest, w.says(f.list).named)
		case f.form == asWhole && f.plays != "": // nor which of its plays
			digest = sum(digest, f.plays)
		case f.named != "" && w.readsNames():
			digest = f.named
		}
		return File{Path: name, Digest: digest, Reason: f.reason, Via: f.via, Vaulted: w.vaults.has(name)}, true
	}
	if w.from == nil || len(w.runs.own) > 0 || w.from.readsNames() != w.readsNames() {
		return renewed(nil, slices.Sorted(w.found.keys()), filePath, say)
	}
	return renewed(w.from.common().files, slices.Sorted(maps.Keys(w.found.own)), filePath, say)
}

func filePath(f File) string         { return f.Path }
func variableName(v Variable) string { return v.Name }

// reachedVariables are those of the node, sorted by name.
func (w *walk) reachedVariables() []Variable {
	if w.from == nil || !slices.Equal(w.dirs, w.from.dirs) {
		return renewed(nil, slices.Sorted(w.vars.keys()), variableName, w.summary)
	}
	names := slices.Collect(maps.Keys(w.vars.own))
	for name := range w.defs.own {
		names = append(names, name)
	}
	names = slices.DeleteFunc(append(names, w.from.given(w.scope)...), func(name string) bool { return !w.vars.has(name) })
	for _, name := range ownNames {
		if w.vars.has(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return renewed(w.from.common().variables, slices.Compact(names), variableName, w.summary)
}

// renewed is a sorted list with what is said of some names now, in order and each
// once, and no more what was said of them.
func renewed[T any](list []T, names []string, nameOf func(T) string, say func(name string) (T, bool)) []T {
	if len(names) == 0 {
		return slices.Clip(list)
	}
	const more = 4 // are mostly added to it
	all := make([]T, 0, len(list)+len(names)+more)
	for _, name := range names {
		to, known := slices.BinarySearchFunc(list, name, func(t T, name string) int { return cmp.Compare(nameOf(t), name) })
		all = append(all, list[:to]...)
		if list = list[to:]; known {
			list = list[1:]
		}
		if t, ok := say(name); ok {
			all = append(all, t)
		}
	}
	return append(all, list...)
}

const shown = 2000 // bytes of a value that people are shown

// summary is what a reached variable comes to; false for one that has no
// definition, unless it has a value of Ansible's own.
func (w *walk) summary(name string) (Variable, bool) {
	v := Variable{Name: name, Via: w.vars.at(name)}
	defs := w.plainly(name)
	own, magic := w.magic(name)
	switch {
	case magic && len(defs) == 0:
		v.Digest = sum(own)
		v.Definitions = []Definition{{Shown: own}}
		return v, true
	case magic: // of some, host_vars are stronger
		defs = append([]definition{{value: &value.Value{Kind: value.String, Text: own}, class: "magic"}}, defs...)
	case len(defs) == 0:
		return v, false
	}
	v.Definitions = make([]Definition, len(defs))
	if len(defs) == 1 {
		s := w.said(name, &defs[0])
		v.Definitions[0], v.Digest = s.definition, s.alone
		return v, true
	}
	parts := make([]string, 0, 2*len(defs))
	for i := range defs {
		s := w.said(name, &defs[i])
		parts = append(parts, defs[i].class, s.digest)
		v.Definitions[i] = s.definition
	}
	v.Digest = sum(parts...)
	return v, true
}

// said is what a definition says, wherever it counts.
type said struct {
	definition Definition
	digest     string // of the value
	alone      string // of the variable, if it has no other definition
}

// saidAt is where a value is written.
type saidAt struct {
	name, file, class string
	line, col         int
}

func (w *walk) said(name string, d *definition) said {
	say := func() said {
		digest := d.value.Digest()
		shown := Definition{File: d.file, Line: d.line, Shown: d.value.Shown(shown), Extra: d.class == "extra"}
		return said{shown, digest, sum(d.class, digest)}
	}
	if d.file == "" || d.value.Line == 0 {
		return say()
	}
	return w.sayings.Get(saidAt{name, d.file, d.class, d.value.Line, d.value.Col}, say)
}

// sum is the digest of a list of texts.
func sum(texts ...string) string {
	s := newSummer()
	for _, t := range texts {
		s.add(t)
	}
	return s.sum()
}

// summer makes the digest of a list that is told one by one.
type summer struct {
	hash hash.Hash
	text []byte
}

func newSummer() *summer { return &summer{hash: sha256.New()} }

func (s *summer) add(text string) {
	s.text = append(append(strconv.AppendInt(s.text, int64(len(text)), 10), ':'), text...)
	if len(s.text) > 1<<12 {
		s.hash.Write(s.text)
		s.text = s.text[:0]
	}
}

func (s *summer) sum() string {
	s.hash.Write(s.text)
	return hex.EncodeToString(s.hash.Sum(nil))
}

// via is how something is reached: a few places, the first in the order of files and
// lines, and those at which it is only taken to be reached after all others. So it is
// the same whoever comes first.
type via []string

const mostPlaces = 3

// with is v and one more place, where there is room.
func (v via) with(at place) via {
	return v.withText(at.text())
}

// text is a place as people read it, "" for none.
func (p place) text() string {
	text := p.file
	if p.file != "" && p.line > 0 {
		text += ":" + strconv.Itoa(p.line)
	}
	if p.file != "" && p.note != "" {
		text += ": " + p.note
	}
	return text
}

func (v via) withText(text string) via {
	if text == "" {
		return v
	}
	i, known := slices.BinarySearchFunc(v, text, comparePlaces)
	if known || i >= mostPlaces {
		return v
	}
	all := make(via, 0, mostPlaces)
	all = append(append(all, v[:i]...), text)
	return append(all, v[i:min(len(v), mostPlaces-1)]...)
}

// comparePlaces puts what is noted at places after the places themselves, and lines
// in order.
func comparePlaces(a, b string) int {
	placeA, noteA, notedA := strings.Cut(a, ": ")
	placeB, noteB, notedB := strings.Cut(b, ": ")
	if notedA != notedB {
		return strings.Compare(noteA, noteB) // one is empty
	}
	fileA, lineA := lineOf(placeA)
	fileB, lineB := lineOf(placeB)
	return cmp.Or(strings.Compare(fileA, fileB), cmp.Compare(lineA, lineB), strings.Compare(placeA, placeB), strings.Compare(noteA, noteB))
}

// lineOf takes FILE:LINE apart; the line may be missing.
func lineOf(place string) (file string, line int) {
	i := strings.LastIndexByte(place, ':')
	if i < 0 {
		return place, 0
	}
	line, _ = strconv.Atoi(place[i+1:])
	return place[:i], line
}

// counted is a file that counts. It does not change.
type counted struct {
	form   form
	digest string
	named  string // the same with the names of tasks and plays; "" where that is no other
	reason string
	via    via
	plays  string    // of a playbook: which of its plays run
	list   *taskList // of a file of tasks
	alone  bool      // it is the only main file of a role's handlers
}

// form says what of a file counts; a greater one has the smaller in it.
type form int

const (
	asName     form = iota + 1 // that it is there
	asSettings                 // what its settings say
	asTasks                    // what its tasks say, names aside
	asNamed                    // with the names: handlers
	asHandlers                 // the same of a role's own, which run only if they are notified
	asTemplate                 // a template but for its comments
	asIncluded                 // the same for a template that another includes
	asWhole
)

// count makes a file count in a form whose digest is given, unless it is
// excluded.
func (w *walk) count(name string, f form, digest, reason string, at place) {
	if name == "" || w.excluded(name) {
		return
	}
	if name = w.throughLinks(name, at); w.excluded(name) {
		return
	}
	known := w.found.at(name)
	c := counted{reason: reason}
	if known != nil {
		c = *known
	}
	c.via = c.via.with(at)
	if known != nil && f <= c.form && slices.Equal(c.via, known.via) {
		return
	}
	if f > c.form {
		c.form, c.digest, c.named = f, digest, ""
	}
	w.tellFile(name, c.form, at)
	w.found.set(name, &c)
}

// throughLinks is real, and makes the links on the way count, each by itself: where one
// leads to something else, other files may still be the same that count.
func (w *walk) throughLinks(name string, at place) string {
	way := w.files.Real(name)
	if way.Outside() {
		return name
	}
	for _, link := range way.Links {
		c := counted{form: asWhole, digest: sum("link", w.files.Real(link).Real), reason: "link"}
		if known := w.found.at(link); known != nil {
			c.via = known.via
		}
		if c.via = c.via.with(at); !w.excluded(link) {
			w.found.set(link, &c)
		}
	}
	return way.Real
}

// real is the one name under which a file counts, whatever links lead to it. It is
// followed under the name that it is found by: what is relative to it starts there.
func (w *walk) real(name string) string {
	if way := w.files.Real(name); !way.Outside() {
		return way.Real
	}
	return name
}

// recount makes something else count of a file, if it counts.
func (w *walk) recount(name string, other func(c *counted)) {
	name = w.real(name)
	if known := w.found.at(name); known != nil {
		c := *known
		other(&c)
		w.found.set(name, &c)
	}
}

// says is what a list of tasks says, but for what those would do that never run.
func (w *walk) says(l *taskList) digestPair {
	if len(l.guards) == 0 {
		return l.digestPair
	}
	return w.told.Get(told{l, string(w.does(nil, l))}, func() digestPair { // mostly as for others
		return l.digestsOf(func(p part) digestPair {
			if p.guarded == nil {
				return p.digestPair
			}
			does := w.doingAnywhere(p.guarded)
			if p.guarded.apart && does >= doesRun {
				return w.says(p.guarded.tasks)
			}
			return p.guarded.digest(does)
		})
	})
}

// does adds what is known of each guarded task of a list.
func (w *walk) does(all []byte, l *taskList) []byte {
	for _, g := range l.guards {
		does := w.doingAnywhere(g)
		if all = append(all, byte(does)); g.apart && does >= doesRun {
			all = w.does(all, g.tasks)
		}
	}
	return all
}

// told is a list of tasks with what each of its guarded ones does.
type told struct {
	list *taskList
	does string
}

// readsNames reports whether the names of plays and tasks can be read.
func (w *walk) readsNames() bool {
	return w.any != nil || w.vars.has("ansible_failed_task") || w.vars.has("ansible_play_name")
}

func (w *walk) excluded(name string) bool {
	return slices.ContainsFunc(w.q.Exclude, func(x string) bool { return within(name, x) })
}

// whole makes a file, or everything below a directory, count with its content.
func (w *walk) whole(name, reason string, at place) {
	if w.lacks(name, false, at) {
		return
	}
	switch w.files.Kind(name) {
	case tree.File:
		w.wholeFile(name, reason, at)
	case tree.Directory:
		for _, f := range w.below(name) {
			w.wholeFile(f, reason, at)
		}
		for _, unit := range w.files.UnitsBelow(name) {
			w.lacks(unit, false, at)
		}
	}
}

func (w *walk) wholeFile(name, reason string, at place) {
	if c := w.found.at(w.real(name)); c != nil && c.form == asWhole {
		w.count(name, asWhole, c.digest, reason, at)
		return
	}
	digest, err := w.files.Digest(name)
	if refused, ok := errors.AsType[*fault.Error](err); ok {
		w.fail(refused) // a playbook would read it all the same
	}
	if err != nil {
		digest = "unreadable"
	}
	w.count(name, asWhole, digest, reason, at)
}

// everything makes all files of the project count, and all variables.
func (w *walk) everything(reason string, at place) {
	w.anyFile(reason, at)
	w.anyVariable(reason, at)
}

// anyFile makes all files of the project count.
func (w *walk) anyFile(reason string, at place) {
	w.widens(reason, at)
	if w.all {
		return
	}
	w.all = true
	at.note = reason
	for _, name := range w.files.Names(".") {
		if name != ".git" {
			w.whole(name, reason, at)
		}
	}
}
