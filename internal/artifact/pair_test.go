package artifact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/ulikunitz/xz"
)

// bzImage is as much of a kernel as the check reads.
func bzImage(version string) string {
	b := make([]byte, 0x400)
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x20e:], 0x100)
	copy(b[0x300:], version+" (somebody@somewhere) #1 SMP\x00")
	return string(b)
}

func arm64Image(version string) string {
	b := make([]byte, 0x100)
	copy(b[0x38:], "ARM\x64")
	return string(b) + "Linux version " + version + " (somebody)\n"
}

func archive(t *testing.T, names ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := cpio.NewWriter(&buf)
	for _, name := range names {
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | 0o644, Size: 3}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "abc"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func compress(t *testing.T, open func(io.Writer) (io.WriteCloser, error), data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := open(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstdWriter(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }
func gzipWriter(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }
func xzWriter(w io.Writer) (io.WriteCloser, error)   { return xz.NewWriter(w) }

const version = "6.1.0-9-amd64"

// live are the files of an initrd that boots a squashfs over HTTP.
var live = []string{
	"usr/lib/modules/" + version + "/kernel/fs/squashfs/squashfs.ko.xz",
	"usr/lib/modules/" + version + "/kernel/fs/overlayfs/overlay.ko",
	"scripts/live", "usr/bin/wget",
}

func TestReadInitrd(t *testing.T) {
	micro := append(archive(t, "kernel/x86/microcode/AuthenticAMD.bin"), make([]byte, 512)...)
	main := archive(t, live...)
	for name, data := range map[string][]byte{
		"uncompressed": main,
		"zstd":         compress(t, zstdWriter, main),
		"gzip":         compress(t, gzipWriter, main),
		"xz":           compress(t, xzWriter, main),
		"padded gzip":  append(compress(t, gzipWriter, main), make([]byte, 100)...),
		"padded zstd":  append(compress(t, zstdWriter, main), make([]byte, 100)...),
		"two gzip":     append(compress(t, gzipWriter, archive(t, "a")), compress(t, gzipWriter, main)...),
	} {
		c, err := readInitrd(bytes.NewReader(append(append([]byte{}, micro...), data...)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(c.Versions) != 1 || c.Versions[0] != version || !c.Modules["squashfs"] || !c.Modules["overlay"] ||
			!c.Paths["kernel/x86/microcode/AuthenticAMD.bin"] || c.fetcher() != liveBoot {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for name, data := range map[string][]byte{
		"empty":        nil,
		"zeros":        make([]byte, 2000),
		"lz4":          {0x02, 0x21, 0x4c, 0x18, 1, 2, 3},
		"text":         []byte("hello, world"),
		"cut archive":  main[:len(main)/2],
		"cut zstd":     compress(t, zstdWriter, main)[:60],
		"thrice wraps": compress(t, gzipWriter, compress(t, gzipWriter, compress(t, gzipWriter, main))),
	} {
		if _, err := readInitrd(bytes.NewReader(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKernelVersion(t *testing.T) {
	gz := string(compress(t, gzipWriter, []byte(arm64Image(version))))
	for name, data := range map[string]string{"bzImage": bzImage(version), "arm64": arm64Image(version), "arm64 gzip": gz} {
		if got, err := kernelVersion(strings.NewReader(data)); err != nil || got != version {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, data := range map[string]string{"empty": "", "text": "#!/bin/sh\n", "no version": bzImage("")[:0x20e] + "\x00\x00" + strings.Repeat("x", 100)} {
		if got, err := kernelVersion(strings.NewReader(data)); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

var squashfsImage = layer.Image{
	Name: "compute", Node: "slurm-compute", Pos: layer.Pos{File: "strata.yaml", Line: 7, Col: 3},
	Artifacts: []layer.Artifact{{Type: layer.Squashfs}, {Type: layer.Kernel}, {Type: layer.Initrd}},
}

// goodTree holds a kernel with its modules and initrd, with separate /lib.
func goodTree(t *testing.T) string {
	dir := t.TempDir()
	symlink(t, "usr/lib", dir, "lib")
	put(t, dir, "boot/vmlinuz-"+version, bzImage(version))
	put(t, dir, "boot/initrd.img-"+version, string(compress(t, zstdWriter, archive(t, live...))))
	put(t, dir, "usr/lib/modules/"+version+"/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
	return dir
}

func TestFindPair(t *testing.T) {
	dir := goodTree(t)
	symlink(t, "vmlinuz-"+version, dir, "boot/vmlinuz")
	put(t, dir, "boot/vmlinuz-0-rescue-123", "x")
	p, err := findPair(Tree{Dir: dir}, squashfsImage)
	if err != nil {
		t.Fatal(err)
	}
	if want := (pair{version, "/boot/vmlinuz-" + version, "/boot/initrd.img-" + version, liveBoot}); *p != want {
		t.Errorf("%+v", *p)
	}
}

func TestNewestKernel(t *testing.T) {
	dir := goodTree(t)
	const newer = "6.1.0-10-amd64"
	put(t, dir, "lib/modules/"+newer+"/vmlinuz", bzImage(newer))
	put(t, dir, "lib/modules/"+newer+"/modules.builtin", "kernel/fs/squashfs/squashfs.ko\nkernel/fs/overlayfs/overlay.ko\n")
	put(t, dir, "boot/initramfs-"+newer+".img", string(archive(t, "lib/modules/"+newer+"/x.ko", "sbin/livenetroot")))
	p, err := findPair(Tree{Dir: dir}, squashfsImage)
	if err != nil || p.Version != newer || p.Fetch != dracutLive {
		t.Errorf("%+v, %v", p, err)
	}
	named := squashfsImage
	named.Kernel = version
	if p, err = findPair(Tree{Dir: dir}, named); err != nil || p.Version != version {
		t.Errorf("named kernel: %+v, %v", p, err)
	}
}

func TestPairFaults(t *testing.T) {
	initrd := func(names ...string) string { return string(archive(t, names...)) }
	remove := func(dir, name string) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name       string
		change     func(dir string, image *layer.Image)
		want, hint string
	}{
		{"no kernel", func(dir string, _ *layer.Image) { remove(dir, "boot/vmlinuz-"+version) },
			"there is no kernel in node slurm-compute", "linux-image-cloud-amd64"},
		{"named kernel missing", func(_ string, i *layer.Image) { i.Kernel = "6.1.0-8-amd64" },
			"kernel 6.1.0-8-amd64 is not in node slurm-compute", "kernels that are there: " + version},
		{"other version inside", func(dir string, _ *layer.Image) { put(t, dir, "boot/vmlinuz-"+version, bzImage("5.10.0-1-amd64")) },
			"is a kernel of version 5.10.0-1-amd64", "reinstall"},
		{"no kernel inside", func(dir string, _ *layer.Image) { put(t, dir, "boot/vmlinuz-"+version, "text") },
			"is not a kernel that can be booted", ""},
		{"no modules", func(dir string, _ *layer.Image) { remove(dir, "usr/lib/modules") },
			"has no modules", "same layer"},
		{"no initrd", func(dir string, _ *layer.Image) { remove(dir, "boot/initrd.img-"+version) },
			"there is no initrd for kernel " + version, "initramfs-tools"},
		{"initrd of another kernel", func(dir string, _ *layer.Image) {
			put(t, dir, "boot/initrd.img-"+version, initrd("lib/modules/5.10.0-1-amd64/squashfs.ko"))
		}, "does not belong to kernel " + version + ": it holds modules for 5.10.0-1-amd64", "update-initramfs -u -k " + version},
		{"broken initrd", func(dir string, _ *layer.Image) { put(t, dir, "boot/initrd.img-"+version, "text") },
			"cannot be read", "update-initramfs"},
		{"no squashfs", func(dir string, _ *layer.Image) {
			put(t, dir, "boot/initrd.img-"+version, initrd(live[1:]...))
		}, "lacks the kernel module squashfs", "live-boot"},
		{"no overlay", func(dir string, _ *layer.Image) {
			put(t, dir, "boot/initrd.img-"+version, initrd(live[0], live[2], live[3]))
		}, "lacks the kernel module overlay", "live-boot"},
		{"no erofs", func(_ string, i *layer.Image) {
			i.Artifacts = []layer.Artifact{{Type: layer.Kernel}, {Type: layer.Erofs}}
		}, "lacks the kernel module erofs", "/etc/initramfs-tools/modules"},
		{"no fetch", func(dir string, _ *layer.Image) { put(t, dir, "boot/initrd.img-"+version, initrd(live[:2]...)) },
			"cannot fetch the root over HTTP", "live-boot"},
		{"no wget", func(dir string, _ *layer.Image) { put(t, dir, "boot/initrd.img-"+version, initrd(live[:3]...)) },
			"needs wget", "busybox"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, image := goodTree(t), squashfsImage
			c.change(dir, &image)
			_, err := findPair(Tree{Dir: dir}, image)
			var f *fault.Error
			if !errors.As(err, &f) {
				t.Fatalf("error: %v", err)
			}
			kind := fault.Failed // the tree is not what the image needs
			if image.Kernel != "" {
				kind = fault.Input // a name that is not there
			}
			if f.Kind != kind || f.File != "strata.yaml" || f.Line != 7 || !strings.HasPrefix(f.Message, "image compute: ") {
				t.Errorf("fault: %+v", f)
			}
			if !strings.Contains(f.Message, c.want) || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("message: %s\nhint: %s", f.Message, f.Hint)
			}
		})
	}
}
