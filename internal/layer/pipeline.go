package layer

// Pipeline is what a site adds to the pipelines that are made of its plans.
type Pipeline struct {
	Runner
	Variables  map[string]string
	Artifacts  string       // where jobs for images hand them on: "job", "none", "registry" or "s3"; "" is "job"
	Bucket     *ObjectStore // of "s3"
	KeepDays   int          // how long CI systems keep them; 0 for a week
	Before     []Hook       // jobs before all others
	AfterNode  []Hook       // jobs for each node that is built
	AfterImage []Hook       // jobs for each image that is made, after its boot test
}

// Runner is where jobs run.
type Runner struct {
	Image string   `yaml:"image" doc:"Container image that jobs run in; those that build need strata and git in it. Without it, the runner's own choice." format:"word"`
	Tags  []string `yaml:"tags" doc:"Tags that a runner needs to take a job; GitHub calls them labels." format:"line"`
}

// Hook is a job of the site's own. Exactly one of Run and Trigger is set.
type Hook struct {
	Name    string   `yaml:"name" doc:"What the job is called." required:"true" format:"name"`
	Run     []string `yaml:"run" doc:"Shell commands, in the project's directory. STRATA_NODE or STRATA_IMAGE says what was built." oneof:"what" min:"1"`
	Trigger *Trigger `yaml:"trigger" doc:"Start a pipeline of another project and wait for it (GitLab only)." oneof:"what" short:"project"`
	Runner           // instead of the pipeline's, where something is set
	Only    []string `yaml:"-"` // names of the nodes or images that it is for; none means all
}

// Trigger starts a pipeline elsewhere.
type Trigger struct {
	Project string `yaml:"project" doc:"Path of the project, such as site/acceptance." required:"true" format:"word"`
	Branch  string `yaml:"branch" doc:"Branch to run it for. Without it, the project's default branch." format:"word"`
}
