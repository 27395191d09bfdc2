package apt

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// bootstrap is a Debian being made from its packages.
type bootstrap struct {
	*set
	packages.Bootstrap
}

// Bootstrap implements packages.Set. It installs the distribution's essential packages
// and apt: apt on this machine chooses and downloads them and checks their
// signatures, then their content is laid down, and dpkg in the new tree installs them
// properly.
func (s *set) Bootstrap(ctx context.Context, of packages.Bootstrap) error {
	b := bootstrap{s, of}
	if err := s.Refresh(ctx, b.Log); err != nil {
		return err
	}
	files, err := b.download(ctx)
	if err != nil {
		return explain(err)
	}
	if err := b.layDown(ctx, files); err != nil {
		return fmt.Errorf("lay down packages: %w", err)
	}
	if err := b.install(ctx, files); err != nil {
		return fmt.Errorf("install essential packages: %w", brief(err))
	}
	return nil
}

// usrIsMerged says that /usr is merged, as it is here from the start; without
// it, Debian 12 installs the program that does it, and Perl's modules.
const usrIsMerged = "usr-is-merged"

// download returns the paths of the essential packages in the cache.
func (b bootstrap) download(ctx context.Context) ([]string, error) {
	var files []string
	err := b.cache.Locked(ctx, func() error {
		config, err := b.cache.MachineConfig(b.repositories)
		if err != nil {
			return err
		}
		install := []string{"-o", fmt.Sprintf("APT::Install-Recommends=%t", b.Recommends), "install", "?essential", "apt"}
		merged, err := b.cache.Has(b.repositories, usrIsMerged)
		if err != nil {
			return err
		}
		if merged {
			install = append(install, usrIsMerged)
		}
		all, err := b.needed(ctx, config, filepath.Join(b.Scratch, "nothing"), install)
		if err != nil {
			return err
		}
		complete := true
		for _, one := range all {
			path := filepath.Join(b.cache.Archives(), one.file)
			files = append(files, path)
			if Matches(path, one.SHA256) {
				continue
			}
			complete = false
			if one.SHA256 != "" {
				// Apt takes one for good whose size is right.
				_ = os.Remove(path)
			}
		}
		if len(files) == 0 {
			return errors.New("the repositories have no essential packages")
		}
		if complete {
			return nil // apt would find nothing to do
		}
		return b.cache.Download(ctx, func(ctx context.Context) error {
			return b.apt(ctx, b.Log, config, append([]string{"--download-only"}, install...)...)
		})
	})
	return files, err
}

// layDown unpacks the packages' files, so that the tree can run its own dpkg.
func (b bootstrap) layDown(ctx context.Context, packages []string) error {
	scratch := filepath.Join(b.Scratch, "lay-down")
	if err := errors.Join(os.Mkdir(scratch, 0o700), os.Mkdir(b.plain(), 0o755)); err != nil {
		return err
	}
	box, err := sandbox.Start(ctx, sandbox.Spec{Upper: b.Upper, Scratch: scratch, Bare: true})
	if err != nil {
		return err
	}
	defer box.Stop()
	if err := box.Unpack(ctx, bytes.NewReader(skeleton(b.arch))); err != nil {
		return err
	}
	return unpackAll(ctx, packages, b.unpackOne, box.Unpack)
}

// unpackAll opens the packages and unpacks them, in their order. Decompression
// takes longer than writing: two of them are open at a time. The first failure
// ends all.
func unpackAll(ctx context.Context, packages []string, open func(context.Context, string, io.Writer) error, unpack func(context.Context, io.Reader) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(3)
	streams := make(chan *io.PipeReader, 2)
	group.Go(func() error {
		for stream := range streams {
			if err := unpack(ctx, stream); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	for _, path := range packages {
		pr, pw := io.Pipe()
		// Then nobody is left who reads what the one writes, or writes what the
		// other reads.
		context.AfterFunc(ctx, func() { pr.CloseWithError(context.Cause(ctx)) })
		group.Go(func() error {
			err := open(ctx, path, pw)
			pw.CloseWithError(err)
			return err
		})
		select {
		case streams <- pr:
		case <-ctx.Done():
		}
	}
	close(streams)
	return group.Wait()
}

// unpackOne writes a package's files as a tar stream to w, and the package with
// these files to the directory of plain ones.
func (b bootstrap) unpackOne(ctx context.Context, path string, w io.Writer) error {
	plain, err := repack(path, filepath.Join(b.plain(), filepath.Base(path)))
	if err != nil {
		return err
	}
	err = sandbox.Host(ctx, sandbox.Cmd{Args: []string{"dpkg-deb", "--fsys-tarfile", path}, Stdout: io.MultiWriter(w, plain)})
	if err = errors.Join(err, plain.Close()); err != nil {
		return fmt.Errorf("unpack package %s: %w", filepath.Base(path), err)
	}
	return nil
}

// plain is the directory of packages whose files are not compressed.
func (b bootstrap) plain() string { return filepath.Join(b.Scratch, "plain") }

// skeleton is what must be there before the first package: the links of a
// merged /usr, and what dpkg takes for granted.
func skeleton(arch string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, dir := range []string{"etc", "usr", "usr/bin", "usr/sbin", "usr/lib", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
	}
	links := []string{"bin", "sbin", "lib"}
	if arch == "amd64" {
		links = append(links, "lib64")
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "usr/lib64/", Mode: 0o755})
	}
	for _, name := range links {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: "usr/" + name, Mode: 0o777})
	}
	for _, file := range []string{"var/lib/dpkg/status", "var/lib/dpkg/available"} {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: file, Mode: 0o644})
	}
	_ = w.Close()
	return b.Bytes()
}

// install lets the tree's own dpkg install the packages that are laid down, so
// that their scripts run and its database knows them.
func (b bootstrap) install(ctx context.Context, packages []string) error {
	scratch := filepath.Join(b.Scratch, "install")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	const archives = "/run/strata/archives"
	box, err := sandbox.Start(ctx, sandbox.Spec{
		Upper: b.Upper, Scratch: scratch,
		Mounts: []sandbox.Mount{{Source: b.plain(), Target: archives, ReadOnly: true}},
	})
	if err != nil {
		return err
	}
	defer box.Stop()
	args := []string{"dpkg", "--force-depends", "--force-unsafe-io", "--force-confdef", "--abort-after=1", "--install"}
	for _, path := range packages {
		args = append(args, filepath.Join(archives, filepath.Base(path)))
	}
	var said complaints
	err = box.Run(ctx, sandbox.Cmd{Args: args, Env: sandbox.Environ(b.Environment), Stdout: b.Log, Stderr: &said}, sandbox.RunOptions{})
	if err != nil {
		fmt.Fprintln(b.Log, strings.TrimSpace(said.String()))
		return err
	}
	return box.Finish(ctx)
}
