package secret

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkBlot blots lines of output with a key and a password.
func BenchmarkBlot(b *testing.B) {
	all := values()
	out := NewBlotter(io.Discard, Values{"key": all["key"], "token": all["token"], "munge": all["munge"]})
	line := []byte("Setting up libsomething-dev:amd64 (1.2.3-4) ... and more words of that kind\n")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, _ = out.Write(line)
	}
}

// BenchmarkBlotDots blots output without ends of lines.
func BenchmarkBlotDots(b *testing.B) {
	out := NewBlotter(io.Discard, values())
	part := []byte(strings.Repeat("c", 32<<10))
	b.SetBytes(int64(len(part)))
	for b.Loop() {
		_, _ = out.Write(part)
	}
}
