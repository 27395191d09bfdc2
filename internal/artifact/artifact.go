// Package artifact turns the finished tree of a node into what a cluster node
// boots (root file system, kernel, initrd, manifest) and boots the result in a
// virtual machine to test it.
//
// It builds no node, chooses no name and publishes nothing: the caller mounts
// the tree, hands over an empty directory, and renames it when all is done.
// What a format cannot hold, it carries in another way or refuses by name;
// nothing of the tree is lost silently.
package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Options are the facts about a node that its tree does not tell, and how to
// export it.
type Options struct {
	Key        layer.Key
	Digest     layer.Digest   // of the image's OCI manifest
	Layers     []layer.Digest // diff IDs of its layers, the lowest first
	Origin     []Origin       // what the node was built on, itself first
	Unverified []string       // repositories whose signatures were not checked
	Processors int            // how many a compressor may use; 0 means all

	// OCI writes the image as an OCI layout to dir, which does not exist.
	// It is needed only for an image with that artifact.
	OCI func(ctx context.Context, dir string) error
}

// exporter is one call of Export.
type exporter struct {
	tree  Tree
	image layer.Image
	dir   string
	opts  Options

	survey *survey // of the tree; nil until an artifact needs it
	pair   *pair   // nil until an artifact needs it
}

// Export writes the artifacts that image asks for, and manifest.json, into
// dir, which must be empty. After an error, dir holds rubbish. Equal trees and
// options give equal bytes, whatever the machine, the time and the number of
// processors. What the image asks for and its tree does not have is a fault of
// kind Input at the image's place.
func Export(ctx context.Context, tree Tree, image layer.Image, dir string, opts Options) (*Manifest, error) {
	if opts.Processors <= 0 {
		opts.Processors = runtime.NumCPU()
	}
	x := &exporter{tree: tree, image: image, dir: dir, opts: opts}
	m, err := x.manifest()
	if err != nil {
		return nil, err
	}
	seen := map[layer.ArtifactType]bool{}
	for _, a := range image.Artifacts {
		if seen[a.Type] {
			return nil, imageFault(image, "artifact %s is asked for twice", a.Type)
		}
		seen[a.Type] = true
		f, err := x.write(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("export %s as %s: %w", image.Name, a.Type, err)
		}
		m.Files = append(m.Files, *f)
	}
	if err := m.write(dir); err != nil {
		return nil, err
	}
	return m, nil
}

// manifest fills in all but the files. It fails early on a kernel and initrd
// that do not fit, before anything is compressed.
func (x *exporter) manifest() (*Manifest, error) {
	m := &Manifest{
		Image: x.image.Name, Node: x.image.Node, Key: x.opts.Key, Digest: x.opts.Digest,
		Layers: x.opts.Layers, Origin: x.opts.Origin, Cmdline: x.image.Cmdline, Unverified: x.opts.Unverified,
	}
	var err error
	if m.Init, err = findInit(x.tree); err != nil {
		return nil, err
	}
	for _, a := range x.image.Artifacts {
		if a.Type != layer.Kernel && a.Type != layer.Initrd {
			continue
		}
		if x.pair, err = findPair(x.tree, x.image); err != nil {
			return nil, err
		}
		m.Kernel, m.Fetch = x.pair.Version, x.pair.Fetch
		break
	}
	return m, nil
}

// write makes one artifact and describes it.
func (x *exporter) write(ctx context.Context, a layer.Artifact) (*File, error) {
	switch a.Type {
	case layer.Squashfs:
		return x.squashfs(ctx, a)
	case layer.Erofs:
		return x.erofs(ctx, a)
	case layer.Tar:
		return x.tar(ctx, a)
	case layer.Dir:
		return x.plain(ctx, a)
	case layer.Kernel:
		return x.copyOut(x.pair.Kernel, "vmlinuz", a)
	case layer.Initrd:
		return x.copyOut(x.pair.Initrd, "initrd.img", a)
	case layer.OCI:
		return x.oci(ctx, a)
	}
	return nil, imageFault(x.image, "unknown artifact %q", a.Type)
}

// copyOut copies a file of the tree into the directory.
func (x *exporter) copyOut(from, name string, a layer.Artifact) (*File, error) {
	src, err := x.tree.Open(from)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return x.create(name, a, nil, func(dst *os.File) error {
		_, err := dst.ReadFrom(src)
		return err
	})
}

func (x *exporter) oci(ctx context.Context, a layer.Artifact) (*File, error) {
	if x.opts.OCI == nil {
		return nil, errors.New("no store to take it from")
	}
	dir := filepath.Join(x.dir, "oci")
	if err := x.opts.OCI(ctx, dir); err != nil {
		return nil, err
	}
	f, err := describe(x.dir, "oci/index.json", a.Type)
	if err != nil {
		return nil, err
	}
	f.Name = "oci"
	f.Size, err = sizeBelow(dir)
	return f, err
}

// findInit says what the tree's first process is: "systemd", "other" or "none".
func findInit(t Tree) (string, error) {
	systemd, err := t.Exists("/usr/lib/systemd/systemd")
	if err != nil {
		return "", err
	}
	if !systemd { // a tree with /lib apart from /usr/lib
		if systemd, err = t.Exists("/lib/systemd/systemd"); err != nil {
			return "", err
		}
	}
	started, err := t.Exists("/sbin/init")
	switch {
	case err != nil:
		return "", err
	case systemd && started:
		return initSystemd, nil
	case started:
		return "other", nil
	}
	return "none", nil
}

// tool runs a program of this machine for ctx. SOURCE_DATE_EPOCH and the like
// of the caller's environment do not reach it.
func tool(ctx context.Context, c sandbox.Cmd, env ...string) error {
	c.Env = toolEnvironment(env...)
	return sandbox.Host(ctx, c)
}

func toolEnvironment(env ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}, env...)
}
