package pipeline

import (
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// Pipeline is the jobs that carry out a plan.
type Pipeline struct {
	Title    string         // what was compared
	Summary  string         // how much there is to do
	Notes    []string       // what a reader has to know besides
	Jobs     []Job          // each after those that it needs
	Pins     []string       // commits of layers' repositories that were planned, as --pin takes them
	Settings layer.Pipeline // of the site
}

// Stage is a part of a pipeline. Jobs are ordered by what they need; stages are
// for people.
type Stage string

// The stages, in order. Publish and Promote have no jobs yet.
const (
	Before  Stage = "before"
	Build   Stage = "build"
	Image   Stage = "image"
	Boot    Stage = "boot"
	After   Stage = "after" // a site's own jobs for images
	Publish Stage = "publish"
	Promote Stage = "promote" // by hand
)

// Job is what one runner does in one go.
type Job struct {
	ID        string // unique; letters, digits, hyphens and underscores, at most longest
	Stage     Stage
	About     string // what it does and why, one line
	Needs     []string
	Script    []string          // shell commands; the first that fails ends the job
	Trigger   *layer.Trigger    // instead of a script
	Variables map[string]string // STRATA_NODE or STRATA_IMAGE, STRATA_REASONS
	Runner    layer.Runner      // in place of the pipeline's, where something is set
	Reasons   map[string]string // why its nodes are built, by name; nil for jobs that build none
	Lock      string            // of the jobs of all pipelines with the same one, one runs at a time; "" for no limit
	Keeps     []string          // directories of artifacts that it hands on, seen from the repository's top
	Takes     []string          // jobs whose artifacts it has, all of which it needs
	Reports   []string          // JUnit files that it writes, seen from the repository's top
}

// withoutTriggers is a fault if a job starts a pipeline elsewhere, which only
// GitLab can.
func (p *Pipeline) withoutTriggers() error {
	for _, j := range p.Jobs {
		if j.Trigger != nil {
			return fault.New(fault.Input, "job %s starts a pipeline of %s, which only GitLab can", j.ID, j.Trigger.Project).
				WithHint("write a command that does it below run: instead of trigger:, in the pipeline section")
		}
	}
	return nil
}
