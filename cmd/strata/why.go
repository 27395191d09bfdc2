package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/build"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
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
		RunE: func(_ *cobra.Command, names []string) error {
			if against == "" {
				return runWhy(a, names[0], head)
			}
			made, _, err := a.makePlan(names, planOptions{base: against, head: head})
			if err != nil {
				return err
			}
			d := made.Nodes[len(made.Nodes)-1]
			if a.json() {
				return a.printJSON(planJSON(&plan.Plan{Base: made.Base, Head: made.Head, Nodes: []plan.Decision{d}}).Nodes[0])
			}
			text := d.Explain()
			if text == "" {
				text = fmt.Sprintf("nothing that decides %s itself differs from %s", d.Node.ID, made.Base)
				if d.Action == plan.Maybe {
					text += "; " + d.Reason
				}
				text += "\n"
			}
			_, err = fmt.Fprint(a.out, text)
			return err
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "show only what differs from this `commit`")
	cmd.Flags().StringVar(&head, "head", "", "look at this `commit` instead of the files on disk")
	return cmd
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
		now, err := h.revision(head)
		if err != nil {
			return err
		}
		project, src = now.Project, now.Source
	} else {
		p, err := a.load()
		if err != nil {
			return err
		}
		project, src = p.Project, build.Source(p.Project, p.files, p.dir)
		src.WithoutSecrets = true
	}
	want, _, err := plan.Select(project, []string{name})
	if err != nil {
		return err
	}
	n, ok := project.Node(want[0])
	if !ok {
		return fault.New(fault.Input, "there is no node %q", name)
	}
	inputs, err := plan.Inputs(project, n, src)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]any{"id": n.ID, "parent": n.Parent, "inputs": inputsJSON(inputs)})
	}
	return printInputs(a, n, inputs)
}

// printInputs prints a table of inputs.
func printInputs(a *app, n layer.Node, inputs []plan.Input) error {
	if n.Parent != "" {
		fmt.Fprintf(a.out, "%s is decided by the content of %s and by:\n", n.ID, n.Parent)
	} else {
		fmt.Fprintf(a.out, "%s is decided by:\n", n.ID)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, in := range inputs {
		name := in.Name
		if in.Kind == plan.KindVariable && in.Shown != "" {
			name += " = " + clipped(in.Shown, 48)
		}
		from := in.File
		if in.Line > 0 {
			from = fmt.Sprintf("%s:%d", in.File, in.Line)
		}
		if in.File == in.Name {
			from = ""
		}
		if a.verbose && len(in.Via) > 0 {
			from += "  used in " + strings.Join(in.Via, ", ")
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", in.Kind, name, layer.Key(in.Digest).Short(), from)
	}
	return w.Flush()
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
