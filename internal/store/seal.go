package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/tarball"
)

// sealer brings what a build wrote into the form in which it is kept, so that
// building the same again gives the same bytes:
//
//   - what only tells of the build is gone: logs, caches, ids (scrub.go);
//   - what is as it was in the parent is no part of the layer;
//   - times are in their normal form (times.go).
//
// A file may have several names. What is done to one of them for its name's
// sake, the others do not notice.
type sealer struct {
	ctx   context.Context
	upper string
	marks tarball.Marks
	clock clock
	how   *Sealing
	told  map[string]bool     // identities that stay, and that were told of
	lists map[string][]string // packages by the paths that they have, once they are needed
	buf   [2][]byte
}

// seal works on upper in place. Lower are the parent's directories, topmost
// first. Nothing has them mounted.
func seal(ctx context.Context, upper string, lower []string, start time.Time, how *Sealing) error {
	s := &sealer{ctx: ctx, upper: upper, marks: tarball.OverlayMarks(), clock: clockFrom(start), how: how, told: map[string]bool{},
		buf: [2][]byte{make([]byte, 256<<10), make([]byte, 256<<10)}}
	st, err := lstat(upper) // its time changes below
	if err == nil {
		err = s.identities(lower)
	}
	if err == nil {
		err = s.dir(".", lower)
	}
	if err == nil {
		err = s.setTime(upper, s.clock.normal(st.Mtim))
	}
	if err != nil {
		return fmt.Errorf("seal layer: %w", err)
	}
	return nil
}

// dir seals a directory of the upper layer; below are the parent's directories
// of the same path, and is empty where the parent's do not show through.
func (s *sealer) dir(name string, below []string) error {
	path := filepath.Join(s.upper, name)
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.entry(filepath.Join(name, e.Name()), below); err != nil {
			return err
		}
	}
	return nil
}

func (s *sealer) entry(name string, below []string) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	path := filepath.Join(s.upper, name)
	st, err := lstat(path)
	if err != nil {
		return err
	}
	under, at := find(below, filepath.Base(name))
	if tarball.IsWhiteout(st) {
		if under == nil {
			return os.Remove(path)
		}
		return nil
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return s.subdir(name, st, below, at)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		return os.Remove(path) // whoever listened on it is gone
	}
	switch s.scrub(name, st) {
	case drop, purge:
		return os.Remove(path)
	case empty:
		if st, err = s.empty(path, st); err != nil {
			return err
		}
	}
	if err := s.suspect(name, path, st); err != nil {
		return err
	}
	if stale, err := s.staleBytecode(name, path, st); err != nil {
		return err
	} else if stale {
		return os.Remove(path)
	}
	st, nothing, err := s.unmark(path, st)
	if err != nil {
		return err
	}
	if nothing {
		return os.Remove(path)
	}
	if under != nil {
		same, err := s.same(path, st, filepath.Join(below[at], filepath.Base(name)), under)
		if err != nil {
			return err
		}
		if same {
			return os.Remove(path)
		}
	}
	return s.setTime(path, s.clock.normal(st.Mtim))
}

// subdir seals a directory; at is the place in below where its parent's
// namesake was found, or -1.
func (s *sealer) subdir(name string, st *unix.Stat_t, below []string, at int) error {
	path, base := filepath.Join(s.upper, name), filepath.Base(name)
	verdict := s.scrub(name, st)
	if verdict == purge && at < 0 {
		return os.RemoveAll(path)
	}
	attrs, err := attributesOf(path)
	if err != nil {
		return err
	}
	var under []string
	if at >= 0 && !attrs.opaque(s.marks) {
		if under, err = s.through(below[at:], base); err != nil {
			return err
		}
	}
	if err := s.dir(name, under); err != nil {
		return err
	}
	// The directory's time tells when it was written only in st: sealing what is
	// in it has changed it since.
	when, needless := s.clock.normal(st.Mtim), at < 0 && verdict == prune
	if len(under) > 0 {
		lower, err := lstat(under[0])
		if err != nil {
			return err
		}
		if s.clock.ours(st.Mtim) {
			when = lower.Mtim.Sec
		}
		lowerAttrs, err := attributesOf(under[0])
		if err != nil {
			return err
		}
		needless = attrs.same(lowerAttrs, s.marks) && sameOwnerAndMode(st, lower) && when == lower.Mtim.Sec
	}
	if needless {
		switch err := os.Remove(path); {
		case err == nil:
			return nil
		case !errors.Is(err, unix.ENOTEMPTY):
			return err
		}
	}
	return s.setTime(path, when)
}

