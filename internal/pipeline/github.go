package pipeline

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
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
		Push     githubPush      `yaml:"push"`
		Pull     struct{}        `yaml:"pull_request"`
		Dispatch *githubDispatch `yaml:"workflow_dispatch,omitempty"`
		Schedule []githubCron    `yaml:"schedule,omitempty"`
	}
	githubDispatch struct {
		Inputs map[string]githubInput `yaml:"inputs,omitempty"`
	}
	githubInput struct {
		Description string `yaml:"description"`
		Type        string `yaml:"type"`
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

// checkout is an action that Forgejo and Gitea have as well.
const checkout = "actions/checkout@v4"

// What hands artifacts of images on. Forgejo has its own under other names.
const (
	upload   = "actions/upload-artifact@v4"
	download = "actions/download-artifact@v4"
)

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

// GitHubJobs writes which jobs of such a workflow a plan needs, with which commits of
// layers' repositories, and why, as outputs of a step.
func GitHubJobs(w io.Writer, p *Pipeline) error {
	ids, because := []string{}, map[string]string{}
	for _, j := range p.Jobs {
		ids = append(ids, j.ID)
		if j.Variables[reasons] != "" {
			because[j.ID] = j.Variables[reasons]
		}
	}
	jobs, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "jobs=%s\npins=%s\nreasons=%s\n", jobs, strings.Join(p.Pins, " "), inert(because))
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
	events := githubEvents{Push: githubPush{[]string{"main"}}, Dispatch: &githubDispatch{}}
	group := "images-${{ github.ref }}"
	if parent {
		group += "-${{ github.event.inputs.override }}" // one of a layer's repository ends no other
		events.Dispatch.Inputs = map[string]githubInput{"override": {"Repository of a layer, and the commit of it to build with: NAME=COMMIT", "string"}}
		events.Schedule = []githubCron{{"17 3 * * 0"}} // rebuilds a sample, on Sundays
	}
	d.add("on", events)
	d.add("permissions", map[string]string{"contents": "read"})
	d.add("concurrency", githubConcurrency{group, true})
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
		g := p.githubJobOf(j)
		if parent {
			for _, need := range j.Needs {
				above[j.ID] = appendNew(above[j.ID], append(above[need], need)...)
			}
			g.Needs, g.If = append([]string{"plan"}, above[j.ID]...), condition(j.ID, above[j.ID])
			g.Env["STRATA_PINS"] = "${{ needs.plan.outputs.pins }}"
			if j.Stage == Build && j.Reasons != nil {
				g.Env[reasons] = text(fmt.Sprintf("${{ fromJSON(needs.plan.outputs.reasons || '{}')['%s'] }}", j.ID))
			}
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
			{ID: id, Env: map[string]text{"BASE": "${{ github.event.pull_request.base.sha }}", "OVERRIDE": "${{ github.event.inputs.override }}"}, Run: text(strings.Join(lines, "\n") + "\n")},
		}
		return g
	}
	plan := run("github.event_name != 'schedule'", "plan",
		`if [ -n "$OVERRIDE" ]; then set -- --base HEAD --override "$OVERRIDE"; elif [ -n "$BASE" ]; then set -- --base "$BASE"; fi`,
		command+` pipeline github --jobs --plan `+planDocument+` "$@" >> "$GITHUB_OUTPUT"`)
	plan.Outputs = map[string]string{}
	for _, name := range []string{"jobs", "pins", "reasons"} {
		plan.Outputs[name] = "${{ steps.plan.outputs." + name + " }}"
	}
	d.add("plan", plan)
	d.gap()
	verify := run("github.event_name == 'schedule'", "", command+" ci verify")
	verify.Steps[1].Env = nil
	d.add("verify", verify)
}

func (p *Pipeline) githubJobOf(j Job) githubJob {
	site := p.Settings
	g := githubJob{Needs: j.Needs, RunsOn: runsOn(site.Runner), Container: literal(site.Image), Steps: []githubStep{{Uses: checkout}}}
	if j.Runner.Image != "" {
		g.Container = literal(j.Runner.Image)
	}
	if j.Runner.Tags != nil {
		g.RunsOn = runsOn(j.Runner)
	}
	for _, of := range p.Jobs {
		if slices.Contains(j.Takes, of.ID) { // of one image: jobs share none here
			g.Steps = append(g.Steps, githubStep{Uses: download, With: map[string]string{"name": of.ID, "path": literal(of.Keeps[0])}})
		}
	}
	// One step, so that commands see what those before them set.
	_, script := environment(site.Variables)
	var own string
	g.Env, own = environment(j.Variables)
	g.Steps = append(g.Steps, githubStep{Run: text(literal(script + own + strings.Join(j.Script, "\n")))})
	if len(j.Keeps) > 0 {
		g.Steps = append(g.Steps, githubStep{Uses: upload, With: map[string]string{
			"name": j.ID, "path": literal(j.Keeps[0]), "retention-days": strconv.Itoa(keepDays(site)),
			"if-no-files-found": "error", "include-hidden-files": "true", "overwrite": "true",
		}})
	}
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

// GitHubTrigger writes the workflow that a layer's own repository commits: it starts
// that of the repository with the images, for the commit of a pull request. It asks
// the forge in a way that Forgejo and Gitea have as well.
func GitHubTrigger(w io.Writer, repository string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`).MatchString(repository) {
		return fault.New(fault.Input, "%s is not OWNER/NAME", repository).WithHint("name the repository that has the strata.yaml")
	}
	var d document
	d.comment("Made by strata pipeline github --trigger: build the images with this commit.",
		"The secret STRATA_TOKEN has a token that may start workflows of "+repository+".")
	d.add("name", "images")
	d.add("on", githubEvents{Push: githubPush{[]string{"main"}}})
	d.add("permissions", struct{}{})
	d.gap()
	var jobs document
	jobs.add("images", githubJob{RunsOn: runsOn(layer.Runner{}), Steps: []githubStep{{
		Env: map[string]text{
			"TOKEN":    "${{ secrets.STRATA_TOKEN }}",
			"OVERRIDE": "${{ github.event_name == 'pull_request' && format('{0}={1}', github.repository, github.event.pull_request.head.sha) || '' }}",
		},
		Run: text(`curl --fail --silent --show-error --header "Authorization: token $TOKEN" --header "Content-Type: application/json" \
  --data "{\"ref\": \"main\", \"inputs\": {\"override\": \"$OVERRIDE\"}}" \
  "$GITHUB_API_URL/repos/` + repository + `/actions/workflows/images.yml/dispatches"` + "\n"),
	}}})
	return d.below("jobs", &jobs).write(w)
}
