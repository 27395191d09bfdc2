package store

import (
	"crypto/sha256"
	"hash"
)

// digester takes the SHA-256 of a stream in a goroutine of its own, while the
// stream goes on. What is written is copied into parts, so that many small
// pieces are handed over at once.
type digester struct {
	sum  hash.Hash
	part []byte      // being filled
	full chan []byte // for the goroutine
	free chan []byte // back from it
	done chan struct{}
}

const (
	digestPart  = 256 << 10
	digestParts = 4
)

// newDigester returns a digester, which must be closed.
func newDigester() *digester {
	d := &digester{sum: sha256.New(), part: make([]byte, 0, digestPart),
		full: make(chan []byte, digestParts), free: make(chan []byte, digestParts), done: make(chan struct{})}
	for range digestParts - 1 {
		d.free <- make([]byte, 0, digestPart)
	}
	go func() {
		defer close(d.done)
		for part := range d.full {
			_, _ = d.sum.Write(part) // has no errors
			d.free <- part[:0]
		}
	}()
	return d
}

// write adds p, of which it keeps nothing.
func (d *digester) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), digestPart-len(d.part))
		d.part, p = append(d.part, p[:n]...), p[n:]
		if len(d.part) == digestPart {
			d.full <- d.part
			d.part = <-d.free
		}
	}
}

// close waits for the goroutine. Then sum is the whole stream's.
func (d *digester) close() {
	d.full <- d.part
	close(d.full)
	<-d.done
}
