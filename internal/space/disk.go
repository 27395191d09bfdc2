package space

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk is what a directory's file system says when it is asked.
type disk struct {
	dir  string
	stat unix.Statfs_t // zero if it cannot be asked
	err  error         // of writing a little there
}

// little is how much a disk has no room for, in bytes, when a write has failed. What
// is left is less than what was to be written, which is not known: a few blocks,
// when much was written in small pieces.
const little = 1 << 20

// diskOf asks the file system of a directory or a file, which need not be there.
func diskOf(path string) disk {
	d := disk{dir: path}
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		d.dir = filepath.Dir(path)
	}
	for unix.Statfs(d.dir, &d.stat) != nil {
		if d.dir == filepath.Dir(d.dir) {
			return disk{dir: path}
		}
		d.dir = filepath.Dir(d.dir)
	}
	d.err = try(d.dir)
	return d
}

// try writes a little in a directory, under no name. Only that tells of a quota,
// which may be a user's, a project's or a subvolume's.
func try(dir string) error {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fallocate(fd, 0, 0, little)
}

// lacks says what the disk lacks when a write has failed; nil for nothing.
func (d disk) lacks() *kind {
	few := max(16, d.stat.Files/512)
	switch {
	case d.stat.Blocks == 0:
		return nil
	case d.stat.Flags&unix.ST_RDONLY != 0, errors.Is(d.err, unix.EROFS):
		return readOnly
	case errors.Is(d.err, unix.EDQUOT):
		return overQuota
	case d.stat.Files > 0 && d.stat.Ffree < few:
		return noInodes
	case errors.Is(d.err, unix.ENOSPC), d.free() < little:
		return full
	}
	return nil
}

// fewInodes says whether a write that failed for lack of space lacked an inode:
// there is space, and of inodes a small part. A program that fails removes files.
func (d disk) fewInodes() bool {
	const some = 16 << 20
	return d.lacks() == noInodes || d.lacks() == nil && d.stat.Files > 0 && d.stat.Ffree < d.stat.Files/20 && d.free() >= some
}

// free is in bytes.
func (d disk) free() int64 { return int64(min(d.stat.Bavail, 1<<40)) * d.stat.Bsize }

// short is the disk's shortage.
func (d disk) short(k *kind) *Shortage {
	if k == overQuota { // what is left is not of the disk
		return &Shortage{kind: k, place: "no more may be written in " + d.dir}
	}
	mib := func(blocks uint64) uint64 { return blocks * uint64(d.stat.Bsize) >> 20 }
	place := fmt.Sprintf("%s has %d of %d MiB free", d.dir, mib(d.stat.Bavail), mib(d.stat.Blocks))
	if d.stat.Files > 0 { // some file systems have as many as they have space for
		place = fmt.Sprintf("%s has %d of %d MiB and %d inodes free", d.dir, mib(d.stat.Bavail), mib(d.stat.Blocks), d.stat.Ffree)
	}
	return &Shortage{kind: k, place: place}
}
