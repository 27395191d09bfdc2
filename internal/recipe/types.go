package recipe

import "github.com/strata-hpc/strata/internal/layer"

// version is the version of the file format that this package reads.
const version = 1

// word is a string and where it is written.
type word struct {
	Text string
	At   place
}

// entry is a value of a mapping whose keys are names that people choose, in
// the order written. At is the place of the name.
type entry[T any] struct {
	Name  string
	At    place
	Value T
}

func (entry[T]) isEntry() {}

// later is the value of a key that the design has and this version does not:
// it is refused by name.
type later struct{}

// projectDoc is a strata.yaml.
type projectDoc struct {
	Strata     int               `yaml:"strata" doc:"Version of the file format." enum:"1" required:"true"`
	Cluster    layer.Cluster     `yaml:"cluster" doc:"The cluster that the images are for."`
	Registry   registryDoc       `yaml:"registry" doc:"Registry, and path in it, through which layers and images are exchanged." short:"url"`
	Trust      layer.Trust       `yaml:"trust" doc:"Whose word counts for what the registry holds under a key."`
	Inventory  []inventoryDoc    `yaml:"inventory" doc:"Ansible inventory. Of several, what a later one says wins, as with ansible-playbook -i ONE -i OTHER." short:"path" min:"1" alone:"yes"`
	Include    []word            `yaml:"include" doc:"More files of the recipe; * and ? stand for any characters but a slash. They hold repositories, layers and images only." format:"glob"`
	Identities layer.Identities  `yaml:"identities" doc:"Which files are one cluster node's alone, in all layers."`
	Ansible    projectAnsibleDoc `yaml:"ansible" doc:"What holds for the playbooks of all layers."`
	Pipeline   pipelineDoc       `yaml:"pipeline" doc:"What the pipelines that strata pipeline makes have besides."`
	includedDoc
}

// projectAnsibleDoc is what holds for all playbooks, as it is written.
type projectAnsibleDoc struct {
	Local []layer.Local `yaml:"local" doc:"What programs and plugins that playbooks run on the machine that builds read of the project, after what a layer says of its own."`
}

// registryDoc is the registry of a project as it is written.
type registryDoc struct {
	URL     string `yaml:"url" doc:"HOST[:PORT][/PATH], without https:// and without a tag." format:"registry" required:"true"`
	Trusted bool   `yaml:"trusted" doc:"Believe what it holds under a key without a signature. Without it, only a registry on this machine's loopback address is believed so, and none once trust names keys."`
}

// includedDoc is a file that a strata.yaml includes.
type includedDoc struct {
	Repositories []entry[layer.Repository] `yaml:"repositories" doc:"Package repositories by name." keys:"name"`
	Layers       []entry[layerDoc]         `yaml:"layers" doc:"Layers by name." keys:"name"`
	Images       []entry[imageDoc]         `yaml:"images" doc:"Images by name." keys:"name"`
}

// layerDoc is a layer as it is written.
type layerDoc struct {
	Parent       word                  `yaml:"parent" doc:"The node that the layer is put on. Where it names a layer that has variants, a variant stands on the variant of the same name."`
	From         *fromDoc              `yaml:"from" doc:"Where a first layer starts, instead of a parent."`
	Repositories []word                `yaml:"repositories" doc:"Names of the repositories that the layer and its children install from, in addition to its parent's." format:"repository"`
	Remove       []string              `yaml:"remove" doc:"Packages to remove." format:"package-name"`
	Packages     *layer.Packages       `yaml:"packages" doc:"Packages to install." short:"install"`
	Groups       later                 `yaml:"groups" doc:"Package groups of an rpm distribution."`
	Modules      later                 `yaml:"modules" doc:"Module streams of an rpm distribution."`
	Files        []layer.File          `yaml:"files" doc:"Files, directory trees and templates to put into the layer."`
	Ansible      *playbooksDoc         `yaml:"ansible" doc:"Ansible playbooks to run against the layer."`
	Run          []layer.Command       `yaml:"run" doc:"Commands and scripts to run in the layer." short:"command"`
	Services     *layer.Services       `yaml:"services" doc:"The systemd units that start at boot."`
	Env          map[string]string     `yaml:"env" doc:"Environment of every step of the layer, of its children and of the image." keys:"variable"`
	Labels       map[string]string     `yaml:"labels" doc:"Labels of the images that are made of the layer and of its children." keys:"label-key"`
	Identities   layer.Identities      `yaml:"identities" doc:"Which files of the layer and its children are one cluster node's alone, in addition to the project's."`
	Secrets      []entry[layer.Secret] `yaml:"secrets" doc:"Values that the layer's steps read below /run/secrets, by file name. A layer in which one is found is refused; in what steps print they are blotted out." keys:"secret-name"`
	Arch         word                  `yaml:"arch" doc:"Architecture by Debian's name. Without it, this machine's; the only one that can be built now." enum:"amd64,arm64,armhf,i386,ppc64el,riscv64,s390x"`
	Repo         *layer.Repo           `yaml:"repo" doc:"Git repository that the layer's own files come from: those of files, ansible, run and packages. Their paths start in it." short:"url"`
	Variants     []entry[variantDoc]   `yaml:"variants" doc:"The layer once per variant, each a node called LAYER-VARIANT." keys:"name"`
}

