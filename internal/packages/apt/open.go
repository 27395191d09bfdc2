package apt

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/packages"
)

// debianKeyring signs Debian; Debian, Ubuntu, EL and SUSE package it as
// debian-archive-keyring or debian-keyring, at this path.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// set is repositories that are ready for apt on this machine.
type set struct {
	cache        *Cache
	repositories []Repository
	keys         map[string]string // content of keyrings, by their path in the project
	arch         string
}

// Open implements packages.Manager.
func (c *Cache) Open(repositories []packages.Repository, arch string) (packages.Set, error) {
	s := &set{cache: c, arch: arch, keys: map[string]string{}}
	for _, def := range repositories {
		r, err := c.ready(def)
		if err != nil {
			return nil, err
		}
		s.repositories = append(s.repositories, r)
		s.keys[def.Key] = string(def.Keyring)
	}
	return s, Agree(s.repositories)
}

// ready finds a repository's address and keyring.
func (c *Cache) ready(def packages.Repository) (r Repository, err error) {
	r = Repository{
		Name: def.Name, URI: def.URL, Suite: def.Suite, Components: def.Components,
		Trusted: def.Trusted, Named: def.URL != "", Key: def.Key,
	}
	if len(r.Components) == 0 {
		r.Components = []string{"main"}
	}
	if r.URI == "" {
		if r.URI, err = Mirror(os.DirFS("/"), def.Suite); err != nil {
			return r, fmt.Errorf("repository %s: %w", r.Name, err)
		}
	}
	switch {
	case def.Key != "":
		// Not in the project's directory, where it may be a link to something else
		// when apt opens it.
		if r.Keyring, err = c.Keyring(def.Keyring, path.Ext(def.Key)); err != nil {
			return r, fmt.Errorf("repository %s: %w", r.Name, err)
		}
	case !r.Trusted:
		r.Keyring = debianKeyring
		if _, err := os.Stat(debianKeyring); err != nil {
			return r, fault.New(fault.Machine, "repository %s has no key, and this machine has no %s", r.Name, debianKeyring).
				WithHint("install package debian-archive-keyring, or give the repository a key")
		}
	}
	return r, nil
}

// Listed implements packages.Set.
func (s *set) Listed() bool {
	_, err := os.Stat(s.cache.Lists(s.repositories))
	return err == nil
}

// Files implements packages.Set: those that have an address, and anew those of a parent
// that may have to name another keyring now. The others are this machine's business:
// see Equip.
func (s *set) Files(names []string) []packages.File {
	var files []packages.File
	keyrings := map[string]string{} // in the project, by their path in the image
	for _, r := range s.repositories {
		if r.Named && r.Key != "" && slices.Contains(names, r.Name) {
			keyrings[r.Installed] = r.Key
		}
	}
	for _, r := range s.repositories {
		if r.Named && (keyrings[r.Installed] != "" || slices.Contains(names, r.Name)) {
			r.Keyring = r.Installed
			files = append(files, packages.File{Path: "/etc/apt/sources.list.d/" + r.Name + ".sources", Content: Sources([]Repository{r})})
		}
	}
	for _, installed := range slices.Sorted(maps.Keys(keyrings)) {
		files = append(files, packages.File{Path: installed, Content: s.keys[keyrings[installed]]})
	}
	return files
}
