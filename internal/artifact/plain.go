package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/tarball"
)

// tar writes the tree as a canonical tar.
func (x *exporter) tar(ctx context.Context, name string, a layer.Artifact) (*File, error) {
	return x.create(ctx, name, a, func(f *os.File) error {
		return tarball.Write(ctx, f, x.tree.Dir, tarball.Options{Root: true})
	})
}

// plain copies the tree as it is into a directory, and compares the copy with
// the tree: cp keeps silent about some attributes that it could not set.
func (x *exporter) plain(ctx context.Context, name string, a layer.Artifact) (*File, error) {
	dir := filepath.Join(x.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	err := tool(ctx, sandbox.Cmd{Args: []string{"cp", "-dR", "--preserve=mode,ownership,timestamps,links,xattr",
		"--sparse=auto", "--reflink=auto", "--", filepath.Clean(x.tree.Dir) + "/.", dir}})
	if err != nil {
		return nil, err
	}
	want, _, err := treeDigest(ctx, x.tree.Dir)
	if err != nil {
		return nil, err
	}
	got, size, err := treeDigest(ctx, dir)
	if err != nil {
		return nil, err
	}
	if got != want {
		return nil, errors.New("the copy differs from the image's tree: this file system does not keep all attributes")
	}
	return &File{Name: name, Type: a.Type, Size: size, SHA256: got}, nil
}

// treeDigest returns the SHA-256 of a tree as a canonical tar, and the tar's size.
func treeDigest(ctx context.Context, dir string) (string, int64, error) {
	h := sha256.New()
	n := &counter{}
	if err := tarball.Write(ctx, io.MultiWriter(h, n), dir, tarball.Options{Root: true}); err != nil {
		return "", 0, fmt.Errorf("compare: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), n.n, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
