package pipeline

import (
	"cmp"
	"fmt"
	"io"

	"github.com/strata-hpc/strata/internal/layer"
)

// The keys of GitLab's CI YAML that pipelines use.
// https://docs.gitlab.com/ci/yaml/ has what they mean.
type (
	gitlabJob struct {
		Stage     string           `yaml:"stage,omitempty"`
		Rules     []gitlabRule     `yaml:"rules,omitempty"`
		Image     string           `yaml:"image,omitempty"`
		Tags      []string         `yaml:"tags,omitempty,flow"`
		Needs     *[]string        `yaml:"needs,omitempty,flow"`
		Lock      string           `yaml:"resource_group,omitempty"`
		Interrupt *bool            `yaml:"interruptible,omitempty"`
		Variables map[string]any   `yaml:"variables,omitempty"`
		Script    []text           `yaml:"script,omitempty"`
		Trigger   *gitlabTrigger   `yaml:"trigger,omitempty"`
		Artifacts *gitlabArtifacts `yaml:"artifacts,omitempty"`
	}
	gitlabDefault struct {
		Image         string      `yaml:"image,omitempty"`
		Tags          []string    `yaml:"tags,omitempty,flow"`
		Interruptible bool        `yaml:"interruptible"`
		Retry         gitlabRetry `yaml:"retry"`
	}
	gitlabRetry struct {
		Max  int      `yaml:"max"`
		When []string `yaml:"when,flow"`
	}
	gitlabVariable struct {
		Value  text `yaml:"value"`
		Expand bool `yaml:"expand"`
	}
	gitlabRule struct {
		If        string            `yaml:"if,omitempty"`
		When      string            `yaml:"when,omitempty"`
		Variables map[string]string `yaml:"variables,omitempty"`
	}
	gitlabWorkflow struct {
		Rules []gitlabRule `yaml:"rules"`
	}
	gitlabTrigger struct {
		Include  []gitlabInclude `yaml:"include,omitempty"`
		Project  string          `yaml:"project,omitempty"`
		Branch   string          `yaml:"branch,omitempty"`
		Strategy string          `yaml:"strategy"`
	}
	gitlabInclude struct {
		Artifact string `yaml:"artifact"`
		Job      string `yaml:"job"`
	}
	gitlabArtifacts struct {
		When     string        `yaml:"when,omitempty"`
		ExposeAs string        `yaml:"expose_as,omitempty"`
		Paths    []string      `yaml:"paths,omitempty,flow"`
		Expire   string        `yaml:"expire_in"`
		Reports  *gitlabReport `yaml:"reports,omitempty"`
	}
	gitlabReport struct {
		JUnit []string `yaml:"junit,flow"`
	}
)

// keepReports is how long GitLab keeps reports and plans. Nothing needs them
// when the pipeline is over.
const keepReports = "1 week"

// keepDays is how long artifacts of images are kept.
func keepDays(site layer.Pipeline) int { return cmp.Or(site.KeepDays, 7) }

// GitLab writes the pipeline as the file of a child pipeline.
func GitLab(w io.Writer, p *Pipeline) error {
	var d document
	d.comment("Made by strata pipeline gitlab; a change here is lost.", p.Title, p.Summary)
	d.comment(p.Notes...)
	stages, last := []string{}, Stage("")
	for _, s := range []Stage{Before, Build, Image, Boot, After, Publish, Promote} {
		for _, j := range p.Jobs {
			if j.Stage == s && last != s {
				stages, last = append(stages, string(s)), s
			}
		}
	}
	d.add("stages", stages)
	// Without rules, a child pipeline of a merge request has no jobs.
	d.add("workflow", gitlabWorkflow{[]gitlabRule{{When: "always"}}})
	d.gap()
	d.add("default", defaults(p.Settings.Runner))
	if len(p.Settings.Variables) > 0 {
		d.add("variables", unexpanded(p.Settings.Variables))
	}
	for _, j := range p.Jobs {
		d.gap()
		d.comment(j.About)
		d.add(j.ID, gitlabJobOf(j, keepDays(p.Settings)))
	}
	return d.write(w)
}

// defaults are what all jobs have. Only what is the runner's fault is tried
// again: a build that failed fails again.
func defaults(r layer.Runner) gitlabDefault {
	return gitlabDefault{
		Image: r.Image, Tags: r.Tags, Interruptible: true,
		Retry: gitlabRetry{2, []string{"runner_system_failure", "scheduler_failure", "api_failure", "data_integrity_failure"}},
	}
}

func gitlabJobOf(j Job, days int) gitlabJob {
	needs := append([]string{}, j.Needs...)
	g := gitlabJob{
		Stage: string(j.Stage), Image: j.Runner.Image, Tags: j.Runner.Tags, Needs: &needs,
		Lock: j.Lock, Variables: unexpanded(j.Variables), Script: texts(j.Script),
	}
	if t := j.Trigger; t != nil {
		g.Trigger = &gitlabTrigger{Project: t.Project, Branch: t.Branch, Strategy: "depend"}
		g.Image, g.Tags, g.Script = "", nil, nil
	}
	if j.Stage == After && j.Trigger == nil {
		g.Interrupt = new(bool) // who knows what the site does with an image
	}
	if len(j.Reports) > 0 {
		g.Artifacts = &gitlabArtifacts{When: "always", Expire: keepReports, Reports: &gitlabReport{gitlabPaths(j.Reports)}}
	}
	if len(j.Keeps) > 0 {
		if g.Artifacts == nil {
			g.Artifacts = &gitlabArtifacts{}
		}
		g.Artifacts.Paths, g.Artifacts.Expire = gitlabPaths(j.Keeps), fmt.Sprintf("%d days", days)
	}
	return g
}
