package sandbox

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/tarball"
)

// PAX records with which an entry names its owner as the tree knows it, in
// place of a number.
const (
	PaxOwner = "STRATA.owner"
	PaxGroup = "STRATA.group"
)

const paxXattr = "SCHILY.xattr."

// defaultACL is the attribute from which what is made in a directory gets an ACL.
const defaultACL = "system.posix_acl_default"

// unpacker writes a tar stream below root. It runs in the tree (root is "/"),
// so a link in the tree cannot lead out of it.
type unpacker struct {
	root  string
	dirs  []*tar.Header // their times and default ACLs are set when nothing more is put in them
	buf   []byte
	users map[string]map[string]int // passwd and group, read when first needed
}

func unpack(r io.Reader, root string) error {
	u := newUnpacker(root)
	return u.all(r, u.entry)
}

func newUnpacker(root string) *unpacker {
	return &unpacker{root: root, buf: make([]byte, 256<<10), users: map[string]map[string]int{}}
}

// all calls entry for each entry of a stream.
func (u *unpacker) all(r io.Reader, entry func(*tar.Header, *tarball.Reader) error) error {
	stream := tarball.NewReader(bufio.NewReaderSize(r, 256<<10))
	for {
		hdr, err := stream.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if err := entry(hdr, stream); err != nil {
			var where *os.PathError // which the message says already
			if errors.As(err, &where) {
				err = where.Err
			}
			return fmt.Errorf("write /%s: %w", strings.TrimPrefix(filepath.Clean(hdr.Name), "/"), err)
		}
	}
	for i := len(u.dirs) - 1; i >= 0; i-- {
		if acl, ok := u.dirs[i].PAXRecords[paxXattr+defaultACL]; ok {
			if err := unix.Lsetxattr(u.path(u.dirs[i].Name), defaultACL, []byte(acl), 0); err != nil {
				return fmt.Errorf("write /%s: set its default ACL: %w", filepath.Clean(u.dirs[i].Name), err)
			}
		}
		if err := setTime(u.path(u.dirs[i].Name), u.dirs[i].ModTime); err != nil {
			return err
		}
	}
	// Dpkg's and tar's archives end in padding: leave nobody writing.
	_, err := io.Copy(io.Discard, r)
	return err
}

func (u *unpacker) path(name string) string {
	return filepath.Join(u.root, filepath.Join("/", name))
}

func (u *unpacker) entry(hdr *tar.Header, content *tarball.Reader) error {
	path := u.path(hdr.Name)
	if hdr.Typeflag == tar.TypeDir {
		return u.dir(hdr, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return u.make(hdr, path, content)
}

// make makes what is no directory, where nothing is.
func (u *unpacker) make(hdr *tar.Header, path string, content *tarball.Reader) error {
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		if err := u.file(hdr, path, content); err != nil {
			return err
		}
	case tar.TypeLink:
		return os.Link(u.path(hdr.Linkname), path)
	case tar.TypeSymlink:
		if err := os.Symlink(hdr.Linkname, path); err != nil {
			return err
		}
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		types := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}
		dev := unix.Mkdev(uint32(hdr.Devmajor), uint32(hdr.Devminor))
		if err := unix.Mknod(path, types[hdr.Typeflag]|0o600, int(dev)); err != nil {
			return fmt.Errorf("make device: %w", err)
		}
	default:
		return fmt.Errorf("unknown kind of entry %q", hdr.Typeflag)
	}
	return u.attributes(hdr, path)
}

