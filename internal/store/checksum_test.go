package store

import (
	"hash/crc64"
	"math/rand/v2"
	"testing"

	tsstorage "github.com/vbatts/tar-split/tar/storage"
)

// inParts is the checksum of a message that comes in two parts.
func inParts(p []byte, at int) uint64 { return checksum(checksum(0, p[:at]), p[at:]) }

func TestChecksum(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{1}))
	content := make([]byte, 70_000)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	for n := range 2000 {
		p := content[n%9 : n%9+n]
		if got, want := inParts(p, random.IntN(n+1)), crc64.Checksum(p, tsstorage.CRCTable); got != want {
			t.Fatalf("of %d bytes: %x, want %x", n, got, want)
		}
	}
	for range 500 {
		n := random.IntN(len(content))
		at := random.IntN(n + 1)
		if got, want := inParts(content[:n], at), crc64.Checksum(content[:n], tsstorage.CRCTable); got != want {
			t.Fatalf("of %d and %d bytes: %x, want %x", at, n-at, got, want)
		}
	}
}

func FuzzChecksum(f *testing.F) {
	f.Add(make([]byte, 3*foldFrom+1), 5)
	f.Add([]byte("short"), 2)
	f.Fuzz(func(t *testing.T, p []byte, at int) {
		at = max(0, min(at, len(p)))
		if got, want := inParts(p, at), crc64.Checksum(p, tsstorage.CRCTable); got != want {
			t.Errorf("%x, want %x", got, want)
		}
	})
}

func BenchmarkChecksum(b *testing.B) {
	p := make([]byte, 256<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		checksum(0, p)
	}
}
