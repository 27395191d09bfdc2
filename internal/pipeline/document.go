package pipeline

import (
	"bytes"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
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
