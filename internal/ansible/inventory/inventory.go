// Package inventory reads Ansible inventories as data, as ansible-core does:
// groups and hosts, in INI, YAML, directories and lists, their variables in the
// inventory and in group_vars and host_vars, and the patterns of plays.
//
// It runs nothing and evaluates no template. Scripts and configurations of
// plugins are named as opaque, for the caller to take as anything.
package inventory

import (
	"maps"
	"slices"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Inventory is what an inventory says. It does not change after Read, and may
// be used by several goroutines.
type Inventory struct {
	Groups map[string]*Group // all and ungrouped are always there
	Hosts  map[string]*Host
	Opaque []Opaque
	// Unparsed are files in directories that no plugin reads.
	Unparsed []Unparsed
	Files    []string // files read and directories listed, in this order
	Dirs     []string // where group_vars and host_vars beside it are: one of each source, but for lists of hosts

	settings Settings
	groups   []*Group // in the order in which Ansible came to know them
	hosts    []*Host
	sorted   func() []string
	local    *Host // the first that is called as this machine is
	explicit int   // how many children all has that some file says it has

	mu sync.RWMutex

	entities *tree.Memo[string, *entity] // by path, without suffix, and what the level is called
	members  map[string]*members
	plays    map[string]*pattern
}

// Opaque is a part of the inventory that Ansible may read but this package
// cannot: its groups, hosts and variables are unknown.
type Opaque struct {
	File, Why string
	Line      int // 0 for the file as a whole
}

// Unparsed is a file in a directory of inventories that is none: Ansible warns, and goes
// on with the others.
type Unparsed struct {
	File string
	Err  error
}

func (u Unparsed) same(other Unparsed) bool {
	return u.File == other.File && u.Err.Error() == other.Err.Error()
}

// Variable is a variable and where it is defined.
type Variable struct {
	*value.Pair // as it is written: its key is the name
	File        string
}

// Name is the variable's name.
func (v Variable) Name() string { return v.Key.Text }

// Line is where the variable is set.
func (v Variable) Line() int { return v.Key.Line }

// variable is one that is not written as an entry of a map.
func variable(name string, v value.Value, file string, line int) Variable {
	key := value.Value{Kind: value.String, Text: name, Line: line}
	return Variable{&value.Pair{Key: key, Value: v}, file}
}

// Group is a group as the inventory's own files define it.
type Group struct {
	Name      string
	Parents   []string
	Children  []string
	Hosts     []string   // those directly in it
	Variables []Variable // in the order set; a later one of the same name counts
	File      string     // where it was seen first; "" for all and ungrouped if nowhere
	Line      int
	Priority  int // ansible_group_priority, otherwise 1
	Depth     int // the longest way from group all

	parents   []*Group
	edges     []place // where parents is written
	children  []*Group
	hosts     []*Host
	up        []*Group // itself and its ancestors
	own       *block
	varsLevel string
}

// Host is a host as the inventory's own files define it.
type Host struct {
	Name      string
	Groups    []string // those that it is directly in
	Variables []Variable
	File      string // inventory_file: where it was seen first
	Line      int

	groups []*Group
	own    *block
	index  int // among the inventory's hosts
}

type place struct {
	file string
	line int
}

// Settings are what an ansible.cfg can change. The zero value is Ansible's
// defaults.
type Settings struct {
	IgnoreExtensions []string // inventory_ignore_extensions; nil for the defaults
	IgnorePatterns   []string // inventory_ignore_patterns, Python regular expressions
	YAMLExtensions   []string // yaml_valid_extensions; nil for the defaults
	Precedence       []string // precedence; nil for the default
}

func (s Settings) yamlExtensions() []string {
	if s.YAMLExtensions != nil {
		return s.YAMLExtensions
	}
	return []string{".yml", ".yaml", ".json"}
}

// Read reads an inventory with Ansible's defaults, from sources that are read one
// after the other: files, directories, and lists of hosts with commas. Errors are
// faults of kind Input, joined where several files are wrong.
func Read(files tree.Files, sources ...string) (*Inventory, error) {
	return Settings{}.Read(files, sources...)
}

// Read reads an inventory with these settings.
func (s Settings) Read(files tree.Files, sources ...string) (*Inventory, error) {
	inv := &Inventory{
		Groups: map[string]*Group{}, Hosts: map[string]*Host{}, settings: s,
		entities: tree.NewMemo[string, *entity](), members: map[string]*members{}, plays: map[string]*pattern{},
	}
	inv.sorted = sync.OnceValue(func() []string { return slices.Sorted(maps.Keys(inv.Hosts)) })
	b := &builder{inv: inv, files: files}
	all := b.group("all", place{})
	b.child(all, b.group("ungrouped", place{}), place{})
	for _, name := range sources {
		if err := b.source(name); err != nil {
			return nil, err
		}
	}
	if err := b.finish(); err != nil {
		return nil, err
	}
	return inv, nil
}

// AllHosts returns the names of the hosts, sorted. They must not be changed.
func (inv *Inventory) AllHosts() []string { return inv.sorted() }

// local are the names that Ansible takes for this machine.
func localName(name string) bool {
	return name == "localhost" || name == "127.0.0.1" || name == "::1"
}
