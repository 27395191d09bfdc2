package artifact

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// readInitrd lists an initrd: cpio archives one after the other with zeros
// between, and at last, maybe compressed, more of them
// (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's
// sources). Early microcode is such a first archive.
func readInitrd(r io.Reader) (*initrdContent, error) {
	content := &initrdContent{Modules: map[string]bool{}, Paths: map[string]bool{}}
	if err := content.read(bufio.NewReaderSize(r, 1<<16), 0); err != nil {
		return nil, err
	}
	if len(content.Paths) == 0 {
		return nil, errors.New("it is empty")
	}
	return content, nil
}

// read adds what a stream holds; depth counts the compressions around it.
func (c *initrdContent) read(r *bufio.Reader, depth int) error {
	const deepest = 2
	for {
		err := skipZeros(r)
		// A zstd decoder takes zeros after the last frame for a bad frame.
		if err == io.EOF || errors.Is(err, zstd.ErrMagicMismatch) && len(c.Paths) > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		magic, err := r.Peek(6)
		if err != nil && err != io.EOF {
			return err
		}
		if bytes.HasPrefix(magic, []byte("07070")) {
			if err := c.readArchive(r); err != nil {
				return err
			}
			continue
		}
		if depth == deepest {
			return errors.New("compressed more than once")
		}
		z, err := decompressor(r, magic)
		if err != nil {
			return err
		}
		err = c.read(bufio.NewReaderSize(z, 1<<16), depth+1)
		z.Close()
		if err != nil {
			return err
		}
	}
}

func (c *initrdContent) readArchive(r io.Reader) error {
	archive := cpio.NewReader(r)
	for {
		hdr, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read cpio archive: %w", err)
		}
		if err := c.add(hdr.Name); err != nil {
			return err
		}
	}
}

func skipZeros(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return r.UnreadByte()
		}
	}
}

// decompressor opens the compressed rest of an initrd by its first bytes.
func decompressor(r *bufio.Reader, magic []byte) (io.ReadCloser, error) {
	var z io.Reader
	var err error
	switch {
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<30))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		var g *gzip.Reader
		if g, err = gzip.NewReader(r); err == nil {
			g.Multistream(false) // what follows may be padding
			z = g
		}
	case bytes.HasPrefix(magic, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		z, err = xz.NewReader(r)
	case bytes.HasPrefix(magic, []byte("BZh")):
		z = bzip2.NewReader(r)
	case bytes.HasPrefix(magic, []byte{0x5d, 0, 0}):
		z, err = lzma.NewReader(r)
	case bytes.HasPrefix(magic, []byte{0x02, 0x21, 0x4c, 0x18}):
		return nil, errors.New("it is compressed with lz4, which Strata does not read: use zstd, gzip or xz")
	default:
		return nil, fmt.Errorf("neither cpio nor a known compression: it goes on with % x", magic)
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(z), nil
}
