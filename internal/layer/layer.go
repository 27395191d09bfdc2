// Package layer holds Strata's vocabulary: layers, variants, nodes, keys,
// digests, steps and images, as plain values.
//
// It does no I/O, parses no file format and imports nothing else of Strata, so
// every other package can speak in these words.
//
// The struct tags are read by package recipe: "yaml" names the key that people
// write, "doc" is the sentence that the JSON Schema and the configuration
// reference show for it, "enum" its legal values, "default" the value that the
// zero value stands for, "required" that it must be written, "min" the smallest
// number or the shortest list, "format" what a string has to look like (package recipe has the list),
// "keys" the same for the keys of a map; the name "-" is of no key; of the keys with the same "oneof",
// exactly one must be written.
package layer

import (
	"fmt"
	"strings"
)

// NodeID names a vertex of the graph: "base", or "slurm-compute" for layer
// slurm in variant compute.
type NodeID string

// Key is the digest of everything that decides a node's content: what was
// asked for. Lower-case hex of a SHA-256. A Key is never a Digest.
type Key string

// Short returns the first 12 digits, for people.
func (k Key) Short() string { return short(string(k)) }

// Digest is the digest of content that came out, as "sha256:<hex>": an OCI
// diff ID, a chain ID or a manifest digest. A Digest is never a Key.
type Digest string

// Hex returns the digest without its algorithm.
func (d Digest) Hex() string {
	_, hex, _ := strings.Cut(string(d), ":")
	return hex
}

// Short returns the first 12 hex digits, for people.
func (d Digest) Short() string { return short(d.Hex()) }

func short(s string) string {
	if len(s) > 12 {
		return s[:12]
	}
	return s
}

// Pos is a place in a file that a person wrote. Line and Col count from 1; a
// zero Line means the file as a whole.
type Pos struct {
	File string
	Line int
	Col  int
}

func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Cluster names the cluster that a project builds images for.
type Cluster struct {
	Name  string `yaml:"name" doc:"Name of the cluster; images are named after it." required:"true" format:"label"`
	Short string `yaml:"short" doc:"Short form of the name, for host names and templates." format:"label"`
}

// Project is a whole configuration, resolved: every node knows its parent and
// its steps.
type Project struct {
	Cluster      Cluster
	Registry     string                // "" when none is named
	Trusted      bool                  // whether that is believed without signatures, wherever it is
	Trust        Trust                 // whose signatures are believed
	Inventory    []string              // paths of the Ansible inventory's sources below the project's directory; a later one is stronger
	Repositories map[string]Repository // package repositories by name
	Nodes        []Node                // parents before children, siblings in the order written
	Images       []Image               // in the order written
	Pipeline     Pipeline              // what the site adds to pipelines
	Files        []string              // the files that all this was written in
}

// Trust says whose word counts for what a registry holds.
type Trust struct {
	Keys []string `yaml:"keys" doc:"Files of public keys, as cosign generate-key-pair writes them. What one of them signed is believed." format:"file" required:"true"`
}

// Node returns the node of that name.
func (p *Project) Node(id NodeID) (Node, bool) {
	for i := range p.Nodes { // not by value: a node is large
		if p.Nodes[i].ID == id {
			return p.Nodes[i], true
		}
	}
	return Node{}, false
}

// Image returns the image of that name.
func (p *Project) Image(name string) (Image, bool) {
	for _, im := range p.Images {
		if im.Name == name {
			return im, true
		}
	}
	return Image{}, false
}

// Node is a vertex of the graph: one layer in one variant for one
// architecture. A node with a Source has no Parent, any other has one.
type Node struct {
	ID      NodeID
	Layer   string // the layer's name
	Variant string // "" for a layer without variants
	Arch    string // Debian's name of the architecture: amd64, arm64
	Parent  NodeID
	Source  Source   // nil for a node with a parent
	Groups  []string // Ansible groups: the parent's and the node's own, sorted
	// Repositories are the names of the package repositories that the node's
	// steps can use: the parent's, then its own.
	Repositories []string
	Steps        []Step            // in the order they are applied
	Env          map[string]string // environment of every step and of the image: the parent's and the node's own
	Labels       map[string]string // OCI labels: the parent's and the node's own
	Identities   Identities        // what of the tree is one cluster node's alone: the project's, the parent's and the node's own
	Secrets      map[string]Secret // readable below /run/secrets while the layer's steps run
	Pos          Pos
}

// Repository is a package repository.
type Repository struct {
	Type       string   `yaml:"type" doc:"Kind of repository." enum:"apt,rpm" required:"true"`
	URL        string   `yaml:"url" doc:"Where it is. Without it, the mirror that this machine's own apt uses; the image then does not name the repository." format:"url"`
	Suite      string   `yaml:"suite" doc:"Suite or code name of an apt repository." format:"word"`
	Components []string `yaml:"components" doc:"Components of an apt repository." default:"[main]" format:"word"`
	Key        string   `yaml:"key" doc:"Keyring that signs it, a file below the project's directory. Without it, the distribution's own." format:"file"`
	Trusted    bool     `yaml:"trusted" doc:"Take packages without checking a signature. Recorded in the image."`
}

// Repo is a place in a git repository that files of a project come from.
type Repo struct {
	URL  string `yaml:"url" doc:"The repository, as git names it: a URL, HOST:PATH, or a directory of this machine." required:"true" format:"git-url"`
	Ref  string `yaml:"ref" doc:"Branch, tag or full commit. Without it, the repository's default branch." format:"word"`
	Path string `yaml:"path" doc:"Directory in the repository that paths start at." format:"below"`
}

// Secret is a value that steps may read and that never enters a layer, a log
// or a label. Exactly one of File and Env is set.
type Secret struct {
	File  string   `yaml:"file" doc:"Read the secret from this file, which may be anywhere on the machine that builds." oneof:"from"`
	Env   string   `yaml:"env" doc:"Read the secret from this environment variable." oneof:"from" format:"variable"`
	Allow []string `yaml:"allow" doc:"Files and directories of the image in which the secret may be: it is put there on purpose." format:"absolute"`
}

// Identities are files of an image that tell one cluster node from another, as
// path.Match patterns; one that ends in "/**" means everything below.
type Identities struct {
	Remove []string `yaml:"remove" doc:"Files that never stay in a layer, whoever wrote them, in addition to those that Strata knows. * stands for any characters but a slash, /** at the end for all that is below." format:"pattern"`
	Keep   []string `yaml:"keep" doc:"Files that stay as they are, though Strata would remove them or warn of them." format:"pattern"`
}

// Image is a named leaf that people use: a node, the artifacts made of it and
// the tests that a booted guest must pass.
type Image struct {
	Name      string
	Node      NodeID
	Artifacts []Artifact
	Cmdline   string // kernel command line, without what fetches the root
	Kernel    string // version of the kernel to take; "" means the newest
	Tests     []Test
	Pos       Pos
}

// Test is a command that must succeed inside a booted image.
type Test struct {
	Name    string `yaml:"name" doc:"What the test shows, as a sentence." required:"true"`
	Run     string `yaml:"run" doc:"Shell command, run as root in the booted guest; exit status 0 passes." required:"true"`
	Timeout int    `yaml:"timeout" doc:"Seconds until the test counts as failed." default:"60" min:"1"`
}
