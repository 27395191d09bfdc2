// Package tarball writes a directory tree as a tar stream that depends on the
// tree alone: names in byte order, numeric owners, whole seconds, extended
// attributes sorted. Equal trees give equal bytes, whatever the machine, the
// time and the file system. What a tar cannot hold is an error, never left out.
//
// It does not compress, does not unpack, and knows nothing of layers or images
// but how overlayfs marks what a layer takes away.
package tarball

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// xattrRecord begins the PAX record of an extended attribute: the form that
// GNU tar, libarchive and the container tools read.
const xattrRecord = "SCHILY.xattr."

// Options adjust what Write writes. The zero value writes everything below the
// root, without an entry for the root itself.
type Options struct {
	// Root asks for an entry "./" with the root's own mode, owner and attributes.
	Root bool
	// Overlay reads root as an upper directory of an overlay with such marks:
	// those of what is taken away become those of the OCI image specification.
	// A name or a file that means something else there is a ReservedError.
	Overlay Marks
	// First says that nothing is below the upper directory, so that nothing can
	// be taken away.
	First bool
	// Skip leaves out a path and all below it. Paths have no leading slash.
	Skip func(path string) bool
	// Entry may change a header before it is written; st is what it was made of.
	Entry func(hdr *tar.Header, st *unix.Stat_t) error
	// Stored is told of every header that has just been written: what follows
	// are hdr.Size bytes of content. For a sparse file that is 0: what follows
	// are its map and its data.
	Stored func(hdr *tar.Header) error
}

// Write writes the tree at root to w, with the end-of-archive mark. The tree
// must not change meanwhile. Files with several names are stored under the
// first one in order, the others as hard links to it. Of a sparse file (see
// IsSparse) the data are written, and where they are; it takes the time that
// these take. A socket is an error, for tar has no type for it. When
// ctx is done, Write ends with its error, in the middle of a file too.
func Write(ctx context.Context, w io.Writer, root string, opts Options) error {
	t := &writer{ctx: ctx, w: w, tw: tar.NewWriter(w), opts: opts, first: map[inode]string{}, buf: make([]byte, 256<<10)}
	err := t.tree(root)
	if err == nil {
		err = t.tw.Close()
	}
	if err != nil {
		return fmt.Errorf("write tar: %w", err)
	}
	return nil
}

// tree writes all entries. A goroutine looks at files and reads small ones
// while those before them are written: with many files, each takes about as long.
func (t *writer) tree(root string) error {
	items, stop, walked := make(chan item, 32), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(items)
		walked <- Walk(root, t.opts.Skip, func(e *Entry) error {
			it, err := t.look(e)
			if err != nil {
				return err
			}
			select {
			case items <- it:
				return nil
			case <-stop:
				it.close()
				return errStopped
			}
		})
	}()
	var err error
	for it := range items {
		if err == nil {
			if err = t.store(it); err != nil {
				close(stop)
			}
		}
		it.close()
	}
	if walkErr := <-walked; err == nil {
		err = walkErr
	}
	return err
}

type inode struct{ dev, ino uint64 }

type writer struct {
	ctx   context.Context
	w     io.Writer
	tw    *tar.Writer // to w
	opts  Options
	first map[inode]string // the name under which a file with several names was stored
	buf   []byte
}

// item is an entry that was looked at.
type item struct {
	hdr    *tar.Header // nil where there is only a mark
	st     unix.Stat_t
	mark   string   // name of a mark that follows; "" for none
	data   []byte   // content, or
	file   *os.File // where a large one comes from
	sparse *sparse  // what is to be stored of it if it is a sparse one
}

// small is up to which size a file is read ahead.
const small = 64 << 10

var errStopped = errors.New("stopped")

func (it item) close() {
	if it.file != nil {
		it.file.Close()
	}
}

// look runs in the walker's goroutine, which alone uses t.first.
func (t *writer) look(e *Entry) (item, error) {
	if e.Path == "." && !t.opts.Root {
		return item{}, nil
	}
	stat := e.Stat
	if e.Type().IsRegular() {
		stat = e.Hold
	}
	st, err := stat()
	if err != nil {
		return item{}, err
	}
	if t.opts.Overlay != "" {
		if err := CheckName(e.Path); err != nil {
			return item{}, err
		}
	}
	if t.opts.Overlay != "" && IsWhiteout(&st) {
		if t.opts.First {
			return item{}, &ReservedError{e.Path, "a character device 0:0 says that a name is taken away"}
		}
		return item{mark: path.Join(path.Dir(e.Path), whiteout+path.Base(e.Path))}, nil
	}
	it := item{st: st}
	opaqueDir := false
	if it.hdr, opaqueDir, err = t.header(e, &st); err != nil {
		return item{}, err
	}
	if opaqueDir && it.hdr.Typeflag == tar.TypeDir {
		it.mark = path.Join(e.Path, opaque)
	}
	if it.hdr.Typeflag != tar.TypeReg || it.hdr.Size == 0 {
		return it, nil
	}
	if it.hdr.Size <= small {
		it.data, err = e.Read(it.hdr.Size)
		return it, err
	}
	it.file = e.Take()
	if it.sparse, err = t.sparse(it.file, &st); err != nil {
		it.close()
		return item{}, fmt.Errorf("read %s: %w", e.Path, err)
	}
	return it, nil
}

