package engine

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/secret"
	"github.com/strata-hpc/strata/internal/step"
)

// repositories makes a node's repositories ready; nil if it has none.
func (b *Builder) repositories(n layer.Node) (packages.Set, error) {
	var list []packages.Repository
	for _, name := range n.Repositories {
		def, ok := b.Project.Repositories[name]
		if !ok {
			return nil, fault.New(fault.Input, "node %s uses repository %s, which is not defined", n.ID, name)
		}
		r := packages.Repository{Name: name, Repository: def}
		if def.Key != "" {
			var err error
			if r.Keyring, err = limit.Read(b.Files, def.Key, limit.Script); err != nil {
				return nil, fmt.Errorf("repository %s: read key: %w", name, err)
			}
		}
		list = append(list, r)
	}
	return b.Packages.Open(list, n.Arch)
}

// equip adds to a sandbox what steps and package managers need in it. The manager of
// the tree, nil without repositories, is to be closed once the sandbox has ended.
func equip(ctx context.Context, spec *sandbox.Spec, repositories packages.Set) (packages.Tree, error) {
	step.Equip(spec)
	if repositories == nil {
		return nil, nil
	}
	return repositories.Equip(ctx, spec)
}

// closed closes the manager of a tree, if there is one.
func closed(manager packages.Tree) error {
	if manager == nil {
		return nil
	}
	return manager.Close()
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
