package pipeline

import (
	"encoding/json"
	"strings"

	"github.com/strata-hpc/strata/internal/plan"
)

// reasons is the variable in which a job has why each of its nodes is built, as a
// mapping in JSON: its store is empty, and knows nothing of what was.
const reasons = "STRATA_REASONS"

// reasonsOf are those of some nodes; not nil.
func reasonsOf(group []plan.Decision) map[string]string {
	all := map[string]string{}
	for _, d := range group {
		if d.Reason != "" {
			all[string(d.Node.ID)] = line(d.Reason)
		}
	}
	return all
}

// inert is a mapping in JSON in which no CI system sees anything to be replaced.
func inert(m map[string]string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	_ = e.Encode(m) // a mapping of strings always is JSON
	return strings.NewReplacer("$", `\u0024`, "%", `\u0025`).Replace(strings.TrimSpace(b.String()))
}
