package main

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
	ci "github.com/strata-hpc/strata/internal/pipeline"
	decided "github.com/strata-hpc/strata/internal/plan"
)

// pipeline measures what it takes to write a pipeline of a plan that is there.
func pipeline(l *lab) (Findings, error) {
	s := newSite(1000)
	made, project := &decided.Plan{}, &layer.Project{Registry: "registry.example/site"}
	for _, n := range s.nodes() {
		node := layer.Node{ID: layer.NodeID(n.id), Parent: layer.NodeID(n.parent)}
		project.Nodes = append(project.Nodes, node)
		made.Nodes = append(made.Nodes, decided.Decision{Node: node, Action: decided.Build, Reason: "new"})
	}
	for t := range s.types {
		artifacts := []layer.Artifact{{Type: layer.Squashfs}, {Type: layer.Kernel}, {Type: layer.Initrd}}
		project.Images = append(project.Images, layer.Image{Name: typeName(t), Node: layer.NodeID(typeName(t)), Artifacts: artifacts})
	}
	var found Findings
	for _, f := range []struct {
		name  string
		o     ci.Options
		write func(io.Writer, *ci.Pipeline) error
	}{
		{"gitlab", ci.GitLabOptions(ci.Options{}), ci.GitLab},
		{"github --parent", ci.Options{}, func(w io.Writer, p *ci.Pipeline) error { return ci.GitHubParent(w, p, ci.Options{}) }},
		{"make", ci.Options{}, ci.Make},
	} {
		series, err := alternate(l, func(int) (float64, error) {
			start := time.Now()
			var text bytes.Buffer
			err := f.write(&text, ci.Of(made, project, f.o))
			return 1000 * time.Since(start).Seconds(), err
		})
		if err != nil {
			return found, err
		}
		found.Rows = append(found.Rows, Row{Work: fmt.Sprintf("`pipeline %s` of a plan of %d nodes and %d images, all built", f.name, len(made.Nodes), len(project.Images)),
			Unit: "ms", Ours: series[0], Target: Target{Kind: "below", Value: 200}})
	}
	found.Notes = append(found.Notes, "Pipeline: what comes after the plan, in this process: making the jobs and writing them. The graph is that of plan's site.")
	return found, nil
}
