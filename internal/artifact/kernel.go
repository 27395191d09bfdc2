package artifact

import (
	"bytes"
	"errors"
	"fmt"
	"github.com/klauspost/compress/gzip"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// pair is a kernel and the initial RAM disk that belongs to it.
type pair struct {
	Version string // the kernel's release, as uname -r prints it
	Kernel  string // path in the tree
	Initrd  string // path in the tree
	Fetch   string // what in the initrd fetches the root: liveBoot or dracutLive, or ""
}

// findPair chooses the image's kernel and checks that it is what its name
// says, has its modules, and that its initrd can mount the root file systems
// that the image asks for.
func findPair(t Tree, image layer.Image) (*pair, error) {
	kernels, err := findKernels(t)
	if err != nil {
		return nil, err
	}
	version, err := chooseKernel(kernels, image)
	if err != nil {
		return nil, err
	}
	p := &pair{Version: version, Kernel: kernels[version]}
	if err := checkKernel(t, p, image); err != nil {
		return nil, err
	}
	if p.Initrd, err = findInitrd(t, version, image); err != nil {
		return nil, err
	}
	if p.Fetch, err = checkInitrd(t, p, image); err != nil {
		return nil, err
	}
	return p, nil
}

// findKernels returns the paths of the tree's kernels by the version in their names.
func findKernels(t Tree) (map[string]string, error) {
	kernels := map[string]string{}
	add := func(version, path string) error {
		fi, err := t.Stat(path)
		if isAbsent(err) {
			return nil // such as /boot/vmlinuz-1 that points to a removed file
		}
		if err == nil && fi.Mode().IsRegular() {
			kernels[version] = path
		}
		return err
	}
	modules, err := t.Names("/lib/modules")
	if err != nil {
		return nil, err
	}
	for _, version := range modules {
		if err := add(version, path.Join("/lib/modules", version, "vmlinuz")); err != nil {
			return nil, err
		}
	}
	boot, err := t.Names("/boot")
	if err != nil {
		return nil, err
	}
	for _, name := range boot {
		version, ok := strings.CutPrefix(name, "vmlinuz-")
		if !ok || strings.HasSuffix(version, ".old") || strings.HasPrefix(version, "0-rescue-") {
			continue
		}
		if err := add(version, path.Join("/boot", name)); err != nil {
			return nil, err
		}
	}
	return kernels, nil
}

// chooseKernel returns the version that the image names, or the highest.
func chooseKernel(kernels map[string]string, image layer.Image) (string, error) {
	var versions []string
	for v := range kernels {
		versions = append(versions, v)
	}
	slices.SortFunc(versions, layer.CompareReleases)
	switch {
	case len(versions) == 0:
		return "", treeFault(image, "there is no kernel in node %s: no /boot/vmlinuz-VERSION and no /lib/modules/VERSION/vmlinuz", image.Node).
			WithHint("add a kernel to a layer's packages: linux-image-cloud-amd64 or linux-image-amd64 on Debian, kernel-core on EL, kernel-default on SUSE")
	case image.Kernel == "":
		return versions[len(versions)-1], nil
	case kernels[image.Kernel] == "":
		return "", imageFault(image, "kernel %s is not in node %s", image.Kernel, image.Node).
			WithHint("kernels that are there: %s", strings.Join(versions, ", "))
	}
	return image.Kernel, nil
}

// checkKernel compares the version inside the kernel with its name, and looks
// for its modules.
func checkKernel(t Tree, p *pair, image layer.Image) error {
	f, err := t.Open(p.Kernel)
	if err != nil {
		return err
	}
	defer f.Close()
	inside, err := kernelVersion(f)
	if err != nil {
		return treeFault(image, "%s is not a kernel that can be booted: %w", p.Kernel, err)
	}
	if inside != p.Version {
		return treeFault(image, "%s is a kernel of version %s", p.Kernel, inside).
			WithHint("reinstall the kernel's package, or name another one as the image's kernel")
	}
	fi, err := t.Stat("/lib/modules/" + p.Version)
	if isAbsent(err) || err == nil && !fi.IsDir() {
		return treeFault(image, "kernel %s has no modules: /lib/modules/%s is missing", p.Version, p.Version).
			WithHint("install the package with the kernel's modules in the same layer as the kernel")
	}
	return err
}

// A kernel of any kind is at most this long, compressed or not.
const maxKernel = 256 << 20

// kernelVersion reads the release out of a kernel: from a bzImage's setup
// header (Documentation/arch/x86/boot.rst in the kernel's sources), or from
// the banner in an arm64 Image, which may be compressed with gzip.
func kernelVersion(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKernel))
	if err != nil {
		return "", err
	}
	if banner, ok := sandbox.KernelBanner(bytes.NewReader(data)); ok {
		if banner == "" {
			return "", errors.New("its header names no version")
		}
		return firstWord([]byte(banner)), nil
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return "", err
		}
		if data, err = io.ReadAll(io.LimitReader(z, maxKernel)); err != nil {
			return "", err
		}
	}
	if len(data) > 0x40 && string(data[0x38:0x3c]) == "ARM\x64" {
		banner := []byte("Linux version ")
		if i := bytes.Index(data, banner); i >= 0 {
			return firstWord(data[i+len(banner):]), nil
		}
		return "", errors.New("it holds no version")
	}
	return "", errors.New("neither a bzImage nor an arm64 Image")
}

// firstWord is what stands before the first space or NUL, at most 256 bytes.
func firstWord(data []byte) string {
	data = data[:min(len(data), 256)]
	if i := bytes.IndexAny(data, " \x00\n"); i >= 0 {
		data = data[:i]
	}
	return string(data)
}

// imageFault is a fault in what was asked for an image: what strata.yaml says cannot
// be, whatever is in the node.
func imageFault(image layer.Image, format string, args ...any) *fault.Error {
	return faultOf(fault.Input, image, format, args...)
}

// treeFault is a fault of what is in an image's node: what was asked for could be made
// of another tree.
func treeFault(image layer.Image, format string, args ...any) *fault.Error {
	return faultOf(fault.Failed, image, format, args...)
}

func faultOf(kind fault.Kind, image layer.Image, format string, args ...any) *fault.Error {
	return fault.New(kind, "image %s: %w", image.Name, fmt.Errorf(format, args...)).
		At(image.Pos.File, image.Pos.Line, image.Pos.Col)
}
