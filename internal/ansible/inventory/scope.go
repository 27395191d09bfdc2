package inventory

import (
	"errors"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// Scope is every variable that the inventory gives a node.
type Scope struct {
	Sealed []Sealed
	Files  []string // the files of variables that were read

	blocks []*block
}

// Definitions returns every definition, lowest precedence first.
func (s *Scope) Definitions() iter.Seq[Definition] {
	return func(yield func(Definition) bool) {
		for _, b := range s.blocks {
			for _, d := range b.definitions {
				if !yield(d) {
					return
				}
			}
		}
	}
}

// Definition is one definition of a variable.
type Definition struct {
	Variable
	Level string // where it counts: "group X" and "host X" in the inventory, "group_vars/X", "host_vars/X"
}

// Sealed is a file of variables that is encrypted as a whole.
type Sealed struct{ File, Level string }

// Parts are what the definitions come in, lowest precedence first. Scopes that have a
// part in common have the same one.
func (s *Scope) Parts() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for _, b := range s.blocks {
			if !yield(Part{b}) {
				return
			}
		}
	}
}

// Part is variables that are defined in one place.
type Part struct{ block *block }

// Definitions are those of the part, lowest precedence first. They must not be changed.
func (p Part) Definitions() []Definition { return p.block.definitions }

// Among returns the names that the part defines, of some.
func (p Part) Among(names map[string]bool) []string {
	var all []string
	if len(names) > len(p.block.definitions) {
		for i := range p.block.definitions {
			if name := p.block.definitions[i].Name(); names[name] {
				all = append(all, name)
			}
		}
		return all
	}
	for name := range names {
		if p.block.has(name) {
			all = append(all, name)
		}
	}
	return all
}

// Lookup returns the definitions of a variable, the one that wins last. Only
// where ansible.cfg says hash_behaviour=merge, and for mappings, do the others
// count.
func (s *Scope) Lookup(name string) []Definition {
	var all []Definition
	for _, b := range s.blocks {
		all = b.find(all, name)
	}
	return all
}

// Has reports whether a variable is defined.
func (s *Scope) Has(name string) bool {
	return slices.ContainsFunc(s.blocks, func(b *block) bool { return b.has(name) })
}

// Winner returns the definition that counts.
func (s *Scope) Winner(name string) (Definition, bool) {
	var found []Definition
	for i := len(s.blocks) - 1; i >= 0; i-- {
		if found = s.blocks[i].find(found, name); len(found) > 0 {
			return found[len(found)-1], true
		}
	}
	return Definition{}, false
}

// Veiled reports whether a file that is encrypted as a whole may say what a variable is:
// nothing that is known to define it is stronger than each of them.
func (s *Scope) Veiled(name string) bool {
	for _, b := range slices.Backward(s.blocks) {
		if last := b.last(name); last >= 0 {
			return last < b.veiled
		}
		if b.sealed {
			return true
		}
	}
	return false
}

// block is variables that are defined in one place. It does not change.
type block struct {
	definitions []Definition
	sealed      bool // a part of it is a file that is encrypted as a whole
	veiled      int  // how many of the definitions are weaker than such a part
	err         error

	index  sync.Once
	byName []int32 // the definitions by their names; none for few
}

const fewDefinitions = 32

func newBlock(variables []Variable, level string) *block {
	b := &block{definitions: make([]Definition, len(variables))}
	for i := range variables {
		b.definitions[i] = Definition{variables[i], level}
	}
	return b
}

// join makes one block of several that always come together.
func join(parts []*block) *block {
	all := 0
	for _, p := range parts {
		all += len(p.definitions)
	}
	b := &block{definitions: make([]Definition, 0, all)}
	for _, p := range parts {
		b.definitions = append(b.definitions, p.definitions...)
		if p.sealed {
			b.sealed, b.veiled = true, len(b.definitions)
		}
	}
	return b
}

// places are where the definitions of a name are, in order.
func (b *block) places(name string) []int32 {
	if len(b.definitions) <= fewDefinitions {
		var all []int32
		for i := range b.definitions {
			if b.definitions[i].Name() == name {
				all = append(all, int32(i))
			}
		}
		return all
	}
	b.index.Do(b.makeIndex)
	from, found := slices.BinarySearchFunc(b.byName, name, func(i int32, name string) int { return strings.Compare(b.definitions[i].Name(), name) })
	to := from
	for found && to < len(b.byName) && b.definitions[b.byName[to]].Name() == name {
		to++
	}
	return b.byName[from:to]
}

