package main

import (
	"io"
	"sync"
)

// printed writes to standard output, and remembers the first error: most of what
// prints cannot do anything about one, but a command whose results got lost has failed.
type printed struct {
	to  io.Writer
	mu  sync.Mutex
	err error
}

// Write implements io.Writer.
func (p *printed) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	return n, err
}

// lost is the error, if there was one.
func (p *printed) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
