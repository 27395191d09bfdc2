package apt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// A package is an ar archive (deb(5)): a header of 60 bytes before each member,
// with the name in its first 16 and the size, in decimal, in 10 from the 49th.
const (
	arMagic    = "!<arch>\n"
	arHeader   = 60
	arSizeFrom = 48
	arSizeTo   = 58
	dataMember = "data.tar"
)

// repacked is a package that is written again, with its files not compressed:
// dpkg reads them a second time, and need not decompress them a second time.
type repacked struct {
	file *os.File
	from int64 // where the data's header is
	n    int64 // bytes of data so far
}

// repack begins the copy at path of the package at original, up to its data,
// which is then to be written to the result.
func repack(original, path string) (*repacked, error) {
	in, err := os.Open(original)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	head, err := beforeData(in)
	if err != nil {
		return nil, fmt.Errorf("read package %s: %w", original, err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	r := &repacked{file: out, from: int64(len(head))}
	if _, err := out.Write(append(head, arLine(0)...)); err != nil {
		out.Close()
		return nil, err
	}
	return r, nil
}

// beforeData reads a package up to the header of its data.
func beforeData(in io.Reader) ([]byte, error) {
	const most = 16 << 20 // members before the data are small
	head := make([]byte, len(arMagic))
	if _, err := io.ReadFull(in, head); err != nil || string(head) != arMagic {
		return nil, errors.New("it is no ar archive")
	}
	for {
		header := make([]byte, arHeader)
		if _, err := io.ReadFull(in, header); err != nil {
			return nil, errors.New("it has no data")
		}
		if bytes.HasPrefix(header, []byte(dataMember)) {
			return head, nil
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(header[arSizeFrom:arSizeTo])), 10, 64)
		if err != nil || size < 0 || size > most {
			return nil, errors.New("a header is damaged")
		}
		member := make([]byte, size+size%2)
		if _, err := io.ReadFull(in, member); err != nil {
			return nil, err
		}
		head = append(append(head, header...), member...)
	}
}

// arLine is the header of the data.
func arLine(size int64) []byte {
	return fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", dataMember, 0, 0, 0, "100644", size)
}

// Write implements io.Writer.
func (r *repacked) Write(p []byte) (int, error) {
	n, err := r.file.Write(p)
	r.n += int64(n)
	return n, err
}

// Close ends the data.
func (r *repacked) Close() error {
	var err error
	if r.n%2 == 1 {
		_, err = r.file.Write([]byte{'\n'})
	}
	_, sizeErr := r.file.WriteAt(arLine(r.n), r.from)
	return errors.Join(err, sizeErr, r.file.Close())
}
