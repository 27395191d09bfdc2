// Package tree holds the files of an Ansible project, each looked at, read and
// parsed once, however many nodes ask for it.
//
// It knows nothing of roles, plays or inventories.
package tree

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/limit"
)

// Kind says what a path is, links followed.
type Kind uint8

// The kinds of paths. Devices and the like are taken for absent: see Tree.Bad.
const (
	Absent Kind = iota
	File
	Directory
)

// Files is what can be asked about a project's files. Names are as io/fs wants
// them, relative to the project's directory. What is returned must not be
// changed.
type Files interface {
	// Kind says what a name is; those that are no ValidName are Absent.
	Kind(name string) Kind
	// Executable reports whether a file may be executed by its owner.
	Executable(name string) bool
	// Names lists a directory, sorted; anything else has no names.
	Names(dir string) []string
	// Below lists the files below a directory, depth first; version control is
	// left out, and links are followed, but not into a directory that they are in.
	Below(dir string) []string
	// Text reads a file.
	Text(name string) ([]byte, error)
	// Document reads a file as YAML or JSON.
	Document(name string) *Document
	// Variables is Document of a file of which the variables matter one by one.
	Variables(name string) *Document
	// Template reads a file as a Jinja template.
	Template(name string) *Template
	// Unit is what a name lies in, or is, if only what that is pinned to is here.
	// Of names in a unit nothing else can be asked.
	Unit(name string) (Unit, bool)
	// UnitsBelow lists the units that Below finds.
	UnitsBelow(dir string) []string
	// Real says how links lead from a name to what it names.
	Real(name string) Way
	// Digest is the digest of a file as git would keep it: content, and whether
	// it may be executed. Hex of a SHA-256.
	Digest(name string) (string, error)
}

// Document is a file read as YAML.
type Document struct {
	Value   value.Value
	Vaulted bool  // the file as a whole is encrypted: Value is of kind Vault
	Err     error // it cannot be read, or is not YAML (*value.SyntaxError)
}

// Template is a file read as a Jinja template.
type Template struct {
	*jinja.Text        // nil for a file that is not text, or cannot be read
	Digest      string // of the template without what its comments say; hex of a SHA-256
	Included    string // the same, for where another template includes it
	Header      bool   // its first line sets its syntax, and that of what it includes
	Err         error  // it cannot be read
}

// Tree is a project's files. It may be used by several goroutines, and must not
// be used when the files may have changed.
type Tree struct {
	fsys fs.FS
	once *Once

	units   atomic.Bool // there are some, of what was listed
	circled atomic.Bool // a link leads to a directory that it is in

	mu      sync.RWMutex
	entries map[string]*entry
	ways    map[string]Way // of names that links lead to
}

// entry is what is known of a name. Each part of it is found out once.
type entry struct {
	kind   Kind
	linked bool  // a link leads to it, so that files of other names decide about it
	bad    error // it could not be looked at: a link that leads out of the project

	mode     sync.Once
	runs     bool // it may be executed
	list     sync.Once
	unlisted error // it could not be listed, and there is a way to mend that
	names    []string
	pin      string // of a unit
	kinds    []Kind // of names; unknownKind for links
	deep     sync.Once
	below    []string
	within   []string // units
	beyond   bool     // something below is linked
	links    []string // those below that were met, by the names under which they were
	circles  []string // links below that lead to a directory that they are in
	many     error    // there is more below than can be listed
	parse    sync.Once
	document *Document
	jinja    sync.Once
	template *Template
	hash     sync.Once
	digest   digest
}

const (
	unknownKind Kind = 255
	specialKind Kind = 254 // Ansible would wait at it, or read from a device
)

// What is known of all names that are not there.
var (
	nothing       = &entry{}
	nothingLinked = &entry{linked: true}
)

// New returns the tree of a file system. What is read of it is kept in once,
// which other trees may share.
func New(fsys fs.FS, once *Once) *Tree {
	return &Tree{fsys: fsys, once: once, entries: map[string]*entry{".": {kind: Directory}}, ways: map[string]Way{}}
}

