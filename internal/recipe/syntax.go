package recipe

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// syntax reports text that is not YAML. The parser's own line is often that of
// the block around the mistake, or one off, so the line is found anew.
func (l *loader) syntax(f *file, err error) {
	problem := regexp.MustCompile(`^yaml: (line \d+: )?`).ReplaceAllString(err.Error(), "")
	n := faultyLine(f)
	line := f.line(n)
	if tabs := tabbed(f, n); len(tabs) > 0 {
		hint := "indent with spaces"
		if len(tabs) > 1 {
			hint += "; there are tabs on lines " + listLines(tabs)
		}
		at := strings.IndexByte(f.line(tabs[0]), '\t')
		l.faults.add(f.at(tabs[0], column(f.line(tabs[0]), at)), hint, "a tab cannot indent YAML")
		return
	}
	l.faults.add(f.at(n, culprit(problem, line)), syntaxHint(problem, line), "not valid YAML: %s", problem)
}

// culprit is the column of the character that a message of the parser is about,
// as far as one can tell; else that of the line's first.
func culprit(problem, line string) int {
	i := -1
	switch {
	case strings.Contains(problem, "control characters"):
		i = strings.IndexFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' })
	case strings.Contains(problem, "cannot start any token"):
		i = strings.IndexAny(line, "@`%|>")
	case strings.Contains(problem, "escape character"):
		i = strings.IndexByte(line, '\\')
	case strings.Contains(problem, "unknown anchor"):
		_, name, _ := strings.Cut(problem, "'")
		name, _, _ = strings.Cut(name, "'")
		i = strings.Index(line, "*"+name)
	}
	if i < 0 {
		return indentation(line)
	}
	return column(line, i)
}

// syntaxHint says what usually causes a message of the parser.
func syntaxHint(problem, line string) string {
	balanced := strings.Count(line, "[") == strings.Count(line, "]") && strings.Count(line, "{") == strings.Count(line, "}")
	switch {
	case !balanced && strings.Contains(problem, "did not find expected"):
		return "check that every [ and { is closed, and only once"
	case strings.Contains(problem, "mapping values are not allowed"):
		return `put a value that contains ": " in quotes, or check the indentation`
	case strings.Contains(problem, "cannot start any token"):
		return "put the value in quotes, since none can begin with this character here"
	case strings.Contains(problem, "unexpected end of stream"), strings.Contains(problem, "quoted scalar"):
		return "check that every quotation mark is closed"
	case strings.Contains(problem, "escape character"):
		return "write \\\\ for a backslash, or use single quotes"
	case strings.Contains(problem, "could not find expected ':'"):
		return `write KEY: VALUE, with a space after the colon`
	case strings.Contains(problem, "unknown anchor"):
		return "an anchor (&NAME) must stand before its aliases (*NAME); put a value that begins with * in quotes"
	case strings.Contains(problem, "control characters"):
		return "delete the character, or write it as \\x.. in double quotes"
	case strings.HasPrefix(strings.TrimSpace(line), "- "), strings.Contains(problem, "expected key"), strings.Contains(problem, "expected '-' indicator"):
		return "check that the line is indented as the ones that it belongs with"
	}
	return ""
}

// faultyLine finds the first line that makes the text before it invalid: the
// text up to the line above can be parsed. Bisection alone could stop at a
// bracket that is only closed some lines later, so it looks further from there.
func faultyLine(f *file) int {
	const lookahead = 40
	valid := 0
	for {
		low, high := valid, len(f.lines) // low lines can be parsed, high lines cannot
		for high-low > 1 {
			if mid := (low + high) / 2; parses(f.lines[:mid]) {
				low = mid
			} else {
				high = mid
			}
		}
		valid = low
		for n := high + 1; n <= min(high+lookahead, len(f.lines)); n++ {
			if parses(f.lines[:n]) {
				valid = n
				break
			}
		}
		if valid == low {
			break
		}
	}
	n := valid + 1
	for n < len(f.lines) && strings.TrimSpace(f.line(n)) == "" {
		n++
	}
	return min(n, len(f.lines))
}

// parses reports whether lines are valid YAML.
func parses(lines []string) bool {
	dec := yaml.NewDecoder(strings.NewReader(strings.Join(lines, "\n") + "\n"))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// tabbed returns the lines that are indented with tabs if the faulty line is one
// of them, that line first.
func tabbed(f *file, faulty int) []int {
	hasTab := func(n int) bool {
		line := f.line(n)
		return strings.Contains(line[:indentation(line)-1], "\t")
	}
	if !hasTab(faulty) {
		return nil
	}
	lines := []int{faulty}
	for n := faulty + 1; n <= len(f.lines); n++ {
		if hasTab(n) {
			lines = append(lines, n)
		}
	}
	return lines
}

func listLines(lines []int) string {
	const most = 5
	var words []string
	for i, n := range lines {
		if i == most {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(lines)-most)
		}
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}
