// Package disk gives the files below a directory of this machine as an fs.FS that
// nothing leads out of: no link, no "..", no change that somebody makes meanwhile.
//
// It writes nothing, and knows no git but the name .git, which no project has a
// file of.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// FS is the files below a directory, which links may lead to beside and above, but
// not out of another one that it lies in, its top. It is for regular files,
// directories and links: anything else cannot be opened. Nothing that is called .git
// is there. Any number of goroutines may use it.
//
// A file ends where it ended when it was opened, and one that has grown is an error.
type FS struct {
	root *root
	at   string // where "." is below the root, without links on the way; "" for the root
}

// Open returns the files in dir, from which links lead as far as top. Both may be
// reached over links themselves.
func Open(top, dir string) (*FS, error) {
	top, err := real(top)
	if err != nil {
		return nil, err
	}
	if dir, err = real(dir); err != nil {
		return nil, err
	}
	if !inside(top, dir) {
		return nil, fault.New(fault.Input, "%s is not in %s", dir, top)
	}
	r, err := openRoot(top)
	if err != nil {
		return nil, err
	}
	at, err := filepath.Rel(top, dir)
	if err != nil {
		return nil, err
	}
	return &FS{root: r, at: placed(filepath.ToSlash(at))}, nil
}

func real(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", fault.New(fault.Input, "open directory: %w", err)
	}
	return abs, nil
}

func inside(top, dir string) bool {
	return dir == top || strings.HasPrefix(dir, strings.TrimSuffix(top, "/")+"/")
}

// Top is the directory that no link leads out of, absolute and without links.
func (f *FS) Top() string { return f.root.name }

// Below is the place of the directory itself below the top; "" for the top.
func (f *FS) Below() string { return f.at }

// place is where a name is if no link is on its way.
func (f *FS) place(op, name string) (string, error) {
	if !ValidName(name) || strings.ContainsRune(name, 0) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if hidden(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return placed(path.Join(f.at, name)), nil
}

// placed is a path as places are written: "" for the root.
func placed(name string) string {
	if name == "." {
		return ""
	}
	return name
}

// hidden says whether a part of a path is called .git.
func hidden(name string) bool {
	return name == ".git" || strings.HasPrefix(name, ".git/") || strings.HasSuffix(name, "/.git") || strings.Contains(name, "/.git/")
}

// changes is how often a path may be another one when it is opened than when it was
// looked at, before that is an error.
const changes = 16

// open opens what a name leads to; without follow, a link at its end is opened
// itself. It returns the place too.
func (f *FS) open(op, name string, flags uint64, follow bool) (fd int, place string, err error) {
	if place, err = f.place(op, name); err != nil {
		return -1, "", err
	}
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	for range changes {
		if fd, err = f.root.open(place, flags); err == unix.ELOOP {
			place, err = f.resolve(name, follow)
		} else if err == nil {
			return fd, place, nil
		}
		if err != nil {
			return -1, "", &fs.PathError{Op: op, Path: Short(name), Err: err}
		}
	}
	return -1, "", &fs.PathError{Op: op, Path: Short(name), Err: errors.New("it changes while it is read")}
}

// Open implements fs.FS.
func (f *FS) Open(name string) (fs.File, error) {
	fd, _, err := f.open("open", name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, true)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		file.Close()
		list, err := f.ReadDir(name)
		return OpenDir(name, info, list), err
	}
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errSpecial(info.Mode())}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &openFile{file: file, name: name, left: info.Size()}, nil
}

// errSpecial is for what would wait for another process, or do something when it is
// opened.
func errSpecial(mode fs.FileMode) error {
	what := "a device"
	switch {
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	}
	return errors.New("it is " + what + ", neither file nor directory")
}

// ReadFile implements fs.ReadFileFS.
func (f *FS) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	regular, ok := file.(*openFile)
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	content := make([]byte, regular.left)
	n, err := io.ReadFull(file, content)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, err
	}
	if _, err := file.Read(make([]byte, 1)); err != io.EOF {
		return nil, err
	}
	return content[:n], nil
}

