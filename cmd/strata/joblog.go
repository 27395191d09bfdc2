package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// jobLog is the log of a CI job, in which only Strata itself gives orders to the CI
// system. GitHub's takes a line that begins with :: for one, and ##[ anywhere in it (see
// ActionCommand in its runner, and those of Forgejo and Gitea after it); GitLab's takes
// section_start: and section_end:. Of each in what others wrote, the last sign is
// written as JSON writes it, so that documents for programs stay what they are.
type jobLog struct {
	out  io.Writer
	form string
	mu   sync.Mutex
	line []byte // the end of the line so far, without blanks at its beginning
}

// inJob is a writer to the log of a CI system of that form, or w itself outside of one.
func inJob(w io.Writer, form string) io.Writer {
	if form == "" {
		return w
	}
	return &jobLog{out: w, form: form}
}

// orders is what to write orders to.
func orders(w io.Writer) io.Writer {
	if j, ok := w.(*jobLog); ok {
		return j.out
	}
	return w
}

// longOrder is more than any sign of an order takes.
const longOrder = 16

// Write implements io.Writer.
func (j *jobLog) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	safe := make([]byte, 0, len(p))
	for _, b := range p {
		if j.begins(b) {
			safe = fmt.Appendf(safe, `\u%04x`, b)
		} else {
			safe = append(safe, b)
		}
		switch {
		case b == '\n' || b == '\r':
			j.line = j.line[:0]
		case len(j.line) == 0 && (b == ' ' || b == '\t'):
		case len(j.line) == longOrder:
			j.line = append(j.line[:0], append(j.line[1:], b)...)
		default:
			j.line = append(j.line, b)
		}
	}
	if _, err := j.out.Write(safe); err != nil {
		return 0, err
	}
	return len(p), nil
}

// begins says whether with a sign an order begins.
func (j *jobLog) begins(b byte) bool {
	switch {
	case j.form == githubSections && b == ':':
		return string(j.line) == ":"
	case j.form == githubSections && b == '[':
		return bytes.HasSuffix(j.line, []byte("##"))
	case j.form == gitlabSections && b == ':':
		return bytes.HasSuffix(j.line, []byte("section_start")) || bytes.HasSuffix(j.line, []byte("section_end"))
	}
	return false
}
