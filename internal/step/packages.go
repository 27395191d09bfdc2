package step

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
)

// repositories writes what an image has that knows repositories.
func (w *Work) repositories(ctx context.Context, s layer.Repositories) error {
	var t tree
	for _, f := range w.Repositories.Files(s.Names) {
		t.file(f.Path, f.Content, entry{mode: 0o644})
	}
	return w.unpack(ctx, t)
}

// target is the tree for its package manager.
func (w *Work) target() packages.Target {
	return packages.Target{Box: w.Box, Environment: w.Environment, Log: w.Log}
}

func (w *Work) remove(ctx context.Context, s layer.Remove) error {
	return w.Packages.Remove(ctx, w.target(), s.Packages)
}

func (w *Work) packages(ctx context.Context, s layer.Packages) error {
	what := packages.Install{Recommends: !s.NoRecommends}
	var files []string
	for _, name := range s.Install {
		if local(name) {
			files = append(files, path.Clean(name))
			name = insideOf(name)
		}
		what.Packages = append(what.Packages, name)
	}
	err := w.put(ctx, func(t *tree) error {
		for _, name := range files {
			if err := t.copy(w.Project, name, insideOf(name), entry{mode: 0o644}); err != nil {
				return fmt.Errorf("read local package: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.Packages.Install(ctx, w.target(), what)
}

// insideOf is where a package file is in the tree while it is installed.
func insideOf(name string) string { return "/run/strata/packages/" + path.Base(name) }

// local says whether a name of a package means a file.
func local(name string) bool {
	return strings.Contains(name, "/") && (path.Ext(name) == ".deb" || path.Ext(name) == ".rpm")
}