// playbooksDoc is the Ansible section of a layer as it is written.
type playbooksDoc struct {
	layer.Playbooks
	RolesPath []rolesDoc `yaml:"roles_path" doc:"Directories that hold roles, in place of those of ansible.cfg; also in git repositories of their own, which layers can share." short:"path"`
}

// step is the section with its paths as they are in the project.
func (p *playbooksDoc) step() layer.Playbooks {
	s := p.Playbooks
	for _, r := range p.RolesPath {
		s.RolesPath = append(s.RolesPath, r.Path)
	}
	return s
}

// rolesDoc is a directory that holds roles.
type rolesDoc struct {
	Path string `yaml:"path" doc:"Directory: where the paths of the layer start, or in the repository. Of a repository, it may be left out for its top." format:"dir"`
	Repo string `yaml:"repo" doc:"Git repository that it is in, as git names it: a URL, HOST:PATH, or a directory of this machine." format:"git-url"`
	Ref  string `yaml:"ref" doc:"Branch, tag or full commit of the repository. Without it, its default branch." format:"word"`
}

// inventoryDoc is an Ansible inventory. The first three fields are those of
// layer.Repo, but for what may be left out.
type inventoryDoc struct {
	URL  string `yaml:"url" doc:"Git repository that the inventory is in, instead of the project's directory." format:"git-url"`
	Ref  string `yaml:"ref" doc:"Branch, tag or full commit. Without it, the repository's default branch." format:"word"`
	Path string `yaml:"path" doc:"File or directory: below the project's directory, or in the repository." format:"path"`
}

// variantDoc is what a layer's variant adds to the layer.
type variantDoc struct {
	Parent    word              `yaml:"parent" doc:"The node that the variant is put on, instead of the layer's parent."`
	Groups    []string          `yaml:"groups" doc:"Ansible inventory groups of the node, in addition to its parent's and the layer's." format:"group"`
	Env       map[string]string `yaml:"env" doc:"Environment, in addition to the layer's." keys:"variable"`
	Labels    map[string]string `yaml:"labels" doc:"Labels, in addition to the layer's." keys:"label-key"`
	ExtraVars map[string]any    `yaml:"extra_vars" doc:"Ansible extra variables, in addition to the layer's."`
}

// imageDoc is an image as it is written.
type imageDoc struct {
	Node      word             `yaml:"node" doc:"The node that the image is made of: a layer, or LAYER-VARIANT." required:"true"`
	Artifacts []layer.Artifact `yaml:"artifacts" doc:"The forms that the image is exported in." short:"type" default:"[squashfs, kernel, initrd]"`
	Cmdline   string           `yaml:"cmdline" doc:"Kernel command line, without what fetches the root file system." format:"line"`
	Kernel    string           `yaml:"kernel" doc:"Version of the kernel to take. Without it, the newest in the image." format:"word"`
	Tests     []layer.Test     `yaml:"tests" doc:"Commands that must succeed in the booted image."`
}

// fromDoc is the source of a first layer.
type fromDoc struct {
	Bootstrap *layer.Bootstrap `yaml:"bootstrap" doc:"Install a distribution from its packages into an empty layer."`
	Archive   later            `yaml:"archive" doc:"Unpack an archive."`
	OCI       later            `yaml:"oci" doc:"Start from a container image."`
	Image     later            `yaml:"image" doc:"Start from an image that was built before."`
	Grab      later            `yaml:"grab" doc:"Copy a running cluster node."`
	Kiwi      later            `yaml:"kiwi" doc:"Read a Kiwi recipe."`
}

// source is the one that is written, or nil.
func (d *fromDoc) source() layer.Source {
	if d == nil || d.Bootstrap == nil {
		return nil
	}
	return *d.Bootstrap
}

// pipelineDoc is a site's part of its pipelines as it is written.
type pipelineDoc struct {
	layer.Runner
	Variables  map[string]string `yaml:"variables" doc:"Environment of every job, just as it is written: no CI system puts other variables into it. What is secret belongs into the variables that the CI system itself keeps and masks." keys:"variable"`
	Artifacts  word              `yaml:"artifacts" doc:"Where the artifacts of images are handed on. job: the CI system keeps them for the jobs that follow, below artifacts/IMAGE in the project's directory; none: they stay where they are made; registry: build --push sends them to the registry, beside the nodes, and boot and export take them from there; s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&trusted=true]: the same with an object store." format:"handed-on" default:"job"`
	KeepDays   int               `yaml:"keep_days" doc:"How many days the CI system keeps them." default:"7" min:"1"`
	Before     []hookDoc         `yaml:"before" doc:"Jobs before all others."`
	AfterNode  []hookDoc         `yaml:"after_node" doc:"Jobs for each node that is built."`
	AfterImage []hookDoc         `yaml:"after_image" doc:"Jobs for each image that is made, after its boot test."`
}

// hookDoc is a job of a site's own as it is written.
type hookDoc struct {
	layer.Hook
	Only []word `yaml:"only" doc:"The nodes of after_node, or the images of after_image, that it is for. Without it, all."`
}
