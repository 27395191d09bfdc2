package artifact

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// erofsCluster is how much is compressed at once, in bytes, chosen by measurement: see
// docs/benchmarks.md.
const erofsCluster = 64 << 10

// erofsUUID is the same for all: nothing of a file may depend on when it was made.
const erofsUUID = "5374726f-7461-4000-8000-000000000000"

// erofs packs the tree with mkfs.erofs, which keeps ACLs and attributes.
func (x *exporter) erofs(ctx context.Context, name string, a layer.Artifact) (*File, error) {
	if err := checkErofs(ctx, x.image, a); err != nil {
		return nil, err
	}
	newest, err := x.newest(ctx)
	if err != nil {
		return nil, err
	}
	args := []string{"mkfs.erofs", "--quiet", "-U", erofsUUID}
	settings := map[string]string{"compression": a.Compression}
	if a.Compression != "none" {
		compressor := "-z" + a.Compression
		if a.Level != 0 {
			compressor += "," + strconv.Itoa(a.Level)
			settings["level"] = strconv.Itoa(a.Level)
		}
		args = append(args, compressor, "-C"+strconv.Itoa(erofsCluster))
		settings["cluster_size"] = strconv.Itoa(erofsCluster)
	}
	// It resolves the path, and would pack this machine behind a /proc/PID/root.
	from, run := filepath.Clean(x.tree.Dir)+"/.", sandbox.Host
	if x.tree.Mounted != nil {
		from, run = x.tree.MountedAt, x.tree.Mounted
	}
	args = append(args, filepath.Join(x.dir, name), from)
	// Unlike -T, this keeps the files' times: it only holds back those that are
	// later, of which the root directory's own may be one.
	epoch := "SOURCE_DATE_EPOCH=" + strconv.FormatInt(newest, 10)
	return x.pack(ctx, name, a, settings, func() error {
		s, err := x.surveyed(ctx, func(*survey) bool { return true },
			func(ctx context.Context) error { return run(ctx, sandbox.Cmd{Args: args, Env: toolEnvironment(epoch)}) })
		return x.longName(s, err)
	})
}

// longName explains an error of mkfs.erofs that is about a name of the greatest
// length: versions up to 1.5 say that the file is not there.
func (x *exporter) longName(s *survey, err error) error {
	var exit *sandbox.ExitError
	if s == nil || len(s.Long) == 0 || !errors.As(err, &exit) {
		return err
	}
	return treeFault(x.image, "mkfs.erofs cannot pack /%s, whose name has %d bytes: %w", s.Long[0], longest, err).
		WithHint("give it a shorter name, use a squashfs, or a newer erofs-utils than 1.5")
}

// checkErofs refuses what the mkfs.erofs of this machine cannot compress with.
func checkErofs(ctx context.Context, image layer.Image, a layer.Artifact) error {
	if a.Compression == "none" {
		return nil
	}
	// Versions differ in its exit status, and in where it prints.
	var out, msg bytes.Buffer
	err := tool(ctx, sandbox.Cmd{Args: []string{"mkfs.erofs", "--help"}, Stdout: &out, Stderr: &msg})
	compressors := erofsCompressors(out.String() + msg.String())
	if err != nil && len(compressors) == 0 {
		return err
	}
	if !slices.Contains(compressors, a.Compression) {
		return fault.New(fault.Machine, "image %s: mkfs.erofs of this machine cannot compress with %s, only with %s", image.Name, a.Compression, strings.Join(compressors, ", ")).
			WithHint("use one of these, or a newer erofs-utils (lzma from 1.7, zstd from 1.8)")
	}
	return nil
}

// erofsCompressors reads the names out of mkfs.erofs's help: a line "Available
// compressors are: lz4hc, lz4", or from version 1.8 on an indented name per
// line under "-zX".
func erofsCompressors(help string) []string {
	var names []string
	for line := range strings.Lines(help) {
		line = strings.TrimSpace(line)
		if list, ok := strings.CutPrefix(line, "Available compressors are:"); ok {
			return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
		}
		word, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"lz4", "lz4hc", "lzma", "zstd", "deflate"}, word) {
			names = append(names, word)
		}
	}
	return names
}
