package inventory

import (
	"errors"
	"strings"
)

// words splits a line as Python's shlex.split with comments does.
func words(line string) ([]string, error) {
	var list []string
	var word strings.Builder
	started := false // a word, perhaps an empty one in quotes, has begun
	var quote byte
	end := func() {
		if started {
			list = append(list, word.String())
		}
		word.Reset()
		started = false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '"' && c == '\\':
			if i++; i == len(line) {
				return nil, errors.New("a backslash at the end")
			}
			if line[i] != '"' && line[i] != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(line[i])
		case quote != 0:
			word.WriteByte(c)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			end()
		case c == '#':
			// The comment goes to the end of the line, also from within a word.
			n := strings.IndexByte(line[i:], '\n')
			if n < 0 {
				n = len(line) - i
			}
			i += n
			end()
		case c == '\\':
			if i++; i == len(line) {
				return nil, errors.New("a backslash at the end")
			}
			word.WriteByte(line[i])
			started = true
		case c == '"' || c == '\'':
			quote, started = c, true
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quotation is not closed")
	}
	end()
	return list, nil
}
