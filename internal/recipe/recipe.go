// Package recipe reads what people write: a strata.yaml and the files that it
// includes go in as an fs.FS, a resolved layer.Project comes out, or every
// mistake that was found, each with its place, the line and a hint.
//
// It builds nothing and knows nothing of this machine: it imports no os, opens
// no file outside the fs.FS that it is given, and looks into none of the files
// that a recipe names beyond whether they are there.
//
// One table, made from the struct tags of the types in types.go and package
// layer (see shape), drives the decoder, the JSON Schema and the configuration
// reference, so that none of them can know a key that the others do not.
package recipe

import (
	"io/fs"

	"github.com/strata-hpc/strata/internal/layer"
)

// Options of Load. The zero value is that of an amd64 machine.
type Options struct {
	Arch string // Debian's name of this machine's architecture; "" means amd64
	// Repo makes the files of a git repository part of the project's and returns
	// the directory that they are then in, without the path in the repository.
	// User is what needs them: a layer's name, or "inventory". Without it, files of
	// repositories are not looked for.
	Repo func(r layer.Repo, user string) (dir string, err error)
}

// Load reads the recipe called name in fsys, whose root is the project's
// directory, and all that it includes. Every path that the recipe holds is
// relative to that root, also in included files. The error joins one
// *fault.Error of kind Input per mistake, sorted by place.
func Load(fsys fs.FS, name string, opts Options) (*layer.Project, error) {
	if opts.Arch == "" {
		opts.Arch = "amd64"
	}
	l := &loader{fsys: fsys, faults: &faults{}, repo: opts.Repo}
	project, fragments, ok := l.load(name)
	if !ok {
		return nil, l.faults.err()
	}
	r := newResolver(l, opts)
	resolved := r.resolve(project, fragments)
	if err := l.faults.err(); err != nil {
		return nil, err
	}
	return resolved, nil
}
