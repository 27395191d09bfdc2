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

// Epoch is the time that everything a build writes carries: a layer tells what
// it holds, not when it was made. Steps see it as SOURCE_DATE_EPOCH.
var Epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// sealer brings what a build wrote into the form in which it is kept, so that
// building the same again gives the same bytes:
//
//   - what only tells of the build is gone: logs, caches, ids (scrub.go);
//   - what is as it was in the parent is no part of the layer;
//   - times newer than the build's start are Epoch.
type sealer struct {
	ctx   context.Context
	upper string
	marks tarball.Marks
	start time.Time
	buf   [2][]byte
}

// seal works on upper in place. Lower are the parent's directories, topmost
// first. Nothing has them mounted.
func seal(ctx context.Context, upper string, lower []string, start time.Time) error {
	s := &sealer{ctx: ctx, upper: upper, marks: tarball.OverlayMarks(), start: start,
		buf: [2][]byte{make([]byte, 256<<10), make([]byte, 256<<10)}}
	st, err := lstat(upper) // its time changes below
	if err == nil {
		err = s.dir(".", lower)
	}
	if err == nil {
		err = s.clamp(upper, st, Epoch)
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
	switch scrub(name, st) {
	case drop:
		return os.Remove(path)
	case empty:
		if err := os.Truncate(path, 0); err != nil {
			return err
		}
		if st, err = lstat(path); err != nil {
			return err
		}
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
	return s.clamp(path, st, Epoch)
}

// subdir seals a directory; at is the place in below where its parent's
// namesake was found, or -1.
func (s *sealer) subdir(name string, st *unix.Stat_t, below []string, at int) error {
	path, base := filepath.Join(s.upper, name), filepath.Base(name)
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
	when := Epoch
	if len(under) > 0 {
		lower, err := lstat(under[0])
		if err != nil {
			return err
		}
		when = time.Unix(lower.Mtim.Unix())
		lowerAttrs, err := attributesOf(under[0])
		if err != nil {
			return err
		}
		if attrs.same(lowerAttrs, s.marks) && sameOwnerAndMode(st, lower) {
			switch err := os.Remove(path); {
			case err == nil:
				return nil
			case !errors.Is(err, unix.ENOTEMPTY):
				return err
			}
		}
	}
	return s.clamp(path, st, when)
}

// clamp gives what the build wrote a fixed time. The mtime in st tells when it
// was written; for a directory, sealing its content has changed it since.
func (s *sealer) clamp(path string, st *unix.Stat_t, when time.Time) error {
	mtime := time.Unix(st.Mtim.Unix())
	if mtime.Before(s.start) {
		when = mtime
	}
	ts := []unix.Timespec{unix.NsecToTimespec(when.UnixNano()), unix.NsecToTimespec(when.UnixNano())}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, ts, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "set time of", Path: path, Err: err}
	}
	return nil
}

// same says whether a file is what the parent has at its place, apart from a
// time that only the build gave it.
func (s *sealer) same(path string, st *unix.Stat_t, lowerPath string, lower *unix.Stat_t) (bool, error) {
	if st.Mode != lower.Mode || st.Nlink > 1 || lower.Nlink > 1 || st.Rdev != lower.Rdev || !sameOwnerAndMode(st, lower) {
		return false, nil
	}
	if mtime := time.Unix(st.Mtim.Unix()); mtime.Before(s.start) && st.Mtim.Sec != lower.Mtim.Sec {
		return false, nil
	}
	attrs, err1 := attributesOf(path)
	lowerAttrs, err2 := attributesOf(lowerPath)
	if err := errors.Join(err1, err2); err != nil || !attrs.same(lowerAttrs, s.marks) {
		return false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return st.Size == lower.Size && s.sameContent(path, lowerPath), s.ctx.Err()
	case unix.S_IFLNK:
		a, err1 := os.Readlink(path)
		b, err2 := os.Readlink(lowerPath)
		return a == b, errors.Join(err1, err2)
	}
	return true, nil
}

func (s *sealer) sameContent(path, lowerPath string) bool {
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
	for s.ctx.Err() == nil {
		n, err1 := io.ReadFull(a, s.buf[0])
		m, err2 := io.ReadFull(b, s.buf[1])
		if !bytes.Equal(s.buf[0][:n], s.buf[1][:m]) {
			return false
		}
		if err1 != nil || err2 != nil {
			return ended(err1) && ended(err2)
		}
	}
	return false
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

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
