package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"
	"golang.org/x/sys/unix"
)

// TestASparseFileIsKeptAndComesOutAsItWent builds, compares and reads again a
// file of 1 TiB, of which 5 MiB are there.
func TestASparseFileIsKeptAndComesOutAsItWent(t *testing.T) {
	s := open(t)
	start := time.Now()
	fill := func(st Staging) error {
		path := filepath.Join(st.Upper, "lastlog")
		if err := os.WriteFile(path, make([]byte, 8192), 0o644); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		for i := range int64(5 << 20 / 4096) {
			block := make([]byte, 4096)
			block[i%4096] = byte(i) | 1
			if _, err := f.WriteAt(block, 1<<30+i*4096); err != nil {
				return err
			}
		}
		return f.Truncate(1 << 40)
	}
	base := add(t, s, "", fill)
	if base.Size > 6<<20 || base.Size < 5<<20 {
		t.Errorf("the tar has %d bytes", base.Size)
	}
	same := add(t, s, base.ID, fill)
	if empty := add(t, s, base.ID, func(Staging) error { return nil }); same != empty {
		t.Errorf("writing it again made a layer of its own: %v", same)
	}
	plain := archive.Uncompressed
	diff, err := s.st.Diff("", base.ID, &storage.DiffOptions{Compression: &plain})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, diff)
	if err = errors.Join(err, diff.Close()); err != nil { // it holds a lock
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); got != string(base.DiffID) {
		t.Errorf("it comes out as %s, and is %s", got, base.DiffID)
	}
	var st unix.Stat_t
	dirs, err := s.dirs(base.ID)
	if err = errors.Join(err, unix.Stat(filepath.Join(dirs[0], "lastlog"), &st)); err != nil || st.Blocks*512 > 6<<20 {
		t.Errorf("%d blocks, %v", st.Blocks, err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAFileThatLosesItsHolesIsAnother(t *testing.T) {
	s := open(t)
	base := add(t, s, "", func(st Staging) error {
		path := filepath.Join(st.Upper, "swap")
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 2<<20))
	})
	dense := add(t, s, base.ID, func(st Staging) error {
		return os.WriteFile(filepath.Join(st.Upper, "swap"), make([]byte, 2<<20), 0o600)
	})
	if dense.Size < 2<<20 {
		t.Errorf("the layer has %d bytes", dense.Size)
	}
}
