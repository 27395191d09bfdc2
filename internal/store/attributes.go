package store

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/tarball"
)

// attributes are a file's extended attributes.
type attributes map[string]string

// attributesOf reads them, not following a link.
func attributesOf(path string) (attributes, error) {
	list := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, list)
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list extended attributes of %s: %w", path, err)
	}
	all, value := attributes{}, make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		size, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return nil, fmt.Errorf("read extended attribute %s of %s: %w", name, path, err)
		}
		all[name] = string(value[:size])
	}
	return all, nil
}

// opaque says whether nothing of the layers below shows through the directory.
func (a attributes) opaque(marks tarball.Marks) bool { return a[marks.Opaque()] == "y" }

// same compares what belongs to the trees' content.
func (a attributes) same(b attributes, marks tarball.Marks) bool {
	return maps.Equal(a.ofTheTree(marks), b.ofTheTree(marks))
}

func (a attributes) ofTheTree(marks tarball.Marks) attributes {
	kept := maps.Clone(a)
	maps.DeleteFunc(kept, func(name, _ string) bool { return !marks.OfTheTree(name) })
	return kept
}
