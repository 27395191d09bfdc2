package artifact

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// squashfs packs the tree with mksquashfs. ACLs, for which squashfs has no
// place, go into a tmpfiles.d snippet; a tree that has some is packed again
// with it, as most have none.
func (x *exporter) squashfs(ctx context.Context, name string, a layer.Artifact) (*File, error) {
	args := []string{"mksquashfs", filepath.Clean(x.tree.Dir) + "/.", filepath.Join(x.dir, name),
		"-noappend", "-no-recovery", "-no-progress", "-quiet", "-exit-on-error",
		// The root directory's own time is not the image's but that of its mount.
		"-mkfs-time", "0", "-root-time", "0",
		"-processors", strconv.Itoa(x.opts.Processors),
		"-comp", a.Compression, "-b", strconv.Itoa(a.BlockSize)}
	settings := map[string]string{"compression": a.Compression, "block_size": strconv.Itoa(a.BlockSize)}
	if a.Level != 0 {
		args = append(args, "-Xcompression-level", strconv.Itoa(a.Level))
		settings["level"] = strconv.Itoa(a.Level)
	}
	return x.pack(ctx, name, a, settings, func() error {
		s, err := x.surveyed(ctx, func(s *survey) bool { return len(s.ACLs) == 0 },
			func(ctx context.Context) error { return tool(ctx, sandbox.Cmd{Args: args}) })
		if s != nil && ctx.Err() == nil {
			err = errors.Join(x.refuseTimes(s), err)
		}
		if err != nil || len(s.ACLs) == 0 {
			return err
		}
		snippet, err := x.aclSnippet(s)
		if err != nil {
			return err
		}
		settings["acl"] = "/" + aclFile
		// A pseudo file's content comes from a command, which has our stdin.
		return tool(ctx, sandbox.Cmd{Stdin: strings.NewReader(snippet), Args: append(args, "-p", aclFile+" F 0 0644 0 0 cat", "-e", aclFile)})
	})
}

// aclSnippet renders the tree's ACLs for systemd-tmpfiles.
func (x *exporter) aclSnippet(s *survey) (string, error) {
	if !s.Tmpfiles {
		return "", treeFault(x.image, "/%s has a POSIX ACL, which squashfs cannot store, and there is no /%s that could set it at boot", strings.TrimPrefix(s.ACLs[0].Path, "."), tmpfilesDir).
			WithHint("use the artifact erofs, which stores ACLs, or remove them with 'setfacl -b' (%d files have one)", len(s.ACLs))
	}
	earlier, err := x.tree.ReadFile("/"+aclFile, 64<<20)
	if err != nil && !isAbsent(err) {
		return "", err
	}
	return tmpfilesACL(s.ACLs, string(earlier))
}
