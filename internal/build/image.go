package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/strata-hpc/strata/internal/artifact"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/space"
	"github.com/strata-hpc/strata/internal/store"
)

// ImageResult is what became of an image.
type ImageResult struct {
	Name   string       `json:"name"`
	Digest layer.Digest `json:"digest"` // of the node's manifest
	// Artifacts are the paths of what was asked for, by type, and of the
	// manifest; they are the store's own: use export to have them elsewhere.
	Artifacts map[string]string `json:"artifacts"`
	Directory string            `json:"directory"`
}

// artifactSalt changes when the same tree gives other artifacts.
const artifactSalt = "strata artifacts 2"

// image makes an image's artifacts unless the store has them.
func (b *Builder) image(ctx context.Context, im layer.Image, of *store.Image, origin []artifact.Origin) (ImageResult, error) {
	node, _ := b.Project.Node(im.Node)
	opts := artifact.Options{
		Key: origin[0].Key, Digest: of.Digest, Layers: of.Layers, Origin: origin, Unverified: b.Unverified(node), Commits: b.Commits,
		OCI: func(ctx context.Context, dir string) error {
			return registry.WriteLayout(ctx, b.Store.Containers(), of.ID, dir)
		},
	}
	sum, err := artifactKey(im, opts)
	if err != nil {
		return ImageResult{}, err
	}
	cluster := b.Project.Cluster.Name
	unlock, err := b.Store.LockArtifacts(ctx, cluster, im.Name)
	if err != nil {
		return ImageResult{}, err
	}
	defer unlock()
	dir := filepath.Join(b.Store.ArtifactDir(cluster, im.Name), sum)
	if m, err := artifact.ReadManifest(dir); err == nil {
		return imageResult(im, dir, m), nil
	}
	start := time.Now()
	b.event(Event{Kind: ImageStarted, Image: im.Name})
	m, err := b.export(ctx, im, of, dir, opts)
	b.event(Event{Kind: ImageEnded, Image: im.Name, Err: err, Took: time.Since(start)})
	if err != nil {
		return ImageResult{}, err
	}
	return imageResult(im, dir, m), nil
}

// artifactKey names artifacts by everything that decides them.
func artifactKey(im layer.Image, opts artifact.Options) (string, error) {
	im.Tests, im.Pos = nil, layer.Pos{}
	content, err := json.Marshal([]any{artifactSalt, im, opts.Key, opts.Digest, opts.Origin, opts.Unverified})
	if err != nil {
		return "", fmt.Errorf("name artifacts: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8]), nil
}

// export writes the artifacts beside their place and renames them when whole.
func (b *Builder) export(ctx context.Context, im layer.Image, of *store.Image, dir string, opts artifact.Options) (*artifact.Manifest, error) {
	staging := b.Store.ArtifactStaging(b.Project.Cluster.Name, im.Name)
	defer os.RemoveAll(staging)
	m, err := b.exportIn(ctx, staging, im, of, dir, opts)
	if err != nil && ctx.Err() == nil {
		err = space.Explain(space.Note(fmt.Errorf("image %s: %w", im.Name, err), b.Store.Root()))
	}
	return m, err
}

func (b *Builder) exportIn(ctx context.Context, staging string, im layer.Image, of *store.Image, dir string, opts artifact.Options) (*artifact.Manifest, error) {
	out, scratch := filepath.Join(staging, "out"), filepath.Join(staging, "scratch")
	for _, dir := range []string{out, scratch, filepath.Dir(dir)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	view, err := b.View(ctx, of, scratch)
	if err != nil {
		return nil, err
	}
	stop := sync.OnceFunc(func() { _ = view.Stop() })
	defer stop()
	opts.Release = stop
	tree, err := b.tree(of, view, filepath.Join(staging, "mounted"))
	if err != nil {
		return nil, err
	}
	m, err := artifact.Export(ctx, tree, im, out, opts)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return m, os.Rename(out, dir)
}

// tree is a view as artifacts are made of it.
func (b *Builder) tree(of *store.Image, view *sandbox.Sandbox, scratch string) (artifact.Tree, error) {
	dirs, err := b.Store.Dirs(of)
	spec := sandbox.Spec{Lower: dirs, Scratch: scratch}
	return artifact.Tree{
		Dir: view.Root(), MountedAt: sandbox.MountedAt(spec),
		Mounted: func(ctx context.Context, c sandbox.Cmd) error { return sandbox.HostMounted(ctx, spec, c) },
	}, err
}

// View mounts an image's tree, read-only and alone. Stop must be called.
func (b *Builder) View(ctx context.Context, of *store.Image, scratch string) (*sandbox.Sandbox, error) {
	dirs, err := b.Store.Dirs(of)
	if err != nil {
		return nil, err
	}
	return sandbox.Start(ctx, sandbox.Spec{Lower: dirs, Scratch: scratch, Bare: true})
}

func imageResult(im layer.Image, dir string, m *artifact.Manifest) ImageResult {
	res := ImageResult{Name: im.Name, Digest: m.Digest, Directory: dir,
		Artifacts: map[string]string{"manifest": filepath.Join(dir, artifact.ManifestName)}}
	for _, f := range m.Files {
		res.Artifacts[string(f.Type)] = filepath.Join(dir, f.Name)
	}
	return res
}

// origin is the chain of nodes that a node was built on, itself first.
func origin(m *made) []artifact.Origin {
	var chain []artifact.Origin
	for ; m != nil; m = m.parent {
		chain = append(chain, artifact.Origin{Node: m.node, Key: m.key, Digest: m.digest})
	}
	return chain
}
