package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/disk"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/union"
)

// mostOutward is how many links are named: nobody reads more at once.
const mostOutward = 20

// contained is an error if a node runs playbooks and a link of the project leads out of
// it: ansible-playbook opens files on this machine itself, wherever links lead. The
// project is looked through once.
func (b *Builder) contained(ctx context.Context, n layer.Node) error {
	if !slices.ContainsFunc(n.Steps, func(s layer.Step) bool { return s.Reads().Playbooks != nil }) {
		return nil
	}
	b.looked.Do(func() { b.outward = b.leadsOut(ctx) })
	return b.outward
}

func (b *Builder) leadsOut(ctx context.Context) error {
	parts := map[string]fs.FS{"": b.Files}
	if u, ok := b.Files.(*union.FS); ok {
		parts = u.Joined()
		parts[""] = u.Root()
	}
	var errs []error
	for name, files := range parts {
		found, err := disk.Outward(ctx, files)
		if err != nil {
			return fmt.Errorf("look for links that lead out of the project: %w", err)
		}
		for _, l := range b.unignored(ctx, files, found) {
			f := fault.New(fault.Input, "no playbook is run: %w", l.Err)
			f.File = path.Join(name, l.Name)
			errs = append(errs, f)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if more := len(errs) - mostOutward; more > 0 {
		errs = append(errs[:mostOutward], fault.New(fault.Input, "%d more links lead out of the project", more))
	}
	return errors.Join(errs...)
}

// unignored leaves out the links that git ignores and does not have: they are this
// machine's, such as a virtual environment of Python, and no commit brings them.
func (b *Builder) unignored(ctx context.Context, files fs.FS, found []disk.Link) []disk.Link {
	on, ok := files.(interface {
		Top() string
		Below() string
	})
	if len(found) == 0 || !ok || b.Git == nil {
		return found
	}
	names := make([]string, len(found))
	for i, l := range found {
		names[i] = l.Name
	}
	ignored := git.Ignored(ctx, b.Git, path.Join(on.Top(), on.Below()), names)
	return slices.DeleteFunc(found, func(l disk.Link) bool { return ignored[l.Name] })
}
