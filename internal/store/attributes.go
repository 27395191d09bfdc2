package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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
func (a attributes) opaque() bool {
	return slices.ContainsFunc(tarball.OpaqueXattrs, func(name string) bool { return a[name] == "y" })
}

// same compares what belongs to the trees' content.
func (a attributes) same(b attributes) bool {
	return maps.Equal(a.ofTheTree(), b.ofTheTree())
}

func (a attributes) ofTheTree() attributes {
	kept := maps.Clone(a)
	maps.DeleteFunc(kept, func(name, _ string) bool { return !tarball.OfTheTree(name) })
	return kept
}
