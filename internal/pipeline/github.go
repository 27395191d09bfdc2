package pipeline

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
)

// The keys of a workflow that pipelines use.
// https://docs.github.com/actions/reference has what they mean.
type (
	githubJob struct {
		Needs     []string          `yaml:"needs,omitempty,flow"`
		If        string            `yaml:"if,omitempty"`
		RunsOn    []string          `yaml:"runs-on,flow"`
		Container string            `yaml:"container,omitempty"`
		Env       map[string]text   `yaml:"env,omitempty"`
		Outputs   map[string]string `yaml:"outputs,omitempty"`
		Steps     []githubStep      `yaml:"steps"`
	}
	githubStep struct {
		Uses string            `yaml:"uses,omitempty"`
		With map[string]string `yaml:"with,omitempty"`
		ID   string            `yaml:"id,omitempty"`
		Env  map[string]text   `yaml:"env,omitempty"`
		Run  text              `yaml:"run,omitempty"`
	}
	githubEvents struct {
		Push     githubPush   `yaml:"push"`
		Pull     struct{}     `yaml:"pull_request"`
		Dispatch struct{}     `yaml:"workflow_dispatch"`
		Schedule []githubCron `yaml:"schedule,omitempty"`
	}
	githubPush struct {
		Branches []string `yaml:"branches,flow"`
	}
	githubCron struct {
		Cron string `yaml:"cron"`
	}
	githubConcurrency struct {
		Group  string `yaml:"group"`
		Cancel bool   `yaml:"cancel-in-progress"`
	}
)

// checkout is the only action of others that a workflow uses. Forgejo and Gitea
// have it as well.
const checkout = "actions/checkout@v4"

// GitHub writes the pipeline as a workflow of GitHub Actions, with just these
// jobs. A forge reads workflows from commits only: see GitHubParent.
func GitHub(w io.Writer, p *Pipeline) error {
	return github(w, p, "Made by strata pipeline github; a change here is lost.", "")
}

// GitHubParent writes the workflow that a project commits, of a pipeline of
// everything. Its first job plans, and each of the others runs only if the plan
// has it: no forge can be given the jobs while a workflow runs, and a matrix made
// by a job, which GitHub has, neither keeps the order of a graph nor runs elsewhere.
func GitHubParent(w io.Writer, all *Pipeline, o Options) error {
	p := *all
	p.Title, p.Summary = "", "" // of everything, and of the day
	return github(w, &p, "Made by strata pipeline github --parent: make it again when nodes or images come or go.", literal(quoted(o.Command)))
}

// GitHubJobs writes which jobs of such a workflow a plan needs, as an output of a
// step.
func GitHubJobs(w io.Writer, p *Pipeline) error {
	ids := []string{}
	for _, j := range p.Jobs {
		ids = append(ids, j.ID)
	}
	text, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "jobs=%s\n", text)
	return err
}

// github writes a workflow. With a command, which is how a script calls strata, it
// is the one that plans first.
func github(w io.Writer, p *Pipeline, what, command string) error {
	parent := command != ""
	if err := p.withoutTriggers(); err != nil {
		return err
	}
	var d document
	d.comment(what, p.Title, p.Summary)
	d.comment(p.Notes...)
	d.add("name", "images")
	events := githubEvents{Push: githubPush{[]string{"main"}}}
	if parent {
		events.Schedule = []githubCron{{"17 3 * * 0"}} // rebuilds a sample, on Sundays
	}
	d.add("on", events)
	d.add("permissions", map[string]string{"contents": "read"})
	d.add("concurrency", githubConcurrency{"images-${{ github.ref }}", true})
	if env, _ := environment(p.Settings.Variables); len(env) > 0 {
		d.add("env", env)
	}
	d.gap()
	jobs := document{}
	if parent {
		jobs.planJob(p, command)
	}
	above := map[string][]string{} // all that a job comes after
	for i, j := range p.Jobs {
		if i > 0 || parent {
			jobs.gap()
		}
		g := githubJobOf(j, p.Settings)
		if parent {
			for _, need := range j.Needs {
				above[j.ID] = appendNew(above[j.ID], append(above[need], need)...)
			}
			g.Needs, g.If = append([]string{"plan"}, above[j.ID]...), condition(j.ID, above[j.ID])
		}
		jobs.comment(j.About)
		jobs.add(j.ID, g)
	}
	return d.below("jobs", &jobs).write(w)
}

// planJob adds the jobs that a committed workflow has besides: the first one, and
// that of the schedule.
func (d *document) planJob(p *Pipeline, command string) {
	run := func(If, id string, lines ...string) githubJob {
		g := githubJob{If: If, RunsOn: runsOn(p.Settings.Runner), Container: literal(p.Settings.Image)}
		g.Steps = []githubStep{
			{Uses: checkout, With: map[string]string{"fetch-depth": "0"}},
			{ID: id, Env: map[string]text{"BASE": "${{ github.event.pull_request.base.sha }}"}, Run: text(strings.Join(lines, "\n") + "\n")},
		}
		return g
	}
	const base = ` ${BASE:+--base "$BASE"}`
	plan := run("github.event_name != 'schedule'", "plan",
		command+" plan"+base,
		command+" pipeline github --jobs"+base+` >> "$GITHUB_OUTPUT"`)
	plan.Outputs = map[string]string{"jobs": "${{ steps.plan.outputs.jobs }}"}
	d.add("plan", plan)
	d.gap()
	verify := run("github.event_name == 'schedule'", "", command+" ci verify")
	verify.Steps[1].Env = nil
	d.add("verify", verify)
}

func githubJobOf(j Job, site layer.Pipeline) githubJob {
	g := githubJob{Needs: j.Needs, RunsOn: runsOn(site.Runner), Container: literal(site.Image), Steps: []githubStep{{Uses: checkout}}}
	if j.Runner.Image != "" {
		g.Container = literal(j.Runner.Image)
	}
	if j.Runner.Tags != nil {
		g.RunsOn = runsOn(j.Runner)
	}
	// One step, so that commands see what those before them set.
	_, script := environment(site.Variables)
	var own string
	g.Env, own = environment(j.Variables)
	g.Steps = append(g.Steps, githubStep{Run: text(literal(script + own + strings.Join(j.Script, "\n")))})
	return g
}

// appendNew appends the words that are not in the list yet.
func appendNew(list []string, words ...string) []string {
	for _, w := range words {
		if !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list
}

// condition says of a job of a committed workflow when it runs: if the plan has
// it, and all that it comes after was done or is not in the plan. This does not
// rest on what becomes of jobs that need a skipped one, in which runners differ.
func condition(id string, above []string) string {
	const jobs = "fromJSON(needs.plan.outputs.jobs || '[]')"
	words := []string{"!cancelled()", fmt.Sprintf("contains(%s, '%s')", jobs, id)}
	for _, need := range above {
		words = append(words, fmt.Sprintf("(needs['%s'].result == 'success' || !contains(%s, '%[1]s'))", need, jobs))
	}
	return "${{ " + strings.Join(words, " && ") + " }}"
}

// runsOn are the labels that a runner must have. Without tags it is the one that
// everybody has.
func runsOn(r layer.Runner) []string {
	if len(r.Tags) == 0 {
		return []string{"ubuntu-latest"}
	}
	return literalList(r.Tags)
}
