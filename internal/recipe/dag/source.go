package dag

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/limit"
)

// What a file may hold; nobody writes that much.
const (
	maxBytes  = limit.Import
	maxValues = limit.ImportValues
	maxWords  = 1000 // in one list
	maxDepth  = 200
	maxFaults = 50 // nobody reads more at once
)

// source is the file that is imported, and what there is to say about it.
type source struct {
	name   string
	text   []byte
	lines  []string
	places *places
	values int // that were seen
	faults []*fault.Error
	secret map[*fault.Error]bool // whose line is not shown
	notes  []Note
}

func newSource(name string, text []byte, places *places) *source {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	// All that the parser counts as the end of a line.
	ends := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
	return &source{name: name, text: text, lines: strings.Split(ends.Replace(string(text)), "\n"), places: places, secret: map[*fault.Error]bool{}}
}

// refuse reports a mistake at a line and column, which count from 1; its hint
// may be "". Line 0 is the file as a whole.
func (s *source) refuse(line, column int, hint, format string, args ...any) {
	err := fault.New(fault.Input, format, args...).At(s.name, line, column)
	err.Hint = hint
	s.faults = append(s.faults, err)
}

// refuseAt reports a mistake at a node.
func (s *source) refuseAt(n *yaml.Node, hint, format string, args ...any) {
	s.refuse(n.Line, n.Column, hint, format, args...)
}

// refuseSecret is refuseAt without the line, which may end up in a log.
func (s *source) refuseSecret(n *yaml.Node, hint, format string, args ...any) {
	s.refuseAt(n, hint, format, args...)
	s.secret[s.faults[len(s.faults)-1]] = true
}

