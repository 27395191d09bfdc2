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
	"slices"
	"strings"
	"sync"

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
	Commits    []layer.Commit // of the files that it was made of; they decide nothing
	Processors int            // how many a compressor may use; 0 means all

	// OCI writes the image as an OCI layout to dir, which does not exist.
	// It is needed only for an image with that artifact.
	OCI func(ctx context.Context, dir string) error
	// Release, if there is one, may be called when the tree is not needed any
	// more; Export then waits for it. A large tree takes time to unmount, in
	// which the last checksum is taken.
	Release func()
}

// exporter is one call of Export.
type exporter struct {
	tree  Tree
	image layer.Image
	dir   string
	opts  Options

	survey  *survey // of the tree; nil until an artifact needs it
	pair    *pair   // nil until an artifact needs it
	copying sync.WaitGroup
	last    bool // what is packed now is the last that needs the tree, apart from copies
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
	ctx, cancel := context.WithCancel(ctx)
	copies := x.startCopies(ctx)
	defer x.copying.Wait()
	defer cancel()
	seen := map[layer.ArtifactType]bool{}
	for i, a := range image.Artifacts {
		x.last = !slices.ContainsFunc(image.Artifacts[i+1:], func(a layer.Artifact) bool { return !isCopy(a) })
		if seen[a.Type] {
			return nil, imageFault(image, "artifact %s is asked for twice", a.Type)
		}
		seen[a.Type] = true
		write, started := copies[a.Type]
		if !started {
			write = func() (*File, error) { return x.write(ctx, a) }
		}
		f, err := write()
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

// startCopies starts to write what is only copied, for the time in which other
// artifacts are packed. The functions wait for the end, and tell what came of it.
func (x *exporter) startCopies(ctx context.Context) map[layer.ArtifactType]func() (*File, error) {
	copies := map[layer.ArtifactType]func() (*File, error){}
	for _, a := range x.image.Artifacts {
		if !isCopy(a) || copies[a.Type] != nil {
			continue
		}
		write := sync.OnceValues(func() (*File, error) { return x.write(ctx, a) })
		copies[a.Type] = write
		x.copying.Go(func() { _, _ = write() }) // the error is the other caller's
	}
	return copies
}

// isCopy says whether an artifact is a file of the tree as it is.
func isCopy(a layer.Artifact) bool { return a.Type.Format().Copied }

// pack runs write, which packs the tree into a file of the directory, and
// describes the file. Settings may be added to until write ends.
func (x *exporter) pack(ctx context.Context, name string, a layer.Artifact, settings map[string]string, write func() error) (*File, error) {
	f, err := describeWritten(ctx, x.dir, name, a.Type, func() error {
		err := write()
		if err == nil && x.last && x.opts.Release != nil {
			x.copying.Wait()
			x.copying.Go(x.opts.Release)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Settings = settings
	return f, nil
}

// manifest fills in all but the files. It fails early on a kernel and initrd
// that do not fit, before anything is compressed.
func (x *exporter) manifest() (*Manifest, error) {
	m := &Manifest{
		Image: x.image.Name, Node: x.image.Node, Key: x.opts.Key, Digest: x.opts.Digest,
		Layers: x.opts.Layers, Origin: x.opts.Origin, Cmdline: x.image.Cmdline, Unverified: x.opts.Unverified,
		Commits: x.opts.Commits,
	}
	var err error
	if m.Init, err = findInit(x.tree); err != nil {
		return nil, err
	}
	for _, a := range x.image.Artifacts {
		if !isCopy(a) {
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

// packers make the artifacts of layer.Formats. Each is given its file's name and an
// artifact whose settings are complete.
func packers() map[layer.ArtifactType]func(*exporter, context.Context, string, layer.Artifact) (*File, error) {
	return map[layer.ArtifactType]func(*exporter, context.Context, string, layer.Artifact) (*File, error){
		layer.Squashfs: (*exporter).squashfs,
		layer.Erofs:    (*exporter).erofs,
		layer.Tar:      (*exporter).tar,
		layer.Dir:      (*exporter).plain,
		layer.OCI:      (*exporter).oci,
		layer.Kernel:   (*exporter).kernel,
		layer.Initrd:   (*exporter).initrd,
	}
}

// write makes one artifact and describes it.
func (x *exporter) write(ctx context.Context, a layer.Artifact) (*File, error) {
	f, pack := a.Type.Format(), packers()[a.Type]
	if f.Type == "" || pack == nil {
		return nil, imageFault(x.image, "unknown artifact %q", a.Type)
	}
	a, err := settled(x.image, f, a)
	if err != nil {
		return nil, err
	}
	return pack(x, ctx, f.File, a)
}

// settled fills in what is usual, and refuses settings that a format has not got.
func settled(image layer.Image, f layer.Format, a layer.Artifact) (layer.Artifact, error) {
	c, known := f.Compressor(a.Compression)
	switch {
	case len(f.Compressors) == 0 && (a.Compression != "" || a.Level != 0):
		return a, imageFault(image, "%s has no compression to set", a.Type).WithHint("remove compression and level")
	case !known && len(f.Compressors) > 0:
		return a, imageFault(image, "%s cannot be compressed with %q", a.Type, a.Compression).
			WithHint("use one of %s", strings.Join(f.CompressorNames(), ", "))
	case a.Level != 0 && c.Most == 0:
		return a, imageFault(image, "the compressor %s has no levels", c.Name).WithHint("remove the level")
	case a.Level < 0 || a.Level > c.Most:
		return a, imageFault(image, "level %d of %s does not exist", a.Level, c.Name).WithHint("use a level from 1 to %d", c.Most)
	case a.BlockSize != 0 && f.Block.Most == 0:
		return a, imageFault(image, "%s has no block size to set", a.Type).WithHint("remove block_size")
	case a.BlockSize != 0 && !f.Block.Fits(a.BlockSize):
		return a, imageFault(image, "block size %d of a %s does not exist", a.BlockSize, a.Type).
			WithHint("use a power of two from %d to %d", f.Block.Least, f.Block.Most)
	}
	a.Compression = c.Name
	if a.Level == 0 {
		a.Level = c.Level
	}
	if a.BlockSize == 0 {
		a.BlockSize = f.Block.Usual
	}
	return a, nil
}

func (x *exporter) kernel(ctx context.Context, name string, a layer.Artifact) (*File, error) {
	return x.copyOut(ctx, x.pair.Kernel, name, a)
}

func (x *exporter) initrd(ctx context.Context, name string, a layer.Artifact) (*File, error) {
	return x.copyOut(ctx, x.pair.Initrd, name, a)
}

// copyOut copies a file of the tree into the directory.
func (x *exporter) copyOut(ctx context.Context, from, name string, a layer.Artifact) (*File, error) {
	src, err := x.tree.Open(from)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return x.create(ctx, name, a, func(dst *os.File) error {
		_, err := dst.ReadFrom(src)
		return err
	})
}

func (x *exporter) oci(ctx context.Context, name string, a layer.Artifact) (*File, error) {
	if x.opts.OCI == nil {
		return nil, errors.New("no store to take it from")
	}
	dir := filepath.Join(x.dir, name)
	if err := x.opts.OCI(ctx, dir); err != nil {
		return nil, err
	}
	f, err := describe(ctx, x.dir, filepath.Join(name, "index.json"), a.Type)
	if err != nil {
		return nil, err
	}
	f.Name = name
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
func tool(ctx context.Context, c sandbox.Cmd) error {
	c.Env = toolEnvironment()
	return sandbox.Host(ctx, c)
}

func toolEnvironment(env ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}, env...)
}
