package registry

import (
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// What is read of an image that somebody else made, at most. The sizes of blobs
// are those that its manifest declares.
const (
	maxImageManifest = 1 << 20   // bytes; 500 layers need 150 KiB
	maxConfig        = 4 << 20   // bytes, as in Podman
	maxRecord        = 64 << 20  // bytes of all records of an image together
	maxParts         = 32        // blobs of a record
	maxLayers        = 500       // as many as an overlay can have
	maxWindow        = 128 << 20 // bytes of memory to decompress a blob: what zstd's strongest level needs
)

// ErrBroken says that what is under a name is no image that can be used: its
// parts are missing, damaged, or do not belong together.
var ErrBroken = errors.New("what is there cannot be used")

// brokenError is an error that is ErrBroken.
type brokenError struct{ error }

func (b brokenError) Unwrap() error { return b.error }

func (brokenError) Is(target error) bool { return target == ErrBroken }

// damage is the fault of something that is not what names it says.
func damage(format string, args ...any) *fault.Error {
	return fault.New(fault.Failed, "%w", brokenError{fmt.Errorf(format, args...)}).
		WithHint("nothing of it was kept; 'strata build --push' here sends a registry what is damaged anew; elsewhere, remove the image and push it again from where it was built")
}

// checking is a reader that ends with an error, not with the end of the file, if
// what it read has another length or another digest. It reads one byte more than
// it should, at most.
type checking struct {
	r    io.Reader
	what string // is read, for errors
	size int64  // in bytes; -1 if it is not declared
	want digest.Digest
	sum  hash.Hash
	read int64
	err  error
	end  bool // it has been read to its end, and is what it should be
}

func newChecking(r io.Reader, what string, want digest.Digest, size int64) *checking {
	return &checking{r: r, what: what, size: size, want: want, sum: want.Algorithm().Hash()}
}

func (c *checking) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if left := c.size + 1 - c.read; c.size >= 0 && int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.r.Read(p)
	c.read += int64(n)
	c.sum.Write(p[:n])
	switch {
	case c.size >= 0 && c.read > c.size:
		c.err = damage("%s is damaged: it has more than the %d bytes that are declared", c.what, c.size)
	case err == nil || err != io.EOF:
		return n, err
	case c.read < c.size:
		c.err = damage("%s is damaged: it ends after %d of %d bytes: %w", c.what, c.read, c.size, io.ErrUnexpectedEOF)
	default:
		if got := digest.NewDigest(c.want.Algorithm(), c.sum); got != c.want {
			c.err = damage("%s is damaged: its content has digest %s", c.what, layer.Digest(got).Short())
			break
		}
		c.end = true
		return n, io.EOF
	}
	return n, c.err
}

// reserve is how much of a file system a pull leaves, at least.
const reserve = 16 << 20 // bytes

// free is how much may be written below a directory, in bytes.
func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("see how much space %s has: %w", dir, err)
	}
	return int64(min(st.Bavail, 1<<40)) * st.Bsize, nil
}

// room is a fault if there is not enough space for so many bytes below a directory.
func room(dir, what string, bytes int64) error {
	left, err := free(dir)
	if err != nil || left-reserve >= bytes {
		return err
	}
	return fault.New(fault.Machine, "%s needs %d MiB, and %d MiB are free in %s", what, bytes>>20+1, left>>20, dir).
		WithHint("free some space ('strata gc' removes what no image needs), or take another store with --store")
}

// spacious is a reader of what is written below a directory and may become
// large. It ends with a fault before the file system is full.
type spacious struct {
	r     io.Reader
	dir   string
	what  string
	since int64 // bytes since it was looked last
	err   error
}

func (s *spacious) Read(p []byte) (int, error) {
	const often = 8 << 20
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if s.since += int64(n); s.since > often {
		s.since = 0
		if s.err = room(s.dir, s.what, 0); s.err != nil {
			return n, s.err
		}
	}
	return n, err
}
