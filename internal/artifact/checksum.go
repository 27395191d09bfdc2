package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/strata-hpc/strata/internal/layer"
)

// describe measures a file of a directory.
func describe(ctx context.Context, dir, name string, t layer.ArtifactType) (*File, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, sum, err := checksum(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &File{Name: name, Type: t, Size: size, SHA256: sum}, nil
}

// checksum returns the length and the SHA-256, in hex, of what r reads. It
// reads ahead while it computes.
func checksum(ctx context.Context, r io.Reader) (int64, string, error) {
	const parts = 4
	free, full := make(chan []byte, parts), make(chan []byte, parts)
	for range parts {
		free <- make([]byte, 256<<10)
	}
	var err error
	go func() {
		defer close(full)
		for err == nil {
			var n int
			part := <-free
			if n, err = io.ReadFull(r, part); err == nil {
				err = ctx.Err()
			}
			full <- part[:n]
		}
	}()
	size, h := int64(0), sha256.New()
	for part := range full {
		_, _ = h.Write(part) // has no errors
		size += int64(len(part))
		free <- part[:cap(part)]
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, "", err
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}

// describeWritten runs write, with which another program makes the file, and
// describes the file. A program that has written everything is not at its end:
// the file system begins to place the file on disk, much memory is given back,
// a mount goes. The checksum is taken meanwhile.
//
// It counts if, until the program's end, whoever could write closed the file
// once: then nobody could when the first byte was read. Else it is taken again.
func describeWritten(ctx context.Context, dir, name string, t layer.ArtifactType, write func() error) (*File, error) {
	c, err := watchClosing(dir, name)
	if err != nil { // all that this user may have are in use
		if err := write(); err != nil {
			return nil, err
		}
		return describe(ctx, dir, name, t)
	}
	defer c.end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	early := make(chan *File, 1)
	go func() {
		defer close(early)
		if c.wait() {
			if f, err := describe(ctx, dir, name, t); err == nil {
				early <- f
			}
		}
	}()
	if err := write(); err != nil {
		cancel()
		c.stop()
		<-early
		return nil, err
	}
	c.stop()
	if f := <-early; f != nil && !c.again() {
		return f, nil
	}
	return describe(ctx, dir, name, t)
}
