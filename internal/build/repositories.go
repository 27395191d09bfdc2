package build

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/strata-hpc/strata/internal/apt"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// debianKeyring signs Debian; Debian, Ubuntu, EL and SUSE package it as
// debian-archive-keyring or debian-keyring, at this path.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// repositories makes a node's repositories ready for apt on this machine.
func (b *Builder) repositories(n layer.Node) ([]apt.Repository, error) {
	var list []apt.Repository
	for _, name := range n.Repositories {
		def, ok := b.Project.Repositories[name]
		if !ok {
			return nil, fault.New(fault.Input, "node %s uses repository %s, which is not defined", n.ID, name)
		}
		r := apt.Repository{
			Name: name, URI: def.URL, Suite: def.Suite, Components: def.Components,
			Trusted: def.Trusted, Named: def.URL != "", Key: def.Key,
		}
		if len(r.Components) == 0 {
			r.Components = []string{"main"}
		}
		if r.URI == "" {
			uri, err := apt.Mirror(os.DirFS("/"), def.Suite)
			if err != nil {
				return nil, fmt.Errorf("repository %s: %w", name, err)
			}
			r.URI = uri
		}
		switch {
		case def.Key != "":
			r.Keyring = filepath.Join(b.Dir, def.Key)
		case !r.Trusted:
			r.Keyring = debianKeyring
			if _, err := os.Stat(debianKeyring); err != nil {
				return nil, fault.New(fault.Machine, "repository %s has no key, and this machine has no %s", name, debianKeyring).
					WithHint("install package debian-archive-keyring, or give the repository a key")
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// Unverified names the repositories of a node whose signatures are not checked.
func (b *Builder) Unverified(n layer.Node) []string {
	var names []string
	for _, name := range n.Repositories {
		if b.Project.Repositories[name].Trusted {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// secretValues reads a node's secrets from where the project says.
func (b *Builder) secretValues(n layer.Node) (map[string][]byte, error) {
	values := map[string][]byte{}
	for name, s := range n.Secrets {
		value, err := secret(s, b.Dir)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

// secret reads one secret; relative names of files start at dir.
func secret(s layer.Secret, dir string) ([]byte, error) {
	if s.Env != "" {
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return nil, fault.New(fault.Input, "environment variable %s is not set", s.Env).WithHint("export %s=… before building", s.Env)
		}
		return []byte(value), nil
	}
	path := s.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	value, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Input, "%w", err)
	}
	return value, nil
}
