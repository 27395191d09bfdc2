package secret

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// Blot stands in a text for a secret.
const Blot = "[secret]"

// shortestLine is how long a line of a secret is at least that is blotted out of
// what programs say: there it does little harm to blot out too much.
const shortestLine = 3

// Blotter hands on a text with the secrets in it blotted out, in all forms that a
// Finder finds, and short ones as they are. What may be the beginning of one is
// held back until more is known.
type Blotter struct {
	out   io.Writer
	forms []form
	held  []byte
}

// NewBlotter returns a Blotter that writes to out.
func NewBlotter(out io.Writer, values Values) *Blotter {
	b := &Blotter{out: out, forms: formsOf(values)}
	for name, value := range values {
		for _, line := range append(strings.Split(string(value), "\n"), string(value)) {
			if line = strings.TrimSpace(line); len(line) >= shortestLine {
				b.forms = append(b.forms, form{secret: name, text: []byte(line)})
			}
		}
	}
	// Longer ones first: one may be part of another.
	slices.SortStableFunc(b.forms, func(x, y form) int { return len(y.text) - len(x.text) })
	return b
}

// Write implements io.Writer.
func (b *Blotter) Write(p []byte) (int, error) {
	b.held = b.blot(append(b.held, p...))
	held := 0
	for i := range b.forms {
		held = max(held, b.forms[i].begun(b.held))
	}
	return len(p), b.release(len(b.held) - held)
}

// Close hands on what was held back. It does not close what is written to.
func (b *Blotter) Close() error { return b.release(len(b.held)) }

func (b *Blotter) release(n int) error {
	if n == 0 {
		return nil
	}
	_, err := b.out.Write(b.held[:n])
	b.held = append([]byte(nil), b.held[n:]...)
	return err
}

func (b *Blotter) blot(p []byte) []byte {
	for i := range b.forms {
		f := &b.forms[i]
		for from := 0; ; {
			at := bytes.IndexByte(p[from:], f.text[0])
			if at < 0 {
				break
			}
			at += from
			from = at + 1
			if begin, end, ok := f.at(p, at, 0); ok {
				p = slices.Replace(p, begin, end, []byte(Blot)...)
				from = begin + len(Blot)
			}
		}
	}
	return p
}
