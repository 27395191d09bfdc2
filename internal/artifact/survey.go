package artifact

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/tarball"
)

// survey is what must be known of a tree that is packed.
type survey struct {
	ACLs     []aclSet // files with POSIX ACLs, in order
	Foreign  []string // "path: attribute" for attributes that no image format stores
	Holed    []string // files with more holes than can be packed
	Untimely []string // files with times that a squashfs cannot store
	Long     []string // files with the longest names that there are
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
// the time. What would be lost is a fault; then, and where good says that the
// survey asks for another packing, pack is ended, and what it wrote is rubbish.
// Pack's own error counts after the survey's.
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
		err = errors.Join(x.refuseForeign(s), x.refuseHoles(s))
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
	return treeFault(x.image, "an extended attribute would be lost: neither squashfs nor erofs can store %s", s.Foreign[0]).
		WithHint("remove it with 'setfattr -x', or use the artifact tar (%d attributes are of this sort)", len(s.Foreign))
}

// mostHoles is up to how many bytes of holes a file is packed: mksquashfs and
// mkfs.erofs read them all, at 1 to 3 GB/s.
const mostHoles = 64 << 30

// refuseHoles is a fault for sparse files that would be packed for long.
func (x *exporter) refuseHoles(s *survey) error {
	if len(s.Holed) == 0 {
		return nil
	}
	return treeFault(x.image, "/%s has more than %d GiB of holes, and mksquashfs and mkfs.erofs read every one of them", s.Holed[0], mostHoles>>30).
		WithHint("make it when the node boots (systemd-tmpfiles, a unit) or make it smaller with 'truncate'; the artifacts tar, dir and oci keep it as it is")
}

// refuseTimes is a fault for times that a squashfs would change: it has seconds
// from 1970 to 2106. Layers that Strata builds have no others.
func (x *exporter) refuseTimes(s *survey) error {
	if len(s.Untimely) == 0 {
		return nil
	}
	return treeFault(x.image, "the time of /%s lies outside of 1970 to 2106, and a squashfs can store no other", s.Untimely[0]).
		WithHint("set it with 'touch' in a step (%d files have such times), or use the artifact erofs or tar", len(s.Untimely))
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
	if err := s.addMetadata(e); err != nil {
		return err
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

func (s *survey) addMetadata(e *tarball.Entry) error {
	st, err := e.Stat()
	if err != nil || e.Path == "." {
		return err
	}
	if e.Type().IsRegular() && st.Size-st.Blocks*512 > mostHoles {
		s.Holed = append(s.Holed, e.Path)
	}
	if st.Mtim.Sec < 0 || st.Mtim.Sec > math.MaxUint32 {
		s.Untimely = append(s.Untimely, e.Path)
	}
	if len(path.Base(e.Path)) == longest {
		s.Long = append(s.Long, e.Path)
	}
	return nil
}

// longest is the length in bytes of the longest names (NAME_MAX in limits.h).
const longest = 255

// stored reports whether squashfs and erofs have a place for an attribute.
func stored(name string) bool {
	return slices.ContainsFunc([]string{"user.", "trusted.", "security."}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}
