package git

import (
	"cmp"
	"io/fs"
	"path"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// Kind is how a path differs.
type Kind string

// Kinds of changes.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Content Kind = "content" // and maybe the mode; of a submodule, the commit
	Mode    Kind = "mode"    // executable or not
	Type    Kind = "type"    // a file, a link, a submodule
)

// Change is a path at which two file systems differ. It names no directory.
type Change struct {
	Path string `json:"path"`
	Kind Kind   `json:"kind"`
}

// Changed returns the files that differ, sorted by path. Links are compared, not
// followed; what is neither file, link nor directory, and what is called .git, does
// not count, and neither do empty directories.
//
// Between commits, it reads only directories that differ. In a work tree it looks
// at every file, but reads only those that git's index does not vouch for. Other
// file systems are read in full.
func Changed(base, head fs.FS) ([]Change, error) {
	d := difference{base: sideOf(base), head: sideOf(head)}
	if err := d.dirs("", d.base.root(), d.head.root()); err != nil {
		return nil, err
	}
	slices.SortFunc(d.found, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return d.found, nil
}

// difference is a comparison on its way.
type difference struct {
	base, head side
	found      []Change
}

func (d *difference) add(file string, kind Kind) {
	d.found = append(d.found, Change{Path: file, Kind: kind})
}

// dirs compares two directories. One without a mode is empty.
func (d *difference) dirs(dir string, a, b item) error {
	if a.mode == b.mode && !a.id.IsZero() && a.id == b.id {
		return nil
	}
	left, err := entries(d.base, dir, a)
	if err != nil {
		return err
	}
	right, err := entries(d.head, dir, b)
	if err != nil {
		return err
	}
	for len(left) > 0 || len(right) > 0 {
		var a, b item
		order := compareHeads(left, right)
		if order <= 0 {
			a, left = left[0], left[1:]
		}
		if order >= 0 {
			b, right = right[0], right[1:]
		}
		if err := d.pair(path.Join(dir, cmp.Or(a.name, b.name)), a, b); err != nil {
			return err
		}
	}
	return nil
}

// compareHeads says which of two sorted lists has the next name: -1, 1, or 0 for both.
func compareHeads(left, right []item) int {
	switch {
	case len(left) == 0:
		return 1
	case len(right) == 0:
		return -1
	}
	return cmp.Compare(left[0].name, right[0].name)
}

func entries(s side, dir string, it item) ([]item, error) {
	if !it.isDir() {
		return nil, nil
	}
	return s.list(dir, it)
}

// pair compares what has one path on both sides, of which one can be nothing.
func (d *difference) pair(file string, a, b item) error {
	if a.isDir() || b.isDir() {
		return d.withDir(file, a, b)
	}
	switch {
	case a.mode == filemode.Empty:
		d.add(file, Added)
		return nil
	case b.mode == filemode.Empty:
		d.add(file, Removed)
		return nil
	case kindOf(a.mode) != kindOf(b.mode):
		d.add(file, Type)
		return nil
	}
	left, err := d.base.id(file, a)
	if err != nil {
		return err
	}
	right, err := d.head.id(file, b)
	if err != nil {
		return err
	}
	if left != right {
		d.add(file, Content)
	} else if a.mode != b.mode {
		d.add(file, Mode)
	}
	return nil
}

// withDir compares a directory with what is there on the other side.
func (d *difference) withDir(file string, a, b item) error {
	_, trees := d.base.(treeSide)
	if trees {
		_, trees = d.head.(treeSide)
	}
	// On disk, a submodule is a directory like others.
	sub := a.mode == filemode.Submodule || b.mode == filemode.Submodule
	if !a.isDir() && a.mode != filemode.Empty && (trees || !sub) {
		d.add(file, Removed)
	}
	if !b.isDir() && b.mode != filemode.Empty && (trees || !sub) {
		d.add(file, Added)
	}
	return d.dirs(file, a, b)
}

// kindOf makes files equal that differ in their mode only.
func kindOf(m filemode.FileMode) filemode.FileMode {
	if m == filemode.Executable {
		return filemode.Regular
	}
	return m
}
