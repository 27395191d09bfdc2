package sandbox

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OpenIn opens a file of the tree at root for reading as a process whose root
// it is would: links, absolute ones too, never lead out of the tree.
func OpenIn(root, path string) (*os.File, error) {
	return openIn(root, path, unix.O_RDONLY)
}

func openIn(root, path string, flags uint64) (*os.File, error) {
	return openHow(root, path, unix.OpenHow{Flags: flags})
}

// openHow is openat2(2) within a tree.
func openHow(root, path string, how unix.OpenHow) (*os.File, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)
	how.Flags |= unix.O_CLOEXEC
	how.Resolve |= unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	for {
		fd, err := unix.Openat2(dir, filepath.Join("/", path), &how)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue // a rename raced with the resolution
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

// ReadFileIn reads a regular file of the tree at root; see OpenIn.
func ReadFileIn(root, path string) ([]byte, error) {
	f, err := openIn(root, path, unix.O_RDONLY|unix.O_NONBLOCK) // a pipe would wait
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s of the tree: not a regular file", path)
	}
	return io.ReadAll(f)
}

// ReadDirIn lists a directory of the tree at root; see OpenIn.
func ReadDirIn(root, path string) ([]os.DirEntry, error) {
	f, err := openIn(root, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}
