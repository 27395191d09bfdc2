// Package tree holds the files of an Ansible project, each looked at, read and
// parsed once, however many nodes ask for it.
//
// It knows nothing of roles, plays or inventories.
package tree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Kind says what a path is, links followed.
type Kind uint8

// The kinds of paths. Devices and the like are taken for absent.
const (
	Absent Kind = iota
	File
	Directory
)

// Files is what can be asked about a project's files. Names are as io/fs wants
// them, relative to the project's directory.
type Files interface {
	// Kind says what a name is; names that io/fs refuses are Absent.
	Kind(name string) Kind
	// Executable reports whether a file may be executed by its owner.
	Executable(name string) bool
	// Names lists a directory, sorted; anything else has no names.
	Names(dir string) []string
	// Text reads a file.
	Text(name string) ([]byte, error)
	// Document reads a file as YAML or JSON.
	Document(name string) *Document
	// Template reads a file as a Jinja template.
	Template(name string) *Template
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
	*jinja.Text       // nil for a file that is not text, or cannot be read
	Err         error // it cannot be read
}

// Tree is a project's files. It may be used by several goroutines, and must not
// be used when the files may have changed.
type Tree struct {
	fsys fs.FS
	once *Once

	mu    sync.Mutex
	stats map[string]stat
	names map[string][]string
}

type stat struct {
	kind       Kind
	executable bool
}

// New returns the tree of a file system. What is read of it is kept in once,
// which other trees may share.
func New(fsys fs.FS, once *Once) *Tree {
	return &Tree{fsys: fsys, once: once, stats: map[string]stat{}, names: map[string][]string{}}
}

func (t *Tree) stat(name string) stat {
	t.mu.Lock()
	s, ok := t.stats[name]
	t.mu.Unlock()
	if ok || !fs.ValidPath(name) {
		return s
	}
	if info, err := fs.Stat(t.fsys, name); err == nil {
		switch {
		case info.IsDir():
			s.kind = Directory
		case info.Mode().IsRegular():
			s = stat{File, info.Mode()&0o100 != 0}
		}
	}
	t.mu.Lock()
	t.stats[name] = s
	t.mu.Unlock()
	return s
}

// Kind implements Files.
func (t *Tree) Kind(name string) Kind {
	if dir := path.Dir(name); dir != "." { // most names that are looked for are not there
		t.mu.Lock()
		names, ok := t.names[dir]
		t.mu.Unlock()
		if ok {
			if _, found := slices.BinarySearch(names, path.Base(name)); !found {
				return Absent
			}
		}
	}
	return t.stat(name).kind
}

// Executable implements Files.
func (t *Tree) Executable(name string) bool { return t.stat(name).executable }

// Names implements Files.
func (t *Tree) Names(dir string) []string {
	t.mu.Lock()
	names, ok := t.names[dir]
	t.mu.Unlock()
	if ok || !fs.ValidPath(dir) {
		return names
	}
	entries, err := fs.ReadDir(t.fsys, dir)
	if err == nil || len(entries) > 0 {
		for _, e := range entries {
			names = append(names, e.Name())
		}
		slices.Sort(names)
	}
	t.mu.Lock()
	t.names[dir] = names
	t.mu.Unlock()
	return names
}

// Text implements Files.
func (t *Tree) Text(name string) ([]byte, error) {
	text, err := fs.ReadFile(t.fsys, name)
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
	return once(t, t.once.documents, name, func() *Document {
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
	})
}

// Template implements Files.
func (t *Tree) Template(name string) *Template {
	return once(t, t.once.templates, name, func() *Template {
		text, err := t.Text(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 || IsVaulted(text) {
			return &Template{Err: err}
		}
		syntax, rest, ok := jinja.Header(string(text))
		parsed, err := jinja.Parse(rest, syntax)
		if err == nil && !ok {
			parsed.AnyVariable = "its first line sets the syntax of the template in a way that cannot be followed"
		}
		return &Template{Text: parsed}
	})
}

// Digest implements Files.
func (t *Tree) Digest(name string) (string, error) {
	s := t.stat(name)
	d := once(t, t.once.digests, name, func() *digest {
		text, err := t.Text(name)
		sum := sha256.Sum256(text)
		return &digest{hex.EncodeToString(sum[:]), err}
	})
	if s.executable {
		return "x" + d.sum, d.err
	}
	return d.sum, d.err
}

type digest struct {
	sum string
	err error
}

// IsVaulted reports whether a text is encrypted with Ansible Vault.
func IsVaulted(text []byte) bool { return bytes.HasPrefix(text, []byte("$ANSIBLE_VAULT;")) }
