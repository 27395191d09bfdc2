package registry

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/retry"
)

// layers fetches what the store lacks. The lowest layer is unpacked as it comes;
// those above wait for it in files, several blobs coming at a time.
func (p *pull) layers(ctx context.Context, src types.ImageSource) error {
	dir, err := os.MkdirTemp(p.opts.Scratch, "strata-pull-")
	if err != nil {
		return fmt.Errorf("fetch layers: %w", err)
	}
	defer os.RemoveAll(dir)
	missing := p.missing
	for i := range p.manifest.Layers {
		if !slices.Contains(missing, i) {
			p.opts.event(Present, layer.Digest(p.manifest.Layers[i].Digest), 0)
		}
	}
	if !src.HasThreadSafeGetBlob() { // an archive, which is on this machine: nothing is gained
		for _, i := range missing {
			if err := p.unpackNow(ctx, src, i); err != nil {
				return err
			}
		}
		return nil
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
			path, err := p.fetch(ctx, src, i, dir)
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
			if err := p.unpackNow(ctx, src, i); err != nil {
				return err
			}
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

// unpackNow makes a layer of a blob while it comes.
func (p *pull) unpackNow(ctx context.Context, src types.ImageSource, i int) error {
	err := p.opts.attempts().Do(ctx, func(a *retry.Attempt) error {
		r, err := getBlob(a, src, p.manifest.Layers[i], p.layer(i))
		if err != nil {
			return err
		}
		defer r.Close()
		return p.unpack(ctx, a.Reader(r), i)
	})
	if err == nil {
		p.received(p.manifest.Layers[i])
	}
	return p.tell(p.manifest.Layers[i], p.cut(i, err))
}

// cut turns the error of a blob whose end never came into damage.
func (p *pull) cut(i int, err error) error {
	if err == nil || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrBroken) {
		return err
	}
	var part partError
	if errors.As(err, &part) {
		err = part.err // the part is named below
	}
	return damage("%s: it was cut short, %d times in a row: %s", p.layer(i), retry.Attempts, short(clean(err.Error()))).
		WithHint("what came was kept nowhere: see the log of %s, and of a proxy on the way; if it has only half of the blob, remove the image there and push it again", cmp.Or(p.from.host(), p.from.text))
}

// getBlob opens a blob. That it is not there is damage: its manifest is.
func getBlob(ctx context.Context, src types.ImageSource, d v1.Descriptor, what string) (io.ReadCloser, error) {
	r, _, err := src.GetBlob(ctx, types.BlobInfo{Digest: d.Digest, Size: d.Size, MediaType: d.MediaType}, none.NoCache)
	switch {
	case absent(err):
		return nil, damage("%s: it is not there", what)
	case err != nil:
		return nil, partError{what, err}
	}
	return r, nil
}

// partError is what happened to a part of an image.
type partError struct {
	what string
	err  error
}

func (e partError) Error() string { return e.what + ": " + e.err.Error() }

func (e partError) Unwrap() error { return e.err }

// received notes a blob that came.
func (p *pull) received(d v1.Descriptor) {
	p.mu.Lock()
	p.res.Moved, p.res.Blobs = p.res.Moved+d.Size, p.res.Blobs+1
	p.mu.Unlock()
	p.opts.event(Received, layer.Digest(d.Digest), d.Size)
}

// fetch writes a layer's blob to a file in dir.
func (p *pull) fetch(ctx context.Context, src types.ImageSource, i int, dir string) (path string, err error) {
	d := p.manifest.Layers[i]
	err = p.opts.attempts().Do(ctx, func(a *retry.Attempt) error {
		f, err := os.CreateTemp(dir, "blob-")
		if err != nil {
			return fmt.Errorf("fetch blob %s: %w", d.Digest, err)
		}
		defer f.Close()
		path = f.Name()
		r, err := getBlob(a, src, d, p.layer(i))
		if err != nil {
			return err
		}
		defer r.Close()
		from := newChecking(&spacious{r: a.Reader(r), dir: dir, what: p.layer(i)}, p.layer(i), d.Digest, d.Size)
		if _, err := io.Copy(f, from); err != nil {
			return errors.Join(partError{p.layer(i), err}, os.Remove(path)) // another attempt takes another file
		}
		p.received(d)
		return nil
	})
	return path, p.tell(d, p.cut(i, err))
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
	packed := newChecking(&stoppable{ctx, r}, p.layer(i), d.Digest, d.Size)
	err := p.putLayer(ctx, packed, i)
	// What damage does to the unpacking says less than that there is some.
	_, end := io.Copy(io.Discard, packed)
	switch {
	case packed.err != nil:
		return packed.err
	case end != nil:
		return partError{p.layer(i), end}
	case err != nil:
		return p.unusable(i, err)
	}
	known(p.opts.Known).add(diffID, blob{Digest: d.Digest, Size: d.Size, Media: d.MediaType}, p.from.repository())
	return nil
}

// unusable is the error of a blob that is whole and cannot be unpacked.
func (p *pull) unusable(i int, err error) error {
	var said *fault.Error
	switch {
	case errors.As(err, &said):
		return err
	case noSpace(err):
		return partError{p.layer(i), err}
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		err = fmt.Errorf("decompressing it takes more than %d MiB of memory", maxWindow>>20)
	}
	return fault.New(fault.Failed, "%w", brokenError{fmt.Errorf("%s: it cannot be unpacked: %s", p.layer(i), short(clean(err.Error())))}).
		WithHint("nothing of it was kept; its content is what whoever pushed it made: see that it comes from where you think, and have it made anew")
}

// putLayer unpacks a layer into the store.
func (p *pull) putLayer(ctx context.Context, packed io.Reader, i int) error {
	d, diffID := p.manifest.Layers[i], p.about.RootFS.DiffIDs[i]
	plain, err := decompress(packed)
	if err != nil {
		return err
	}
	defer plain.Close()
	id, parent := layerID(p.about.RootFS.DiffIDs[:i+1]), layerID(p.about.RootFS.DiffIDs[:i])
	checked := newChecking(&spacious{r: plain, dir: p.into.GraphRoot(), what: p.layer(i)}, p.layer(i)+", unpacked to "+diffID.String(), diffID, p.sizes[i])
	if p.opts.Unpack == nil {
		options := &storage.LayerOptions{OriginalDigest: d.Digest, OriginalSize: &d.Size, UncompressedDigest: diffID}
		_, _, err = p.into.PutLayer(id, parent, nil, "", false, options, checked)
	} else {
		err = p.opts.Unpack(ctx, Incoming{Parent: parent, DiffID: layer.Digest(diffID), Blob: layer.Digest(d.Digest)}, checked)
	}
	switch {
	case errors.Is(err, storage.ErrDuplicateID):
		return nil // another pull was faster
	case checked.err != nil:
		return checked.err
	case err != nil:
		return err
	}
	// So that gc takes it for what it is: a layer that can be had again.
	if err := p.into.SetMetadata(id, madeByStrata); err != nil {
		return fmt.Errorf("mark layer %s: %w", diffID, err)
	}
	return nil
}

// madeByStrata is the mark of package store for its layers.
const madeByStrata = "strata"

// decompress reads what a blob was compressed of. How it was is told by its
// first bytes: archives say of plain ones that they are compressed.
func decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	start, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return gzip.NewReader(buffered)
	}
	return io.NopCloser(buffered), nil
}