// note says what a person must look at.
func (s *source) note(n *yaml.Node, format string, args ...any) {
	s.notes = append(s.notes, Note{Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

// err joins the mistakes by place.
func (s *source) err() error {
	slices.SortStableFunc(s.faults, func(a, b *fault.Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var errs []error
	seen := map[string]bool{}
	for _, f := range s.faults {
		if !seen[f.Error()] && len(errs) < maxFaults {
			seen[f.Error()] = true
			if !s.secret[f] {
				f.Snippet = s.snippet(f.Line, f.Column)
			}
			errs = append(errs, f)
		}
	}
	if more := len(s.faults) - maxFaults; len(errs) == maxFaults && more > 0 {
		errs = append(errs, fault.New(fault.Input, "up to %d more mistakes are not shown", more).At(s.name, 0, 0))
	}
	return errors.Join(errs...)
}

func (s *source) sortedNotes() []Note {
	slices.SortStableFunc(s.notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(s.notes)
}

// snippet returns what is around a column of a line, and below it a caret.
func (s *source) snippet(line, column int) string {
	const before, most = 60, 100
	if line < 1 || line > len(s.lines) || column < 1 {
		return ""
	}
	text := []rune(strings.ReplaceAll(strings.ToValidUTF8(s.lines[line-1], "�"), "\t", " "))
	if len(text) == 0 {
		return ""
	}
	at := min(column-1, len(text))
	start := max(0, min(at-before, len(text)-most))
	end := min(len(text), start+most)
	shown := string(text[start:end])
	at -= start
	if start > 0 {
		shown, at = "…"+shown, at+1
	}
	if end < len(text) {
		shown += "…"
	}
	return shown + "\n" + strings.Repeat(" ", at) + "^"
}

// parse returns the root of the file's one document, or nil after a mistake.
func (s *source) parse() *yaml.Node {
	if !s.readable() {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(s.text))
	var first, second yaml.Node
	err := dec.Decode(&first)
	switch {
	case errors.Is(err, io.EOF):
		s.refuse(0, 0, `it needs "image_types", and for what else there is see docs/import-dag.md`, "the file is empty")
		return nil
	case err != nil:
		s.syntax(err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		s.refuseAt(&second, "import the documents one by one", "the file holds more than one YAML document")
		return nil
	case !errors.Is(err, io.EOF):
		s.syntax(err)
		return nil
	}
	root := first.Content[0]
	if s.plain(root, 0); len(s.faults) > 0 {
		return nil
	}
	return root
}

// readable looks at the text before it is parsed.
func (s *source) readable() bool {
	if len(s.text) > maxBytes {
		s.refuse(0, 0, "", "the file has more than %d bytes", maxBytes)
		return false
	}
	for i, line := range s.lines {
		if !utf8.ValidString(line) {
			s.refuse(i+1, 1, "save it as UTF-8", "the file is not UTF-8 text")
			return false
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if at := strings.IndexByte(indent, '\t'); at >= 0 && strings.TrimSpace(line) != "" && line[len(indent)] != '#' {
			s.refuse(i+1, at+1, "indent with spaces", "a tab cannot indent YAML")
		}
	}
	return len(s.faults) == 0
}

// syntax reports text that is not YAML. The parser often names the line where
// the block around a mistake begins; the first line that makes the text before it
// invalid is nearer.
func (s *source) syntax(err error) {
	problem := regexp.MustCompile(`^yaml: (line \d+: )?`).ReplaceAllString(err.Error(), "")
	low, high := 0, len(s.lines) // low lines can be parsed, high lines cannot
	for high-low > 1 {
		mid := (low + high) / 2
		dec := yaml.NewDecoder(strings.NewReader(strings.Join(s.lines[:mid], "\n") + "\n"))
		var err error
		for n := (yaml.Node{}); err == nil; n = (yaml.Node{}) {
			err = dec.Decode(&n)
		}
		if errors.Is(err, io.EOF) {
			low = mid
		} else {
			high = mid
		}
	}
	line, hint := s.lines[high-1], ""
	if i := slices.IndexFunc(s.lines[:high], func(l string) bool { return strings.ContainsAny(l, curly) }); i >= 0 {
		hint = fmt.Sprintf("line %d has typographic quotation marks, as printed pages do; write ' or \"", i+1)
	}
	s.refuse(high, len(line)-len(strings.TrimLeft(line, " "))+1, hint, "not valid YAML: %s", problem)
}

// plain refuses what makes a YAML file say more than is written in it, and
// mappings with a key twice.
func (s *source) plain(n *yaml.Node, depth int) {
	s.values++
	switch {
	case s.values == maxValues:
		s.refuse(0, 0, "", "the file holds more than %d values", maxValues)
		return
	case s.values > maxValues:
		return
	case depth > maxDepth:
		s.refuseAt(n, "", "the file is nested more than %d deep", maxDepth)
		return
	case n.Kind == yaml.AliasNode:
		s.refuseAt(n, "write out what it stands for", "aliases are not understood here")
		return
	case n.Style&yaml.TaggedStyle != 0:
		s.refuseAt(n, "leave out the tag; to make a string of a number, put it in quotes", "tag %s is not understood", quote(n.Tag))
		return
	case n.Kind == yaml.ScalarNode:
		s.straight(n)
		return
	}
	first := map[string]int{}
	for i, below := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			s.plain(below, depth+1)
			continue
		}
		switch {
		case below.Kind == yaml.ScalarNode && below.ShortTag() == "!!merge":
			s.refuseAt(below, "write out what it stands for", "merge keys are not understood here")
		case below.Kind == yaml.AliasNode || below.Style&yaml.TaggedStyle != 0:
			s.plain(below, depth+1)
		case below.Kind != yaml.ScalarNode:
			s.refuseAt(below, "", "a key must be a string, not %s", describe(below))
		case strings.Trim(below.Value, curly) != below.Value:
			s.straight(below)
		case !isString(below):
			s.refuseAt(below, "write "+quote(below.Value)+" in quotes", "a key must be a string, not %s", describe(below))
		case first[below.Value] > 0:
			s.refuseAt(below, "rename one, or make one of the two", "%s is written twice; first on line %d", quote(below.Value), first[below.Value])
		default:
			first[below.Value] = below.Line
		}
	}
}

// curly are the quotation marks that printed pages have, and that YAML takes for letters.
const curly = "‘’‚‛“”„‟"

// straight refuses a value in such quotation marks, as copied from a printed page.
func (s *source) straight(n *yaml.Node) {
	if inside := strings.Trim(n.Value, curly); inside != n.Value {
		s.refuseAt(n, "write "+quote(strings.Trim(inside, `'"`)), "%s is in typographic quotation marks, which are letters in YAML", quote(n.Value))
	}
}

// describe names the type of a node in a sentence.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!null":
		return "nothing"
	}
	return "a string"
}

func isString(n *yaml.Node) bool {
	tag := n.ShortTag()
	return n.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!timestamp" || tag == "!!merge")
}

func isNothing(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// quote puts a word in quotation marks on one line, cut when it is long.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
