package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// Tree is the finished tree of a node, mounted read-only and with nothing else
// mounted below it. Its files are the image's and may be hostile: paths are
// resolved as if Dir were the root, so no link leads out of it.
type Tree struct {
	// Dir is where the tree is; usually /proc/PID/root of a sandbox, a path that
	// other programs of this machine can use too, unless they resolve it: then
	// it is this machine's own "/".
	Dir string
	// Mounted runs a program for which the tree is mounted at MountedAt, a plain
	// path. Nil: Dir is one.
	Mounted   func(ctx context.Context, c sandbox.Cmd) error
	MountedAt string
}

// Stat returns what is at path, links followed inside the tree.
func (t Tree) Stat(path string) (fs.FileInfo, error) {
	f, err := securejoin.OpenInRoot(t.Dir, path)
	if err != nil {
		return nil, fmt.Errorf("find %s in the image: %w", path, cause(err))
	}
	defer f.Close()
	return f.Stat()
}

// Exists reports whether path is there; an unreadable tree is an error.
func (t Tree) Exists(path string) (bool, error) {
	_, err := t.Stat(path)
	if isAbsent(err) {
		return false, nil
	}
	return err == nil, err
}

// Open opens a regular file. Anything else is an error: a device or a FIFO of
// an image is never opened.
func (t Tree) Open(path string) (*os.File, error) {
	handle, err := securejoin.OpenInRoot(t.Dir, path)
	if err != nil {
		return nil, fmt.Errorf("open %s in the image: %w", path, cause(err))
	}
	defer handle.Close()
	fi, err := handle.Stat()
	if err != nil {
		return nil, fmt.Errorf("open %s in the image: %w", path, cause(err))
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("open %s in the image: not a regular file", path)
	}
	f, err := securejoin.Reopen(handle, unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open %s in the image: %w", path, cause(err))
	}
	return f, nil
}

// ReadFile returns a file's content, which must not be longer than limit bytes.
func (t Tree) ReadFile(path string, limit int64) ([]byte, error) {
	f, err := t.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s in the image: %w", path, cause(err))
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s in the image: longer than %d bytes", path, limit)
	}
	return data, nil
}

// Names returns the sorted names in a directory; none where it does not exist.
func (t Tree) Names(path string) ([]string, error) {
	handle, err := securejoin.OpenInRoot(t.Dir, path)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s in the image: %w", path, cause(err))
	}
	defer handle.Close()
	dir, err := securejoin.Reopen(handle, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("list %s in the image: %w", path, cause(err))
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("list %s in the image: %w", path, cause(err))
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names, nil
}

// isAbsent reports whether err says that a path leads nowhere, a link that
// points nowhere or to itself included.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// cause strips the operation and the path of this machine from an error: the
// caller names the path inside the image.
func cause(err error) error {
	var pathErr *fs.PathError
	for errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return err
}