func (b *block) makeIndex() {
	b.byName = make([]int32, len(b.definitions))
	for i := range b.byName {
		b.byName[i] = int32(i)
	}
	slices.SortStableFunc(b.byName, func(i, j int32) int { return strings.Compare(b.definitions[i].Name(), b.definitions[j].Name()) })
}

// last is the place of the last definition of a name, or -1.
func (b *block) last(name string) int {
	all := b.places(name)
	if len(all) == 0 {
		return -1
	}
	return int(all[len(all)-1])
}

// find adds the definitions of a name.
func (b *block) find(to []Definition, name string) []Definition {
	for _, i := range b.places(name) {
		to = append(to, b.definitions[i])
	}
	return to
}

// has reports whether there is a definition of a name.
func (b *block) has(name string) bool { return len(b.places(name)) > 0 }

// defaultPrecedence is VARIABLE_PRECEDENCE.
func defaultPrecedence() []string {
	return []string{"all_inventory", "groups_inventory", "all_plugins_inventory", "all_plugins_play", "groups_plugins_inventory", "groups_plugins_play"}
}

// Definitions returns the variables that the inventory, and the group_vars and
// host_vars beside it and beside the playbooks, give the node, in the order of
// ansible/vars/manager.py. Of files it asks the given tree, and only for those
// of the node and its groups.
func (n *Node) Definitions(files tree.Files, playbookDirs []string) (*Scope, error) {
	r := n.reader(files, playbookDirs)
	for _, read := range n.places(r) {
		read()
	}
	return r.result()
}

// Winners looks for one variable on many hosts of an inventory. It is for one
// goroutine.
type Winners struct {
	files        tree.Files
	playbookDirs []string
	name         string
}

// NewWinners looks in the places of Definitions.
func NewWinners(files tree.Files, playbookDirs []string, name string) *Winners {
	return &Winners{files, playbookDirs, name}
}

// Of returns the part of Definitions that decides what the variable is for a host,
// where values replace each other: from the strongest place on, down to the first
// that defines it for certain.
func (w *Winners) Of(n *Node) (*Scope, error) {
	r := n.reader(w.files, w.playbookDirs)
	for _, read := range slices.Backward(n.places(r)) {
		if read(); r.scope.Has(w.name) {
			break
		}
	}
	return r.result()
}

func (n *Node) reader(files tree.Files, playbookDirs []string) *scopeReader {
	// Reading the same files once more right after the first time would change nothing.
	r := &scopeReader{files: files, inv: n.inv, scope: &Scope{}, inventory: slices.Compact(slices.Clone(n.inv.Dirs))}
	last := "" // no directory is called so
	if len(r.inventory) > 0 {
		last = r.inventory[len(r.inventory)-1]
	}
	for _, dir := range playbookDirs {
		if dir = path.Clean(dir); dir != last && !slices.Contains(r.plays, dir) {
			r.plays = append(r.plays, dir)
		}
	}
	return r
}

// places read one place each that may define variables, the weakest first.
func (n *Node) places(r *scopeReader) []func() {
	var all []func()
	own := func(b *block) { all = append(all, func() { r.add(b) }) }
	groupVars := func(dirs []string, groups []*Group) {
		for _, dir := range dirs {
			dir = path.Join(dir, "group_vars")
			if r.files.Kind(dir) != tree.Directory {
				continue
			}
			for _, g := range groups {
				all = append(all, func() { r.entity(dir, g.Name, g.varsLevel) })
			}
		}
	}
	precedence := n.inv.settings.Precedence
	if precedence == nil {
		precedence = defaultPrecedence()
	}
	groups := n.groups[1:]
	if n.foreign {
		groups = nil
	}
	for _, entry := range precedence {
		switch entry {
		case "all_inventory":
			own(n.groups[0].own)
		case "groups_inventory":
			for _, g := range groups {
				own(g.own)
			}
		case "all_plugins_inventory":
			groupVars(r.inventory, n.groups[:1])
		case "all_plugins_play":
			groupVars(r.plays, n.groups[:1])
		case "groups_plugins_inventory":
			groupVars(r.inventory, groups)
		case "groups_plugins_play":
			groupVars(r.plays, groups)
		}
	}
	if n.host != nil {
		own(n.host.own)
	}
	for _, dir := range append(slices.Clip(r.inventory), r.plays...) {
		all = append(all, func() { r.entity(path.Join(dir, "host_vars"), n.name, "host_vars/"+n.name) })
	}
	return all
}

