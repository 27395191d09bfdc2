package main

import (
	"encoding/json"
	"os"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
)

// reasonsVariable has why the nodes of a pipeline's job are built, a mapping in JSON.
// The pipeline's plan knew it; a job starts with an empty store, which knows nothing
// of earlier builds.
const reasonsVariable = "STRATA_REASONS"

// knowBetter puts the pipeline's reasons for nodes in the place of "there is none
// of it".
func knowBetter(p *plan.Plan) error {
	text := os.Getenv(reasonsVariable)
	if text == "" {
		return nil
	}
	var reasons map[string]string
	if err := json.Unmarshal([]byte(text), &reasons); err != nil {
		return fault.New(fault.Input, "%s: %w", reasonsVariable, err).WithHint("a pipeline of strata sets it; otherwise it is not set")
	}
	for i := range p.Nodes {
		d := &p.Nodes[i]
		if why := reasons[string(d.Node.ID)]; why != "" && d.Absent() {
			d.Reason = printable.Line(why)
		}
	}
	return nil
}

// passing says whether this is a job of a CI system: what it leaves on its machine,
// nobody will look at.
func passing(getenv func(string) string) bool {
	return getenv("GITLAB_CI") == "true" || getenv("GITHUB_ACTIONS") == "true"
}
