package pipeline

import (
	"bytes"
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
		b.WriteString(makeComment(text))
	}
	b.WriteString("#\n#   make -f FILE -j 4 -k    four jobs at once; one that fails stops only what needs it\n\n")
	b.WriteString(makeHead)
	ids := make([]string, len(p.Jobs))
	for i, j := range p.Jobs {
		ids[i] = j.ID
	}
	all := strings.Join(ids, " ")
	b.WriteString("\n.PHONY: all " + all + "\nall: " + all + "\n")
	for _, j := range p.Jobs {
		b.WriteString("\n" + makeComment(j.About))
		b.WriteString(strings.TrimRight(j.ID+": "+strings.Join(j.Needs, " "), " ") + "\n")
		b.WriteString(makeRecipe(exports(p.Settings.Variables) + exports(j.Variables) + strings.Join(j.Script, "\n")))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// exports sets variables in a shell: in make, names like SHELL mean something, and
// values may hold what ends them.
func exports(variables map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		b.WriteString("export " + name + "=" + quote(variables[name]) + "\n")
	}
	return b.String()
}
