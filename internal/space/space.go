// Package space says in errors that a disk takes no more, which one that is and
// what it lacks: space, inodes, quota, or the right to write at all.
//
// The kernel's errors tell part of it, and programs often less, so that the file
// system itself is asked, best while what was written is still there. It frees
// nothing, and leaves nothing.
package space

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// kind is a way in which a file system takes no more.
type kind struct {
	errno    unix.Errno
	signs    []string // in what programs say, in lower case: the C library's words for errno, and their own
	sentence string
	hint     string
}

var (
	full = &kind{
		errno:    unix.ENOSPC,
		signs:    []string{"no space left on device", "enough free space"}, // the latter is apt's, which counts beforehand
		sentence: "the disk is full",
		hint:     "free some space ('strata gc' removes what no image needs), or take a larger disk (--store DIR, XDG_CACHE_HOME, TMPDIR); the same command then goes on from here",
	}
	noInodes = &kind{
		// Error and words are those of a full disk.
		sentence: "no inodes are left",
		hint:     "remove files there ('strata gc' removes what no image needs): it takes no more of them, however small; or take another disk (--store DIR, XDG_CACHE_HOME, TMPDIR)",
	}
	overQuota = &kind{
		errno:    unix.EDQUOT,
		signs:    []string{"quota exceeded"},
		sentence: "the disk quota is used up",
		hint:     "free some space ('strata gc' removes what no image needs), have the quota raised, or take another disk (--store DIR, XDG_CACHE_HOME, TMPDIR)",
	}
	readOnly = &kind{
		errno:    unix.EROFS,
		signs:    []string{"read-only file system"},
		sentence: "the disk is mounted read-only",
		hint:     "mount it writable (the kernel's log says whether it was switched over after an error), or take another one (--store DIR, XDG_CACHE_HOME, TMPDIR)",
	}
)

// Shortage is why a disk took no more.
type Shortage struct {
	kind  *kind
	place string // which disk, and what is left there; "" if it is not known
}

// String is a sentence, to stand at the end of an error.
func (s *Shortage) String() string {
	if s.place == "" {
		return s.kind.sentence
	}
	return s.kind.sentence + ": " + s.place
}

// Hint says what to do about it.
func (s *Shortage) Hint() string { return s.kind.hint }

// Explain says in an error that a disk takes no more, and what to do about it, if
// that is what the error is about. Dirs are the directories that were written to.
func Explain(err error, dirs ...string) error {
	faults := fault.All(err)
	if _, some := errors.AsType[*fault.Error](err); !some || len(faults) < 2 {
		return explain(err, find(err, "", dirs))
	}
	all := make([]error, len(faults))
	for i, f := range faults {
		all[i] = explain(f, find(f, "", dirs))
	}
	return errors.Join(all...)
}

func explain(err error, s *Shortage) error {
	f, explained := errors.AsType[*fault.Error](err)
	switch {
	case s == nil, explained && f.Hint != "" && s.place == "":
		return err // it may be another machine's disk
	case !explained:
		return fault.New(fault.Failed, "%w: %s", err, s).WithHint("%s", s.Hint())
	}
	return fault.New(f.Kind, "%w: %s", err, s).WithHint("%s", s.Hint()).WithDetail(f.Detail)
}

// Note keeps with an error what the disk lacks now, while what was written is still
// there, for Explain to say it later. The disk tells it also of an error that has no
// word about it.
func Note(err error, dirs ...string) error {
	s := Find(err, "", dirs...)
	if s == nil {
		return err
	}
	if said, _ := sign(err, ""); said == nil && hinted(err) {
		return err // somebody knows better
	}
	return &noted{err, s}
}

// noted is an error with what came of asking the disk.
type noted struct {
	error
	shortage *Shortage
}

func (n *noted) Unwrap() error { return n.error }

// Move keeps with another error what was noted with one.
func Move(from, to error) error {
	if n, ok := errors.AsType[*noted](from); ok {
		return &noted{to, n.shortage}
	}
	return to
}

func hinted(err error) bool {
	return slices.ContainsFunc(fault.All(err), func(f *fault.Error) bool { return f.Hint != "" })
}

// Find says what a disk lacks of which an error came; nil if it came of something
// else, or says so already. Said is what programs said at their end. Like Note it
// must be called while what was written is still there.
func Find(err error, said string, dirs ...string) *Shortage {
	if s := find(err, said, dirs); s != nil || err == nil || told(err) {
		return s
	}
	for _, dir := range dirs {
		d := diskOf(dir)
		if lacks := d.lacks(); lacks != nil && lacks != readOnly {
			return d.short(lacks)
		}
	}
	return nil
}

// find is Find for an error that, or a program that, says it.
func find(err error, said string, dirs []string) *Shortage {
	if err == nil || told(err) {
		return nil
	}
	if n, ok := errors.AsType[*noted](err); ok {
		return n.shortage
	}
	k, sure := sign(err, said)
	if k == nil {
		return nil
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok && filepath.IsAbs(path.Path) {
		dirs = append([]string{path.Path}, dirs...)
	}
	for _, dir := range dirs {
		d := diskOf(dir)
		switch lacks := d.lacks(); {
		case lacks == k, k == full && lacks == overQuota: // some file systems say ENOSPC of a quota
			return d.short(lacks)
		case k == full && d.fewInodes():
			return d.short(noInodes)
		}
	}
	if k == readOnly && !sure {
		return nil // a disk stays so: it was another one, such as a sandbox's /sys
	}
	return &Shortage{kind: k}
}

// sign finds the kind in an error, or in what a program said; sure says that it was
// the kernel's answer to this process.
func sign(err error, said string) (k *kind, sure bool) {
	kinds := []*kind{full, overQuota, readOnly}
	for _, k := range kinds {
		if errors.Is(err, k.errno) {
			return k, true
		}
	}
	text := err.Error()
	if program, ok := errors.AsType[interface {
		error
		Said() string
	}](err); ok {
		text += "\n" + program.Said()
	}
	text = strings.ToLower(text + "\n" + said)
	for _, k := range kinds {
		if slices.ContainsFunc(k.signs, func(sign string) bool { return strings.Contains(text, sign) }) {
			return k, false
		}
	}
	return nil, false
}

// told says whether an error says already that a disk takes no more.
func told(err error) bool {
	return slices.ContainsFunc([]*kind{full, noInodes, overQuota, readOnly}, func(k *kind) bool { return strings.Contains(err.Error(), k.sentence) })
}
