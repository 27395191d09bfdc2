package artifact

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/tarball"
)

// survey is what must be known of a tree that is packed.
type survey struct {
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
	err := tarball.Walk(x.tree.Dir, nil, func(e *tarball.Entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.add(e)
	})
	if err != nil {
		return nil, err
	}
	x.survey = s
	return s, nil
}

// surveyed runs pack while the tree is surveyed, which takes about a tenth of
// the time. An attribute that would be lost is a fault; then, and where good
// says that the survey asks for another packing, pack is ended, and what it
// wrote is rubbish. Pack's own error counts after the survey's.
func (x *exporter) surveyed(ctx context.Context, good func(*survey) bool, pack func(context.Context) error) (*survey, error) {
	packing, cancel := context.WithCancel(ctx)
	defer cancel()
	packed := make(chan error, 1)
	if x.survey == nil || good(x.survey) {
		go func() { packed <- pack(packing) }()
	} else {
		packed <- nil
	}
	s, err := x.look(ctx)
	if err == nil {
		err = x.refuseForeign(s)
	}
	if err != nil || !good(s) {
		cancel()
		<-packed
		return s, err
	}
	return s, <-packed
}

// refuseForeign is a fault for attributes that the image would lose.
func (x *exporter) refuseForeign(s *survey) error {
	if len(s.Foreign) == 0 {
		return nil
	}
	return imageFault(x.image, "an extended attribute would be lost: neither squashfs nor erofs can store %s", s.Foreign[0]).
		WithHint("remove it with 'setfattr -x', or use the artifact tar (%d attributes are of this sort)", len(s.Foreign))
}

// newest is the latest mtime below the root, in seconds.
func (x *exporter) newest(ctx context.Context) (int64, error) {
	var newest int64
	err := tarball.Walk(x.tree.Dir, nil, func(e *tarball.Entry) error {
		if err := ctx.Err(); err != nil || e.Path == "." {
			return err
		}
		st, err := e.Stat()
		newest = max(newest, st.Mtim.Sec)
		return err
	})
	return newest, err
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
