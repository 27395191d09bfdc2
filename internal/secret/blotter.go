package secret

import (
	"errors"
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
	forms [256][]form // by their first byte, longer ones first: one may be part of another
	held  []byte
	blank []byte // what is handed on, kept for its space
}

// NewBlotter returns a Blotter that writes to out.
func NewBlotter(out io.Writer, values Values) *Blotter {
	b := &Blotter{out: out}
	forms := formsOf(values)
	for name, value := range values {
		for _, line := range append(strings.Split(string(value), "\n"), string(value)) {
			if line = strings.TrimSpace(line); len(line) >= shortestLine {
				forms = append(forms, form{secret: name, text: []byte(line)})
			}
		}
	}
	slices.SortStableFunc(forms, func(x, y form) int { return len(y.text) - len(x.text) })
	for _, f := range forms {
		b.forms[f.text[0]] = append(b.forms[f.text[0]], f)
	}
	return b
}

// Blotted is a text without the values.
func (v Values) Blotted(text string) string {
	if len(v) == 0 || text == "" {
		return text
	}
	var out strings.Builder
	b := NewBlotter(&out, v)
	_, err := b.Write([]byte(text))
	if errors.Join(err, b.Close()) != nil {
		return Blot // a Builder takes everything
	}
	return out.String()
}

// Write implements io.Writer.
func (b *Blotter) Write(p []byte) (int, error) {
	b.held = append(b.held, p...)
	done, out := 0, b.blank[:0]
	for i := 0; i < len(b.held); {
		end, begun := b.look(b.held[i:])
		if end == 0 && begun {
			err := b.hand(append(out, b.held[done:i]...))
			b.held = append(b.held[:0], b.held[i:]...)
			return len(p), err
		}
		if end == 0 {
			i++
			continue
		}
		out = append(append(out, b.held[done:i]...), Blot...)
		i += end
		done = i
	}
	err := b.hand(append(out, b.held[done:]...))
	b.held = b.held[:0]
	return len(p), err
}

// look returns how long the form is that p begins with, or 0, and whether p may be
// the beginning of one.
func (b *Blotter) look(p []byte) (end int, begun bool) {
	forms := b.forms[p[0]]
	for i := range forms {
		length, whole := forms[i].begins(p)
		if whole {
			return length, false
		}
		begun = begun || length > 0
	}
	return 0, begun
}

func (b *Blotter) hand(out []byte) error {
	b.blank = out
	if len(out) == 0 {
		return nil
	}
	_, err := b.out.Write(out)
	return err
}

// Close hands on what was held back. It does not close what is written to.
func (b *Blotter) Close() error {
	err := b.hand(append(b.blank[:0], b.held...))
	b.held = b.held[:0]
	return err
}