// ReadDir implements fs.ReadDirFS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	fd, place, err := f.open("open", name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, true)
	if err != nil {
		return nil, err
	}
	// Where the file system does not say what an entry is, package os looks at it, below
	// the name of the directory: this one leads to the directory that is open.
	dir := os.NewFile(uintptr(fd), fmt.Sprintf("/proc/self/fd/%d", fd))
	defer dir.Close()
	found, err := dir.ReadDir(-1)
	list := make([]fs.DirEntry, 0, len(found))
	for _, d := range found {
		if d.Name() != ".git" {
			list = append(list, &dirEntry{root: f.root, place: path.Join(place, d.Name()), kind: d.Type()})
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, named(err, name)
}

// Stat implements fs.StatFS.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.stat("lstat", name, false) }

func (f *FS) stat(op, name string, follow bool) (fs.FileInfo, error) {
	fd, _, err := f.open(op, name, unix.O_PATH, follow)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	info, err := file.Stat()
	return info, named(err, name)
}

// ReadLink implements fs.ReadLinkFS.
func (f *FS) ReadLink(name string) (string, error) {
	fd, _, err := f.open("readlink", name, unix.O_PATH, false)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	target, err := readLink(fd)
	if err == unix.ENOENT {
		err = unix.EINVAL // so says Linux of a descriptor that is no link's
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return target, nil
}

// Sub implements fs.SubFS. Links in it can still lead to beside and above it.
func (f *FS) Sub(dir string) (fs.FS, error) { return f.Directory(dir) }

// Directory is Sub with its own type.
func (f *FS) Directory(dir string) (*FS, error) {
	fd, place, err := f.open("sub", dir, unix.O_PATH|unix.O_DIRECTORY, true)
	if err != nil {
		return nil, err
	}
	unix.Close(fd)
	return &FS{root: f.root, at: place}, nil
}

// Real is the place that a name leads to, below the top and without links on the way:
// names that lead to one file or directory have the same.
func (f *FS) Real(name string) (string, error) {
	fd, place, err := f.open("find", name, unix.O_PATH, true)
	if err != nil {
		return "", err
	}
	return place, unix.Close(fd)
}

// shown is a place under its name here.
func (f *FS) shown(place string) string {
	if f.at == "" {
		return place
	}
	name, err := filepath.Rel("/"+f.at, "/"+place)
	if err != nil {
		return place
	}
	return name
}

// named puts the name into an error that has another path.
func named(err error, name string) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}

// dirEntry implements fs.DirEntry.
type dirEntry struct {
	root  *root
	place string // without links on the way
	kind  fs.FileMode
}

func (d *dirEntry) Name() string      { return path.Base(d.place) }
func (d *dirEntry) IsDir() bool       { return d.kind.IsDir() }
func (d *dirEntry) Type() fs.FileMode { return d.kind }
func (d *dirEntry) String() string    { return fs.FormatDirEntry(d) }

// Info implements fs.DirEntry.
func (d *dirEntry) Info() (fs.FileInfo, error) {
	fd, err := d.root.open(d.place, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: d.Name(), Err: err}
	}
	file := os.NewFile(uintptr(fd), d.Name())
	defer file.Close()
	return file.Stat()
}

// openFile implements fs.File.
type openFile struct {
	file *os.File
	name string
	left int64 // bytes that were there when it was opened, and have not been read
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.file.Stat() }
func (o *openFile) Close() error               { return o.file.Close() }

// Holes is how many bytes of it are in holes, as far as its file system tells.
func (o *openFile) Holes() int64 {
	info, err := o.file.Stat()
	if err != nil {
		return 0
	}
	// What is compressed takes less space as well: only who looks knows.
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Blocks*512 >= st.Size {
		return 0
	}
	before, err := o.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0
	}
	holes, at := int64(0), int64(0)
	for at < info.Size() {
		data, err := o.file.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			data, err = info.Size(), nil // there is none any more
		}
		if err != nil {
			break
		}
		holes += data - at
		if at, err = o.file.Seek(data, unix.SEEK_HOLE); err != nil {
			break
		}
	}
	if _, err := o.file.Seek(before, io.SeekStart); err != nil {
		return 0
	}
	return holes
}

func (o *openFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	grown := o.left == 0
	if grown {
		p = make([]byte, 1)
	}
	n, err := o.file.Read(p[:min(int64(len(p)), max(o.left, 1))])
	switch {
	case grown && n > 0:
		return 0, &fs.PathError{Op: "read", Path: o.name, Err: errors.New("it grows while it is read")}
	case err != nil && err != io.EOF:
		return n, named(err, o.name)
	}
	o.left -= int64(n)
	return n, err
}

// OpenDir returns a directory with these entries as if it were open.
func OpenDir(name string, info fs.FileInfo, entries []fs.DirEntry) fs.ReadDirFile {
	return &openDir{info, name, entries}
}

// openDir implements fs.ReadDirFile.
type openDir struct {
	info fs.FileInfo
	name string
	rest []fs.DirEntry
}

func (o *openDir) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *openDir) Close() error               { return nil }

func (o *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: o.name, Err: syscall.EISDIR}
}

func (o *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(o.rest)
	} else if len(o.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(o.rest))
	list := slices.Clone(o.rest[:n])
	o.rest = o.rest[n:]
	return list, nil
}
