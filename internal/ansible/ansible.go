package ansible

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// Query asks about playbooks that are run against one node. Paths are
// slash-separated and relative to the project's directory.
type Query struct {
	Playbooks   []string
	Host        string         // the node's name in the inventory
	Groups      []string       // the groups that the node is in, besides those that the inventory puts it in
	Inventory   string         // file or directory; "" for none
	RolesPath   []string       // directories that hold roles, before those of the configuration
	Collections []string       // directories that hold ansible_collections
	Config      string         // the ansible.cfg; "" for the one in the project's directory, if any
	ExtraVars   map[string]any // searched for names of files; their values count elsewhere
	// VaultPasswordFile never counts, wherever it lies: a vaulted value is
	// decided by its ciphertext, and a machine that plans needs no password.
	VaultPasswordFile string
	// Exclude names files and directories that never count, such as the one
	// that artifacts are written to.
	Exclude []string
}

// File is a file whose content can decide what the playbooks do.
type File struct {
	Path   string // relative to the project's directory; a symbolic link is listed as itself
	Reason string // why it counts, in a few words: "role slurm"
}

// Inputs returns the files that can decide what the playbooks of q do, sorted
// by path. Mistakes that stop Ansible too (a role that is not there, a cycle of
// role dependencies, YAML that cannot be read) are faults of kind Input, joined.
func Inputs(fsys fs.FS, q Query) ([]File, error) {
	return Open(fsys).Inputs(q)
}

// Project is an Ansible project with what has been read of it so far, so that
// each file is read and parsed once however many nodes ask. It is not for use
// by several goroutines at once, nor after the files have changed.
type Project struct {
	fsys        fs.FS
	re          expressions
	texts       map[string]*text
	lists       map[string]*tasks
	metas       map[string]*meta
	trees       map[string][]string
	dirs        map[string][]fs.DirEntry
	stats       map[string]entry
	inventories map[string]*inventory
	mentions    map[mention]bool
	patterns    map[string]*regexp.Regexp
}

// mention is a question that was answered: does the text say the name?
type mention struct {
	in   *text
	name string
}

func (p *Project) mentionedIn(t *text, name string) bool {
	m := mention{t, name}
	said, ok := p.mentions[m]
	if !ok {
		said = mentioned(t.live, name)
		p.mentions[m] = said
	}
	return said
}

// Open returns the Ansible project in fsys. It reads nothing yet.
func Open(fsys fs.FS) *Project {
	return &Project{
		fsys:        fsys,
		re:          compiled(),
		texts:       map[string]*text{},
		lists:       map[string]*tasks{},
		metas:       map[string]*meta{},
		trees:       map[string][]string{},
		dirs:        map[string][]fs.DirEntry{},
		stats:       map[string]entry{},
		inventories: map[string]*inventory{},
		mentions:    map[mention]bool{},
		patterns:    map[string]*regexp.Regexp{},
	}
}

// Inputs is the function Inputs for a project that was opened before.
func (p *Project) Inputs(q Query) ([]File, error) {
	w, err := newWalk(p, q)
	if err != nil {
		return nil, err
	}
	for _, name := range w.q.Playbooks {
		w.playbook(name, ref{})
	}
	w.settle()
	if len(w.faults) > 0 {
		return nil, errors.Join(w.faults...)
	}
	files := make([]File, 0, len(w.found))
	for name, reason := range w.found {
		files = append(files, File{Path: name, Reason: reason})
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return files, nil
}

// cleaned returns q with every path in the form that io/fs wants.
func (q Query) cleaned() (Query, error) {
	var errs []error
	clean := func(what, name string) string {
		if name == "" {
			return ""
		}
		c := path.Clean(name)
		if !fs.ValidPath(c) {
			errs = append(errs, fault.New(fault.Input, "%s %s is not below the project's directory", what, name).
				WithHint("give a path relative to the directory of strata.yaml; what lies outside of it cannot be part of a key"))
		}
		return c
	}
	all := func(what string, names []string) []string {
		out := make([]string, len(names))
		for i, n := range names {
			out[i] = clean(what, n)
		}
		return out
	}
	q.Playbooks = all("playbook", q.Playbooks)
	q.RolesPath = all("roles path", q.RolesPath)
	q.Collections = all("collections path", q.Collections)
	q.Inventory = clean("inventory", q.Inventory)
	q.Config = clean("ansible configuration", q.Config)
	if c := path.Clean(q.VaultPasswordFile); fs.ValidPath(c) && c != "." {
		q.Exclude = append(slices.Clip(q.Exclude), c)
	}
	return q, errors.Join(errs...)
}

// kind says what a path is, symbolic links followed.
type kind int

const (
	absent kind = iota
	file
	directory
)

// entry is what is known of a path without reading it.
type entry struct {
	kind       kind
	size       int64
	executable bool
}

func (p *Project) stat(name string) entry {
	if e, ok := p.stats[name]; ok {
		return e
	}
	var e entry
	if info, err := fs.Stat(p.fsys, name); err == nil {
		e = entry{kind: file, size: info.Size(), executable: info.Mode()&0o111 != 0}
		if info.IsDir() {
			e.kind = directory
		}
	}
	p.stats[name] = e
	return e
}

func (p *Project) kind(name string) kind { return p.stat(name).kind }

// entries lists a directory; one that cannot be read is empty.
func (p *Project) entries(dir string) []fs.DirEntry {
	list, ok := p.dirs[dir]
	if !ok {
		list, _ = fs.ReadDir(p.fsys, dir)
		p.dirs[dir] = list
	}
	return list
}

// subdirectories names the directories in dir, links to directories included.
func (p *Project) subdirectories(dir string) []string {
	var names []string
	for _, e := range p.entries(dir) {
		if p.kind(path.Join(dir, e.Name())) == directory {
			names = append(names, e.Name())
		}
	}
	return names
}

// tree lists what is below a directory except directories: files, symbolic
// links, and what links to directories lead to. Version control is left out.
func (p *Project) tree(dir string) []string {
	if list, ok := p.trees[dir]; ok {
		return list
	}
	// A link to a directory above itself would go on for ever.
	const mostLinks = 4
	var list []string
	var down func(dir string, links int)
	down = func(dir string, links int) {
		for _, e := range p.entries(dir) {
			name := path.Join(dir, e.Name())
			link := e.Type()&fs.ModeSymlink != 0
			switch {
			case e.IsDir():
				if e.Name() != ".git" {
					down(name, links)
				}
				continue
			case link && links < mostLinks && p.kind(name) == directory:
				down(name, links+1)
			}
			list = append(list, name)
		}
	}
	down(dir, 0)
	p.trees[dir] = list
	return list
}

// within reports whether name is dir or below it.
func within(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir) && name[len(dir)] == '/'
}

// ref is a place where a name was written.
type ref struct {
	name      string
	file      string
	line, col int
	optional  bool // Ansible may never come to it
}

// fault returns an Input fault at the place, with its line shown.
func (p *Project) fault(at ref, format string, args ...any) *fault.Error {
	f := fault.New(fault.Input, format, args...).At(at.file, at.line, at.col)
	if t := p.text(at.file); at.line > 0 && t != nil {
		lines := strings.SplitN(t.s, "\n", at.line+1)
		if at.line <= len(lines) {
			f.Snippet = strings.TrimRight(lines[at.line-1], "\r")
		}
	}
	return f
}

func (r ref) String() string { return fmt.Sprintf("%s:%d", r.file, r.line) }
