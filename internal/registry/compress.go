package registry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"
)

// level is zstd's: see docs/benchmarks.md.
const level = zstd.SpeedDefault

// spool compresses a layer into a file in dir and checks that it is the layer
// of that digest. The caller removes the file.
func spool(ctx context.Context, st storage.Store, layerID string, diffID digest.Digest, dir string) (path string, b blob, err error) {
	plain := archive.Uncompressed
	diff, err := st.Diff("", layerID, &storage.DiffOptions{Compression: &plain})
	if err != nil {
		return "", b, fmt.Errorf("read layer %s: %w", diffID, err)
	}
	defer diff.Close()
	f, err := os.CreateTemp(dir, "strata-blob-")
	if err != nil {
		return "", b, fmt.Errorf("compress layer: %w", err)
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	sum, size := sha256.New(), &counter{}
	// The number of goroutines is fixed, so that all machines compress alike.
	enc, err := zstd.NewWriter(io.MultiWriter(f, sum, size), zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(4))
	if err != nil {
		return "", b, err
	}
	content := sha256.New()
	_, err = io.Copy(io.MultiWriter(enc, content), &stoppable{ctx, diff})
	if closed := enc.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", b, fmt.Errorf("compress layer %s: %w", diffID, err)
	}
	if got := digest.NewDigest(digest.SHA256, content); got != diffID {
		return "", b, fmt.Errorf("compress layer %s: the store's content is %s", diffID, got)
	}
	return f.Name(), blob{Digest: digest.NewDigest(digest.SHA256, sum), Size: size.n, Media: v1.MediaTypeImageLayerZstd}, nil
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
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
