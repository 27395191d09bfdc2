package registry

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A blob that asks for more memory than zstd's strongest level takes is refused before
// it gets any.
func TestMemoryOfZstd(t *testing.T) {
	// A frame (RFC 8878) that declares a window of a power of two, and holds one raw
	// block of one byte.
	frame := func(power byte) []byte {
		return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, (power - 10) << 3, 0x09, 0x00, 0x00, 'x'}
	}
	for power, want := range map[byte]error{20: nil, 27: nil, 28: zstd.ErrWindowSizeExceeded, 30: zstd.ErrWindowSizeExceeded, 41: zstd.ErrWindowSizeExceeded} {
		r, err := decompress(bytes.NewReader(frame(power)))
		var content []byte
		if err == nil {
			content, err = io.ReadAll(r)
			r.Close()
		}
		if !errors.Is(err, want) || want == nil && (err != nil || string(content) != "x") {
			t.Errorf("a window of 2^%d bytes: %q, %v", power, content, err)
		}
	}
}
