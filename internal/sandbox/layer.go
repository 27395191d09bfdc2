package sandbox

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/tarball"
)

// layerUnpacker unpacks a layer of an image into an empty directory that will
// be one of an overlay's. It takes away nothing: what the layer does not have
// is marked in overlayfs's way.
type layerUnpacker struct {
	*unpacker
	first bool // nothing is below
	marks tarball.Marks
	taken map[string]bool // paths at which there is only a mark
}

// unpackLayer unpacks a layer; marks are those of overlays outside, which cannot be
// told from within a tree without /proc.
func unpackLayer(r io.Reader, root string, first bool, marks tarball.Marks) error {
	u := &layerUnpacker{newUnpacker(root), first, marks, map[string]bool{}}
	return u.all(r, u.entry)
}

// metaPrefix begins names that AUFS keeps for itself.
const (
	takenPrefix = ".wh."
	metaPrefix  = ".wh..wh."
	opaqueName  = ".wh..wh..opq"
)

func (u *layerUnpacker) entry(hdr *tar.Header, content *tarball.Reader) error {
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	for record := range hdr.PAXRecords {
		if name, ok := strings.CutPrefix(record, paxXattr); ok {
			if err := tarball.CheckXattr(hdr.Name, name); err != nil {
				return err
			}
		}
	}
	// The records of Strata's own streams mean nothing here.
	hdr.PAXRecords = maps.Clone(hdr.PAXRecords)
	delete(hdr.PAXRecords, PaxOwner)
	delete(hdr.PAXRecords, PaxGroup)
	path := u.path(hdr.Name)
	dir, base := filepath.Dir(path), filepath.Base(path)
	if strings.Contains(path+"/", "/"+metaPrefix) && base != opaqueName {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	switch {
	case base == opaqueName:
		return u.opaque(dir)
	case strings.HasPrefix(base, takenPrefix):
		return u.take(filepath.Join(dir, strings.TrimPrefix(base, takenPrefix)))
	case hdr.Typeflag == tar.TypeChar && hdr.Devmajor == 0 && hdr.Devminor == 0:
		return &tarball.ReservedError{Path: hdr.Name, What: "a character device 0:0 says that a name is taken away"}
	}
	if err := u.clear(hdr, path); err != nil {
		return err
	}
	if hdr.Typeflag == tar.TypeDir {
		return u.dir(hdr, path)
	}
	err := u.make(hdr, path, content)
	if (hdr.Typeflag == tar.TypeChar || hdr.Typeflag == tar.TypeBlock) && errors.Is(err, unix.EPERM) {
		return fault.New(fault.Machine, "/%s is a device, which only root can make: %w", strings.TrimPrefix(filepath.Clean(hdr.Name), "/"), err).
			WithHint("pull the image as root, or have the layer that made it leave it out: a booted system has its devices in a /dev of its own")
	}
	return err
}

// clear makes place for an entry. A directory instead of something that was
// taken away hides what is below it.
func (u *layerUnpacker) clear(hdr *tar.Header, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() && hdr.Typeflag == tar.TypeDir {
		return nil
	}
	if err == nil {
		err = os.RemoveAll(path)
	}
	if err == nil && u.taken[path] && hdr.Typeflag == tar.TypeDir {
		err = errors.Join(os.Mkdir(path, 0o755), u.opaque(path))
	}
	delete(u.taken, path)
	return err
}

// take marks that a name of the layers below is gone; what the layer itself has
// there stays.
func (u *layerUnpacker) take(path string) error {
	if u.first {
		return nil
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir():
		return u.opaque(path)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	u.taken[path] = true
	return unix.Mknod(path, unix.S_IFCHR, 0)
}

// opaque marks that nothing of the layers below shows through a directory.
func (u *layerUnpacker) opaque(dir string) error {
	if u.first {
		return nil
	}
	if err := unix.Lsetxattr(dir, u.marks.Opaque(), []byte("y"), 0); err != nil {
		return fmt.Errorf("mark it opaque: %w", err)
	}
	return nil
}
