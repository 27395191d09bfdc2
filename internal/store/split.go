package store

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"io"

	tsstorage "github.com/vbatts/tar-split/tar/storage"
)

// splitter receives a tar stream that is being written, digests it, and records
// it in tar-split's form: headers and padding as they are, a file's content as
// its size and checksum. It is told where content begins, so unlike tar-split's
// own reader it need not parse the stream, nor hand it on through pipes.
//
// What a sparse file has in the stream, its map and its data, is not what a
// reader of the file gets, so that it is recorded as it is: it is twice in the
// store.
type splitter struct {
	record  tsstorage.Packer
	digest  *digester // sha256 of the stream
	size    int64     // of the stream so far
	segment []byte    // headers and padding since the last content

	name string // of the file whose content comes now
	want int64  // its size
	left int64  // what of it is still to come
	crc  uint64 // of what has come
}

// newSplitter returns a splitter that records to w. It must be closed.
func newSplitter(w io.Writer) *splitter {
	return &splitter{record: tsstorage.NewJSONPacker(w), digest: newDigester()}
}

// stored says that a header was written, and content of its size follows.
func (s *splitter) stored(hdr *tar.Header) error {
	if err := s.endSegment(); err != nil {
		return err
	}
	s.name, s.want, s.left = hdr.Name, hdr.Size, hdr.Size
	if hdr.Size == 0 {
		return s.endFile(nil)
	}
	return nil
}

// Write implements io.Writer.
func (s *splitter) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	s.digest.write(p)
	content := p[:min(int64(len(p)), s.left)]
	s.crc = checksum(s.crc, content)
	s.segment = append(s.segment, p[len(content):]...)
	s.left -= int64(len(content))
	if len(content) > 0 && s.left == 0 {
		return len(p), s.endFile(binary.BigEndian.AppendUint64(nil, s.crc))
	}
	if len(s.segment) >= longSegment { // a sparse file's data
		return len(p), s.endSegment()
	}
	return len(p), nil
}

// longSegment is from which length on a segment is recorded in parts.
const longSegment = 1 << 20

func (s *splitter) endSegment() error {
	if len(s.segment) == 0 {
		return nil
	}
	_, err := s.record.AddEntry(tsstorage.Entry{Type: tsstorage.SegmentType, Payload: s.segment})
	s.segment = s.segment[:0]
	return recordError(err)
}

func (s *splitter) endFile(checksum []byte) error {
	e := tsstorage.Entry{Type: tsstorage.FileType, Size: s.want, Payload: checksum}
	e.SetName(s.name)
	s.crc = 0
	_, err := s.record.AddEntry(e)
	return recordError(err)
}

// Close records what is left, and ends the digest.
func (s *splitter) Close() error {
	s.digest.close()
	return s.endSegment()
}

func recordError(err error) error {
	if err != nil {
		return fmt.Errorf("record tar stream: %w", err)
	}
	return nil
}
