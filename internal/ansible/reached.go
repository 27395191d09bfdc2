package ansible

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// Reached is what decides what playbooks do to a node.
type Reached struct {
	Files     []File     // sorted by path
	Variables []Variable // sorted by name
	Touched   bool       // something differs from the other revision, see Options
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
	// Differences from another revision of the project: Reached.Touched says
	// whether anything that was looked at is in them. Where it is not, the
	// other revision has the same answer.
	Differences tree.Differences
	// OnlyTouched leaves the answer empty where nothing was looked at that
	// differs: for those who then have no use for it.
	OnlyTouched bool
}

// Reach returns what the playbooks of q reach. Mistakes that stop Ansible too (a
// role that is not there, a cycle of role dependencies, YAML that cannot be
// read) are faults of kind Input, joined.
func (p *Project) Reach(q Query, o Options) (*Reached, error) {
	w, err := p.begin(q, o)
	if err != nil {
		return nil, err
	}
	w.settle()
	if len(w.faults) > 0 {
		return nil, errors.Join(w.faults...)
	}
	for h := range w.hostReads { // they look at files, too
		w.foreignValue(h)
	}
	if o.OnlyTouched && !w.files.Touched {
		return &Reached{}, nil
	}
	return w.reached(), nil
}

func (w *walk) reached() *Reached {
	r := &Reached{}
	for _, name := range slices.Sorted(maps.Keys(w.found)) {
		f := w.found[name]
		digest := f.digest
		switch {
		case f.form == asSettings && digest == "" && w.vars["ansible_config_file"] == nil:
			continue // as good as none
		case f.list != nil && f.form != asWhole:
			says := w.says(f.list)
			if digest = says.said; f.form == asNamed || w.readsNames() {
				digest = says.named
			}
			if digest == "" && f.list.handlers && w.onlyMain(name) {
				continue // as good as none
			}
		case f.named != "" && w.readsNames():
			digest = f.named
		}
		r.Files = append(r.Files, File{Path: name, Digest: digest, Reason: f.reason, Via: f.via.strings()})
	}
	for _, name := range slices.Sorted(maps.Keys(w.vars)) {
		if v, ok := w.summary(name); ok {
			r.Variables = append(r.Variables, v)
		}
	}
	r.Variables = append(r.Variables, w.foreignVariables()...)
	slices.SortStableFunc(r.Variables, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	r.Touched = w.files.Touched
	return r
}

const shown = 2000 // bytes of a value that people are shown

// summary is what a reached variable comes to; false for one that has no
// definition, unless it has a value of Ansible's own.
func (w *walk) summary(name string) (Variable, bool) {
	v := Variable{Name: name, Via: w.vars[name].via.strings()}
	if own, ok := w.magic(name); ok {
		v.Digest = sum(own)
		v.Definitions = []Definition{{Shown: own}}
		return v, true
	}
	defs := w.definitions(name)
	if len(defs) == 0 {
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
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// via is how something is reached: the first few places.
type via struct{ places []place }

const mostPlaces = 3

func (v *via) add(at place) {
	if len(v.places) < mostPlaces && at.file != "" && !slices.Contains(v.places, at) {
		v.places = append(v.places, at)
	}
}

func (v via) strings() []string {
	var all []string
	for _, at := range v.places {
		text := at.file
		if at.line > 0 {
			text = fmt.Sprintf("%s:%d", at.file, at.line)
		}
		if at.note != "" {
			text += ": " + at.note
		}
		all = append(all, text)
	}
	return all
}

// counted is a file that counts, while it is gathered.
type counted struct {
	form   form
	digest string
	named  string // the same with the names of tasks and plays; "" where that is no other
	reason string
	via    via
	list   *taskList // of a file of tasks
}

// form says what of a file counts; a greater one has the smaller in it.
type form int

const (
	asSettings form = iota + 1 // what its settings say
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
	c := w.found[name]
	if c == nil {
		c = &counted{reason: reason}
		w.found[name] = c
	}
	c.via.add(at)
	if f > c.form {
		c.form, c.digest, c.named = f, digest, ""
	}
}

// says is what a list of tasks says, but for what those would do that never run.
func (w *walk) says(l *taskList) digestPair {
	if len(l.guards) == 0 {
		return l.digestPair
	}
	does := make([]byte, len(l.guards))
	for i, g := range l.guards {
		does[i] = byte(w.doingAnywhere(g))
	}
	return w.told.Get(told{l, string(does)}, func() digestPair { // mostly as for others
		i := -1
		return l.digestsOf(func(p part) digestPair {
			if p.guarded == nil {
				return p.digestPair
			}
			i++
			return p.guarded.digest(doing(does[i]))
		})
	})
}

// told is a list of tasks with what each of its guarded ones does.
type told struct {
	list *taskList
	does string
}

// readsNames reports whether the names of plays and tasks can be read.
func (w *walk) readsNames() bool {
	return w.any != nil || w.vars["ansible_failed_task"] != nil || w.vars["ansible_play_name"] != nil
}

func (w *walk) excluded(name string) bool {
	return slices.ContainsFunc(w.q.Exclude, func(x string) bool { return within(name, x) })
}

// whole makes a file, or everything below a directory, count with its content.
func (w *walk) whole(name, reason string, at place) {
	switch w.files.Kind(name) {
	case tree.File:
		if c := w.found[name]; c != nil && c.form == asWhole {
			c.via.add(at)
			return
		}
		digest, err := w.files.Digest(name)
		if err != nil {
			digest = "unreadable"
		}
		w.count(name, asWhole, digest, reason, at)
	case tree.Directory:
		for _, f := range w.below(name) {
			w.whole(f, reason, at)
		}
	}
}

// everything makes all files of the project count, and all variables.
func (w *walk) everything(reason string, at place) {
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
	w.anyVariable(reason, at)
}
