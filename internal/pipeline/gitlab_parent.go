package pipeline

import (
	"io"
	"path"

	"github.com/strata-hpc/strata/internal/layer"
)

// Names that the files for GitLab agree on. compare holds what is compared, as
// flags of strata; override what a repository of a layer sends along.
const (
	compare      = "STRATA_COMPARE"
	override     = "STRATA_OVERRIDE"
	childFile    = "pipeline.yml"
	planDocument = "plan.html"
)

// GitLabParent writes the .gitlab-ci.yml that a project commits once: it plans,
// makes the child pipeline and starts it, for merge requests, for the default
// branch and for what repositories of layers ask for; on a schedule it verifies.
func GitLabParent(w io.Writer, site layer.Pipeline, o Options) error {
	var d document
	d.comment("Made by strata pipeline gitlab --parent. Plan, make the pipeline of what has to be",
		"built, and start it. Schedules rebuild a sample instead, and compare.")
	d.add("stages", []string{"plan", "build", "verify"})
	d.gap()
	d.add("workflow", gitlabWorkflow{[]gitlabRule{
		{If: `$CI_PIPELINE_SOURCE == "merge_request_event"`, Variables: map[string]string{compare: "--base $CI_MERGE_REQUEST_DIFF_BASE_SHA"}},
		{If: "$" + override, Variables: map[string]string{compare: "--base HEAD"}},
		// Against what the registry has: also what pipelines before this one left undone.
		{If: `$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH`},
	}})
	d.gap()
	d.add("default", defaults(site.Runner))
	d.add("variables", unexpanded(withVariable(site.Variables, "GIT_DEPTH", "0")))
	d.gap()
	scheduled := `$CI_PIPELINE_SOURCE == "schedule"`
	otherwise := []gitlabRule{{If: scheduled, When: "never"}, {When: "on_success"}}
	strata := func(args string) text { return text(quoted(o.Command) + " " + args) }
	d.add("plan", gitlabJob{
		Stage: "plan", Rules: otherwise,
		// All of it at once, so that a ref is asked for once.
		Script:    []text{strata("pipeline gitlab $" + compare + " ${" + override + `:+--override "$` + override + `"} --plan ` + planDocument + " --out " + childFile)},
		Artifacts: &gitlabArtifacts{ExposeAs: "plan", Paths: gitlabPaths([]string{path.Join(o.Dir, planDocument), path.Join(o.Dir, childFile)}), Expire: keepReports},
	})
	d.gap()
	d.add("build", gitlabJob{
		Stage: "build", Rules: otherwise,
		Trigger: &gitlabTrigger{Include: []gitlabInclude{{path.Join(o.Dir, childFile), "plan"}}, Strategy: "depend"},
	})
	d.gap()
	const report = "verify.xml"
	d.add("verify", gitlabJob{
		Stage: "verify", Rules: []gitlabRule{{If: scheduled}}, Script: []text{strata("ci verify --report " + report)},
		Artifacts: &gitlabArtifacts{When: "always", Expire: keepReports, Reports: &gitlabReport{gitlabPaths([]string{path.Join(o.Dir, report)})}},
	})
	return d.write(w)
}

func withVariable(variables map[string]string, name, value string) map[string]string {
	all := map[string]string{name: value}
	for k, v := range variables {
		all[k] = v
	}
	return all
}

// GitLabTrigger writes the file that a layer's own repository commits: it starts
// the pipeline of the project with the images, for the commit of a merge request.
// When that is merged, the project finds out by itself.
func GitLabTrigger(w io.Writer, project string) error {
	var d document
	d.comment("Made by strata pipeline gitlab --trigger: build the images with this commit.")
	d.add("images", gitlabJob{
		Trigger: &gitlabTrigger{Project: project, Strategy: "depend"},
		Rules: []gitlabRule{
			{If: `$CI_PIPELINE_SOURCE == "merge_request_event"`, Variables: map[string]string{override: "$CI_PROJECT_PATH=$CI_COMMIT_SHA"}},
			{If: `$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH`},
		},
	})
	return d.write(w)
}
