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
)

// A layer is compressed in frames, one after the other in the blob, so that all
// processors take part and the result is the same with any number of them. The
// level is measured in docs/benchmarks.md.
const (
	level = zstd.SpeedDefault
	frame = 4 << 20 // plain bytes
)

// blobOf returns a layer's blob, which is compressed while it is read. The
// reader ends with an error if the store's content is not of that digest.
func blobOf(ctx context.Context, st storage.Store, layerID string, diffID digest.Digest) (io.ReadCloser, error) {
	plain := archive.Uncompressed
	diff, err := st.Diff("", layerID, &storage.DiffOptions{Compression: &plain})
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", diffID, err)
	}
	r, w := io.Pipe()
	go func() {
		sum := sha256.New()
		err := compress(w, io.TeeReader(&stoppable{ctx, diff}, sum))
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

// compress writes frames of what it reads.
func compress(w io.Writer, r io.Reader) error {
	workers := runtime.GOMAXPROCS(0)
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(workers))
	if err != nil {
		return err
	}
	// One is being written, one for each worker is being compressed.
	queue := make(chan chan []byte, workers)
	read := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		defer close(queue)
		read <- split(r, func(plain []byte) bool {
			out := make(chan []byte, 1)
			select {
			case queue <- out:
			case <-stop:
				return false
			}
			go func() { out <- enc.EncodeAll(plain, nil) }()
			return true
		})
	}()
	var failed error
	for out := range queue {
		content := <-out
		if failed != nil {
			continue
		}
		if _, failed = w.Write(content); failed != nil {
			close(stop)
		}
	}
	return errors.Join(failed, <-read, enc.Close())
}

// split calls do with one frame's content after the other until it has enough.
func split(r io.Reader, do func([]byte) bool) error {
	for {
		plain := make([]byte, frame)
		n, err := io.ReadFull(r, plain)
		if n > 0 && !do(plain[:n]) || err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
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
