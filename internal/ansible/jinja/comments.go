package jinja

import (
	"slices"
	"strings"
)

// Uncommented returns a template without what its comments say: it comes to the
// same as src. What they take of the text around them stays with their marks;
// of those that have a line for themselves and take nothing, nothing stays.
// Where the syntax cannot be followed, nothing is taken out.
//
// A template that others include ends as its text comes to. At the end of others
// Ansible puts the newlines that are written there, so that a comment in the last
// line makes no difference.
func Uncommented(src string, o Syntax, included bool) string {
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
	if o.plain() && !o.NoTrimBlocks && strings.IndexByte(src, '\r') < 0 {
		without := uncommented(src, *l.comments, func(before, after string) bool { return o.ownLine(before, after, included) })
		// A lookup takes what has no mark left for no template.
		if strings.Contains(without, o.VariableStart) || strings.Contains(without, o.BlockStart) {
			return without
		}
	}
	return uncommented(src, *l.comments, func(string, string) bool { return false })
}

// span is what a comment says, without its marks and their signs.
type span struct{ start, end int }

// uncommented takes out what comments say, from the last to the first; with their
// marks and the line's end, where it is their own line: that is asked with what is
// before and behind what they say.
func uncommented(src string, comments []span, ownLine func(before, after string) bool) string {
	rest, end := "", len(src)
	for i := len(comments) - 1; i >= 0; i-- {
		c := comments[i]
		rest, end = src[c.end:end]+rest, c.start
		if ownLine(src[:end], rest) {
			end = strings.LastIndexByte(src[:end], '\n') + 1
			_, rest, _ = strings.Cut(rest, "\n")
		} else {
			rest = " " + rest // so that a sign at the end is none at the start
		}
	}
	return src[:end] + rest
}

// ownLine reports whether there is nothing but a comment in a line, without signs,
// and the text before and after it comes to the same without that line. The first
// line is not asked about: it may say how to read the rest.
func (o Syntax) ownLine(before, after string, included bool) bool {
	before, begins := strings.CutSuffix(before, "\n"+o.CommentStart)
	after, ends := strings.CutPrefix(after, o.CommentEnd+"\n")
	if !begins || !ends {
		return false
	}
	if after == "" {
		// What comes to newlines itself gets none from Ansible.
		return !included && before != "" && !hasSuffix(before, "\n", o.VariableEnd, "+"+o.BlockEnd, "+"+o.CommentEnd)
	}
	// A sign that takes blanks takes those on the other side, too, if nothing is
	// in between.
	before, after = strings.TrimRightFunc(before, space), strings.TrimLeftFunc(after, space)
	return after != "" && !hasSuffix(before, "-"+o.VariableEnd, "-"+o.BlockEnd, "-"+o.CommentEnd) &&
		!strings.HasPrefix(after, o.VariableStart+"-") && !strings.HasPrefix(after, o.BlockStart+"-") && !strings.HasPrefix(after, o.CommentStart+"-")
}

func hasSuffix(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(s, suffix) })
}
