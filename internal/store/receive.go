package store

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	tsstorage "github.com/vbatts/tar-split/tar/storage"
	drivers "go.podman.io/storage/drivers"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/tarball"
)

// Incoming is a layer that comes from elsewhere as a tar stream.
type Incoming struct {
	Parent string       // id of the layer below; "" for a first one
	DiffID layer.Digest // of the stream
	Blob   layer.Digest // of what it was compressed to
	// Stream ends with an error if its digest is another than DiffID.
	Stream io.Reader
}

// ReceiveLayer commits a layer that unpack makes of a stream in a staging
// directory, as AddLayer does. What is recorded of the stream makes the same
// bytes again at a push. Nothing is mounted, and what a process that is killed
// leaves goes with the staging directory.
func (s *Store) ReceiveLayer(ctx context.Context, in Incoming, unpack func(Staging, io.Reader) error) (Layer, error) {
	return s.stage(ctx, in.Parent, func(_ *differ, st Staging) (drivers.DriverWithDifferOutput, error) {
		return receive(ctx, in, st, unpack)
	})
}

// receive unpacks a stream, and digests and records what goes by.
func receive(ctx context.Context, in Incoming, st Staging, unpack func(Staging, io.Reader) error) (out drivers.DriverWithDifferOutput, err error) {
	rec, err := newRecorder(st.Upper)
	if err != nil {
		return out, err
	}
	r, w := io.Pipe()
	unpacked := make(chan error, 1)
	go func() {
		err := unpack(st, r)
		if err != nil {
			r.CloseWithError(errUnpack)
		}
		unpacked <- err
	}()
	err = follow(ctx, io.TeeReader(in.Stream, io.MultiWriter(rec, w)), rec)
	w.CloseWithError(err) // nil is the end
	if unpackErr := <-unpacked; err == nil || errors.Is(err, errUnpack) {
		err = unpackErr
	}
	var mode os.FileMode
	if root, statErr := os.Stat(st.Upper); statErr == nil {
		mode = root.Mode()
	} else {
		err = errors.Join(err, statErr)
	}
	if out, err = rec.end(mode, err); err != nil {
		return out, fmt.Errorf("unpack layer: %w", err)
	}
	out.CompressedDigest = digest.Digest(in.Blob)
	return out, nil
}

// errUnpack stands for the error of whoever unpacks.
var errUnpack = errors.New("it is not unpacked any more")

// follow reads a stream to its end and tells rec where the files' contents are.
func follow(ctx context.Context, stream io.Reader, rec *recorder) error {
	r, buf := tarball.NewReader(stream), make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		hdr, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := recordable(hdr); err != nil {
			return err
		}
		own := *hdr
		if _, sparse := r.Sparse(); sparse || hdr.Typeflag != tar.TypeReg {
			own.Size = 0 // what follows, if anything, is not a file's content
		}
		if err := rec.stored(&own); err != nil {
			if errors.Is(err, tsstorage.ErrDuplicatePath) {
				return fmt.Errorf("it has two entries of the name %q", hdr.Name)
			}
			return err
		}
		if err := rec.note(hdr, nil); err != nil {
			return err
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf); err != nil {
			return err
		}
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, stream, buf)
	return err
}

// recordable is an error for an entry that cannot be kept as it is.
func recordable(hdr *tar.Header) error {
	if hdr.Typeflag == tar.TypeGNUSparse || hdr.PAXRecords["GNU.sparse.map"] != "" || hdr.PAXRecords["GNU.sparse.numblocks"] != "" {
		return fmt.Errorf("%q is a sparse file in an old format, of which a push could not make the same again", hdr.Name)
	}
	return nil
}
