package recipe

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// examples holds introduction.md, which opens the reference, and for each
// section that has one an example NAME.yaml.
//
//go:embed examples
var examples embed.FS

// Reference returns the configuration reference in Markdown: an introduction,
// then a section per mapping with its keys, in the order of the schema.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(example("introduction.md"))
	r := referrer{out: &b, seen: map[string]bool{}}
	r.section(shapeOf(projectDoc{}), "strata.yaml", "")
	for len(r.todo) > 0 {
		next := r.todo[0]
		r.todo = r.todo[1:]
		r.section(next.shape, next.path, next.doc)
	}
	r.notYet()
	return []byte(b.String())
}

// example returns a file of examples, or "".
func example(name string) string {
	text, err := fs.ReadFile(examples, "examples/"+name)
	if err != nil {
		return ""
	}
	return string(text)
}

// referrer writes the sections.
type referrer struct {
	out   *strings.Builder
	seen  map[string]bool
	todo  []chapter
	later []string // lines about keys that are refused
}

// chapter is a section to write: a mapping and where it stands.
type chapter struct {
	shape *shape
	path  string
	doc   string
}

// section writes a mapping's keys and notes the mappings below it.
func (r *referrer) section(s *shape, path, doc string) {
	title := s.name
	if doc == "" {
		title = path
	}
	fmt.Fprintf(r.out, "\n## %s\n\n", title)
	if doc != "" {
		fmt.Fprintf(r.out, "At `%s`. %s\n\n", path, doc)
	}
	if s.short != nil {
		fmt.Fprintf(r.out, "Instead of the mapping, the value of `%s` alone may be written.\n\n", s.short.key)
	}
	fmt.Fprintf(r.out, "| key | value | meaning |\n|---|---|---|\n")
	var below []chapter
	for _, f := range s.fields {
		at := f.key
		if doc != "" {
			at = path + "." + f.key
		}
		if f.shape.kind == kindLater {
			r.later = append(r.later, fmt.Sprintf("| `%s` | %s |\n", at, f.doc))
			continue
		}
		fmt.Fprintf(r.out, "| `%s` | %s | %s |\n", f.key, valueWords(f.shape), strings.ReplaceAll(meaning(s, f), "|", `\|`))
		if m, suffix := mappingIn(f.shape); m != nil && !r.seen[m.name] {
			r.seen[m.name] = true
			below = append(below, chapter{m, at + suffix, f.doc})
		}
	}
	r.todo = append(below, r.todo...)
	if text := example(s.name + ".yaml"); text != "" {
		fmt.Fprintf(r.out, "\n```yaml\n%s```\n", text)
	}
}

// notYet lists what the format has and this version refuses.
func (r *referrer) notYet() {
	r.out.WriteString("\n## Not supported yet\n\nThese keys are refused by name, and so is a layer that uses a repository of type `rpm`.\n\n| key | what it will do |\n|---|---|\n")
	for _, line := range r.later {
		r.out.WriteString(line)
	}
}

// mappingIn returns the mapping that a value is or holds, and how its place is
// written after the key.
func mappingIn(s *shape) (*shape, string) {
	switch s.kind {
	case kindMapping:
		return s, ""
	case kindList:
		m, suffix := mappingIn(s.elem)
		if s.alone {
			return m, suffix
		}
		return m, "[]" + suffix
	case kindEntries:
		m, suffix := mappingIn(s.elem)
		return m, ".NAME" + suffix
	}
	return nil, ""
}

// valueWords says what may be written, in the table's second column.
func valueWords(s *shape) string {
	switch s.kind {
	case kindBool:
		return "true or false"
	case kindInt:
		return orEnum(s, "whole number")
	case kindScalar:
		return "text or number"
	case kindAny:
		return "anything"
	case kindList:
		if s.alone {
			return valueWords(s.elem) + ", or a list of these"
		}
		if s.elem.short != nil {
			return "list, each item " + valueWords(s.elem)
		}
		return "list of " + valueWords(s.elem)
	case kindDict, kindEntries:
		return "mapping of names to " + valueWords(s.elem)
	case kindMapping:
		link := fmt.Sprintf("[%s](#%s)", s.name, strings.ToLower(s.name))
		if s.short != nil {
			return valueWords(s.short.shape) + " or " + link
		}
		return link
	}
	switch s.format {
	case "path", "file", "dir", "glob", "below":
		return "path"
	case "git-url":
		return "git URL"
	case "absolute", "pattern":
		return "absolute path"
	case "mode":
		return "octal number in quotes"
	case "repository":
		return "repository name"
	case "package":
		return "package"
	}
	return orEnum(s, "text")
}

func orEnum(s *shape, otherwise string) string {
	if s.enum == nil {
		return otherwise
	}
	return "`" + strings.Join(s.enum, "`, `") + "`"
}

// meaning is the key's sentence and what is to know besides.
func meaning(s *shape, f field) string {
	words := []string{f.doc}
	if f.required {
		words = append(words, "**Required.**")
	}
	if f.oneof != "" {
		var all []string
		for _, other := range s.fields {
			if other.oneof == f.oneof {
				all = append(all, "`"+other.key+"`")
			}
		}
		words = append(words, "**Exactly one of "+strings.Join(all, " and ")+".**")
	}
	if f.standard != "" {
		words = append(words, "Default: `"+f.standard+"`.")
	}
	if f.shape.kind == kindInt && f.shape.min > 1 {
		words = append(words, fmt.Sprintf("At least %d.", f.shape.min))
	}
	return strings.Join(words, " ")
}
