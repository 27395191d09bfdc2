package engine

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/strata-hpc/strata/internal/secret"
)

// nodeLog receives what a node's steps say: all of it goes to a file, each
// line to a watcher, and the last lines are remembered. Secrets are blotted out.
type nodeLog struct {
	mu      sync.Mutex
	file    io.WriteCloser
	blotter *secret.Blotter
	line    func(string)
	partial []byte
	last    []string
}

// lastLines is how much of a log an error shows.
const lastLines = 20

func newLog(path string, secrets secret.Values, line func(string)) (*nodeLog, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	l := &nodeLog{file: f, line: line}
	l.blotter = secret.NewBlotter(writerFunc(l.split), secrets)
	return l, nil
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// Write implements io.Writer.
func (l *nodeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blotter.Write(p)
}

// split makes lines of what has no secrets any more.
func (l *nodeLog) split(p []byte) {
	l.partial = append(l.partial, p...)
	for {
		end := bytes.IndexAny(l.partial, "\n\r")
		if end < 0 {
			// A program may print dots for minutes; what is shown need not be whole.
			if len(l.partial) > 64<<10 {
				l.emit(string(l.partial))
				l.partial = nil
			}
			return
		}
		l.emit(string(l.partial[:end]))
		l.partial = l.partial[end+1:]
	}
}

func (l *nodeLog) emit(line string) {
	line = strings.ToValidUTF8(line, "\uFFFD")
	_, _ = io.WriteString(l.file, line+"\n")
	if strings.TrimSpace(line) == "" {
		return
	}
	if l.last = append(l.last, line); len(l.last) > lastLines {
		l.last = l.last[1:]
	}
	l.line(line)
}

// flush hands on what may have been the beginning of a secret: a step is over.
func (l *nodeLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.blotter.Close() // split has no errors
}

// end returns the last lines.
func (l *nodeLog) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

// Close writes what is left and closes the file.
func (l *nodeLog) Close() error {
	l.flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.emit(string(l.partial))
		l.partial = nil
	}
	return l.file.Close()
}
