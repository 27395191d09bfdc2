package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Tree is a tree to open a shell in.
type Tree struct {
	Node  layer.Node
	Lower []string // directories, topmost first
	Upper string   // what a failed build had written; "" to write to a throw-away directory
}

// Shell runs a command in a tree, on a terminal if its input is one, and
// returns its exit status. The tree is equipped as it is for a layer's steps.
func (b *Builder) Shell(ctx context.Context, t Tree, c sandbox.Cmd) (status int, err error) {
	scratch, err := b.Store.Scratch(ctx, "shell")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	if t.Upper == "" {
		t.Upper = filepath.Join(scratch.Dir, "upper")
	}
	box := filepath.Join(scratch.Dir, "box")
	if err := errors.Join(os.MkdirAll(t.Upper, 0o755), os.Mkdir(box, 0o700)); err != nil {
		return 0, err
	}
	spec := sandbox.Spec{Lower: t.Lower, Upper: t.Upper, Scratch: box}
	repositories, err := b.repositories(t.Node)
	if err != nil {
		return 0, err
	}
	manager, err := equip(ctx, &spec, repositories)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closed(manager)) }()
	s, err := sandbox.Start(ctx, spec)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Finish(context.WithoutCancel(ctx))) }()
	c.Env = append(sandbox.Environ(environment(t.Node.Env)), fmt.Sprintf("PS1=%s:\\w# ", t.Node.ID))
	return s.Interactive(ctx, c)
}
