package apt

import (
	"bytes"
	"strings"
)

// complaints keep the end of what dpkg and packages' scripts write on standard error,
// without what dpkg has to say of the order in which packages come: a bootstrap cannot
// help it, and it would bury an error.
type complaints struct {
	line    []byte // not yet whole
	ordered bool   // the lines are about the order
	kept    []byte
}

const mostComplaints = 4096 // bytes

// Write implements io.Writer.
func (c *complaints) Write(p []byte) (int, error) {
	c.line = append(c.line, p...)
	for {
		end := bytes.IndexByte(c.line, '\n')
		if end < 0 {
			return len(p), nil
		}
		c.add(c.line[:end+1])
		c.line = c.line[end+1:]
	}
}

func (c *complaints) add(line []byte) {
	if line[0] != ' ' && line[0] != '\n' { // what is indented belongs to the line before
		text := string(line)
		c.ordered = strings.HasPrefix(text, "dpkg: regarding ") || strings.HasPrefix(text, "dpkg: warning: ") ||
			strings.HasPrefix(text, "dpkg: ") && strings.Contains(text, "dependency problems, but")
	}
	if c.ordered {
		return
	}
	c.kept = append(c.kept, line...)
	if more := len(c.kept) - mostComplaints; more > 0 {
		c.kept = append(c.kept[:0], c.kept[more:]...)
	}
}

// String is what was kept.
func (c *complaints) String() string { return string(c.kept) + string(c.line) }
