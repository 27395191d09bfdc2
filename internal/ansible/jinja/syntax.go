package jinja

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Syntax is how a template marks what is not text. The zero value is what
// Ansible has: Jinja's, with trim_blocks.
type Syntax struct {
	VariableStart, VariableEnd string
	BlockStart, BlockEnd       string
	CommentStart, CommentEnd   string
	// LineStatement and LineComment are prefixes of lines; none if empty.
	LineStatement, LineComment string
	// NoTrimBlocks keeps the newline after a block, which Ansible leaves out
	// unless told; LstripBlocks leaves out the blanks before one. They matter to
	// nothing but Text.Shape.
	NoTrimBlocks, LstripBlocks bool
}

// complete fills in what Jinja has where nothing is given.
func (o Syntax) complete() Syntax {
	o.VariableStart = cmp.Or(o.VariableStart, "{{")
	o.VariableEnd = cmp.Or(o.VariableEnd, "}}")
	o.BlockStart = cmp.Or(o.BlockStart, "{%")
	o.BlockEnd = cmp.Or(o.BlockEnd, "%}")
	o.CommentStart = cmp.Or(o.CommentStart, "{#")
	o.CommentEnd = cmp.Or(o.CommentEnd, "#}")
	return o
}

// plain reports whether everything starts with a brace, as usual.
func (o Syntax) plain() bool {
	return o.VariableStart == "{{" && o.BlockStart == "{%" && o.CommentStart == "{#" &&
		o.LineStatement == "" && o.LineComment == ""
}

// starts reports whether something in a text is more than text.
func (o Syntax) starts(src string) bool {
	if o.plain() {
		for i := 0; ; i += 2 {
			n := strings.IndexByte(src[i:], '{')
			if i += n; n < 0 || i+1 >= len(src) {
				return false
			}
			switch src[i+1] {
			case '{', '%', '#':
				return true
			}
		}
	}
	return strings.Contains(src, o.VariableStart) || strings.Contains(src, o.BlockStart) ||
		strings.Contains(src, o.CommentStart) ||
		o.LineStatement != "" && strings.Contains(src, o.LineStatement) ||
		o.LineComment != "" && strings.Contains(src, o.LineComment)
}

// opener is what begins something that is not text.
type opener struct {
	text string
	what byte // 'v', 'b', 'c'; 's' and 'l' for lines
}

// openers returns them in the order in which Jinja tries them at one place:
// longest first, then by its names for them, backwards.
func (o Syntax) openers() []opener {
	list := []opener{{o.VariableStart, 'v'}}
	if o.LineStatement != "" {
		list = append(list, opener{o.LineStatement, 's'})
	}
	if o.LineComment != "" {
		list = append(list, opener{o.LineComment, 'l'})
	}
	list = append(list, opener{o.CommentStart, 'c'}, opener{o.BlockStart, 'b'})
	slices.SortStableFunc(list, func(a, b opener) int { return cmp.Compare(len(b.text), len(a.text)) })
	return list
}

// Header splits off the first line of a template that changes its syntax,
// such as
//
//	#jinja2: variable_start_string:'[%', variable_end_string:'%]', trim_blocks:False
//
// Its rules are those of ansible/template/__init__.py (JINJA2_OVERRIDE). A text
// without such a line comes back whole. It is not ok if Ansible would refuse
// the line, or reads a value that cannot be read here.
func Header(src string) (o Syntax, rest string, ok bool) {
	const mark = "#jinja2:"
	line, found := strings.CutPrefix(src, mark)
	if !found {
		return Syntax{}, src, true
	}
	line, rest, found = strings.Cut(line, "\n")
	if !found {
		// Ansible before 2.19 takes this line for both and drops its last
		// character from the one; newer ones refuse it.
		return Syntax{}, src, false
	}
	for pair := range strings.SplitSeq(line, ",") {
		key, value, found := strings.Cut(pair, ":")
		if !found || !o.set(strings.TrimSpace(key), strings.TrimSpace(value)) {
			return Syntax{}, rest, false
		}
	}
	return o, rest, true
}

// set changes one thing by the name of Jinja's attribute.
func (o *Syntax) set(key, value string) bool {
	var to *string
	switch key {
	case "variable_start_string":
		to = &o.VariableStart
	case "variable_end_string":
		to = &o.VariableEnd
	case "block_start_string":
		to = &o.BlockStart
	case "block_end_string":
		to = &o.BlockEnd
	case "comment_start_string":
		to = &o.CommentStart
	case "comment_end_string":
		to = &o.CommentEnd
	case "line_statement_prefix":
		to = &o.LineStatement
	case "line_comment_prefix":
		to = &o.LineComment
	case "trim_blocks":
		trim := false
		ok := truthy(value, &trim)
		o.NoTrimBlocks = !trim
		return ok
	case "lstrip_blocks":
		return truthy(value, &o.LstripBlocks)
	default:
		// Whatever else it is, it does not change how a text is read.
		return value != ""
	}
	if value == "None" && (to == &o.LineStatement || to == &o.LineComment) {
		*to = ""
		return true
	}
	s, ok := pythonString(value)
	if ok && s == "" && to != &o.LineStatement && to != &o.LineComment {
		return false
	}
	*to = s
	return ok
}

// truthy reads a Python literal for whether it counts as true.
func truthy(value string, to *bool) bool {
	switch value {
	case "True":
		*to = true
	case "False", "None":
		*to = false
	default:
		if n, err := strconv.Atoi(value); err == nil {
			*to = n != 0
			return true
		}
		s, ok := pythonString(value)
		*to = s != ""
		return ok
	}
	return true
}

// pythonString reads a string literal of Python's, without prefix or with "u".
func pythonString(s string) (string, bool) {
	s = strings.TrimPrefix(s, "u")
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return "", false
	}
	inner := s[1 : len(s)-1]
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '\\':
			i++
		case s[0], '\n':
			return "", false
		}
		if i >= len(inner) {
			return "", false // the last quote is escaped
		}
	}
	return unescape(inner)
}