func (u *unpacker) dir(hdr *tar.Header, path string) error {
	st, err := os.Stat(path) // a link to a directory, as /lib is, stays
	switch {
	case err == nil && st.IsDir():
	case err == nil:
		return errors.New("there is a file where a directory should be")
	default:
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	u.dirs = append(u.dirs, hdr)
	return u.attributes(hdr, path)
}

// file writes a file: what is sparse in the archive is so in the tree, and what
// is not is not.
func (u *unpacker) file(hdr *tar.Header, path string, content *tarball.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	parts, sparse := content.Sparse()
	switch {
	case sparse:
		err = u.parts(f, content, parts, hdr.Size)
	case hdr.Typeflag == tar.TypeGNUSparse, hdr.PAXRecords["GNU.sparse.numblocks"] != "", hdr.PAXRecords["GNU.sparse.map"] != "":
		err = copySparse(f, content, u.buf) // older formats, of which the map is not known here
	default:
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{content}, u.buf)
	}
	if err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// parts writes the parts of a sparse file that have data.
func (u *unpacker) parts(f *os.File, content io.Reader, parts []tarball.Extent, size int64) error {
	for _, part := range parts {
		to := io.NewOffsetWriter(f, part.Offset)
		n, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{io.LimitReader(content, part.Length)}, u.buf)
		if err == nil && n < part.Length {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return f.Truncate(size)
}

// copySparse copies src to an empty file and leaves holes for blocks of zeros.
func copySparse(f *os.File, src io.Reader, buf []byte) error {
	const block = 4096
	var size int64
	for {
		n, err := io.ReadFull(src, buf)
		for start := 0; start < n; start += block {
			part := buf[start:min(start+block, n)]
			if !allZero(part) {
				if _, werr := f.WriteAt(part, size+int64(start)); werr != nil {
					return werr
				}
			}
		}
		size += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return f.Truncate(size)
		}
		if err != nil {
			return err
		}
	}
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// attributes sets owner, mode, xattrs and time, in the order that keeps them.
func (u *unpacker) attributes(hdr *tar.Header, path string) error {
	uid, err := u.id(hdr, PaxOwner, "passwd", hdr.Uid)
	if err != nil {
		return err
	}
	gid, err := u.id(hdr, PaxGroup, "group", hdr.Gid)
	if err != nil {
		return err
	}
	link := hdr.Typeflag == tar.TypeSymlink
	chown := os.Chown // follows /lib to /usr/lib
	if hdr.Typeflag != tar.TypeDir {
		chown = os.Lchown
	}
	if err := chown(path, uid, gid); err != nil {
		return err
	}
	if !link {
		if err := unix.Chmod(path, uint32(hdr.Mode)&0o7777); err != nil {
			return err
		}
	}
	// In order: file systems list attributes as they were set, and so do images.
	for _, record := range slices.Sorted(maps.Keys(hdr.PAXRecords)) {
		if name, ok := strings.CutPrefix(record, paxXattr); ok && name != defaultACL {
			if err := unix.Lsetxattr(path, name, []byte(hdr.PAXRecords[record]), 0); err != nil {
				return fmt.Errorf("set attribute %s: %w", name, err)
			}
		}
	}
	if hdr.Typeflag == tar.TypeDir {
		return nil
	}
	return setTime(path, hdr.ModTime)
}

func setTime(path string, t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// id returns the number of an entry's owner or group.
func (u *unpacker) id(hdr *tar.Header, record, database string, number int) (int, error) {
	name := hdr.PAXRecords[record]
	if name == "" {
		return number, nil
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	if u.users[database] == nil {
		content, err := os.ReadFile(filepath.Join(u.root, "etc", database))
		if err != nil {
			return 0, fmt.Errorf("look up %s in /etc/%s of the image: %w", name, database, errors.Unwrap(err))
		}
		u.users[database] = parseIDs(string(content))
	}
	n, ok := u.users[database][name]
	if !ok {
		return 0, fmt.Errorf("the image has no %s in /etc/%s", name, database)
	}
	return n, nil
}

// parseIDs reads passwd(5) or group(5): names and their numbers.
func parseIDs(content string) map[string]int {
	ids := map[string]int{}
	for line := range strings.Lines(content) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 3 {
			continue
		}
		if n, err := strconv.Atoi(fields[2]); err == nil {
			ids[fields[0]] = n
		}
	}
	return ids
}
