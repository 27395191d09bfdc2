package registry

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/layer"
)

// layers fetches what the store lacks, several blobs at a time, and unpacks
// each when its parent is there.
func (p *pull) layers(ctx context.Context, src types.ImageSource) error {
	dir, err := os.MkdirTemp(p.opts.Scratch, "strata-pull-")
	if err != nil {
		return fmt.Errorf("fetch layers: %w", err)
	}
	defer os.RemoveAll(dir)
	diffIDs := p.about.RootFS.DiffIDs
	fetched := make([]chan string, len(diffIDs))
	for i := range diffIDs {
		fetched[i] = make(chan string, 1)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel + 1)
	group.Go(func() error { return p.unpackAll(ctx, fetched) })
	for i := range diffIDs {
		if p.into.Exists(layerID(diffIDs[:i+1])) {
			p.opts.event(Present, layer.Digest(p.manifest.Layers[i].Digest), 0)
			fetched[i] <- ""
			continue
		}
		group.Go(func() error {
			path, err := p.fetch(ctx, src, p.manifest.Layers[i], dir)
			if err == nil {
				fetched[i] <- path
			}
			return err
		})
	}
	return group.Wait()
}

// fetch writes a blob to a file in dir and checks its digest.
func (p *pull) fetch(ctx context.Context, src types.ImageSource, d v1.Descriptor, dir string) (path string, err error) {
	err = retry(ctx, p.opts, func(a *attempt) error {
		f, err := os.CreateTemp(dir, "blob-")
		if err != nil {
			return fmt.Errorf("fetch blob %s: %w", d.Digest, err)
		}
		defer f.Close()
		path = f.Name()
		r, _, err := src.GetBlob(a, types.BlobInfo{Digest: d.Digest, Size: d.Size, MediaType: d.MediaType}, none.NoCache)
		if err != nil {
			return err
		}
		defer r.Close()
		sum := d.Digest.Algorithm().Hash()
		n, err := io.Copy(io.MultiWriter(f, sum), a.reader(r))
		if err != nil {
			return fmt.Errorf("fetch blob %s: %w", d.Digest, err)
		}
		if got := digest.NewDigest(d.Digest.Algorithm(), sum); got != d.Digest {
			return corrupt(d.Digest, got)
		}
		p.mu.Lock()
		p.res.Moved, p.res.Blobs = p.res.Moved+n, p.res.Blobs+1
		p.mu.Unlock()
		p.opts.event(Received, layer.Digest(d.Digest), n)
		return nil
	})
	return path, err
}

// unpackAll makes layers of blobs in their order, lowest first.
func (p *pull) unpackAll(ctx context.Context, fetched []chan string) error {
	diffIDs := p.about.RootFS.DiffIDs
	for i := range diffIDs {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case path := <-fetched[i]:
			if path == "" {
				continue
			}
			if err := p.unpack(ctx, path, i); err != nil {
				return err
			}
			os.Remove(path)
		}
	}
	return nil
}

// unpack makes a layer of a blob. The store keeps it only if its content is
// what the configuration names.
func (p *pull) unpack(ctx context.Context, path string, i int) error {
	d, diffID := p.manifest.Layers[i], p.about.RootFS.DiffIDs[i]
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	plain, err := decompress(f, d.MediaType)
	if err != nil {
		return fmt.Errorf("unpack blob %s: %w", d.Digest, err)
	}
	defer plain.Close()
	id, parent := layerID(p.about.RootFS.DiffIDs[:i+1]), layerID(p.about.RootFS.DiffIDs[:i])
	checked := &checking{r: &stoppable{ctx, plain, nil}, want: diffID, sum: diffID.Algorithm().Hash()}
	_, _, err = p.into.PutLayer(id, parent, nil, "", false, &storage.LayerOptions{OriginalDigest: d.Digest, OriginalSize: &d.Size}, checked)
	if errors.Is(err, storage.ErrDuplicateID) {
		return nil // another pull was faster
	}
	if checked.err != nil {
		return checked.err
	}
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", diffID, err)
	}
	known(p.opts.Known).add(diffID, blob{Digest: d.Digest, Size: d.Size, Media: d.MediaType}, p.from.repository())
	// So that gc takes it for what it is: a layer that can be had again.
	if err := p.into.SetMetadata(id, madeByStrata); err != nil {
		return fmt.Errorf("mark layer %s: %w", diffID, err)
	}
	return nil
}

// madeByStrata is the mark of package store for its layers.
const madeByStrata = "strata"

func decompress(r io.Reader, mediaType string) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(mediaType, "+zstd"):
		d, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case strings.HasSuffix(mediaType, "gzip"):
		return gzip.NewReader(r)
	}
	return io.NopCloser(r), nil
}

// checking is a reader that ends with an error, not with the end of the file,
// if what it read has another digest.
type checking struct {
	r    io.Reader
	want digest.Digest
	sum  hash.Hash
	err  error
}

func (c *checking) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	if err == io.EOF {
		if got := digest.NewDigest(c.want.Algorithm(), c.sum); got != c.want {
			c.err = corrupt(c.want, got)
			return n, c.err
		}
	}
	return n, err
}