// at returns what is known of a name, which at first is its kind.
func (t *Tree) at(name string) *entry {
	t.mu.RLock()
	e := t.entries[name]
	t.mu.RUnlock()
	if e != nil {
		return e
	}
	var found *entry
	switch kind, linked, err := t.find(name); {
	case err != nil:
		found = &entry{linked: true, bad: err}
	case kind != Absent:
		found = &entry{kind: kind, linked: linked}
	case linked:
		found = nothingLinked
	default:
		found = nothing
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e = t.entries[name]; e == nil {
		e = found
		t.entries[name] = e
	}
	return e
}

// find says what a name is: most names that are looked for are not there, and
// what their directory lists says so.
func (t *Tree) find(name string) (kind Kind, linked bool, err error) {
	if !ValidName(name) {
		return Absent, false, nil
	}
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	up := t.at(dir)
	if up.kind != Directory {
		return Absent, up.linked, up.bad
	}
	names := t.list(up, dir)
	i, ok := slices.BinarySearch(names, base)
	if !ok {
		return Absent, up.linked || up.unlisted != nil, up.unlisted
	}
	if up.kinds[i] < specialKind {
		return up.kinds[i], up.linked, nil
	}
	info, err := fs.Stat(t.fsys, name)
	switch {
	case err != nil:
		if errors.Is(err, fs.ErrNotExist) || len(fault.All(err)) == 0 {
			err = nil // for Ansible, too, it is as good as not there
		}
		return Absent, true, err
	case info.IsDir():
		return Directory, true, nil
	case info.Mode().IsRegular():
		return File, true, nil
	}
	return Absent, true, fault.New(fault.Input, "%s is neither a file nor a directory, but something that would be waited for", name).
		WithHint("remove it, or keep it outside of the project")
}

// Bad is the error for a name that Ansible could look at, and Strata may not: a link
// leads out of the project, or it is a device or the like. Below says so of what was listed by Below, too.
func (t *Tree) Bad(name string, below bool) error {
	e := t.at(name)
	if e.bad == nil && below {
		return e.many
	}
	return e.bad
}

// Circles are the links that Below found to lead to a directory that they are in.
func (t *Tree) Circles() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var all []string
	for _, e := range t.entries {
		all = append(all, e.circles...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Circled reports whether there are any.
func (t *Tree) Circled() bool { return t.circled.Load() }

// CirclesBelow are those of one directory.
func (t *Tree) CirclesBelow(dir string) []string { return t.at(dir).circles }

// Linked reports whether links have a part in what is at a name, or below it
// once Below was asked.
func (t *Tree) Linked(name string, below bool) bool {
	e := t.at(name)
	return e.linked || below && e.beyond
}

// LinksBelow are the links that Below met: where they lead decides about what it found.
func (t *Tree) LinksBelow(dir string) []string { return t.at(dir).links }

// Kind implements Files.
func (t *Tree) Kind(name string) Kind { return t.at(name).kind }

// Executable implements Files.
func (t *Tree) Executable(name string) bool { return t.executable(t.at(name), name) }

func (t *Tree) executable(e *entry, name string) bool {
	if e.kind != File {
		return false
	}
	e.mode.Do(func() {
		info, err := fs.Stat(t.fsys, name)
		e.runs = err == nil && info.Mode()&0o100 != 0
	})
	return e.runs
}

// Names implements Files.
func (t *Tree) Names(dir string) []string {
	e := t.at(dir)
	if e.kind != Directory {
		return nil
	}
	return t.list(e, dir)
}

func (t *Tree) list(e *entry, dir string) []string {
	e.list.Do(func() {
		found, err := fs.ReadDir(t.fsys, dir) // what could be listed counts
		if len(fault.All(err)) > 0 {
			e.unlisted = err // who asks for something in it is told
		}
		if by, ok := t.fsys.(pinned); ok && len(found) == 0 {
			if e.pin, ok = by.Pinned(dir); ok {
				t.units.Store(true)
				e.unlisted = cmp.Or(err, error(fault.New(fault.Input, "submodule was not fetched: %s, which is commit %s", dir, e.pin[:min(7, len(e.pin))]).
					WithHint("git submodule update --init --recursive -- %s", dir)))
			}
		}
		slices.SortFunc(found, func(a, b fs.DirEntry) int { return bytes.Compare([]byte(a.Name()), []byte(b.Name())) })
		e.names, e.kinds = make([]string, len(found)), make([]Kind, len(found))
		for i, f := range found {
			e.names[i] = f.Name()
			switch mode := f.Type(); {
			case mode.IsDir():
				e.kinds[i] = Directory
			case mode.IsRegular():
				e.kinds[i] = File
			case mode&fs.ModeSymlink != 0:
				e.kinds[i] = unknownKind
			default:
				e.kinds[i] = specialKind
			}
		}
	})
	return e.names
}

// Below implements Files.
func (t *Tree) Below(dir string) []string {
	e := t.at(dir)
	if e.kind != Directory {
		return nil
	}
	e.deep.Do(func() {
		d := descent{tree: t, trail: map[string]bool{}, to: e}
		d.down(dir, t.real(dir), 0)
	})
	return e.below
}

// real is where a name really is, the same for all names of one directory.
func (t *Tree) real(name string) string {
	if by, ok := t.fsys.(interface {
		Real(name string) (string, error)
	}); ok {
		if place, err := by.Real(name); err == nil {
			return "/" + place
		}
	}
	return name
}

// descent lists what is below a directory.
type descent struct {
	tree   *Tree
	trail  map[string]bool // the directories that it is in, by where they really are
	linked int             // names that links lead to
	to     *entry
}

// deepest is how many links may lead from one to the next: Linux follows no more.
const deepest = 40

func (d *descent) down(dir, real string, links int) {
	if d.trail[real] || links > deepest {
		d.to.circles = append(d.to.circles, dir)
		d.tree.circled.Store(true)
		return
	}
	d.trail[real] = true
	defer delete(d.trail, real)
	up := d.tree.at(dir)
	for i, name := range d.tree.list(up, dir) {
		full := path.Join(dir, name)
		if d.tree.at(full).linked {
			d.to.beyond = true
			if up.kinds[i] == unknownKind {
				d.to.links = append(d.to.links, full)
			}
			if d.linked++; d.linked > limit.Linked {
				d.to.many = fault.New(fault.Input, "links lead to more than %d files and directories, one of them %s", limit.Linked, full).
					WithHint("take out links to directories, such as those that lead to each other's")
				return
			}
		}
		switch d.tree.Kind(full) {
		case File:
			d.to.below = append(d.to.below, full)
		case Directory:
			d.tree.list(d.tree.at(full), full)
			switch {
			case name == ".git":
			case d.tree.at(full).pin != "":
				d.to.within = append(d.to.within, full)
			case up.kinds[i] == unknownKind:
				d.down(full, d.tree.real(full), links+1)
			default:
				d.down(full, path.Join(real, name), links)
			}
		}
		if d.to.many != nil {
			return
		}
	}
}

// Text implements Files.
func (t *Tree) Text(name string) ([]byte, error) {
	text, err := limit.Read(t.fsys, name, limit.Ansible)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}

// id names the content of a file: the same id, the same content.
func (t *Tree) id(name string) string {
	if by, ok := t.fsys.(interface {
		ObjectID(name string) (string, error)
	}); ok {
		if id, err := by.ObjectID(name); err == nil && id != "" {
			return id
		}
	}
	return "" // it is known by its name, in this tree only
}

// Document implements Files.
func (t *Tree) Document(name string) *Document {
	e := t.at(name)
	if e.kind != File {
		return t.document(name)
	}
	e.parse.Do(func() { e.document = t.once.documents.Get(t.key(name), func() *Document { return t.document(name) }) })
	return e.document
}

// Variables implements Files.
func (t *Tree) Variables(name string) *Document { return t.Document(name) }

func (t *Tree) document(name string) *Document {
	text, err := t.Text(name)
	if err != nil {
		return &Document{Err: err}
	}
	if IsVaulted(text) {
		v := value.Value{Kind: value.Vault, Text: string(bytes.Join(bytes.Fields(text), []byte("\n"))), Line: 1}
		return &Document{Value: v, Vaulted: true}
	}
	v, err := value.YAML(text)
	return &Document{Value: v, Err: err}
}

// Template implements Files.
func (t *Tree) Template(name string) *Template {
	e := t.at(name)
	if e.kind != File {
		return t.parse(name)
	}
	e.jinja.Do(func() { e.template = t.once.templates.Get(t.key(name), func() *Template { return t.parse(name) }) })
	return e.template
}

func (t *Tree) parse(name string) *Template {
	text, err := t.Text(name)
	if err != nil || bytes.IndexByte(text, 0) >= 0 || IsVaulted(text) {
		return &Template{Err: err}
	}
	syntax, rest, ok := jinja.Header(string(text))
	parsed, err := jinja.Parse(rest, syntax)
	template := &Template{Text: parsed, Header: len(rest) < len(text) || !ok}
	if err == nil && !ok {
		parsed.AnyVariable = "its first line sets the syntax of the template in a way that cannot be followed"
	}
	said := func(included bool) string {
		if err != nil || !ok {
			return string(text)
		}
		return string(text[:len(text)-len(rest)]) + jinja.Uncommented(rest, syntax, included)
	}
	digest := func(said string) string {
		sum := sha256.Sum256([]byte(said))
		return hex.EncodeToString(sum[:])
	}
	alone, included := said(false), said(true)
	template.Digest = digest(alone)
	if template.Included = template.Digest; included != alone {
		template.Included = digest(included)
	}
	return template
}

// Digest implements Files.
func (t *Tree) Digest(name string) (string, error) {
	e := t.at(name)
	if e.kind != File {
		_, err := t.Text(name)
		return "", err
	}
	e.hash.Do(func() {
		d := t.once.digests.Get(t.key(name), func() *digest {
			sum, err := t.hash(name)
			return &digest{sum, err}
		})
		e.digest = *d
		if t.executable(e, name) {
			e.digest.sum = "x" + d.sum
		}
	})
	return e.digest.sum, e.digest.err
}

// hash is the digest of a file's content, of whatever size.
func (t *Tree) hash(name string) (string, error) {
	f, err := t.fsys.Open(name)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	if err := limit.Sparse(name, f); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type digest struct {
	sum string
	err error
}

// IsVaulted reports whether a text is encrypted with Ansible Vault.
func IsVaulted(text []byte) bool { return bytes.HasPrefix(text, []byte("$ANSIBLE_VAULT;")) }
