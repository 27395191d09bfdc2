package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk is what a file system says of itself.
type disk struct {
	kind     string // "ext4"; "" if not known by name
	free     uint64 // bytes that this user may still write
	inodes   uint64 // files that can still be made
	counted  bool   // it limits files at all
	readOnly bool
}

const gib = 1 << 30

// Free space below which there is a warning.
const (
	storeSpace     = 10 * gib
	cacheSpace     = 2 * gib
	temporarySpace = 1 * gib
	leastInodes    = 100_000 // an image has some 50,000 files
)

func checkStore(_ context.Context, m machine, opts Options) []Finding {
	return m.checkDisk(Finding{Name: "store", Needed: "layers and images"}, opts.Store, storeSpace)
}

func checkCache(_ context.Context, m machine, opts Options) []Finding {
	return m.checkDisk(Finding{Name: "package cache", Needed: "downloaded packages"}, opts.Cache, cacheSpace)
}

func checkTemporary(_ context.Context, m machine, _ Options) []Finding {
	return m.checkDisk(Finding{Name: "temporary space", Needed: "sockets and small files of a build"}, m.temporary, temporarySpace)
}

// checkDisk looks at the file system of a directory that need not be there yet.
func (m machine) checkDisk(f Finding, dir string, least uint64) []Finding {
	if dir == "" {
		return nil
	}
	d, err := m.disk(existing(m.root, dir))
	if err != nil {
		f.Level, f.Message, f.Hint = Missing, err.Error(), "take another directory, or give "+m.user+" the right to write there"
		return []Finding{f}
	}
	kind := d.kind
	if kind == "" {
		kind = "file system of unknown type"
	}
	f.Level, f.Message = OK, fmt.Sprintf("%s: %s, %s free", dir, kind, size(d.free))
	switch {
	case d.readOnly:
		f.Level, f.Message = Missing, f.Message+", mounted read-only"
	case d.free < least:
		f.Level, f.Message = Warning, f.Message+fmt.Sprintf(", less than %s", size(least))
		f.Hint = "free some space ('strata gc' removes what no image needs), or take another directory"
	case d.counted && d.inodes < leastInodes:
		f.Level, f.Message = Warning, f.Message+fmt.Sprintf(", but only %d files more", d.inodes)
		f.Hint = "the file system runs out of inodes: free some, or take another directory"
	case networked(d.kind):
		f.Level, f.Message = Warning, f.Message+", which is on the network"
		f.Hint = "a local disk is faster, and keeps attributes and locks that network file systems lose"
	}
	return []Finding{f}
}

// existing is an absolute directory itself, or the lowest one above that is there.
func existing(root fs.FS, dir string) string {
	dir = filepath.Clean(dir)
	for len(dir) > 1 {
		if info, err := fs.Stat(root, dir[1:]); err == nil && info.IsDir() {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

func networked(kind string) bool {
	switch kind {
	case "nfs", "cifs", "lustre", "gpfs", "ceph", "9p", "afs", "beegfs":
		return true
	}
	return false
}

func size(bytes uint64) string {
	if bytes < gib {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.0f GiB", float64(bytes)/gib)
}

// diskOf asks the file system of a directory, and whether one may write there.
func diskOf(dir string) (disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return disk{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	d := disk{
		kind: kindOf(int64(st.Type)), free: st.Bavail * uint64(st.Bsize), inodes: st.Ffree, counted: st.Files > 0,
		readOnly: st.Flags&unix.ST_RDONLY != 0,
	}
	if err := unix.Access(dir, unix.W_OK); err != nil && !errors.Is(err, unix.EROFS) {
		return d, &os.PathError{Op: "write to", Path: dir, Err: err}
	}
	return d, nil
}

// kindOf names a file system by its magic number; some are in no header.
func kindOf(magic int64) string {
	return map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.F2FS_SUPER_MAGIC: "f2fs", unix.NFS_SUPER_MAGIC: "nfs", unix.CIFS_SUPER_MAGIC: "cifs",
		unix.FUSE_SUPER_MAGIC: "fuse", unix.V9FS_MAGIC: "9p", unix.AFS_SUPER_MAGIC: "afs", unix.CEPH_SUPER_MAGIC: "ceph",
		unix.ECRYPTFS_SUPER_MAGIC: "ecryptfs", unix.RAMFS_MAGIC: "ramfs",
		0x2fc12fc1: "zfs", 0x0bd00bd0: "lustre", 0x47504653: "gpfs", 0x19830326: "beegfs", 0xca451a4e: "bcachefs",
	}[magic]
}