// setTime sets both of a file's times, in seconds since 1970. A file with several
// names has one time; as the second name finds it in its normal form, it does not
// matter which comes first.
func (s *sealer) setTime(path string, seconds int64) error {
	ts := []unix.Timespec{{Sec: seconds}, {Sec: seconds}}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, ts, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "set time of", Path: path, Err: err}
	}
	return nil
}

// empty puts an empty file in a file's place.
func (s *sealer) empty(path string, st *unix.Stat_t) (*unix.Stat_t, error) {
	if st.Size == 0 {
		return st, nil
	}
	return s.rewrite(path, st, "")
}

// rewrite puts a file with another content, of the same owner, mode and attributes, in
// a file's place. Other names of the file keep what they have.
func (s *sealer) rewrite(path string, st *unix.Stat_t, content string) (*unix.Stat_t, error) {
	attrs, err := attributesOf(path)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".strata-")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Chown(int(st.Uid), int(st.Gid)), unix.Fchmod(int(f.Fd()), st.Mode&0o7777))
	for name, value := range attrs.ofTheTree(s.marks) {
		err = errors.Join(err, unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0))
	}
	if err = errors.Join(err, os.Rename(f.Name(), path)); err != nil {
		return nil, fmt.Errorf("rewrite %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return lstat(path)
}

// same says whether a file is what the parent has at its place, apart from a
// time that only the build gave it.
func (s *sealer) same(path string, st *unix.Stat_t, lowerPath string, lower *unix.Stat_t) (bool, error) {
	if st.Mode != lower.Mode || st.Nlink > 1 || lower.Nlink > 1 || st.Rdev != lower.Rdev || !sameOwnerAndMode(st, lower) {
		return false, nil
	}
	if !s.clock.ours(st.Mtim) && s.clock.normal(st.Mtim) != lower.Mtim.Sec {
		return false, nil
	}
	attrs, err1 := attributesOf(path)
	lowerAttrs, err2 := attributesOf(lowerPath)
	if err := errors.Join(err1, err2); err != nil || !attrs.same(lowerAttrs, s.marks) {
		return false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return st.Size == lower.Size && s.sameContent(path, lowerPath, st.Size), s.ctx.Err()
	case unix.S_IFLNK:
		a, err1 := os.Readlink(path)
		b, err2 := os.Readlink(lowerPath)
		return a == b, errors.Join(err1, err2)
	}
	return true, nil
}

// sameContent compares two files of one size, of which both or none must be
// stored as sparse ones. Holes are not read.
func (s *sealer) sameContent(path, lowerPath string, size int64) bool {
	a, err := os.Open(path)
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := os.Open(lowerPath)
	if err != nil {
		return false
	}
	defer b.Close()
	if sparse(a) != sparse(b) {
		return false
	}
	for at := int64(0); s.ctx.Err() == nil; {
		at = min(nextData(a, at, size), nextData(b, at, size))
		if at >= size {
			return true
		}
		n := min(size-at, int64(len(s.buf[0])))
		_, err1 := io.ReadFull(io.NewSectionReader(a, at, n), s.buf[0][:n])
		_, err2 := io.ReadFull(io.NewSectionReader(b, at, n), s.buf[1][:n])
		if err1 != nil || err2 != nil || !bytes.Equal(s.buf[0][:n], s.buf[1][:n]) {
			return false
		}
		at += n
	}
	return false
}

func sparse(f *os.File) bool {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	is, err := tarball.IsSparse(f, &st)
	return err == nil && is
}

// nextData returns where, from a place on, a file has something else than a
// hole; its size if nowhere.
func nextData(f *os.File, from, size int64) int64 {
	at, err := unix.Seek(int(f.Fd()), from, unix.SEEK_DATA)
	switch {
	case err == nil:
		return at
	case errors.Is(err, unix.ENXIO):
		return size
	}
	return from // this file system does not tell
}

func sameOwnerAndMode(a, b *unix.Stat_t) bool {
	return a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid
}

// find looks a name up in the parent's directories: what shows through from
// the first that has it, and which that is; nil and -1 if nothing does.
func find(below []string, name string) (*unix.Stat_t, int) {
	for i, dir := range below {
		st, err := lstat(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if tarball.IsWhiteout(st) {
			return nil, -1
		}
		return st, i
	}
	return nil, -1
}

// through returns the directories of a name that show through each other.
func (s *sealer) through(below []string, name string) ([]string, error) {
	var dirs []string
	for _, dir := range below {
		path := filepath.Join(dir, name)
		st, err := lstat(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			break
		}
		dirs = append(dirs, path)
		attrs, err := attributesOf(path)
		if err != nil {
			return nil, err
		}
		if attrs.opaque(s.marks) {
			break
		}
	}
	return dirs, nil
}

func lstat(path string) (*unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return &st, nil
}
