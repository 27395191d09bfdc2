package ansible

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// ImageGroup is the group of hosts that are image builds; in it the variable
// strata_image is true. Every node is in it.
const ImageGroup = "strata_image"

// Query asks about playbooks that are run against one node. Paths are
// slash-separated and relative to the project's directory.
type Query struct {
	Playbooks   []string
	Host        string         // the node's name in the inventory
	Groups      []string       // the groups that the node is in, besides those that the inventory puts it in
	Inventory   []string       // files and directories, in Ansible's order: a later one is stronger
	RolesPath   []string       // directories that hold roles, before those of the configuration
	Collections []string       // directories that hold ansible_collections
	Config      string         // the ansible.cfg; "" for the one in the project's directory, if any
	ExtraVars   map[string]any // of all variables the strongest
	// ExtraVarsFiles are files of such variables: a later one is stronger, ExtraVars are
	// stronger than all.
	ExtraVarsFiles []string
	Local          []layer.Local // what is said of local programs and plugins; the first that matches counts
	// Tags and SkipTags say that only some of the tasks run, as --tags and --skip-tags do.
	Tags, SkipTags []string
	// VaultTemplates says that values in files of variables that are encrypted as a whole
	// may be templates, and read any variable.
	VaultTemplates bool
	// Seen says that programs on the machine that builds, which nothing else bounds, ask
	// just what Observed says: a build saw that. Without it they may read any file.
	Seen     bool
	Observed layer.Observed
	// Facts are what is known of what Ansible will find out about the node, by the
	// fact's name without "ansible_": os_family is Debian.
	Facts map[string]string
	// VaultPasswordFile never counts, wherever it lies: a vaulted value is
	// decided by its ciphertext, and a machine that plans needs no password.
	VaultPasswordFile string
	// Exclude names files and directories that never count, such as the one
	// that artifacts are written to.
	Exclude []string
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
	q.Inventory = all("inventory", q.Inventory)
	q.ExtraVarsFiles = all("file of extra variables", q.ExtraVarsFiles)
	q.Config = clean("ansible configuration", q.Config)
	exclude := make([]string, 0, len(q.Exclude)+1)
	for _, name := range append(slices.Clip(q.Exclude), q.VaultPasswordFile) {
		if c := path.Clean(name); fs.ValidPath(c) && c != "." {
			exclude = append(exclude, c)
		}
	}
	q.Exclude = exclude
	return q, errors.Join(errs...)
}

// within reports whether name is dir or below it.
func within(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir) && name[len(dir)] == '/'
}
