package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vbatts/tar-split/tar/asm"
	tsstorage "github.com/vbatts/tar-split/tar/storage"

	"github.com/strata-hpc/strata/internal/tarball"
)

// TestSplitter compares the splitter's record with the one that tar-split makes
// of the same stream by parsing it.
func TestSplitter(t *testing.T) {
	dir := t.TempDir()
	names := []string{"plain", "not utf-8 \xff\xfe", strings.Repeat("long/", 30) + "name", "d/" + strings.Repeat("x", 200)}
	for i, size := range []int{0, 1, 511, 512, 513, foldFrom - 1, foldFrom, foldFrom + 1, digestPart - 1, digestPart, digestPart + 1, 3<<20 + 7} {
		names = append(names, fmt.Sprintf("of size %d", size))
		path := filepath.Join(dir, names[len(names)-1])
		if err := os.WriteFile(path, bytes.Repeat([]byte{byte(i), 2, 3}, size)[:size], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names[:4] {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "zz second name")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("plain", filepath.Join(dir, "zz link")); err != nil {
		t.Fatal(err)
	}

	var record, want, stream bytes.Buffer
	s := newSplitter(&record)
	if err := tarball.Write(t.Context(), io.MultiWriter(s, &stream), dir, tarball.Options{Root: true, Stored: s.stored}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(stream.Bytes()); !bytes.Equal(s.digest.sum.Sum(nil), sum[:]) || s.size != int64(stream.Len()) {
		t.Errorf("digest %x of %d bytes, want %x of %d", s.digest.sum.Sum(nil), s.size, sum, stream.Len())
	}
	r, done, err := asm.NewInputTarStreamWithDone(bytes.NewReader(stream.Bytes()), tsstorage.NewJSONPacker(&want), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(record.Bytes(), want.Bytes()) {
		got, want := strings.Split(record.String(), "\n"), strings.Split(want.String(), "\n")
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("entry %d of %d (%d wanted):\n%.300s\nwant\n%.300s", i, len(got), len(want), got[i], want[i])
			}
		}
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
}
