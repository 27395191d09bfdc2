package jinja

import "strings"

// Uncommented returns a template without what its comments say: it comes to the
// same as src. What they take of the text around them stays with their marks.
// Where the syntax cannot be followed, nothing is taken out.
func Uncommented(src string, o Syntax) string {
	o = o.complete()
	if !strings.Contains(src, o.CommentStart) {
		return src
	}
	l := newLexer(src, o)
	l.comments = &[]span{}
	for l.pos < len(src) && l.err == nil {
		l.next()
	}
	if l.err != nil {
		return src
	}
	var b strings.Builder
	from := 0
	for _, c := range *l.comments {
		b.WriteString(src[from:c.start])
		b.WriteByte(' ') // so that a sign at the end is none at the start
		from = c.end
	}
	b.WriteString(src[from:])
	return b.String()
}

// span is what a comment says, without its marks and their signs.
type span struct{ start, end int }
