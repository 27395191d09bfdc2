package tarball

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A sparse file is stored in GNU's format 1.0, which is a PAX header with the
// records below, and as content a map of where the data are, then these alone
// (GNU tar's manual, "PAX Format, Version 1.0").
const (
	sparseRecord = "GNU.sparse."
	sparseMajor  = sparseRecord + "major"
	sparseMinor  = sparseRecord + "minor"
	sparseName   = sparseRecord + "name"
	sparseSize   = sparseRecord + "realsize"
)

// Extent is a part of a file, in bytes.
type Extent struct{ Offset, Length int64 }

func (e Extent) end() int64 { return e.Offset + e.Length }

const (
	// fewestHoles and holesShare say when a file is a sparse one. What file
	// systems make of small holes differs, so they do not count.
	fewestHoles = 1 << 20
	holesShare  = 4 // of this, one part
	smallHole   = 64 << 10
	// unit is how finely a sparse file's data are told from its holes, at first.
	unit = 4096
	// mostExtents keeps the map below the size that readers in Go take, 1 MiB.
	mostExtents = 1 << 14
)

// Allocated returns the parts of a file for which its file system has data, in
// order. Where it cannot tell, that is the whole file.
func Allocated(f *os.File, size int64) ([]Extent, error) {
	var parts []Extent
	for at := int64(0); at < size; {
		from, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // a hole up to the end
			return parts, nil
		}
		if errors.Is(err, unix.EINVAL) && at == 0 {
			return []Extent{{0, size}}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look for data: %w", err)
		}
		to, err := unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE)
		if err != nil {
			return nil, fmt.Errorf("look for a hole: %w", err)
		}
		if from >= size {
			break
		}
		parts = append(parts, Extent{from, min(to, size) - from})
		at = to
	}
	return parts, nil
}

// IsSparse says whether a file, of which st tells, is stored as a sparse one:
// a quarter of it and at least 1 MiB is not on disk. One that has all its room
// reserved is not.
func IsSparse(f *os.File, st *unix.Stat_t) (bool, error) {
	// The second is for file systems that keep something else in their blocks, too.
	if st.Size < fewestHoles || st.Blocks*512 > st.Size-fewestHoles/2 {
		return false, nil
	}
	parts, err := Allocated(f, st.Size)
	if err != nil {
		return false, err
	}
	holes, end := int64(0), int64(0)
	for _, p := range append(parts, Extent{Offset: st.Size}) {
		from, to := (end+smallHole-1)/smallHole*smallHole, p.Offset/smallHole*smallHole
		holes, end = holes+max(0, to-from), p.end()
	}
	return holes >= fewestHoles && holes >= st.Size/holesShare, nil
}

// dataOf returns where a sparse file's data are. It depends on the content
// alone: a block of zeros is a hole, whatever the file system has there.
func dataOf(ctx context.Context, f *os.File, size int64) ([]Extent, error) {
	parts, err := Allocated(f, size)
	if err != nil {
		return nil, err
	}
	m := extents{unit: unit, size: size}
	buf, done := make([]byte, 256<<10), int64(0)
	for _, p := range parts {
		for at := max(done, p.Offset/unit*unit); at < p.end(); at += int64(len(buf)) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			n, err := f.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
			if err != nil && err != io.EOF {
				return nil, err
			}
			for i := 0; i < n; i += unit {
				if !allZero(buf[i:min(i+unit, n)]) {
					m.add(at + int64(i))
				}
			}
			done = at + int64(n)
		}
	}
	return m.list, nil
}

var zeros [unit]byte

func allZero(p []byte) bool { return bytes.Equal(p, zeros[:len(p)]) }

// extents collects blocks with data, in order. When there are too many parts,
// blocks of twice the size are told apart.
type extents struct {
	unit, size int64
	list       []Extent
}

func (x *extents) add(at int64) {
	from := at / x.unit * x.unit
	x.join(Extent{from, min(x.unit, x.size-from)})
	for len(x.list) > mostExtents {
		old := x.list
		x.list, x.unit = nil, 2*x.unit
		for _, e := range old {
			from, to := e.Offset/x.unit*x.unit, (e.end()+x.unit-1)/x.unit*x.unit
			x.join(Extent{from, min(to, x.size) - from})
		}
	}
}

func (x *extents) join(e Extent) {
	if n := len(x.list); n > 0 && e.Offset <= x.list[n-1].end() {
		x.list[n-1].Length = max(x.list[n-1].end(), e.end()) - x.list[n-1].Offset
		return
	}
	x.list = append(x.list, e)
}

// sparse is a file's map and where its data come from.
type sparse struct {
	data []Extent
	file *os.File
}

// sparse returns what is to be stored of a sparse file, and nil for another one.
func (t *writer) sparse(f *os.File, st *unix.Stat_t) (*sparse, error) {
	if is, err := IsSparse(f, st); err != nil || !is {
		return nil, errors.Join(err, rewind(f))
	}
	data, err := dataOf(t.ctx, f, st.Size)
	return &sparse{data, f}, err
}

