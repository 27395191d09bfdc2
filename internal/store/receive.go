package store

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
	record, err := os.CreateTemp(filepath.Dir(st.Upper), "tar-split-")
	if err != nil {
		return out, err
	}
	os.Remove(record.Name())
	buffered := bufio.NewWriterSize(record, 1<<20)
	split := newSplitter(buffered)
	ids := owners{uids: map[uint32]bool{}, gids: map[uint32]bool{}}
	r, w := io.Pipe()
	unpacked := make(chan error, 1)
	go func() {
		err := unpack(st, r)
		if err != nil {
			r.CloseWithError(errUnpack)
		}
		unpacked <- err
	}()
	err = follow(ctx, io.TeeReader(in.Stream, io.MultiWriter(split, w)), split, ids)
	w.CloseWithError(err) // nil is the end
	if unpackErr := <-unpacked; err == nil || errors.Is(err, errUnpack) {
		err = unpackErr
	}
	if err = errors.Join(err, split.Close(), buffered.Flush()); err != nil {
		record.Close()
		return out, fmt.Errorf("unpack layer: %w", err)
	}
	out.UncompressedDigest, out.CompressedDigest = digest.Digest(in.DiffID), digest.Digest(in.Blob)
	out.Size, out.TarSplit, out.Metadata = split.size, record, madeHere
	out.UIDs, out.GIDs = ids.lists()
	root, err := os.Stat(st.Upper)
	if err != nil {
		record.Close()
		return out, err
	}
	mode := root.Mode()
	out.RootDirMode = &mode
	return out, nil
}

// errUnpack stands for the error of whoever unpacks.
var errUnpack = errors.New("it is not unpacked any more")

// follow reads a stream to its end and tells split where the files' contents are.
func follow(ctx context.Context, stream io.Reader, split *splitter, ids owners) error {
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
		if err := split.stored(&own); err != nil {
			if errors.Is(err, tsstorage.ErrDuplicatePath) {
				return fmt.Errorf("it has two entries of the name %q", hdr.Name)
			}
			return err
		}
		if err := ids.note(hdr, nil); err != nil {
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
