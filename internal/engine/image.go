package engine

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
	// At is where else the artifacts are: where they were sent to, or taken from.
	At string `json:"at,omitempty"`
}

// artifactSalt changes when the same tree gives other artifacts.
const artifactSalt = "strata artifacts 2"

// image has an image's artifacts in the store, made or taken from the shelf, and
// on the shelf if that is asked for.
func (r *run) image(ctx context.Context, im layer.Image, m *made) (ImageResult, error) {
	node, _ := r.Project.Node(im.Node)
	opts := artifact.Options{Key: m.key, Digest: m.digest, Origin: origin(m), Unverified: r.Unverified(node), Commits: r.Commits}
	sum, err := artifactKey(im, opts)
	if err != nil {
		return ImageResult{}, err
	}
	cluster := r.Project.Cluster.Name
	unlock, err := r.Store.LockArtifacts(ctx, cluster, im.Name)
	if err != nil {
		return ImageResult{}, err
	}
	defer unlock()
	dir, of := filepath.Join(r.Store.ArtifactDir(cluster, im.Name), sum), Shelved{im.Name, sum}
	manifest, err := artifact.ReadManifest(dir)
	if err == nil {
		return r.shelve(ctx, of, imageResult(im, dir, manifest))
	}
	at, why, err := r.take(ctx, im, opts, of, dir)
	if err != nil {
		return ImageResult{}, err
	}
	if at == "" {
		if err := r.make(ctx, im, m, opts, dir, why); err != nil {
			return ImageResult{}, err
		}
	}
	if manifest, err = artifact.ReadManifest(dir); err != nil {
		return ImageResult{}, err
	}
	res := imageResult(im, dir, manifest)
	if res.At = at; at != "" {
		return res, nil
	}
	return r.shelve(ctx, of, res)
}

// make makes the artifacts of an image, of its node's tree.
func (r *run) make(ctx context.Context, im layer.Image, m *made, opts artifact.Options, dir string, why string) error {
	of, err := r.fetch(ctx, m)
	if err != nil {
		delete(r.made, im.Node) // another image of it would fail alike
		return err
	}
	opts.Layers = of.Layers
	opts.OCI = func(ctx context.Context, dir string) error {
		return registry.WriteLayout(ctx, r.Store.Containers(), of.ID, dir)
	}
	start := time.Now()
	r.event(Event{Kind: ImageStarted, Image: im.Name, Reason: why})
	err = r.export(ctx, im, of, dir, opts)
	r.event(Event{Kind: ImageEnded, Image: im.Name, Err: err, Took: time.Since(start)})
	return err
}

// artifactKey names artifacts by everything that decides them.
func artifactKey(im layer.Image, opts artifact.Options) (string, error) {
	im.Tests, im.Pos = nil, layer.Pos{}
	content, err := json.Marshal([]any{artifactSalt, im, opts.Key, opts.Digest, opts.Origin, opts.Unverified})
	if err != nil {
		return "", fmt.Errorf("name artifacts: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16]), nil
}

// staged makes artifacts in a directory beside their place, and renames it if they
// are whole. There is scratch space beside it, too.
func (b *Builder) staged(ctx context.Context, im layer.Image, dir string, fill func(out, scratch string) (whole bool, err error)) error {
	staging := b.Store.ArtifactStaging(b.Project.Cluster.Name, im.Name)
	defer os.RemoveAll(staging)
	err := fillStaging(staging, dir, fill)
	if err != nil && ctx.Err() == nil {
		err = space.Explain(space.Note(fmt.Errorf("image %s: %w", im.Name, err), b.Store.Root()))
	}
	return err
}

func fillStaging(staging, dir string, fill func(out, scratch string) (whole bool, err error)) error {
	out, scratch := filepath.Join(staging, "out"), filepath.Join(staging, "scratch")
	for _, dir := range []string{out, scratch, filepath.Dir(dir)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if whole, err := fill(out, scratch); err != nil || !whole {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(out, dir)
}

// export makes the artifacts of an image of the store.
func (b *Builder) export(ctx context.Context, im layer.Image, of *store.Image, dir string, opts artifact.Options) error {
	return b.staged(ctx, im, dir, func(out, scratch string) (bool, error) {
		view, err := b.View(ctx, of, scratch)
		if err != nil {
			return false, err
		}
		stop := sync.OnceFunc(func() { _ = view.Stop() })
		defer stop()
		opts.Release = stop
		tree, err := b.tree(of, view, filepath.Join(filepath.Dir(scratch), "mounted"))
		if err != nil {
			return false, err
		}
		_, err = artifact.Export(ctx, tree, im, out, opts)
		return err == nil, err
	})
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