// rewind goes back to the beginning, from where data were looked for.
func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// writeSparse writes a sparse file's headers, map and data. Package archive/tar
// writes no such headers, so that they are made here.
func (t *writer) writeSparse(hdr *tar.Header, s *sparse) error {
	if err := t.tw.Flush(); err != nil { // the padding of what came before
		return err
	}
	table := sparseMap(s.data, hdr.Size)
	size := int64(len(table))
	for _, e := range s.data {
		size += e.Length
	}
	own := *hdr
	own.Size = 0 // none of what follows is the file's content as it is
	_, err := t.w.Write(sparseHeader(hdr, size))
	if err == nil && t.opts.Stored != nil {
		err = t.opts.Stored(&own)
	}
	if err == nil {
		_, err = t.w.Write(table)
	}
	for _, e := range s.data {
		if err == nil {
			err = t.copy(t.w, io.NewSectionReader(s.file, e.Offset, e.Length), e.Length)
		}
	}
	if err == nil {
		_, err = t.w.Write(make([]byte, padding(size)))
	}
	return err
}

// sparseMap is the text of a map: how many parts, then for each its offset and
// its length. An empty one at the end says how long the file is.
func sparseMap(data []Extent, size int64) []byte {
	if n := len(data); n == 0 || data[n-1].end() < size {
		data = append(slices.Clone(data), Extent{Offset: size})
	}
	text := append(strconv.AppendInt(nil, int64(len(data)), 10), '\n')
	for _, e := range data {
		text = append(strconv.AppendInt(text, e.Offset, 10), '\n')
		text = append(strconv.AppendInt(text, e.Length, 10), '\n')
	}
	return append(text, make([]byte, padding(int64(len(text))))...)
}

const blockSize = 512

func padding(size int64) int64 { return -size & (blockSize - 1) }

// sparseHeader is the PAX header of a sparse file, and the header that it is
// about. The name in the latter is what programs that know no PAX see.
func sparseHeader(hdr *tar.Header, size int64) []byte {
	records := map[string]string{
		sparseMajor: "1", sparseMinor: "0", sparseName: hdr.Name, sparseSize: strconv.FormatInt(hdr.Size, 10),
	}
	maps.Copy(records, hdr.PAXRecords)
	for key, n := range map[string]struct{ value, most int64 }{
		"uid": {int64(hdr.Uid), 1<<21 - 1}, "gid": {int64(hdr.Gid), 1<<21 - 1},
		"size": {size, 1<<33 - 1}, "mtime": {hdr.ModTime.Unix(), 1<<33 - 1},
	} {
		if n.value < 0 || n.value > n.most {
			records[key] = strconv.FormatInt(n.value, 10)
		}
	}
	var pax []byte
	for _, key := range slices.Sorted(maps.Keys(records)) {
		pax = append(pax, paxRecord(key, records[key])...)
	}
	block := ustar(&tar.Header{Name: "PaxHeaders.0", Typeflag: tar.TypeXHeader}, int64(len(pax)))
	block = append(append(block, pax...), make([]byte, padding(int64(len(pax))))...)
	plain := *hdr
	plain.Name = "GNUSparseFile.0/" + path.Base(hdr.Name)
	return append(block, ustar(&plain, size)...)
}

// paxRecord begins with its own length, in decimal.
func paxRecord(key, value string) string {
	rest := len(key) + len(value) + len(" =\n")
	length := rest + len(strconv.Itoa(rest))
	length = rest + len(strconv.Itoa(length))
	return fmt.Sprintf("%d %s=%s\n", length, key, value)
}

// ustar is a header block (pax(1), "ustar Interchange Format"). A number that
// does not fit is 0: a PAX record has it.
func ustar(hdr *tar.Header, size int64) []byte {
	block := make([]byte, blockSize)
	name := strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return '_'
		}
		return r
	}, hdr.Name)
	copy(block[:100], name)
	for _, f := range []struct {
		from, digits int
		value        int64
	}{{100, 7, hdr.Mode}, {108, 7, int64(hdr.Uid)}, {116, 7, int64(hdr.Gid)}, {124, 11, size}, {136, 11, mtime(hdr)}, {329, 7, 0}, {337, 7, 0}} {
		if f.value < 0 || f.value >= 1<<(3*f.digits) {
			f.value = 0
		}
		copy(block[f.from:], fmt.Sprintf("%0*o", f.digits, f.value))
	}
	block[156] = hdr.Typeflag
	copy(block[257:], "ustar\x0000")
	copy(block[148:], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	return block
}

func mtime(hdr *tar.Header) int64 {
	if hdr.ModTime.IsZero() {
		return 0
	}
	return hdr.ModTime.Unix()
}

// parseSparseMap reads a map for a file of a size, and returns its parts that
// are not empty, and the length of their data.
func parseSparseMap(text []byte, size int64) (data []Extent, length int64, err error) {
	bad := errors.New("the map of a sparse file is damaged")
	next := func() int64 {
		line, rest, ok := bytes.Cut(text, []byte{'\n'})
		n, parseErr := strconv.ParseInt(string(line), 10, 64)
		if !ok || parseErr != nil || n < 0 {
			err = bad
		}
		text = rest
		return n
	}
	end := int64(0)
	for n := next(); n > 0 && err == nil; n-- {
		e := Extent{next(), next()}
		if err != nil || e.Offset < end || e.Length > math.MaxInt64-e.Offset || e.end() > size {
			return nil, 0, bad
		}
		end = e.end()
		if e.Length > 0 {
			data, length = append(data, e), length+e.Length
		}
	}
	return data, length, err
}
