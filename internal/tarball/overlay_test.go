package tarball

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatMeansSomethingElseInALayerIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	marks := OverlayMarks()
	file := func(dir string) error { return os.WriteFile(filepath.Join(dir, "it"), nil, 0o644) }
	xattr := func(attribute, value string, of func(string) error) func(string) error {
		return func(dir string) error {
			return errors.Join(of(dir), unix.Setxattr(filepath.Join(dir, "it"), attribute, []byte(value), 0))
		}
	}
	directory := func(dir string) error { return os.Mkdir(filepath.Join(dir, "it"), 0o755) }
	device := func(dir string) error { return unix.Mknod(filepath.Join(dir, "it"), unix.S_IFCHR, 0) }
	named := func(name string, of func(string) error) func(string) error {
		return func(dir string) error {
			return errors.Join(of(dir), os.Rename(filepath.Join(dir, "it"), filepath.Join(dir, name)))
		}
	}
	for name, c := range map[string]struct {
		make  func(dir string) error
		first bool
		good  bool
	}{
		"whiteout's name":                {make: named(".wh.victim", file)},
		"whiteout's name of a directory": {make: named(".wh.victim", directory)},
		"opaque's name":                  {make: named(".wh..wh..opq", file)},
		"name that begins alike":         {make: named(".whx", file), good: true},
		"the other kind of mount's":      {make: xattr("user.overlay.opaque", "y", directory)},
		"unknown":                        {make: xattr(string(marks)+"redirect", "/x", directory)},
		"escaped":                        {make: xattr(string(marks)+"overlay.opaque", "y", directory)},
		"value of newer kernels":         {make: xattr(marks.Opaque(), "x", directory)},
		"opaque file":                    {make: xattr(marks.Opaque(), "y", file)},
		"whiteout by attribute":          {make: xattr(string(marks)+"whiteout", "y", file)},
		"origin of other bytes":          {make: xattr(string(marks)+"origin", "hello", file)},
		"opaque":                         {make: xattr(marks.Opaque(), "y", directory), good: true},
		"impure":                         {make: xattr(string(marks)+"impure", "y", directory), good: true},
		"opaque in a first layer":        {make: xattr(marks.Opaque(), "y", directory), first: true},
		"whiteout":                       {make: device, good: true},
		"whiteout in a first layer":      {make: device, first: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			var reserved *ReservedError
			err := Write(t.Context(), io.Discard, dir, Options{Overlay: marks, First: c.first})
			if c.good != (err == nil) || !c.good && (!errors.As(err, &reserved) || strings.Contains(reserved.Path, "/")) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAnOverlaysMarksBecomeThoseOfAnImage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	err := errors.Join(os.Mkdir(filepath.Join(dir, "d"), 0o755), os.WriteFile(filepath.Join(dir, "d/f"), nil, 0o644),
		unix.Setxattr(filepath.Join(dir, "d"), OverlayMarks().Opaque(), []byte("y"), 0),
		unix.Mknod(filepath.Join(dir, "gone"), unix.S_IFCHR, 0))
	if err != nil {
		t.Fatal(err)
	}
	names, headers, _ := read(t, write(t, dir, Options{Overlay: OverlayMarks()}))
	if !slices.Equal(names, []string{"d/", "d/.wh..wh..opq", "d/f", ".wh.gone"}) || len(headers["d/"].PAXRecords) != 0 {
		t.Errorf("%q, %v", names, headers["d/"].PAXRecords)
	}
}
