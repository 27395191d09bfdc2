package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
)

func newWhyCommand(a *app) *cobra.Command {
	var against, head string
	cmd := &cobra.Command{
		Use:   "why NODE",
		Short: "List everything that decides a node's content",
		Long: "Why lists the inputs of a node's key with their digests: its definition, the files and the\n" +
			"variables that it reads, and where. With --against, only those that differ from a commit.",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := noneEmpty(cmd, "against", "head"); err != nil {
				return err
			}
			if against == "" {
				return runWhy(a, names[0], head)
			}
			return runWhyAgainst(a, names[0], planOptions{base: against, head: head})
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "show only what differs from this `commit`")
	cmd.Flags().StringVar(&head, "head", "", "look at this `commit` instead of the files on disk")
	return cmd
}

// runWhyAgainst lists the inputs that differ from those at a commit.
func runWhyAgainst(a *app, name string, opts planOptions) error {
	h, err := a.openHistory()
	if err != nil {
		return err
	}
	made, now, err := h.compare(opts.base, opts.head, nil)
	if err != nil {
		return err
	}
	n, err := nodeNamed(now.Project, name)
	if err != nil {
		return err
	}
	d, _ := made.Find(n.ID)
	if a.json() {
		return a.printJSON(planJSON(&plan.Plan{Nodes: []plan.Decision{d}}).Nodes[0])
	}
	text := d.Explain(plan.DetailOptions{All: true})
	if text == "" {
		text = fmt.Sprintf("nothing that decides %s itself differs from %s", n.ID, commitOr(made.Base, ""))
		if d.Action == plan.Maybe {
			text += "; " + d.Reason
		}
		text += "\n"
	}
	_, err = fmt.Fprint(a.out, text)
	return err
}

// nodeNamed is the node of a name, else that of the image of the name.
func nodeNamed(p *layer.Project, name string) (layer.Node, error) {
	if n, ok := p.Node(layer.NodeID(name)); ok {
		return n, nil
	}
	want, _, err := plan.Select(p, []string{name})
	if err != nil {
		return layer.Node{}, err
	}
	n, _ := p.Node(want[0])
	return n, nil
}

// runWhy lists the inputs of a node's key.
func runWhy(a *app, name, head string) error {
	var project *layer.Project
	var src *plan.Source
	if head != "" {
		h, err := a.openHistory()
		if err != nil {
			return err
		}
		now, err := h.revision(head, nil, nil)
		if err != nil {
			return err
		}
		project, src = now.Project, now.Source
	} else {
		p, err := a.load()
		if err != nil {
			return err
		}
		project, src = p.Project, engine.Source(p.Project, p.files, p.dir)
		src.WithoutSecrets = true
	}
	n, err := nodeNamed(project, name)
	if err != nil {
		return err
	}
	seen := &observations{app: a, p: project}
	defer seen.Close()
	inputs, err := plan.SeenInputs(project, n, src, seen.Find)
	if err != nil {
		return err
	}
	warnings := src.Warnings(project, n)
	if a.json() {
		return a.printJSON(map[string]any{"id": n.ID, "parent": n.Parent, "inputs": inputsJSON(inputs), "warnings": append([]plan.Warning{}, warnings...)})
	}
	a.noteWarnings(warnings)
	return printInputs(a, n, inputs)
}

// printInputs prints inputs in groups: what strata.yaml says, the files, the
// variables.
func printInputs(a *app, n layer.Node, inputs []plan.Input) error {
	on := ""
	if n.Parent != "" {
		on = fmt.Sprintf(" the content of %s and", n.Parent)
	}
	fmt.Fprintf(a.out, "%s is decided by%s:\n", n.ID, on)
	for _, g := range []struct {
		heading string
		kinds   []string
	}{
		{"what is written in " + plan.Reason{File: n.Pos.File, Line: n.Pos.Line}.Place(), []string{plan.KindDefinition, plan.KindProject}},
		{"secrets", []string{plan.KindSecret}},
		{"files", []string{plan.KindFile, plan.KindPackage}},
		{"files that its playbooks reach", []string{plan.KindAnsible}},
		{"what its playbooks ask git", []string{plan.KindCommit}},
		{"variables that its playbooks reach", []string{plan.KindVariable}},
		{"the program", []string{plan.KindTool}},
	} {
		of := slices.DeleteFunc(slices.Clone(inputs), func(in plan.Input) bool { return !slices.Contains(g.kinds, in.Kind) })
		if len(of) > 0 {
			fmt.Fprintf(a.out, "\n%s\n", g.heading)
			a.printTable(of)
		}
	}
	return nil
}

// printTable prints a line for each input: digest, name, what it is, where.
func (a *app) printTable(inputs []plan.Input) {
	const most, widest = 60, 44
	name := 0
	for _, in := range inputs {
		name = min(max(name, len(in.Name)), widest)
	}
	for _, in := range inputs {
		digest := layer.Key(in.Digest).Short()
		if digest == "" {
			digest = "not set here"
		}
		line := fmt.Sprintf("  %s  %-*s", digest, name, printable.Line(in.Name))
		if shown := in.Shown; shown != "" {
			if !a.verbose {
				shown = clipped(shown, most)
			}
			line += "  " + printable.Line(shown)
		}
		if in.Kind == plan.KindVariable && in.File != "" {
			line += fmt.Sprintf("  (%s)", printable.Line(plan.Reason{File: in.File, Line: in.Line}.Place()))
		}
		fmt.Fprintln(a.out, strings.TrimRight(line, " "))
		if a.verbose {
			for _, via := range in.Via {
				fmt.Fprintf(a.out, "%18sused in %s\n", "", printable.Line(via))
			}
		}
	}
}

func clipped(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func inputsJSON(inputs []plan.Input) []any {
	type input struct {
		plan.Input
		File  string   `json:"file"`
		Line  int      `json:"line"`
		Value string   `json:"value"`
		Via   []string `json:"via"`
	}
	all := []any{}
	for _, in := range inputs {
		all = append(all, input{in, in.File, in.Line, in.Shown, append([]string{}, in.Via...)})
	}
	return all
}
