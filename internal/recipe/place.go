package recipe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// file is a file of the recipe, read.
type file struct {
	name  string
	order int // 0 is the main file, then the included ones as they are read
	text  string
	lines []string
}

// newFile splits a file's text into lines, at all that the YAML parser counts as
// the end of one.
func newFile(name string, order int, text string) *file {
	ends := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
	return &file{name: name, order: order, text: text, lines: strings.Split(ends.Replace(text), "\n")}
}

// at returns a place in the file. Lines and columns count from 1, columns in
// characters; line 0 is the file as a whole.
func (f *file) at(line, col int) place { return place{file: f, line: line, col: col} }

// line returns a line of the file, counted from 1.
func (f *file) line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	return f.lines[n-1]
}

// place is where something is written.
type place struct {
	file      *file
	line, col int
}

func (p place) pos() layer.Pos { return layer.Pos{File: p.file.name, Line: p.line, Col: p.col} }

func (p place) String() string { return p.pos().String() }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.file.order, q.file.order), cmp.Compare(p.line, q.line), cmp.Compare(p.col, q.col))
}

// snippet returns the line and, below it, a caret under the column. Of a long
// line it returns what is around the column.
func (p place) snippet() string {
	const before, most = 60, 100
	line := []rune(strings.ToValidUTF8(p.file.line(p.line), "�"))
	if p.line == 0 || p.col == 0 || len(line) == 0 {
		return ""
	}
	col := min(p.col-1, len(line))
	if len(line) > most {
		start := max(0, min(col-before, len(line)-most))
		end := min(start+most, len(line))
		cut := slices.Clone(line[start:end])
		col -= start
		if start > 0 {
			cut, col = append([]rune("…"), cut...), col+1
		}
		if end < len(line) {
			cut = append(cut, '…')
		}
		line = cut
	}
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(line[:col]))
	return string(line) + "\n" + pad + "^"
}

// column turns a byte offset in a line into a column.
func column(line string, offset int) int {
	return utf8.RuneCountInString(line[:min(offset, len(line))]) + 1
}

// indentation returns the column of a line's first character that is not blank.
func indentation(line string) int {
	return len(line) - len(strings.TrimLeft(line, " \t")) + 1
}

// mistake is a fault and where it is, for sorting.
type mistake struct {
	at  place
	err *fault.Error
}

// faults collects the mistakes of all files.
type faults struct {
	list []mistake
}

// add reports a mistake; its hint may be "".
func (fs *faults) add(at place, hint, format string, args ...any) {
	err := fault.New(fault.Input, format, args...).At(at.file.name, at.line, at.col)
	err.Hint, err.Snippet = hint, at.snippet()
	fs.list = append(fs.list, mistake{at, err})
}

// err joins the mistakes, sorted by place. What an alias repeats is told once.
func (fs *faults) err() error {
	slices.SortStableFunc(fs.list, func(a, b mistake) int { return a.at.compare(b.at) })
	seen := map[string]bool{}
	var errs []error
	for _, m := range fs.list {
		if id := fmt.Sprint(m.at.file.order, " ", m.err.Error()); !seen[id] {
			seen[id] = true
			errs = append(errs, m.err)
		}
	}
	return errors.Join(errs...)
}
