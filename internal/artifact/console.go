package artifact

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
)

// console passes on what the guest prints, remembers the end of it, and calls
// alarm, once, when the guest says that it will not come up.
type console struct {
	next  io.Writer // may be nil
	alarm func(trouble string)

	mu      sync.Mutex
	lines   []string // the last consoleLines complete lines, without control sequences
	current []byte   // the line that is being printed
	cr      bool     // the last byte was a carriage return
	trouble string   // why there is no hope, once it is known
}

const (
	consoleLines  = 40
	consoleLength = 4096 // of a line; the rest is cut off
)

// hopeless are the words after which a guest waits for a person, or for ever.
// systemd's own emergency mode is not among them: its debug shell still tells
// what failed.
var hopeless = []struct{ words, trouble string }{
	{"Kernel panic - not syncing", "the kernel panicked"},
	{"(initramfs) ", "the initrd gave up and started its emergency shell"},
	{"Entering emergency mode. Exit the shell to continue.", "the initrd gave up and started its emergency shell"},
	{"Boot failed: not a bootable disk", "the machine found nothing to boot"},
}

// control matches the sequences that colour, move and clear.
var control = regexp.MustCompile(`\x1b(\[[0-9;?=>]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>78cM])|[\x00-\x08\x0b-\x1f]`)

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	before := c.trouble
	for _, b := range p {
		c.put(b)
	}
	c.look() // a prompt does not end in a newline
	trouble := c.trouble
	c.mu.Unlock()
	if before == "" && trouble != "" {
		c.alarm(trouble)
	}
	if c.next != nil {
		return c.next.Write(p)
	}
	return len(p), nil
}

func (c *console) put(b byte) {
	switch b {
	case '\n':
		c.look()
		c.lines = append(c.lines, clean(c.current))
		if n := len(c.lines) - consoleLines; n > 0 {
			c.lines = append(c.lines[:0], c.lines[n:]...)
		}
		c.current, c.cr = c.current[:0], false
	case '\r':
		c.cr = true
	default:
		if c.cr { // a bar that is drawn again over itself
			c.current, c.cr = c.current[:0], false
		}
		if len(c.current) < consoleLength {
			c.current = append(c.current, b)
		}
	}
}

// look searches the current line for a reason to give up.
func (c *console) look() {
	for _, h := range hopeless {
		if c.trouble == "" && bytes.Contains(c.current, []byte(h.words)) {
			c.trouble = h.trouble
		}
	}
}

// Tail returns the last lines of the console.
func (c *console) Tail() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.lines
	if last := clean(c.current); last != "" {
		lines = append(lines[:len(lines):len(lines)], last)
	}
	return strings.Join(lines, "\n")
}

// clean makes a line of a terminal fit for a log.
func clean(line []byte) string {
	return strings.TrimRight(string(bytes.ToValidUTF8(control.ReplaceAll(line, nil), []byte("?"))), " ")
}
