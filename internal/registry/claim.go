package registry

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"go.podman.io/image/v5/directory"
	dockerarchive "go.podman.io/image/v5/docker/archive"
	ociarchive "go.podman.io/image/v5/oci/archive"
	"go.podman.io/image/v5/oci/layout"
	"golang.org/x/sys/unix"
)

// claim is a push's hold on a directory or file that it writes. What it made itself
// goes when it fails; what was there before keeps the blobs that came, as a registry
// does.
type claim struct {
	path string
	made bool
	dir  *os.File // of a layout, which several may write at once: locked
}

// claim takes hold of a place before it is written; nil where it is no file.
func (p *place) claim() (*claim, error) {
	c := &claim{path: p.StringWithinTransport()}
	switch p.Transport().Name() {
	case directory.Transport.Name():
	case dockerarchive.Transport.Name(), ociarchive.Transport.Name():
		c.path, _, _ = strings.Cut(c.path, ":")
	case layout.Transport.Name():
		c.path, _, _ = strings.Cut(c.path, ":")
		return c, c.share()
	default:
		return nil, nil
	}
	_, err := os.Lstat(c.path)
	c.made = errors.Is(err, fs.ErrNotExist)
	return c, nil
}

// share makes a layout's directory, if need be, and says to other pushes that it is used.
func (c *claim) share() error {
	err := os.Mkdir(c.path, 0o755)
	c.made = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if c.dir, err = os.Open(c.path); err != nil {
		return err
	}
	if unix.Flock(int(c.dir.Fd()), unix.LOCK_SH) != nil {
		c.made = false // a file system without locks: somebody else may be at it
	}
	return nil
}

// end gives the hold up, after an error with what was made.
func (c *claim) end(err error) error {
	if c.dir != nil {
		defer c.dir.Close()
	}
	if err == nil || !c.made || c.dir != nil && unix.Flock(int(c.dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return err
	}
	if left := os.RemoveAll(c.path); left != nil {
		return errors.Join(err, left)
	}
	return err
}
