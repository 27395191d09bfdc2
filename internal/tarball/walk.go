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
	"unsafe"

	"golang.org/x/sys/unix"
)

// Entry is a file of a tree, seen from its directory's descriptor: no method
// follows a symbolic link or opens a device. It is good until visit returns.
type Entry struct {
	Path string // slash-separated, below the root; "." for the root
	dir  int    // descriptor of the directory that holds it; the root's own for the root
	name string // name in that directory
	kind fs.FileMode
	held int // descriptor of the file itself while it is held, else 0, which is always another's
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
		err := visit(e)
		e.letGo()
		if err != nil {
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

// Hold opens a regular file until visit returns, and returns its metadata. What
// is asked of it then needs no name, which takes half of the time.
func (e *Entry) Hold() (unix.Stat_t, error) {
	fd, err := e.openFd(unix.O_NONBLOCK) // should it have become a FIFO meanwhile, do not wait for its writer
	if err != nil {
		return unix.Stat_t{}, err
	}
	e.held = fd
	st, err := e.Stat()
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("open %s: no longer a regular file", e.Path)
	}
	return st, err
}

func (e *Entry) letGo() {
	if e.held != 0 {
		unix.Close(e.held)
		e.held = 0
	}
}

// Stat returns the entry's own metadata.
func (e *Entry) Stat() (unix.Stat_t, error) {
	var st unix.Stat_t
	var err error
	if e.held != 0 {
		err = unix.Fstat(e.held, &st)
	} else {
		err = unix.Fstatat(e.dir, e.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
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

// Take returns the file that is held; the caller closes it.
func (e *Entry) Take() *os.File {
	f := os.NewFile(uintptr(e.held), e.Path)
	e.held = 0
	return f
}

// Read reads the first size bytes of the file that is held.
func (e *Entry) Read(size int64) ([]byte, error) {
	buf := make([]byte, size)
	for n := 0; n < len(buf); {
		m, err := unix.Read(e.held, buf[n:])
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
	flags |= unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	// Reading need not leave a mark, which would be written to disk; but only a
	// file's owner may ask for that.
	fd, err := unix.Openat(e.dir, e.name, flags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		fd, err = unix.Openat(e.dir, e.name, flags, 0)
	}
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
	raw, err := grow(e.listXattr)
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

func (e *Entry) listXattr(buf []byte) (int, error) {
	if e.held != 0 {
		return unix.Flistxattr(e.held, buf)
	}
	if n, err := listxattrat(e.dir, e.name, buf); err == nil {
		return n, nil
	}
	// The kernel is older, or what confines us does not know the call.
	return unix.Llistxattr(e.procPath(), buf)
}

// listxattrat is listxattrat(2) of Linux 6.13, for the entry itself: it saves
// the way through /proc, which takes longer than the rest.
func listxattrat(dir int, name string, buf []byte) (int, error) {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	n, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(dir), uintptr(unsafe.Pointer(path)), unix.AT_SYMLINK_NOFOLLOW,
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Xattr returns the value of an extended attribute.
func (e *Entry) Xattr(name string) ([]byte, error) {
	value, err := grow(func(buf []byte) (int, error) {
		if e.held != 0 {
			return unix.Fgetxattr(e.held, name, buf)
		}
		return unix.Lgetxattr(e.procPath(), name, buf)
	})
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
