package tarball

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, root string, opts Options) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Write(t.Context(), &buf, root, opts); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func read(t *testing.T, data []byte) (names []string, headers map[string]*tar.Header, content map[string]string) {
	t.Helper()
	headers, content = map[string]*tar.Header{}, map[string]string{}
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		hdr, err := tr.Next()
		if err == io.EOF {
			return names, headers, content
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, hdr.Name)
		headers[hdr.Name], content[hdr.Name] = hdr, string(b)
	}
}

// makeTree writes a small tree; with reverse, in another order of inodes.
func makeTree(t *testing.T, reverse bool) string {
	t.Helper()
	root := t.TempDir()
	steps := []func() error{
		func() error { return os.WriteFile(filepath.Join(root, "b"), []byte("content"), 0o640) },
		func() error { return os.MkdirAll(filepath.Join(root, "a/sub"), 0o755) },
		func() error { return os.Symlink("/etc/passwd", filepath.Join(root, "link")) },
		func() error { return unix.Mkfifo(filepath.Join(root, "fifo"), 0o600) },
	}
	for i := range steps {
		if reverse {
			i = len(steps) - 1 - i
		}
		if err := steps[i](); err != nil {
			t.Fatal(err)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Link(filepath.Join(root, "b"), filepath.Join(root, "a/sub/z")))
	attrs := []string{"user.one", "user.two"}
	if reverse {
		attrs = []string{"user.two", "user.one"}
	}
	for _, a := range attrs {
		if err := unix.Setxattr(filepath.Join(root, "b"), a, []byte("v\x00"+a), 0); errors.Is(err, unix.ENOTSUP) {
			t.Skip("the temporary directory's file system has no user xattrs")
		} else {
			check(err)
		}
	}
	for _, p := range []string{"b", "a/sub", "a", "."} {
		check(os.Chtimes(filepath.Join(root, p), time.Time{}, time.Unix(1700000000, 123456)))
	}
	for _, p := range []string{"link", "fifo"} {
		ts := []unix.Timespec{{Sec: 1700000000}, {Sec: 1700000000}}
		check(unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(root, p), ts, unix.AT_SYMLINK_NOFOLLOW))
	}
	check(os.Chmod(root, 0o755))
	return root
}

func TestWrite(t *testing.T) {
	data := write(t, makeTree(t, false), Options{Root: true})
	names, hdr, content := read(t, data)
	if got, want := strings.Join(names, " "), "./ a/ a/sub/ a/sub/z b fifo link"; got != want {
		t.Errorf("names: %s, want %s", got, want)
	}
	if content["a/sub/z"] != "content" {
		t.Errorf("the first name holds %q", content["a/sub/z"])
	}
	if b := hdr["b"]; b.Typeflag != tar.TypeLink || b.Linkname != "a/sub/z" {
		t.Errorf("second name: type %c, link to %q", b.Typeflag, b.Linkname)
	}
	if got := hdr["a/sub/z"].PAXRecords["SCHILY.xattr.user.one"]; got != "v\x00user.one" {
		t.Errorf("xattr is %q", got)
	}
	if l := hdr["link"]; l.Typeflag != tar.TypeSymlink || l.Linkname != "/etc/passwd" {
		t.Errorf("symbolic link: type %c to %q", l.Typeflag, l.Linkname)
	}
	if hdr["fifo"].Typeflag != tar.TypeFifo {
		t.Errorf("fifo: type %c", hdr["fifo"].Typeflag)
	}
	if ns := hdr["a/"].ModTime.Nanosecond(); ns != 0 {
		t.Errorf("mtime has %d ns", ns)
	}
}

func TestEqualTreesGiveEqualBytes(t *testing.T) {
	a, b := write(t, makeTree(t, false), Options{}), write(t, makeTree(t, true), Options{})
	if !bytes.Equal(a, b) {
		t.Error("two equal trees, written in another order, give different bytes")
	}
}

