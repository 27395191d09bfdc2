package sandbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
)

// KernelIn returns the release of the newest kernel whose modules the tree at
// root has, or "" if there is none.
func KernelIn(root string) (string, error) {
	entries, err := ReadDirIn(root, "/usr/lib/modules")
	if errors.Is(err, os.ErrNotExist) {
		entries, err = ReadDirIn(root, "/lib/modules")
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	newest := ""
	for _, e := range entries {
		name := e.Name()
		release := e.IsDir() && name[0] >= '0' && name[0] <= '9' // not a directory of modules for all kernels
		if release && (newest == "" || layer.CompareReleases(name, newest) > 0) {
			newest = name
		}
	}
	return newest, nil
}

// KernelBanner returns what a bzImage says of itself, such as
// "6.1.0-1-amd64 (builder@host) #1 SMP Debian 6.1.8-1 (2023-01-29)": the text
// that its setup header points to (Documentation/arch/x86/boot.rst in the
// kernel's sources). It returns false for other files.
func KernelBanner(image io.ReaderAt) (string, bool) {
	var header [0x210]byte
	if _, err := image.ReadAt(header[:], 0); err != nil || string(header[0x202:0x206]) != "HdrS" {
		return "", false
	}
	at := int64(binary.LittleEndian.Uint16(header[0x20e:]))
	if at == 0 {
		return "", true
	}
	banner := make([]byte, 256)
	n, _ := image.ReadAt(banner, at+0x200)
	banner, _, _ = bytes.Cut(banner[:n], []byte{0})
	return string(banner), true
}

// kernelVersion is what "uname -v" says under a kernel of the tree that this
// process is in: what its image tells, or the least that a kernel would say.
func kernelVersion(release string) string {
	for _, path := range []string{"/boot/vmlinuz-" + release, "/usr/lib/modules/" + release + "/vmlinuz"} {
		f, err := openIn("/", path, unix.O_RDONLY|unix.O_NONBLOCK)
		if err != nil {
			continue
		}
		st, err := f.Stat()
		banner := ""
		if err == nil && st.Mode().IsRegular() {
			banner, _ = KernelBanner(f)
		}
		f.Close()
		if i := strings.Index(banner, " #"); i >= 0 {
			return banner[i+1:]
		}
	}
	return "#1 SMP"
}
