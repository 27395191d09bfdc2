package registry

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// The blob of a layer is the same with any number of processors.
func TestCompress(t *testing.T) {
	plain := make([]byte, 2*frame+12345)
	rand.New(rand.NewSource(1)).Read(plain)
	for i := range plain {
		plain[i] &= byte(i >> 8) // so that some of it is worth compressing
	}
	var first []byte
	for _, processors := range []int{1, 2, 7} {
		before := runtime.GOMAXPROCS(processors)
		var out bytes.Buffer
		err := compress(&out, iotest.HalfReader(bytes.NewReader(plain)), level)
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = out.Bytes()
		}
		if !bytes.Equal(out.Bytes(), first) {
			t.Errorf("%d processors make another blob", processors)
		}
	}
	d, err := zstd.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(plain), err)
	}
}

type fullDisk struct{ left int }

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

var errFull = errors.New("full")

func TestCompressFails(t *testing.T) {
	plain := make([]byte, 10*frame)
	rand.New(rand.NewSource(1)).Read(plain)
	if err := compress(&fullDisk{2 * frame}, bytes.NewReader(plain), level); !errors.Is(err, errFull) {
		t.Errorf("writing failed: %v", err)
	}
	if err := compress(io.Discard, io.MultiReader(bytes.NewReader(plain[:frame+1]), iotest.ErrReader(errFull)), level); !errors.Is(err, errFull) {
		t.Errorf("reading failed: %v", err)
	}
}
