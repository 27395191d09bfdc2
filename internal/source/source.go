// Package source makes first layers: it fills an empty directory from where a layer
// says that it starts. It does not install what a layer's steps ask for.
package source

import (
	"context"
	"fmt"
	"io"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
)

// Tree is an empty tree to be filled.
type Tree struct {
	Upper        string       // the directory that becomes the layer
	Scratch      string       // an empty directory on the same file system
	Repositories packages.Set // of the layer; nil for none
	Environment  []string     // of what runs in the tree: KEY=value
	Log          io.Writer    // what programs say
}

// Fill fills a tree from a source.
func Fill(ctx context.Context, t Tree, s layer.Source) error {
	switch s := s.(type) {
	case layer.Bootstrap:
		return t.bootstrap(ctx, s)
	}
	return fmt.Errorf("fill a first layer: unknown kind of source %q", s.Kind())
}
