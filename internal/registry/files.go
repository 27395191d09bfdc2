package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/types"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/retry"
)

// Types of an artifact of files, and of each of them. Its title is its name, so
// that ORAS writes the same files.
const (
	filesArtifact = "application/vnd.strata.files.v1"
	fileMedia     = "application/octet-stream"
)

// File is a file that is pushed.
type File struct {
	Name   string // in the registry, without a slash
	Path   string // on this machine
	Size   int64
	Digest layer.Digest
}

// PushFiles sends files as one artifact to ref. What is there is not sent again: it
// is the same if all but the first file are, which tells of the others. The tag is
// put last. Of the options, Records count for nothing.
func PushFiles(ctx context.Context, files []File, ref string, opts Options) (*Result, error) {
	to, err := parse(ref, nil)
	if err != nil {
		return nil, err
	}
	opts.Records = nil
	p := &push{to: to, opts: opts, sys: to.system(opts), config: []byte("{}"), res: &Result{Ref: to.text}}
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: filesArtifact,
		Config: v1.Descriptor{MediaType: v1.MediaTypeEmptyJSON, Digest: digest.FromBytes(p.config), Size: int64(len(p.config))},
	}
	for _, f := range files {
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: fileMedia, Digest: digest.Digest(f.Digest), Size: f.Size,
			Annotations: map[string]string{v1.AnnotationTitle: f.Name}})
	}
	of, err := json.Marshal(m.Layers[1:])
	if err != nil {
		return nil, fmt.Errorf("describe files: %w", err)
	}
	p.res.Digest = layer.Digest(digest.FromBytes(of))
	m.Annotations = map[string]string{digestAnnotation: string(p.res.Digest)}
	content, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("describe files: %w", err)
	}
	err = p.run(ctx, func(ctx context.Context, dest types.ImageDestination, there []byte, _ *record) ([]byte, error) {
		if there != nil {
			return there, nil
		}
		return content, p.sendFiles(ctx, dest, m, files)
	})
	return p.res, to.explain(ctx, "push to", err)
}

// sendFiles sends the files of a manifest, in its order, and its configuration.
func (p *push) sendFiles(ctx context.Context, dest types.ImageDestination, m v1.Manifest, files []File) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	if !dest.HasThreadSafePutBlob() {
		group.SetLimit(1)
	}
	group.Go(func() error { return p.sendBytes(ctx, dest, m.Config, p.config) })
	for i, d := range m.Layers {
		group.Go(func() error { return p.sendFile(ctx, dest, d, files[i].Path) })
	}
	return group.Wait()
}

// sendFile sends a file unless the registry has it.
func (p *push) sendFile(ctx context.Context, dest types.ImageDestination, d v1.Descriptor, path string) error {
	var from *checking
	err := p.sendBlob(ctx, dest, d, func(a *retry.Attempt) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		from = newChecking(a.Reader(f), path, d.Digest, d.Size)
		return struct {
			io.Reader
			io.Closer
		}{from, f}, nil
	})
	if err != nil && from != nil && from.err != nil {
		return fault.New(fault.Failed, "%s is not what it was when it was made: %s", path, clean(from.err.Error())).
			WithHint("remove %s, and have it made again", filepath.Dir(path))
	}
	return err
}

// PullFiles writes the files of an artifact that PushFiles sent into a directory.
// After an error, it holds rubbish. The error is ErrNotThere if there is nothing,
// ErrNotBelieved if nothing vouches for it, and ErrBroken if it is no such
// artifact. Found, if not nil, is called when there is one.
func PullFiles(ctx context.Context, ref, dir string, opts Options, found func()) (*Result, error) {
	from, err := parse(ref, nil)
	if err != nil {
		return nil, err
	}
	p := &pull{from: from, opts: opts, sys: from.system(opts), res: &Result{Ref: from.text}}
	err = p.files(ctx, dir, found)
	p.res.Why = p.belief.Why
	return p.res, from.explain(ctx, "pull from", err)
}

func (p *pull) files(ctx context.Context, dir string, found func()) error {
	src, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := p.checkFiles(dir); err != nil {
		return err
	}
	if found != nil {
		found()
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, l := range p.manifest.Layers {
		group.Go(func() error {
			path, err := p.fetch(ctx, src, i, dir)
			if err == nil {
				err = os.Chmod(path, 0o644)
			}
			if err != nil {
				return err
			}
			return os.Rename(path, filepath.Join(dir, l.Annotations[v1.AnnotationTitle]))
		})
	}
	return group.Wait()
}

// checkFiles sees that the manifest names files that can be in one directory, and
// that there is space for them.
func (p *pull) checkFiles(dir string) error {
	if p.manifest.ArtifactType != filesArtifact {
		return p.inconsistent(fmt.Errorf("it is of type %q, and no artifact of files", short(p.manifest.ArtifactType)))
	}
	var names []string
	var total int64
	for _, l := range p.manifest.Layers {
		name := l.Annotations[v1.AnnotationTitle]
		if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00") || len(name) > 255 || slices.Contains(names, name) {
			return p.inconsistent(fmt.Errorf("it has a file called %q", short(name)))
		}
		names, total = append(names, name), sum(total, l.Size)
	}
	return room(dir, fmt.Sprintf("pull from %s: what it declares", p.from.text), total)
}
