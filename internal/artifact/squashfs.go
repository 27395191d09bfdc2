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
func (x *exporter) squashfs(ctx context.Context, a layer.Artifact) (*File, error) {
	a, err := squashfsSettings(x.image, a)
	if err != nil {
		return nil, err
	}
	const name = "rootfs.squashfs"
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

// The defaults, chosen by measurement: see docs/benchmarks.md. Blocks of 1 MiB
// are 3 % smaller, but a small file that is not yet in memory then costs a
// cluster node more than twice the time.
const (
	squashfsCompression = "zstd"
	squashfsZstdLevel   = 3
	squashfsBlockSize   = 256 << 10
)

// squashfsSettings fills in defaults and refuses what mksquashfs has not got.
func squashfsSettings(image layer.Image, a layer.Artifact) (layer.Artifact, error) {
	if a.Compression == "" {
		a.Compression = squashfsCompression
	}
	levels := map[string]int{"zstd": 22, "gzip": 9, "xz": 0, "lz4": 0} // the highest
	highest, ok := levels[a.Compression]
	if !ok {
		return a, imageFault(image, "a squashfs cannot be compressed with %q", a.Compression).
			WithHint("use zstd, gzip, xz or lz4")
	}
	switch {
	case a.Level == 0 && a.Compression == squashfsCompression:
		a.Level = squashfsZstdLevel
	case a.Level != 0 && highest == 0:
		return a, imageFault(image, "the compressor %s has no levels", a.Compression).WithHint("remove the level")
	case a.Level < 0 || a.Level > highest:
		return a, imageFault(image, "level %d of %s does not exist", a.Level, a.Compression).
			WithHint("use a level from 1 to %d", highest)
	}
	if a.BlockSize == 0 {
		a.BlockSize = squashfsBlockSize
	}
	if b := a.BlockSize; b < 4096 || b > 1<<20 || b&(b-1) != 0 {
		return a, imageFault(image, "block size %d of a squashfs does not exist", b).
			WithHint("use a power of two from 4096 to 1048576")
	}
	return a, nil
}
