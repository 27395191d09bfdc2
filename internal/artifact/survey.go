package artifact

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/tarball"
)

// survey is what must be known of a tree before it is packed.
type survey struct {
	Newest   int64    // the latest mtime below the root, in seconds; only for an erofs
	ACLs     []aclSet // files with POSIX ACLs, in order
	Foreign  []string // "path: attribute" for attributes that no image format stores
	Tmpfiles bool     // whether /usr/lib/tmpfiles.d is a directory
}

// aclSet holds the ACLs of a file in the kernel's form.
type aclSet struct {
	Path            string // without a leading slash; "." for the root
	Access, Default []byte
}

const (
	aclAccess   = "system.posix_acl_access"
	aclDefault  = "system.posix_acl_default"
	tmpfilesDir = "usr/lib/tmpfiles.d"
)

// look surveys the tree, once for all artifacts.
func (x *exporter) look(ctx context.Context) (*survey, error) {
	if x.survey != nil {
		return x.survey, nil
	}
	s := &survey{}
	times := slices.ContainsFunc(x.image.Artifacts, func(a layer.Artifact) bool { return a.Type == layer.Erofs })
	err := tarball.Walk(x.tree.Dir, nil, func(e *tarball.Entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if times && e.Path != "." {
			st, err := e.Stat()
			if err != nil {
				return err
			}
			s.Newest = max(s.Newest, st.Mtim.Sec)
		}
		return s.add(e)
	})
	if err != nil {
		return nil, err
	}
	x.survey = s
	return s, nil
}

func (s *survey) add(e *tarball.Entry) error {
	if e.Path == tmpfilesDir && e.Type().IsDir() {
		s.Tmpfiles = true
	}
	names, err := e.XattrNames()
	if err != nil {
		return err
	}
	set := aclSet{Path: e.Path}
	for _, name := range names {
		switch {
		case name == aclAccess:
			set.Access, err = e.Xattr(name)
		case name == aclDefault:
			set.Default, err = e.Xattr(name)
		case !stored(name):
			s.Foreign = append(s.Foreign, "/"+e.Path+": "+name)
		}
		if err != nil {
			return err
		}
	}
	// What a symbolic link's target has, its target's own entry tells.
	if (set.Access != nil || set.Default != nil) && e.Type() != fs.ModeSymlink {
		s.ACLs = append(s.ACLs, set)
	}
	return nil
}

// stored reports whether squashfs and erofs have a place for an attribute.
func stored(name string) bool {
	return slices.ContainsFunc([]string{"user.", "trusted.", "security."}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}
