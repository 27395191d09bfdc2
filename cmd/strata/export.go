package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/artifact"
	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/space"
)

func newExportCommand(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "export IMAGE DIR", Short: "Put an image's artifacts into a directory", Args: args(cobra.ExactArgs(2)),
		Long: "Export builds what is missing and copies the image's artifacts and their manifest.json to DIR,\n" +
			"which appears only when all is there. A DIR that exists is replaced with --force.",
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, names []string) error {
			return runExport(cmd.Context(), a, names[0], names[1], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace DIR if it is an earlier export")
	return cmd
}

// buildImage builds an image and returns what came out.
func buildImage(ctx context.Context, a *app, b *engine.Builder, p *project, name string) (layer.Image, engine.ImageResult, error) {
	im, ok := p.Image(name)
	if !ok {
		return im, engine.ImageResult{}, unknownImage(p, name)
	}
	a.spare(b.Exchange)
	made, err := makePlan(ctx, b, []layer.NodeID{im.Node}, false)
	if err != nil {
		return im, engine.ImageResult{}, err
	}
	if !a.json() && !a.quiet {
		v := newView(a.out, a.viewOptions(made))
		b.Watch = v.Event
		defer v.Close()
	}
	b.Commits = p.commits(ctx)
	result, err := b.Run(ctx, made, []layer.Image{im}, engine.Options{Jobs: 2})
	if err != nil {
		return im, engine.ImageResult{}, err
	}
	return im, result.Images[0], nil
}

func unknownImage(p *project, name string) error {
	f := fault.New(fault.Input, "there is no image %s", name)
	if len(p.Images) == 0 {
		return f.WithHint("the configuration has no images: section")
	}
	names := ""
	for _, im := range p.Images {
		names += " " + im.Name
	}
	return f.WithHint("the images are:%s", names)
}

func runExport(ctx context.Context, a *app, name, dir string, force bool) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(a.path(dir)); err != nil {
		return err
	}
	if err := replaceable(dir, force); err != nil {
		return err
	}
	b, done, err := a.prepare(p)
	if err != nil {
		return err
	}
	defer done()
	_, res, err := buildImage(ctx, a, b, p, name)
	if err != nil {
		return err
	}
	if err := copyArtifacts(ctx, res.Directory, dir); err != nil {
		return err
	}
	if a.json() {
		m, err := artifact.ReadManifest(dir)
		if err != nil {
			return err
		}
		return a.printJSON(m)
	}
	if !a.quiet {
		fmt.Fprintf(a.out, "image %s is in %s\n", name, printable.Line(dir))
	}
	return nil
}

// replaceable says whether export may put something at dir.
func replaceable(dir string, force bool) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return fault.New(fault.Input, "export to %s: %w", dir, err)
	case !force:
		return fault.New(fault.Input, "%s exists", dir).WithHint("take another directory, or replace an earlier export with --force")
	}
	if _, err := artifact.ReadManifest(dir); err != nil {
		return fault.New(fault.Input, "%s is not an earlier export: %w", dir, err).WithHint("--force replaces only what export wrote; take another directory")
	}
	return nil
}

// copyArtifacts copies a directory of artifacts beside its destination and
// then renames it.
func copyArtifacts(ctx context.Context, from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	staging, err := os.MkdirTemp(filepath.Dir(to), "."+filepath.Base(to)+"-")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer os.RemoveAll(staging)
	if err := moveIn(ctx, staging, from, to); err != nil {
		return fmt.Errorf("export: %w", space.Note(err, staging))
	}
	return nil
}

// moveIn copies a directory into staging, and puts it in the place of another.
func moveIn(ctx context.Context, staging, from, to string) error {
	out := filepath.Join(staging, "out")
	// Asked for by name, attributes that cannot be kept are an error.
	cp := []string{"cp", "--archive", "--preserve=xattr", "--reflink=auto", from, out}
	if err := sandbox.Host(ctx, sandbox.Cmd{Args: cp, Env: append(os.Environ(), "LC_ALL=C.UTF-8")}); err != nil {
		if program, ok := errors.AsType[*sandbox.ExitError](err); ok && strings.Contains(program.Output, "Operation not supported") {
			return fault.New(fault.Machine, "%s is on a file system that keeps no extended attributes: %w", filepath.Dir(to), err).
				WithHint("a directory of files needs them, for capabilities and ACLs: take a place on ext4, xfs or btrfs, or the artifact tar")
		}
		return err
	}
	if err := os.Rename(to, filepath.Join(staging, "old")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(out, to)
}

// completeImages offers the project's images to a shell.
func (a *app) completeImages(_ *cobra.Command, done []string, _ string) ([]string, cobra.ShellCompDirective) {
	p, err := a.load()
	if err != nil || len(done) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	for _, im := range p.Images {
		names = append(names, im.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
