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

// layers fetches what the store lacks. The lowest layer is unpacked as it comes;
// those above wait for it in files, several blobs coming at a time.
func (p *pull) layers(ctx context.Context, src types.ImageSource) error {
	dir, err := os.MkdirTemp(p.opts.Scratch, "strata-pull-")
	if err != nil {
		return fmt.Errorf("fetch layers: %w", err)
	}
	defer os.RemoveAll(dir)
	var missing []int
	for i := range p.about.RootFS.DiffIDs {
		if p.into.Exists(layerID(p.about.RootFS.DiffIDs[:i+1])) {
			p.opts.event(Present, layer.Digest(p.manifest.Layers[i].Digest), 0)
			continue
		}
		missing = append(missing, i)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel + 1)
	files := make([]chan string, len(missing))
	for n := range missing {
		files[n] = make(chan string, 1)
	}
	group.Go(func() error { return p.unpackAll(ctx, src, missing, files) })
	for n, i := range missing {
		if n == 0 {
			continue
		}
		group.Go(func() error {
			path, err := p.fetch(ctx, src, p.manifest.Layers[i], dir)
			if err == nil {
				files[n] <- path
			}
			return err
		})
	}
	return group.Wait()
}

// unpackAll makes layers of blobs in their order, lowest first.
func (p *pull) unpackAll(ctx context.Context, src types.ImageSource, missing []int, files []chan string) error {
	for n, i := range missing {
		if n == 0 {
			err := retry(ctx, p.opts, func(a *attempt) error {
				r, err := getBlob(a, src, p.manifest.Layers[i])
				if err != nil {
					return err
				}
				defer r.Close()
				return p.unpack(ctx, a.reader(r), i)
			})
			if err != nil {
				return err
			}
			p.received(p.manifest.Layers[i])
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case path := <-files[n]:
			if err := p.unpackFile(ctx, path, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func getBlob(ctx context.Context, src types.ImageSource, d v1.Descriptor) (io.ReadCloser, error) {
	r, _, err := src.GetBlob(ctx, types.BlobInfo{Digest: d.Digest, Size: d.Size, MediaType: d.MediaType}, none.NoCache)
	return r, err
}

// received notes a blob that came.
func (p *pull) received(d v1.Descriptor) {
	p.mu.Lock()
	p.res.Moved, p.res.Blobs = p.res.Moved+d.Size, p.res.Blobs+1
	p.mu.Unlock()
	p.opts.event(Received, layer.Digest(d.Digest), d.Size)
}

// fetch writes a blob to a file in dir.
func (p *pull) fetch(ctx context.Context, src types.ImageSource, d v1.Descriptor, dir string) (path string, err error) {
	err = retry(ctx, p.opts, func(a *attempt) error {
		f, err := os.CreateTemp(dir, "blob-")
		if err != nil {
			return fmt.Errorf("fetch blob %s: %w", d.Digest, err)
		}
		defer f.Close()
		path = f.Name()
		r, err := getBlob(a, src, d)
		if err != nil {
			return err
		}
		defer r.Close()
		if _, err := io.Copy(f, a.reader(r)); err != nil {
			return fmt.Errorf("fetch blob %s: %w", d.Digest, err)
		}
		p.received(d)
		return nil
	})
	return path, err
}

func (p *pull) unpackFile(ctx context.Context, path string, i int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.unpack(ctx, f, i); err != nil {
		return err
	}
	return os.Remove(path)
}

// unpack makes a layer of a blob. The store keeps it only if blob and content
// are what manifest and configuration name.
func (p *pull) unpack(ctx context.Context, r io.Reader, i int) error {
	d, diffID := p.manifest.Layers[i], p.about.RootFS.DiffIDs[i]
	packed := &checking{r: &stoppable{ctx, r, nil}, want: d.Digest, sum: d.Digest.Algorithm().Hash()}
	err := p.putLayer(packed, i)
	// What damage does to the unpacking says less than that there is some.
	_, end := io.Copy(io.Discard, packed)
	switch {
	case packed.err != nil:
		return packed.err
	case end != nil:
		return fmt.Errorf("fetch blob %s: %w", d.Digest, end)
	case err != nil:
		return err
	}
	known(p.opts.Known).add(diffID, blob{Digest: d.Digest, Size: d.Size, Media: d.MediaType}, p.from.repository())
	return nil
}

// putLayer unpacks a layer into the store.
func (p *pull) putLayer(packed io.Reader, i int) error {
	d, diffID := p.manifest.Layers[i], p.about.RootFS.DiffIDs[i]
	plain, err := decompress(packed, d.MediaType)
	if err != nil {
		return fmt.Errorf("unpack blob %s: %w", d.Digest, err)
	}
	defer plain.Close()
	id, parent := layerID(p.about.RootFS.DiffIDs[:i+1]), layerID(p.about.RootFS.DiffIDs[:i])
	checked := &checking{r: plain, want: diffID, sum: diffID.Algorithm().Hash()}
	options := &storage.LayerOptions{OriginalDigest: d.Digest, OriginalSize: &d.Size, UncompressedDigest: diffID}
	_, _, err = p.into.PutLayer(id, parent, nil, "", false, options, checked)
	switch {
	case errors.Is(err, storage.ErrDuplicateID):
		return nil // another pull was faster
	case checked.err != nil:
		return checked.err
	case err != nil:
		return fmt.Errorf("unpack layer %s: %w", diffID, err)
	}
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