// scopeReader collects the definitions of one node.
type scopeReader struct {
	files            tree.Files
	inv              *Inventory
	scope            *Scope
	inventory, plays []string // directories
	errors           []error
}

func (r *scopeReader) add(b *block) {
	if b != nil && len(b.definitions) > 0 {
		r.scope.blocks = append(r.scope.blocks, b)
	}
}

// entity is what the files of one group or host define, and what was asked for that. It
// is the same for whoever is in the group.
type entity struct {
	scope  *Scope
	errors []error
	seen   *tree.Seen
}

// entity adds what the files of one group or host define.
func (r *scopeReader) entity(dir, name, level string) {
	e := r.inv.entities.Get(path.Join(dir, name)+"\x00"+level, func() *entity {
		seen := tree.NewSeen(tree.Plain(r.files))
		one := &scopeReader{files: seen, inv: r.inv, scope: &Scope{}}
		one.variables(dir, name, level)
		return &entity{one.scope, one.errors, seen}
	})
	tree.Include(r.files, e.seen)
	r.scope.blocks = append(r.scope.blocks, e.scope.blocks...)
	r.scope.Files = append(r.scope.Files, e.scope.Files...)
	r.scope.Sealed = append(r.scope.Sealed, e.scope.Sealed...)
	r.errors = append(r.errors, e.errors...)
}

// variables adds the files of one group or host: find_vars_files of
// ansible/parsing/dataloader.py. The first of NAME, NAME.yml, NAME.yaml and
// NAME.json that exists counts, the others do not.
func (r *scopeReader) variables(dir, name, level string) {
	if strings.HasPrefix(name, "/") || r.files.Kind(dir) != tree.Directory {
		return
	}
	base := path.Join(dir, name)
	defer r.join()
	for i, extensions := -1, r.inv.settings.yamlExtensions(); i < len(extensions); i++ {
		file := base
		if i >= 0 {
			file += extensions[i]
		}
		switch r.files.Kind(file) {
		case tree.File:
			r.file(file, level)
			return
		case tree.Directory:
			r.directory(file, level, 0)
			return
		}
	}
}

func (r *scopeReader) directory(dir, level string, depth int) {
	if depth > deepest {
		r.errors = append(r.errors, fault.New(fault.Input, "directories are nested too deep, or a link leads into itself").At(dir, 0, 0))
		return
	}
	for _, base := range r.files.Names(dir) {
		if base[0] == '.' || strings.HasSuffix(base, "~") {
			continue
		}
		name, ext := path.Join(dir, base), path.Ext(base)
		switch r.files.Kind(name) {
		case tree.Directory:
			if ext == "" {
				r.directory(name, level, depth+1)
			}
		case tree.File:
			if ext == "" || slices.Contains(r.inv.settings.yamlExtensions(), ext) {
				r.file(name, level)
			}
		}
	}
}

// join makes one block of those that an entity gave.
func (r *scopeReader) join() {
	if len(r.scope.blocks) > 1 {
		r.scope.blocks = []*block{join(r.scope.blocks)}
	}
}

func (r *scopeReader) file(name, level string) {
	r.scope.Files = append(r.scope.Files, name)
	b := r.block(r.files.Variables(name), name, level)
	switch {
	case b.err != nil:
		r.errors = append(r.errors, b.err)
	case b.sealed:
		r.scope.Sealed = append(r.scope.Sealed, Sealed{name, level})
		r.scope.blocks = append(r.scope.blocks, b) // for its place among the others
	default:
		r.add(b)
	}
}

// block makes variables of a document.
func (r *scopeReader) block(doc *tree.Document, name, level string) *block {
	var err error
	switch {
	case doc.Err != nil:
		err = notYAML(name, doc.Err)
	case doc.Vaulted:
		return &block{sealed: true}
	case doc.Value.Kind != value.Map && !falsy(doc.Value):
		err = fault.New(fault.Input, "expected a mapping of variables, not a %s", doc.Value.Kind).At(name, doc.Value.Line, doc.Value.Col)
	default:
		variables := make([]Variable, len(doc.Value.Pairs()))
		for i := range doc.Value.Pairs() {
			variables[i] = Variable{&doc.Value.Pairs()[i], name}
		}
		return newBlock(variables, level)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		if text, readErr := r.files.Text(name); readErr == nil {
			f.Snippet = lineOf(text, f.Line)
		}
	}
	return &block{err: err}
}

func (r *scopeReader) result() (*Scope, error) {
	if len(r.errors) > 0 {
		return nil, errors.Join(r.errors...)
	}
	return r.scope, nil
}
