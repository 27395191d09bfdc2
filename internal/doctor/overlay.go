package doctor

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/strata-hpc/strata/internal/sandbox"
)

func checkOverlay(ctx context.Context, m machine, opts Options) []Finding {
	f := Finding{Name: "overlay", Level: OK, Message: "mounts on the store's file system", Needed: "layers on top of each other"}
	switch {
	case opts.Store == "":
		return nil
	case !m.admin:
		f.Level, f.Message, f.Hint = Warning, "not tried: this process may not mount", "see 'user namespaces'"
		return []Finding{f}
	}
	if err := m.overlay(ctx, existing(m.root, opts.Store)); err != nil {
		f.Level, f.Message = Missing, err.Error()
		f.Hint = "put the store on ext4, xfs or btrfs (--store DIR), not on an overlay or on the network"
		if containerKind(m) != "" {
			f.Hint += "; " + containerNeeds
		} else if m.namespaced {
			f.Hint += "; or build as root"
		}
	}
	return []Finding{f}
}

// tryOverlay mounts two layers and an empty one on the file system of dir,
// writes to the tree, and looks where it went.
func tryOverlay(ctx context.Context, dir string) error {
	base, err := os.MkdirTemp(dir, ".strata-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	path := func(name string) string { return filepath.Join(base, name) }
	for _, name := range []string{"upper", "lower-1", "lower-2", "scratch"} {
		if err := os.Mkdir(path(name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"lower-1", "lower-2"} {
		if err := os.WriteFile(filepath.Join(path(name), name), []byte("below"), 0o644); err != nil {
			return err
		}
	}
	box, err := sandbox.Start(ctx, sandbox.Spec{
		Lower: []string{path("lower-1"), path("lower-2")}, Upper: path("upper"), Scratch: path("scratch"), Bare: true,
	})
	if err != nil {
		return err
	}
	return errors.Join(writeAbove(ctx, box, path("upper")), box.Stop())
}

// writeAbove replaces a file of the lowest layer, as another user.
func writeAbove(ctx context.Context, box *sandbox.Sandbox, upper string) error {
	for _, name := range []string{"lower-1", "lower-2"} {
		if content, err := sandbox.ReadFileIn(box.Root(), name); err != nil || string(content) != "below" {
			return fmt.Errorf("a file of a lower layer is not in the tree: %w", err)
		}
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	content := []byte("above")
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "lower-2", Mode: 0o640, Uid: 1000, Gid: 1000, Size: int64(len(content))}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := box.Unpack(ctx, &b); err != nil {
		return err
	}
	got, err := sandbox.ReadFileIn(upper, "lower-2")
	if err != nil {
		return fmt.Errorf("what was written did not arrive in the upper layer: %w", err)
	}
	if !bytes.Equal(got, content) {
		return errors.New("what was written arrived damaged in the upper layer")
	}
	return nil
}
