package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// shortage is a way in which a file system takes no more.
type shortage struct {
	signs    []string // in errors and in what programs say, in lower case
	sentence string
	hint     string
	place    string // what is left there, where it is known
}

var (
	full = &shortage{
		signs: []string{
			"no space left on device",
			"enough free space",                    // apt
			"failed to write to output filesystem", // mksquashfs, which does not always tell the cause
		},
		sentence: "the disk is full",
		hint:     "free some space ('strata gc' removes what no image needs), or take a larger disk (--store DIR, XDG_CACHE_HOME, TMPDIR); the same command then goes on from here",
	}
	noInodes = &shortage{
		// The words are those of a full disk.
		sentence: "no inodes are left",
		hint:     "remove files there ('strata gc' removes what no image needs): it takes no more of them, however small; or take another disk (--store DIR, XDG_CACHE_HOME, TMPDIR)",
	}
	overQuota = &shortage{
		signs:    []string{"disk quota exceeded", "quota exceeded"},
		sentence: "the disk quota is used up",
		hint:     "free some space ('strata gc' removes what no image needs), have the quota raised, or take another disk (--store DIR, XDG_CACHE_HOME, TMPDIR)",
	}
	readOnly = &shortage{
		signs:    []string{"read-only file system"},
		sentence: "the disk is mounted read-only",
		hint:     "mount it writable (the kernel's log says whether it was switched over after an error), or take another one (--store DIR, XDG_CACHE_HOME, TMPDIR)",
	}
)

// WithSpace says in an error that a disk takes no more, and what to do about it,
// if that is what it is about. Dirs are the directories that were written to.
func WithSpace(err error, dirs ...string) error {
	faults := fault.All(err)
	if len(faults) < 2 {
		return withShortage(err, shortageOf(err, "", dirs))
	}
	all := make([]error, len(faults))
	for i, f := range faults {
		all[i] = withShortage(f, shortageOf(f, "", dirs))
	}
	return errors.Join(all...)
}

func withShortage(err error, s *shortage) error {
	var f *fault.Error
	switch explained := errors.As(err, &f); {
	case s == nil, explained && f.Hint != "" && s.place == "":
		return err // it may be another machine's disk
	case !explained:
		return fault.New(fault.Failed, "%w: %s", err, s).WithHint("%s", s.hint)
	}
	return fault.New(f.Kind, "%w: %s", err, s).WithHint("%s", s.hint).WithDetail(f.Detail)
}

// shortageOf says what a disk lacks of which an error came; nil if it came of
// something else, or tells itself. Said is what a program said at its end: many
// report it only there.
func shortageOf(err error, said string, dirs []string) *shortage {
	if err == nil || told(err) {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) && filepath.IsAbs(path.Path) {
		dirs = append([]string{path.Path}, dirs...)
	}
	text := strings.ToLower(err.Error() + "\n" + said)
	for _, s := range []*shortage{full, overQuota, readOnly} {
		if !slices.ContainsFunc(s.signs, func(sign string) bool { return strings.Contains(text, sign) }) {
			continue
		}
		for _, dir := range dirs {
			d := diskOf(dir)
			if s == full && d.fewInodes() {
				return noInodes.at(d)
			}
			if d.lacks() == s {
				return s.at(d)
			}
		}
		return s
	}
	return nil
}

// whileThere is shortageOf while what was written is still there: then the disk
// tells it also of a program that failed without a word about it.
func whileThere(err error, said string, dirs []string) *shortage {
	if s := shortageOf(err, said, dirs); s != nil || err == nil || told(err) {
		return s
	}
	for _, dir := range dirs {
		if d := diskOf(dir); d.lacks() == full || d.lacks() == noInodes {
			return d.lacks().at(d)
		}
	}
	return nil
}

// told says whether an error says already that a disk takes no more.
func told(err error) bool {
	return slices.ContainsFunc([]*shortage{full, noInodes, overQuota, readOnly}, func(s *shortage) bool { return strings.Contains(err.Error(), s.sentence) })
}

// at is the shortage of a disk that is known.
func (s *shortage) at(d left) *shortage {
	c := *s
	c.place = d.String()
	return &c
}

func (s *shortage) String() string {
	if s.place == "" {
		return s.sentence
	}
	return s.sentence + ": " + s.place
}

// left is what is left of the file system of a directory.
type left struct {
	dir  string
	stat unix.Statfs_t // zero if it cannot be asked
}

// diskOf asks the file system of a directory or a file, which need not be there.
func diskOf(path string) left {
	d := left{dir: path}
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		d.dir = filepath.Dir(path)
	}
	for unix.Statfs(d.dir, &d.stat) != nil {
		if d.dir == filepath.Dir(d.dir) {
			return left{dir: path}
		}
		d.dir = filepath.Dir(d.dir)
	}
	return d
}

// lacks says what it lacks when a write has failed; nil for nothing. What is left
// of a full disk is less than what was to be written, which is not known: a few
// blocks, when much was written in small pieces.
func (d left) lacks() *shortage {
	const little, few = 1 << 20, 16
	switch {
	case d.stat.Blocks == 0:
		return nil
	case d.stat.Flags&unix.ST_RDONLY != 0:
		return readOnly
	case d.stat.Files > 0 && d.stat.Ffree < few:
		return noInodes
	case int64(d.stat.Bavail)*d.stat.Bsize < little:
		return full
	}
	return nil
}

// fewInodes says whether a write that failed for lack of space lacked an inode:
// there is space, and of inodes a small part. A program that fails removes files.
func (d left) fewInodes() bool {
	const some = 16 << 20
	return d.lacks() == noInodes || d.lacks() == nil && d.stat.Files > 0 && d.stat.Ffree < d.stat.Files/20 && int64(d.stat.Bavail)*d.stat.Bsize >= some
}

func (d left) String() string {
	mib := func(blocks uint64) uint64 { return blocks * uint64(d.stat.Bsize) >> 20 }
	return fmt.Sprintf("%s has %d of %d MiB and %d inodes free", d.dir, mib(d.stat.Bavail), mib(d.stat.Blocks), d.stat.Ffree)
}

// places are the directories that a build writes to.
func (b *Builder) places() []string { return []string{b.Store.Root(), b.Cache.Dir()} }