func (t *writer) store(it item) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	if it.hdr != nil {
		if t.opts.Entry != nil {
			if err := t.opts.Entry(it.hdr, &it.st); err != nil {
				return err
			}
		}
		if err := t.entry(it); err != nil {
			return err
		}
	}
	if it.mark == "" {
		return nil
	}
	return t.writeMark(it.mark)
}

func (t *writer) entry(it item) error {
	if it.sparse != nil {
		if err := t.writeSparse(it.hdr, it.sparse); err != nil {
			return fmt.Errorf("store %s: %w", it.hdr.Name, err)
		}
		return nil
	}
	if err := t.write(it.hdr); err != nil {
		return err
	}
	return t.content(it)
}

// writeMark writes an empty file that says what a layer takes away.
func (t *writer) writeMark(name string) error {
	hdr := &tar.Header{Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: name, ModTime: time.Unix(0, 0)}
	return t.write(hdr)
}

func (t *writer) write(hdr *tar.Header) error {
	err := t.tw.WriteHeader(hdr)
	if err == nil && t.opts.Stored != nil {
		err = t.opts.Stored(hdr)
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", hdr.Name, err)
	}
	return nil
}

// header describes an entry, and says whether it is marked opaque. All but a
// hard link carry their attributes.
func (t *writer) header(e *Entry, st *unix.Stat_t) (hdr *tar.Header, marked bool, err error) {
	hdr = &tar.Header{
		Format:  tar.FormatPAX,
		Name:    e.Path,
		Mode:    int64(st.Mode & 0o7777),
		Uid:     int(st.Uid),
		Gid:     int(st.Gid),
		ModTime: time.Unix(st.Mtim.Sec, 0),
	}
	if err := t.setType(hdr, e, st); err != nil {
		return nil, false, err
	}
	if hdr.Typeflag == tar.TypeLink {
		return hdr, false, nil
	}
	names, err := e.XattrNames()
	if err != nil {
		return nil, false, err
	}
	for _, name := range names {
		value, err := e.Xattr(name)
		if err != nil {
			return nil, false, err
		}
		switch {
		case t.opts.Overlay.Has(name):
			err = t.checkMark(e, name, value)
			marked = marked || name == t.opts.Overlay.Opaque()
		default:
			err = CheckXattr(e.Path, name)
		}
		if err != nil {
			return nil, false, err
		}
		if !t.opts.Overlay.OfTheTree(name) {
			continue
		}
		if strings.Contains(name, "=") {
			return nil, false, fmt.Errorf("store %s: tar cannot hold the extended attribute %q, as its name has a =", e.Path, name)
		}
		if hdr.PAXRecords == nil {
			hdr.PAXRecords = map[string]string{}
		}
		hdr.PAXRecords[xattrRecord+name] = string(value)
	}
	return hdr, marked, nil
}

func (t *writer) setType(hdr *tar.Header, e *Entry, st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Nlink > 1 {
		id := inode{uint64(st.Dev), st.Ino}
		if name, ok := t.first[id]; ok {
			hdr.Typeflag, hdr.Linkname = tar.TypeLink, name
			return nil
		}
		t.first[id] = e.Path
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		hdr.Typeflag, hdr.Size = tar.TypeReg, st.Size
	case unix.S_IFDIR:
		hdr.Typeflag, hdr.Name = tar.TypeDir, e.Path+"/"
	case unix.S_IFLNK:
		hdr.Typeflag = tar.TypeSymlink
		hdr.Linkname, err = e.Readlink()
	case unix.S_IFIFO:
		hdr.Typeflag = tar.TypeFifo
	case unix.S_IFCHR:
		hdr.Typeflag = tar.TypeChar
	case unix.S_IFBLK:
		hdr.Typeflag = tar.TypeBlock
	default:
		err = fmt.Errorf("store %s: tar cannot hold a file of type %s", e.Path, strings.Trim(e.Type().String(), "-"))
	}
	if e.Type()&fs.ModeDevice != 0 {
		hdr.Devmajor, hdr.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	}
	return err
}

// content writes exactly as many bytes as the header says.
func (t *writer) content(it item) error {
	if it.file == nil {
		if len(it.data) == 0 {
			return nil
		}
		if _, err := t.tw.Write(it.data); err != nil {
			return fmt.Errorf("store %s: %w", it.hdr.Name, err)
		}
		return nil
	}
	if err := t.copy(t.tw, it.file, it.hdr.Size); err != nil {
		return fmt.Errorf("store %s: %w", it.hdr.Name, err)
	}
	return nil
}

// copy copies size bytes.
func (t *writer) copy(to io.Writer, from io.Reader, size int64) error {
	// Hide tar.Writer's and os.File's own copy loops, which would not use buf.
	n, err := io.CopyBuffer(struct{ io.Writer }{to}, &stoppable{t.ctx, io.LimitReader(from, size)}, t.buf)
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// stoppable is a reader that ends with a context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
