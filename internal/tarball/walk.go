package tarball

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strconv"

	"golang.org/x/sys/unix"
)

// Entry is a file of a tree, seen from its directory's descriptor: no method
// follows a symbolic link or opens a device. It is good until visit returns.
type Entry struct {
	Path string // slash-separated, below the root; "." for the root
	dir  int    // descriptor of the directory that holds it; the root's own for the root
	name string // name in that directory
	kind fs.FileMode
}

// Walk calls visit for root and for everything below it, a directory before
// what it holds, names in byte order. Below a path for which skip returns true
// nothing is visited; skip may be nil. Only the last component of root may be
// a symbolic link, so that /proc/PID/root is a root. It needs /proc.
func Walk(root string, skip func(path string) bool, visit func(*Entry) error) error {
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open tree %s: %w", root, err)
	}
	dir := os.NewFile(uintptr(fd), root)
	defer dir.Close()
	if skip == nil {
		skip = func(string) bool { return false }
	}
	if err := visit(&Entry{Path: ".", dir: int(dir.Fd()), name: ".", kind: fs.ModeDir}); err != nil {
		return err
	}
	return walkDir(dir, "", skip, visit)
}

// walkDir visits what the open directory holds; prefix is its path with a
// slash at the end, or "".
func walkDir(dir *os.File, prefix string, skip func(string) bool, visit func(*Entry) error) error {
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return fmt.Errorf("read directory %s: %w", prefix, err)
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, de := range entries {
		e := &Entry{Path: prefix + de.Name(), dir: int(dir.Fd()), name: de.Name(), kind: de.Type()}
		if skip(e.Path) {
			continue
		}
		if err := visit(e); err != nil {
			return err
		}
		if !e.kind.IsDir() {
			continue
		}
		sub, err := e.open(unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		err = walkDir(sub, e.Path+"/", skip, visit)
		sub.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Type returns the entry's type bits.
func (e *Entry) Type() fs.FileMode { return e.kind }

// Stat returns the entry's own metadata.
func (e *Entry) Stat() (unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(e.dir, e.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return st, fmt.Errorf("stat %s: %w", e.Path, err)
	}
	return st, nil
}

// Readlink returns the target of a symbolic link.
func (e *Entry) Readlink() (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(e.dir, e.name, buf)
		if err != nil {
			return "", fmt.Errorf("read link %s: %w", e.Path, err)
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// Open opens a regular file for reading.
func (e *Entry) Open() (*os.File, error) {
	f, err := e.open(unix.O_NONBLOCK) // should it have become a FIFO meanwhile, do not wait for its writer
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("open %s: no longer a regular file", e.Path)
	}
	return f, nil
}

// ReadFile reads the first size bytes of a regular file. For small files it
// takes half as long as Open, reading and closing.
func (e *Entry) ReadFile(size int64) ([]byte, error) {
	fd, err := e.openFd(unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("open %s: no longer a regular file", e.Path)
	}
	buf := make([]byte, size)
	for n := 0; n < len(buf); {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err == nil && m == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Path, err)
		}
		n += m
	}
	return buf, nil
}

func (e *Entry) openFd(flags int) (int, error) {
	fd, err := unix.Openat(e.dir, e.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", e.Path, err)
	}
	return fd, nil
}

func (e *Entry) open(flags int) (*os.File, error) {
	fd, err := e.openFd(flags)
	if err != nil {
		return nil, err
	}
	// Where a file system's directories do not tell types, os.File.ReadDir stats
	// by this name.
	return os.NewFile(uintptr(fd), fmt.Sprintf("/proc/self/fd/%d", fd)), nil
}

// procPath names the entry for the l*xattr calls, which know no directory
// descriptor: the link to the directory is followed, the entry is not.
func (e *Entry) procPath() string { return "/proc/self/fd/" + strconv.Itoa(e.dir) + "/" + e.name }

// XattrNames returns the names of the entry's extended attributes, sorted.
func (e *Entry) XattrNames() ([]string, error) {
	raw, err := grow(func(buf []byte) (int, error) { return unix.Llistxattr(e.procPath(), buf) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list extended attributes of %s: %w", e.Path, err)
	}
	var names []string
	for _, name := range bytes.Split(bytes.TrimSuffix(raw, []byte{0}), []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Xattr returns the value of an extended attribute.
func (e *Entry) Xattr(name string) ([]byte, error) {
	value, err := grow(func(buf []byte) (int, error) { return unix.Lgetxattr(e.procPath(), name, buf) })
	if err != nil {
		return nil, fmt.Errorf("read extended attribute %s of %s: %w", name, e.Path, err)
	}
	return value, nil
}

// grow calls f with buffers that grow until the answer fits.
func grow(f func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := f(buf)
		if errors.Is(err, unix.ERANGE) && size <= 1<<20 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}
