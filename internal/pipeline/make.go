package pipeline

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Make writes the pipeline as a Makefile for GNU make, whose first target does
// everything. The site's jobs that start a pipeline elsewhere are refused.
func Make(w io.Writer, p *Pipeline) error {
	if err := p.withoutTriggers(); err != nil {
		return err
	}
	var b bytes.Buffer
	for _, text := range slices.Concat([]string{"Made by strata pipeline make; a change here is lost.", p.Title, p.Summary}, p.Notes) {
		fmt.Fprintf(&b, "# %s\n", line(text))
	}
	b.WriteString("#\n#   make -f FILE -j 4 -k    four jobs at once; one that fails stops only what needs it\n\n")
	b.WriteString("SHELL := /bin/sh\n.SHELLFLAGS := -ec\n.ONESHELL:\n.SUFFIXES:\nMAKEFLAGS += --no-builtin-rules\n\n")
	for _, name := range slices.Sorted(maps.Keys(p.Settings.Variables)) {
		fmt.Fprintf(&b, "define %s\n%s\nendef\nexport %[1]s\n", name, makeRecipe(p.Settings.Variables[name]))
	}
	ids := make([]string, len(p.Jobs))
	for i, j := range p.Jobs {
		ids[i] = j.ID
	}
	fmt.Fprintf(&b, ".PHONY: all %s\nall: %[1]s\n", strings.Join(ids, " "))
	for _, j := range p.Jobs {
		fmt.Fprintf(&b, "\n# %s\n", line(j.About))
		b.WriteString(strings.TrimRight(j.ID+": "+strings.Join(j.Needs, " "), " ") + "\n")
		for _, name := range slices.Sorted(maps.Keys(j.Variables)) {
			fmt.Fprintf(&b, "\texport %s=%s\n", name, makeRecipe(quote(j.Variables[name])))
		}
		for _, command := range j.Script {
			for l := range strings.Lines(command) {
				fmt.Fprintf(&b, "\t%s\n", makeRecipe(strings.TrimRight(l, "\r\n")))
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// makeRecipe is a line of a script that make leaves as it is.
func makeRecipe(s string) string { return strings.ReplaceAll(s, "$", "$$") }
