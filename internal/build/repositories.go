package build

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/strata-hpc/strata/internal/apt"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/secret"
)

// debianKeyring signs Debian; Debian, Ubuntu, EL and SUSE package it as
// debian-archive-keyring or debian-keyring, at this path.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// repositories makes a node's repositories ready for apt on this machine.
func (b *Builder) repositories(n layer.Node) ([]apt.Repository, error) {
	var list []apt.Repository
	var err error
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
			if r.URI, err = apt.Mirror(os.DirFS("/"), def.Suite); err != nil {
				return nil, fmt.Errorf("repository %s: %w", name, err)
			}
		}
		switch {
		case def.Key != "":
			if r.Keyring, err = b.keyring(def.Key); err != nil {
				return nil, fmt.Errorf("repository %s: %w", name, err)
			}
		case !r.Trusted:
			r.Keyring = debianKeyring
			if _, err := os.Stat(debianKeyring); err != nil {
				return nil, fault.New(fault.Machine, "repository %s has no key, and this machine has no %s", name, debianKeyring).
					WithHint("install package debian-archive-keyring, or give the repository a key")
			}
		}
		list = append(list, r)
	}
	return list, apt.Agree(list)
}

// keyring is where apt finds a keyring of the project: not in the project's
// directory, where it may be a link to something else when apt opens it.
func (b *Builder) keyring(name string) (string, error) {
	content, err := limit.Read(b.Files, name, limit.Script)
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	return b.Cache.Keyring(content, path.Ext(name))
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
func (b *Builder) secretValues(n layer.Node) (secret.Values, error) {
	values := secret.Values{}
	for name, s := range n.Secrets {
		value, err := readSecret(s, b.Files)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

// readSecret reads one secret; relative names of files are those of the project's files.
func readSecret(s layer.Secret, files fs.FS) ([]byte, error) {
	if s.Env != "" {
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return nil, fault.New(fault.Input, "environment variable %s is not set", s.Env).WithHint("export %s=… before building", s.Env)
		}
		return []byte(value), nil
	}
	if !filepath.IsAbs(s.File) {
		value, err := limit.Read(files, path.Clean(s.File), limit.Secret)
		if err != nil {
			return nil, fault.New(fault.Input, "%w", err)
		}
		return value, nil
	}
	// Where secrets are handed to programs, they are links and other things.
	f, err := os.OpenFile(s.File, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.New(fault.Input, "%w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fault.New(fault.Input, "%s is no file", s.File)
	}
	value, err := limit.ReadAll(f, s.File, limit.Secret)
	if err != nil {
		return nil, fault.New(fault.Input, "%w", err)
	}
	return value, nil
}
