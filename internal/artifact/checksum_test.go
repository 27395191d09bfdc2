package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
)

func hexSum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestChecksum(t *testing.T) {
	for _, size := range []int{0, 1, 256<<10 - 1, 256 << 10, 256<<10 + 1, 3<<20 + 5} {
		content := bytes.Repeat([]byte("0123456"), size/7+1)[:size]
		n, sum, err := checksum(context.Background(), bytes.NewReader(content))
		if err != nil || n != int64(size) || sum != hexSum(content) {
			t.Errorf("of %d bytes: %d, %s, %v", size, n, sum, err)
		}
	}
	broken := errors.New("broken")
	if _, _, err := checksum(context.Background(), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := checksum(done, bytes.NewReader(make([]byte, 1<<20))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestDescribeWritten writes in ways in which the checksum that is begun early
// is that of the file, and in which it is not.
func TestDescribeWritten(t *testing.T) {
	pause := func() { time.Sleep(50 * time.Millisecond) } // in which the early one ends
	put := func(path, content string, flags int) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flags, 0o644)
		if err == nil {
			_, err = f.WriteString(content)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		write func(path string) error
		want  string
	}{
		"once":           {func(path string) error { put(path, "all", 0); pause(); return nil }, "all"},
		"at the end":     {func(path string) error { put(path, "all", 0); return nil }, "all"},
		"again":          {func(path string) error { put(path, "some", 0); pause(); put(path, "all", os.O_TRUNC); return nil }, "all"},
		"more":           {func(path string) error { put(path, "a", 0); pause(); put(path, "ll", os.O_APPEND); return nil }, "all"},
		"beside another": {func(path string) error { put(path+"x", "x", 0); pause(); put(path, "all", 0); return nil }, "all"},
		"by two": {func(path string) error {
			f, err := os.Create(path)
			put(path, "x", 0)
			pause()
			_, err2 := f.WriteString("all")
			return errors.Join(err, err2, f.Close())
		}, "all"},
	} {
		dir := t.TempDir()
		f, err := describeWritten(context.Background(), dir, "f", layer.Squashfs, func() error { return c.write(filepath.Join(dir, "f")) })
		if err != nil || f.SHA256 != hexSum([]byte(c.want)) || f.Size != int64(len(c.want)) || f.Name != "f" || f.Type != layer.Squashfs {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	failed := errors.New("failed")
	for name, write := range map[string]func() error{
		"before": func() error { return failed },
		"after":  func() error { put(filepath.Join(t.TempDir(), "f"), "all", 0); return failed },
	} {
		if _, err := describeWritten(context.Background(), t.TempDir(), "f", layer.Squashfs, write); !errors.Is(err, failed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := describeWritten(context.Background(), t.TempDir(), "f", layer.Squashfs, func() error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing written: %v", err)
	}
}

// TestRelease wants the tree to be let go once, when all is packed.
func TestRelease(t *testing.T) {
	needTools(t, "mksquashfs", "mkfs.erofs")
	tree := goodTree(t)
	for _, types := range [][]layer.ArtifactType{{layer.Erofs, layer.Squashfs, layer.Kernel, layer.Initrd}, {layer.Kernel, layer.Squashfs}} {
		image := squashfsImage
		image.Artifacts = nil
		for _, a := range types {
			image.Artifacts = append(image.Artifacts, layer.Artifact{Type: a})
		}
		released := 0
		dir := t.TempDir()
		m, err := Export(context.Background(), Tree{Dir: tree}, image, dir, Options{Release: func() { released++ }})
		if err != nil {
			t.Fatal(err)
		}
		if released != 1 {
			t.Errorf("%v: released %d times", types, released)
		}
		for i, f := range m.Files {
			content, err := os.ReadFile(filepath.Join(dir, f.Name))
			if err != nil || f.Type != types[i] || f.SHA256 != hexSum(content) {
				t.Errorf("%+v, %v", f, err)
			}
		}
	}
}