func TestDevices(t *testing.T) {
	root := t.TempDir()
	if err := unix.Mknod(filepath.Join(root, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Skipf("cannot make a device node here: %v", err)
	}
	if err := unix.Mknod(filepath.Join(root, "disk"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 300))); err != nil {
		t.Fatal(err)
	}
	_, hdr, _ := read(t, write(t, root, Options{}))
	if h := hdr["null"]; h.Typeflag != tar.TypeChar || h.Devmajor != 1 || h.Devminor != 3 {
		t.Errorf("character device: %c %d:%d", h.Typeflag, h.Devmajor, h.Devminor)
	}
	if h := hdr["disk"]; h.Typeflag != tar.TypeBlock || h.Devmajor != 259 || h.Devminor != 300 {
		t.Errorf("block device: %c %d:%d", h.Typeflag, h.Devmajor, h.Devminor)
	}
}

func TestSocketIsAnError(t *testing.T) {
	root := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(root, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Write(t.Context(), io.Discard, root, Options{})
	if err == nil || !strings.Contains(err.Error(), "store s: tar cannot hold") {
		t.Errorf("error: %v", err)
	}
}

// A context ends a large file in its middle, and a tree between two files.
func TestContextEndsWriting(t *testing.T) {
	root := t.TempDir()
	for name, size := range map[string]int{"first": 1, "large": 1 << 20} {
		if err := os.WriteFile(filepath.Join(root, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{"first", "large"} {
		ctx, cancel := context.WithCancel(t.Context())
		var buf bytes.Buffer
		err := Write(ctx, &buf, root, Options{Entry: func(hdr *tar.Header, _ *unix.Stat_t) error {
			if hdr.Name == at {
				cancel()
			}
			return nil
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("at %s: %v", at, err)
		}
		if buf.Len() >= 1<<20 {
			t.Errorf("%d bytes were written after the end", buf.Len())
		}
	}
}

func TestSkipAndEntry(t *testing.T) {
	names, hdr, _ := read(t, write(t, makeTree(t, false), Options{
		Skip:  func(p string) bool { return p == "a/sub" || p == "fifo" },
		Entry: func(hdr *tar.Header, st *unix.Stat_t) error { hdr.Uid = 42; return nil },
	}))
	if got, want := strings.Join(names, " "), "a/ b link"; got != want {
		t.Errorf("names: %s, want %s", got, want)
	}
	if hdr["b"].Uid != 42 || hdr["b"].Typeflag != tar.TypeReg {
		t.Errorf("b: uid %d, type %c", hdr["b"].Uid, hdr["b"].Typeflag)
	}
}

func TestRootMayBeAMagicLink(t *testing.T) {
	names, _, _ := read(t, write(t, "/proc/self/root", Options{
		Skip: func(p string) bool { return strings.Contains(p, "/") || p != "etc" },
	}))
	if strings.Join(names, " ") != "etc/" {
		t.Errorf("names: %v", names)
	}
}

// TestXattrNames asks by name, by descriptor, and in the way for old kernels.
func TestXattrNames(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 30 { // more than fits the first buffer
		if err := unix.Setxattr(file, fmt.Sprintf("user.attribute-%02d", i), []byte("x"), 0); err != nil {
			t.Skip(err)
		}
	}
	err := Walk(dir, nil, func(e *Entry) error {
		if e.Path != "f" {
			return nil
		}
		byName, err1 := e.XattrNames()
		old, err2 := grow(func(buf []byte) (int, error) { return unix.Llistxattr(e.procPath(), buf) })
		_, err3 := e.Hold()
		held, err4 := e.XattrNames()
		if len(byName) < 30 || !slices.Equal(byName, held) || len(old) != len(strings.Join(byName, "\x00"))+1 {
			t.Errorf("%q, %q, %q", byName, held, old)
		}
		return errors.Join(err1, err2, err3, err4)
	})
	if err != nil {
		t.Error(err)
	}
}
