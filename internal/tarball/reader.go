package tarball

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Reader reads a tar stream as archive/tar's does, but for a sparse file gives
// its data alone, and tells where they are: the time that takes is that of
// what is in the stream. It reads from its stream just what it must, so that
// after Next the stream is where content begins.
type Reader struct {
	tr     *tar.Reader
	in     *feed
	data   []Extent
	sparse bool
	left   int64 // of a sparse file's data
}

// NewReader returns a reader of a stream.
func NewReader(r io.Reader) *Reader {
	in := &feed{r: r}
	return &Reader{tr: tar.NewReader(in), in: in}
}

// Next goes to the next entry; io.EOF is the end of the archive.
func (r *Reader) Next() (*tar.Header, error) {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	r.data, r.sparse, r.left = nil, false, 0
	start := padding(r.in.pos + r.in.replaced)
	r.in.note()
	hdr, err := r.tr.Next()
	headers := r.in.noted()
	if err != nil || hdr.PAXRecords[sparseMajor] != "1" || hdr.PAXRecords[sparseMinor] != "0" || hdr.Typeflag != tar.TypeReg {
		return hdr, err
	}
	if int64(len(headers)) < start {
		return nil, errHeaders
	}
	if err := r.openSparse(hdr, headers[start:]); err != nil {
		return nil, fmt.Errorf("%s: %w", hdr.Name, err)
	}
	return hdr, nil
}

var errHeaders = errors.New("the headers of a sparse file are damaged")

// openSparse reads the map at the end of what was read for an entry.
func (r *Reader) openSparse(hdr *tar.Header, headers []byte) error {
	for {
		if len(headers) < blockSize {
			return errHeaders
		}
		block := headers[:blockSize]
		headers = headers[blockSize:]
		size, err := strconv.ParseInt(string(bytes.Trim(block[124:136], " \x00")), 8, 64)
		switch block[156] {
		case tar.TypeXHeader, tar.TypeXGlobalHeader, tar.TypeGNULongName, tar.TypeGNULongLink:
			if err != nil || size < 0 || size+padding(size) > int64(len(headers)) {
				return errHeaders
			}
			headers = headers[size+padding(size):]
			continue
		}
		if record := hdr.PAXRecords["size"]; record != "" {
			size, err = strconv.ParseInt(record, 10, 64)
		}
		if err != nil {
			return errHeaders
		}
		if r.data, r.left, err = parseSparseMap(headers, hdr.Size); err != nil {
			return err
		}
		// What archive/tar believes to be left of the entry.
		if r.left != size-int64(len(headers)) {
			return errHeaders
		}
		r.sparse = true
		return nil
	}
}

// Sparse says whether the entry is a sparse file, and where its data are: Read
// gives these, one part after the other.
func (r *Reader) Sparse() ([]Extent, bool) { return r.data, r.sparse }

// Read implements io.Reader for the content of an entry.
func (r *Reader) Read(p []byte) (int, error) {
	if !r.sparse {
		return r.tr.Read(p)
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.in.r.Read(p[:min(int64(len(p)), r.left)])
	r.left, r.in.replaced = r.left-int64(n), r.in.replaced+int64(n)
	if err == io.EOF {
		err = nil
		if r.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// feed is what archive/tar reads from. What a Reader has read itself is, for
// it, zeros: it skips them.
type feed struct {
	r        io.Reader
	pos      int64 // how much was read
	replaced int64 // how much is to be zeros
	notes    []byte
	noting   bool
}

// mostHeaders is more than all headers of one entry have in archives that
// anybody made in earnest: archive/tar takes no larger parts than 1 MiB.
const mostHeaders = 8 << 20

func (f *feed) note() { f.notes, f.noting = f.notes[:0], true }

func (f *feed) noted() []byte {
	f.noting = false
	return f.notes
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	if f.replaced > 0 {
		n := int(min(int64(len(p)), f.replaced))
		clear(p[:n])
		f.pos, f.replaced = f.pos+int64(n), f.replaced-int64(n)
		return n, nil
	}
	n, err := f.r.Read(p)
	f.pos += int64(n)
	if f.noting {
		if len(f.notes)+n > mostHeaders {
			return n, errors.New("the headers of an entry are too long")
		}
		f.notes = append(f.notes, p[:n]...)
	}
	return n, err
}
