package tarball

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// holed writes a file of a size with pieces of data at offsets.
func holed(t *testing.T, path string, size int64, pieces map[int64]string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at, data := range pieces {
		if _, err := f.WriteAt([]byte(data), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(size), os.Chtimes(path, time.Time{}, time.Unix(1600000000, 0))); err != nil {
		t.Fatal(err)
	}
}

// entry is what a Reader tells of one.
type entry struct {
	header *tar.Header
	data   []Extent
	sparse bool
	bytes  string
}

func entries(t *testing.T, data []byte) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	r := NewReader(bytes.NewReader(data))
	for {
		hdr, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		e := entry{header: hdr}
		e.data, e.sparse = r.Sparse()
		if len(all)%2 == 0 || e.sparse { // else Next has to skip it
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			e.bytes = string(content)
		}
		all[hdr.Name] = e
	}
}

func TestSparseFiles(t *testing.T) {
	root := t.TempDir()
	long := strings.Repeat("ä", 100) + "\n\xff"
	files := map[string]struct {
		size   int64
		pieces map[int64]string
		sparse bool
	}{
		"dense":       {3 << 20, map[int64]string{0: strings.Repeat("x", 3<<20)}, false},
		"small":       {1<<20 - 1, nil, false},
		"empty":       {2 << 20, nil, true},
		"end":         {2<<20 + 5, map[int64]string{2 << 20: "12345"}, true},
		"begin":       {2<<20 + 5, map[int64]string{0: "12345"}, true},
		"middle":      {9 << 20, map[int64]string{4<<20 + 10: strings.Repeat("y", 70000)}, true},
		"share":       {8 << 20, map[int64]string{0: strings.Repeat("x", 6<<20+4096)}, false},
		"d/" + long:   {2 << 20, map[int64]string{1 << 20: "x"}, true},
		"zz and more": {512, map[int64]string{0: strings.Repeat("z", 512)}, false},
	}
	if err := os.Mkdir(filepath.Join(root, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		holed(t, filepath.Join(root, name), f.size, f.pieces)
	}
	err := errors.Join(unix.Setxattr(filepath.Join(root, "end"), "user.a", []byte("\x00 1 GNU.sparse.major=1\n"), 0),
		os.Link(filepath.Join(root, "end"), filepath.Join(root, "other end")))
	if err != nil {
		t.Fatal(err)
	}
	data := write(t, root, Options{})
	if len(data) > 14<<20 {
		t.Errorf("the tar has %d bytes", len(data))
	}
	_, headers, content := read(t, data) // by Go's reader
	ours := entries(t, data)
	for name, f := range files {
		want, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if content[name] != string(want) || headers[name].Size != f.size || headers[name].ModTime.Unix() != 1600000000 {
			t.Errorf("%q: %d of %d bytes, %v", name, len(content[name]), f.size, headers[name])
		}
		e := ours[name]
		if e.sparse != f.sparse || e.header.Size != f.size {
			t.Errorf("%q: %v, %d bytes", name, e.sparse, e.header.Size)
		}
		if e.sparse {
			got, rest := make([]byte, f.size), e.bytes
			for _, part := range e.data {
				copy(got[part.Offset:], rest[:part.Length])
				rest = rest[part.Length:]
			}
			if !bytes.Equal(got, want) || rest != "" {
				t.Errorf("%q: other content, and %d bytes too much", name, len(rest))
			}
		}
	}
	if got := headers["end"].PAXRecords["SCHILY.xattr.user.a"]; got != "\x00 1 GNU.sparse.major=1\n" {
		t.Errorf("attribute: %q", got)
	}
	if l := headers["other end"]; l.Typeflag != tar.TypeLink || l.Linkname != "end" {
		t.Errorf("second name: %v", l)
	}
}

func TestAnEntryAfterASparseOneIsFound(t *testing.T) {
	root := t.TempDir()
	for i := range 5 {
		holed(t, filepath.Join(root, fmt.Sprint(i)), 3<<20+int64(i), map[int64]string{int64(i) << 18: strings.Repeat("x", i*300)})
	}
	r, names := NewReader(bytes.NewReader(write(t, root, Options{}))), 0
	for {
		hdr, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if hdr.Name != fmt.Sprint(names) {
			t.Errorf("%s", hdr.Name)
		}
		if _, err := io.CopyN(io.Discard, r, int64(names)*10); err != nil { // part of it
			t.Fatal(err)
		}
		names++
	}
	if names != 5 {
		t.Errorf("%d entries", names)
	}
}

// TestASparseFileIsTheSameOnAnyFileSystem writes one content in ways that leave
// other holes, here and in memory.
func TestASparseFileIsTheSameOnAnyFileSystem(t *testing.T) {
	var sums []string
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := map[int64]string{}
	for range 200 {
		pieces[rnd.Int64N(60<<20)] = strings.Repeat("x", 1+rnd.IntN(9000))
	}
	places := []string{t.TempDir(), t.TempDir()}
	if memory, err := os.MkdirTemp("/dev/shm", "sparse-"); err == nil {
		defer os.RemoveAll(memory)
		places = append(places, memory)
	}
	for i, dir := range places {
		path := filepath.Join(dir, "f")
		holed(t, path, 64<<20, pieces)
		if i == 1 { // zeros next to the data
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			for at := range pieces {
				buf := make([]byte, 30000)
				if _, err := f.ReadAt(buf, at); err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteAt(buf, at); err != nil {
					t.Fatal(err)
				}
			}
			f.Close()
			if err := os.Chtimes(path, time.Time{}, time.Unix(1600000000, 0)); err != nil {
				t.Fatal(err)
			}
		}
		sums = append(sums, fmt.Sprintf("%x", sha256.Sum256(write(t, dir, Options{}))))
	}
	if len(slices.Compact(sums)) != 1 {
		t.Errorf("%q", sums)
	}
}

func TestManyPartsAreJoined(t *testing.T) {
	for _, parts := range []int64{mostExtents - 1, mostExtents, mostExtents + 1, 5 * mostExtents} {
		m := extents{unit: unit, size: parts*2*unit - unit + 7}
		for i := range parts {
			m.add(2 * i * unit)
		}
		if len(m.list) > mostExtents || len(m.list) == 0 || m.list[0].Offset != 0 || m.list[len(m.list)-1].end() > m.size {
			t.Errorf("%d parts became %d", parts, len(m.list))
		}
		if parts <= mostExtents && len(m.list) != int(parts) {
			t.Errorf("%d parts became %d", parts, len(m.list))
		}
	}
}

// TestATerabyteTakesNoTime would run for an hour if holes were read.
func TestATerabyteTakesNoTime(t *testing.T) {
	root := t.TempDir()
	holed(t, filepath.Join(root, "lastlog"), 1<<40, map[int64]string{1 << 35: "x", 1<<40 - 1: "y"})
	start := time.Now()
	data := write(t, root, Options{})
	e := entries(t, data)["lastlog"]
	if len(data) > 64<<10 || e.header.Size != 1<<40 || len(e.data) != 2 || time.Since(start) > 30*time.Second {
		t.Errorf("%d bytes, %v, %s", len(data), e.data, time.Since(start))
	}
}

func FuzzReader(f *testing.F) {
	root := f.TempDir()
	path := filepath.Join(root, "f")
	if err := errors.Join(os.WriteFile(path, []byte("x"), 0o644), os.Truncate(path, 2<<20)); err != nil {
		f.Fatal(err)
	}
	var seed bytes.Buffer
	if err := Write(f.Context(), &seed, root, Options{Root: true}); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		r, most := NewReader(bytes.NewReader(data)), int64(len(data))
		for {
			hdr, err := r.Next()
			if err != nil {
				return
			}
			parts, sparse := r.Sparse()
			n, err := io.Copy(io.Discard, io.LimitReader(r, 64<<20))
			if sparse && (n > most || err == nil && len(parts) > 0 && parts[len(parts)-1].end() > hdr.Size) {
				t.Errorf("%d bytes of %d, %v", n, most, parts)
			}
			if err != nil {
				return
			}
		}
	})
}

// The map is in blocks of 4 KiB: another unit would give every layer with a sparse
// file another digest.
func TestUnitOfTheMap(t *testing.T) {
	root := t.TempDir()
	f, err := os.Create(filepath.Join(root, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(4 << 20); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 3<<12); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(t.Context(), &out, root, Options{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out.Bytes(), []byte("\n12288\n4096\n")) {
		t.Error("the block with data is not in the map as it was")
	}
}
