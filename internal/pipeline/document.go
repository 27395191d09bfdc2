package pipeline

import (
	"bytes"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/printable"
)

// document is a YAML mapping that is written key by key, with comments and
// blank lines between them.
type document struct {
	text bytes.Buffer
	err  error
}

// add adds a key with its value.
func (d *document) add(key string, value any) {
	e := yaml.NewEncoder(&d.text)
	e.SetIndent(2)
	if err := e.Encode(map[string]any{key: value}); err != nil && d.err == nil {
		d.err = err
	}
}

// text is a text of any number of lines. It is quoted where it holds signs that are
// not to be seen: some are ends of lines for YAML 1.1, in blocks as well, and a
// block with tabs the library itself does not always read again.
type text string

// MarshalYAML implements yaml.Marshaler.
func (t text) MarshalYAML() (any, error) {
	s := string(t)
	n := &yaml.Node{}
	n.SetString(s)
	if strings.ReplaceAll(s, "\n", "") != printable.Line(strings.ReplaceAll(s, "\n", "")) || s != strings.TrimLeft(s, " \n") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n, nil
}

func texts(list []string) []text {
	var all []text
	for _, s := range list {
		all = append(all, text(s))
	}
	return all
}

func (d *document) gap() { d.text.WriteByte('\n') }

// comment adds lines that are for people.
func (d *document) comment(lines ...string) {
	for _, text := range lines {
		for l := range strings.Lines(text) {
			d.text.WriteString(strings.TrimRight("# "+line(l), " ") + "\n")
		}
	}
}

func (d *document) write(w io.Writer) error {
	if d.err != nil {
		return d.err
	}
	_, err := w.Write(d.text.Bytes())
	return err
}

// below adds a document as the value of a key.
func (d *document) below(key string, sub *document) *document {
	if d.err == nil {
		d.err = sub.err
	}
	d.text.WriteString(key + ":\n")
	for l := range strings.Lines(sub.text.String()) {
		if l != "\n" {
			l = "  " + l
		}
		d.text.WriteString(l)
	}
	return d
}

// line is text as one line that is not too long, with nothing in it that YAML, make
// or a terminal would not let stand in a comment.
func line(s string) string {
	const most = 160
	s = printable.Line(strings.Join(strings.Fields(s), " "))
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return s
}
