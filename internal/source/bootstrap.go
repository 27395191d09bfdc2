package source

import (
	"context"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
)

// bootstrap has the package manager of the layer's repositories install a distribution.
func (t Tree) bootstrap(ctx context.Context, b layer.Bootstrap) error {
	return t.Repositories.Bootstrap(ctx, packages.Bootstrap{
		Recommends: b.Recommends, Upper: t.Upper, Scratch: t.Scratch, Environment: t.Environment, Log: t.Log,
	})
}
