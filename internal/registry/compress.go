package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"

	"github.com/strata-hpc/strata/internal/retry"
)

// A layer is compressed in frames, one after the other in the blob, so that
// several processors take part and the result is the same with any number of
// them. Frames of the full size make a distribution's base 2.7 % larger than one
// frame for all, those of 2 MiB 8 %; the first ones are small, so that all
// processors and the line have work soon. The next faster level would save a
// sixth of the time and cost 7 %.
const (
	level = zstd.SpeedDefault
	// otherLevel makes another blob of the same layer.
	otherLevel = zstd.SpeedBetterCompression
	frame      = 8 << 20 // plain bytes, at most
	workers    = 4       // at most, for a layer
	packing    = 2       // layers at once, in a push: each holds up to 5 frames, plain and packed
)

// blobOf returns a layer's blob, which is compressed while it is read. The
// reader ends with an error if the store's content is not of that digest.
func blobOf(a *retry.Attempt, st storage.Store, layerID string, diffID digest.Digest, level zstd.EncoderLevel) (io.ReadCloser, error) {
	plain := archive.Uncompressed
	diff, err := st.Diff("", layerID, &storage.DiffOptions{Compression: &plain})
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", diffID, err)
	}
	r, w := io.Pipe()
	go func() {
		sum := sha256.New()
		err := compress(w, io.TeeReader(a.Reader(diff), sum), level)
		if closed := diff.Close(); err == nil {
			err = closed
		}
		if got := digest.NewDigest(digest.SHA256, sum); err == nil && got != diffID {
			err = fmt.Errorf("the store's content is %s", got)
		}
		if err != nil {
			err = fmt.Errorf("compress layer %s: %w", diffID, err)
		}
		w.CloseWithError(err) // nil is the end
	}()
	return r, nil
}

// piece is a frame in the making.
type piece struct {
	plain, packed []byte
	done          chan struct{} // gets a value when it is packed
}

// compress writes frames of what it reads.
func compress(w io.Writer, r io.Reader, level zstd.EncoderLevel) error {
	workers := min(runtime.GOMAXPROCS(0), workers)
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(workers))
	if err != nil {
		return err
	}
	defer enc.Close()
	// One piece more than there are workers: it is read, or written.
	free, queue := make(chan *piece, workers+1), make(chan *piece, workers+1)
	for range workers + 1 {
		free <- &piece{plain: make([]byte, frame), packed: make([]byte, 0, frame+frame/64), done: make(chan struct{}, 1)}
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	read := make(chan error, 1)
	go func() {
		defer close(queue)
		read <- split(ctx, r, free, func(p *piece, n int) {
			queue <- p
			go func() {
				p.packed = enc.EncodeAll(p.plain[:n], p.packed[:0])
				p.done <- struct{}{}
			}()
		})
	}()
	var failed error
	for p := range queue {
		<-p.done
		if failed == nil {
			if _, failed = w.Write(p.packed); failed != nil {
				stop()
			}
		}
		free <- p
	}
	return errors.Join(failed, <-read)
}

// split fills free pieces until ctx is done or there is no more to read.
func split(ctx context.Context, r io.Reader, free <-chan *piece, full func(p *piece, n int)) error {
	number := 0
	for p := range free {
		size := min(1<<20<<min(number/2, 10), frame) // 1, 1, 2, 2, 4, 4, 8, 8 … MiB
		number++
		n, err := io.ReadFull(&stoppable{ctx, r}, p.plain[:size])
		if n > 0 {
			full(p, n)
		}
		switch {
		case err == io.EOF, err == io.ErrUnexpectedEOF, ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// stoppable is a reader that ends with a context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
