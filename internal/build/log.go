package build

import (
	"bytes"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
)

// nodeLog receives what a node's steps say: all of it goes to a file, each
// line to a watcher, and the last lines are remembered. Secrets are blotted out.
type nodeLog struct {
	mu      sync.Mutex
	file    io.WriteCloser
	secrets *strings.Replacer
	line    func(string)
	partial []byte
	last    []string
}

// lastLines is how much of a log an error shows.
const lastLines = 20

func newLog(path string, secrets map[string][]byte, line func(string)) (*nodeLog, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &nodeLog{file: f, secrets: blot(secrets), line: line}, nil
}

// blot replaces the secrets, and each line of those with several.
func blot(secrets map[string][]byte) *strings.Replacer {
	var texts []string
	for _, value := range secrets {
		texts = append(texts, strings.Split(string(value), "\n")...)
		texts = append(texts, string(value))
	}
	// Longer ones first: one may be part of another.
	sort.Slice(texts, func(i, j int) bool { return len(texts[i]) > len(texts[j]) })
	var pairs []string
	for _, text := range texts {
		if text = strings.TrimSpace(text); len(text) >= 3 {
			pairs = append(pairs, text, "[secret]")
		}
	}
	return strings.NewReplacer(pairs...)
}

// Write implements io.Writer.
func (l *nodeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		end := bytes.IndexAny(l.partial, "\n\r")
		if end < 0 {
			// A program may print dots for minutes; what is shown need not be whole.
			if len(l.partial) > 64<<10 {
				l.emit(string(l.partial))
				l.partial = nil
			}
			return len(p), nil
		}
		l.emit(string(l.partial[:end]))
		l.partial = l.partial[end+1:]
	}
}

func (l *nodeLog) emit(line string) {
	line = l.secrets.Replace(strings.ToValidUTF8(line, "\uFFFD"))
	_, _ = io.WriteString(l.file, line+"\n")
	if strings.TrimSpace(line) == "" {
		return
	}
	if l.last = append(l.last, line); len(l.last) > lastLines {
		l.last = l.last[1:]
	}
	l.line(line)
}

// end returns the last lines.
func (l *nodeLog) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

// Close writes what is left and closes the file.
func (l *nodeLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.emit(string(l.partial))
		l.partial = nil
	}
	return l.file.Close()
}
