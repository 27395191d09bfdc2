package pipeline

import (
	"fmt"
	"strings"
)

// makeHead begins a Makefile. A recipe goes to one shell as a whole. GNU make takes
// blanks and the signs -, @ and + from the beginnings of its lines if it knows the
// shell: env is one that it does not know, and starts the one that is meant.
const makeHead = `SHELL := /usr/bin/env
.SHELLFLAGS := sh -ec
.ONESHELL:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
nothing :=
`

// makeRecipe is a script as the recipe of a rule, of which make sees nothing but
// the end. Its first line is ours: there make reads -, @ and +. Of a line that
// begins with tabs make takes one too many away, so these are quoted.
func makeRecipe(script string) string {
	if strings.Contains("\n"+script, "\n\t") {
		script = "eval " + quote(script)
	}
	var b strings.Builder
	for line := range strings.Lines(makeText("set -e\n" + script)) {
		fmt.Fprintf(&b, "\t%s\n", strings.TrimSuffix(line, "\n"))
	}
	return b.String()
}

// makeText is a text that make leaves as it is. Behind $( and ${ make looks before
// it reads $$: it joins lines there, and what names the variable MAKE it would run
// in a dry run, too.
func makeText(s string) string {
	if strings.Contains(s, "\\\n") || strings.Contains(s, "MAKE") {
		return strings.NewReplacer("$(", "$$$(nothing)(", "${", "$$$(nothing){", "$", "$$").Replace(s)
	}
	return strings.ReplaceAll(s, "$", "$$")
}

// makeComment is a comment of one line: a backslash at its end would join the
// next one.
func makeComment(s string) string {
	s = strings.TrimRight("# "+line(s), " ")
	if strings.HasSuffix(s, `\`) {
		s += " "
	}
	return s + "\n"
}
