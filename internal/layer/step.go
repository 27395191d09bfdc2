package layer

import (
	"fmt"
	"strings"
)

// Step is one thing that is done to a layer's tree. Its value decides the
// node's key, so a step holds only what was asked for.
type Step interface {
	// Kind names the step by the key that people write: "packages", "run".
	Kind() string
	// Title says in a few words what it does.
	Title() string
	// Reads is what the step reads besides its own value.
	Reads() Reads
}

// PartStep is a step of which a part does not count as it is written, but by what it
// reads because of it.
type PartStep interface {
	// Written is the part that does.
	Written() Step
}

// Reads is what a step reads besides its own value.
type Reads struct {
	Files     []ReadFile // that it names
	Playbooks *Playbooks // whose files and variables it reads, or nil
	Node      bool       // templates, which see the node's groups and the cluster
	Lists     Lists      // of packages
}

// ReadFile is a file or directory of the project that a step names.
type ReadFile struct {
	Name    string
	Package bool // a package to install
	Follow  bool // a link counts with what it leads to
}

// Lists says which lists of packages a step wants.
type Lists int

// How new they have to be.
const (
	NoLists  Lists = iota
	AnyLists       // those that there are, or new ones where there are none
	NewLists       // brought up to date
)

// Placer is a step that puts files at places that it says.
type Placer interface {
	Places() []File
}

// Repositories makes package repositories known to the layer and its children.
type Repositories struct {
	Names []string
	// Definitions of the named repositories, in the same order.
	Definitions []Repository
}

// Remove removes packages.
type Remove struct {
	Packages []string
}

// Packages installs packages.
type Packages struct {
	Install      []string `yaml:"install" doc:"Packages: a name, name=version with * as wildcard, or the path of a local package file below the project's directory." required:"true" format:"package"`
	NoRecommends bool     `yaml:"no_recommends" doc:"Leave out recommended packages (apt's --no-install-recommends)."`
}

// Files puts files, trees and rendered templates into the tree.
type Files struct {
	Files []File
}

// File is one file or tree. Exactly one of Src and Content is set.
type File struct {
	Src      string  `yaml:"src" doc:"File or directory below the project's directory. A link is put as a link, unless it is a template." oneof:"source" format:"source"`
	Content  *string `yaml:"content" doc:"The file's content, written in place." oneof:"source" format:"content"`
	Dest     string  `yaml:"dest" doc:"Absolute path in the image. With a trailing slash, the directory that receives src." required:"true" format:"absolute"`
	Mode     string  `yaml:"mode" doc:"Permissions in octal, as a string: \"0644\". Without it, those of src, or 0644." format:"mode"`
	Owner    string  `yaml:"owner" doc:"User by name (looked up in the image) or number." default:"root" format:"word"`
	Group    string  `yaml:"group" doc:"Group by name (looked up in the image) or number." default:"root" format:"word"`
	Template bool    `yaml:"template" doc:"Render as a Go template with .Node, .Layer, .Variant, .Arch, .Cluster, .Groups, .Env and .Labels."`
}

// Playbooks runs Ansible playbooks against the tree.
type Playbooks struct {
	Playbooks         []string       `yaml:"playbooks" doc:"Playbooks, in order." format:"file"`
	Groups            []string       `yaml:"groups" doc:"Inventory groups that the node belongs to, in addition to its parent's." format:"group"`
	ExtraVars         map[string]any `yaml:"extra_vars" doc:"Variables that win over all others."`
	ExtraVarsFiles    []string       `yaml:"extra_vars_files" doc:"Files of such variables, as -e @FILE gives them to Ansible; they may be vaulted. A later one wins, extra_vars over all." format:"file"`
	Tags              []string       `yaml:"tags" doc:"Run only tasks with these tags." format:"word"`
	SkipTags          []string       `yaml:"skip_tags" doc:"Leave out tasks with these tags." format:"word"`
	Vault             string         `yaml:"vault" doc:"What values are in files of variables that are encrypted as a whole. plain: no templates, which a build checks. templates: perhaps, so that every variable of the node counts." enum:"plain,templates" default:"plain"`
	VaultPasswordFile string         `yaml:"vault_password_file" doc:"File with the vault's password, which may be anywhere on the machine that builds."`
	RolesPath         []string       `yaml:"-"` // directories that hold roles, in place of those of ansible.cfg
	Collections       []string       `yaml:"collections" doc:"Directories that hold ansible_collections, in place of those of ansible.cfg." format:"dir"`
	Local             []Local        `yaml:"local" doc:"What programs and plugins that the playbooks run on the machine that builds read of the project, so that a plan need not take it for everything. The first that matches counts, before those of the project. A build that sees more being read fails."`
	Config            string         `yaml:"config" doc:"The ansible.cfg to use. Without it, the one in the project's directory, if any." format:"file"`
}

// Run runs commands in the tree, in order.
type Run struct {
	Commands []Command
}

// Command is a shell command or a script. Exactly one of Command and Script is set.
type Command struct {
	Command string            `yaml:"command" doc:"Shell command, run with sh -ec in the image." oneof:"what"`
	Script  string            `yaml:"script" doc:"Script below the project's directory; its first line says what runs it." oneof:"what" format:"file"`
	Env     map[string]string `yaml:"env" doc:"Environment, in addition to the layer's." keys:"variable"`
	Network string            `yaml:"network" doc:"host: the machine's network; none: only a loopback device." enum:"host,none" default:"host"`
	Kernel  string            `yaml:"kernel" doc:"image: an error if the image has no kernel. Commands see the newest kernel of the image in any case; without one, they see the kernel of the machine that builds." enum:"image"`
}

// Services says which systemd units start at boot.
type Services struct {
	Enable  []string `yaml:"enable" doc:"Units to enable." format:"unit"`
	Disable []string `yaml:"disable" doc:"Units to disable." format:"unit"`
	Mask    []string `yaml:"mask" doc:"Units to mask." format:"unit"`
}

// Kind implements Step.
func (Repositories) Kind() string { return "repositories" }

// Kind implements Step.
func (Remove) Kind() string { return "remove" }

// Kind implements Step.
func (Packages) Kind() string { return "packages" }

// Kind implements Step.
func (Files) Kind() string { return "files" }

// Kind implements Step.
func (Playbooks) Kind() string { return "ansible" }

// Kind implements Step.
func (Run) Kind() string { return "run" }

// Kind implements Step.
func (Services) Kind() string { return "services" }

// Title implements Step.
func (s Repositories) Title() string { return "repositories " + strings.Join(s.Names, " ") }

// Title implements Step.
func (s Remove) Title() string { return "remove " + abridge(s.Packages) }

// Title implements Step.
func (s Packages) Title() string { return "packages " + abridge(s.Install) }

// Title implements Step.
func (s Files) Title() string {
	dests := make([]string, len(s.Files))
	for i, f := range s.Files {
		dests[i] = f.Dest
	}
	return "files " + abridge(dests)
}

// Title implements Step.
func (s Playbooks) Title() string { return "ansible " + strings.Join(s.Playbooks, " ") }

// Title implements Step.
func (s Run) Title() string {
	first := ""
	if len(s.Commands) > 0 {
		first = s.Commands[0].Title()
	}
	if more := len(s.Commands) - 1; more > 0 {
		return fmt.Sprintf("run %s and %d more", first, more)
	}
	return "run " + first
}

// Title is the first line of the command, or the script's path.
func (c Command) Title() string {
	if c.Script != "" {
		return c.Script
	}
	line, _, more := strings.Cut(strings.TrimSpace(c.Command), "\n")
	if more {
		line += " …"
	}
	return line
}

// Title implements Step.
func (s Services) Title() string {
	var parts []string
	for _, p := range []struct {
		verb  string
		units []string
	}{{"enable", s.Enable}, {"disable", s.Disable}, {"mask", s.Mask}} {
		if len(p.units) > 0 {
			parts = append(parts, p.verb+" "+abridge(p.units))
		}
	}
	return "services " + strings.Join(parts, ", ")
}

// Reads implements Step: the keyrings.
func (s Repositories) Reads() Reads {
	var r Reads
	for _, d := range s.Definitions {
		if d.Key != "" {
			r.Files = append(r.Files, ReadFile{Name: d.Key, Follow: true})
		}
	}
	return r
}

// Reads implements Step.
func (Remove) Reads() Reads { return Reads{} }

// Reads implements Step: package files.
func (s Packages) Reads() Reads {
	r := Reads{Lists: NewLists}
	for _, name := range s.Install {
		if strings.HasSuffix(name, ".deb") || strings.HasSuffix(name, ".rpm") {
			r.Files = append(r.Files, ReadFile{Name: name, Package: true, Follow: true})
		}
	}
	return r
}

// Reads implements Step: the sources of files.
func (s Files) Reads() Reads {
	var r Reads
	for _, f := range s.Files {
		if f.Src != "" {
			r.Files = append(r.Files, ReadFile{Name: f.Src, Follow: f.Template})
		}
		r.Node = r.Node || f.Template
	}
	return r
}

// Places implements Placer.
func (s Files) Places() []File { return s.Files }

// Reads implements Step.
func (s Playbooks) Reads() Reads { return Reads{Playbooks: &s, Lists: AnyLists} }

// Reads implements Step: scripts.
func (s Run) Reads() Reads {
	r := Reads{Lists: AnyLists}
	for _, c := range s.Commands {
		if c.Script != "" {
			r.Files = append(r.Files, ReadFile{Name: c.Script, Follow: true})
		}
	}
	return r
}

// Reads implements Step.
func (Services) Reads() Reads { return Reads{} }

// Written implements PartStep: groups and variables count by what playbooks make of them, and
// what is said of local programs by the files that these then read.
func (s Playbooks) Written() Step {
	s.Groups, s.ExtraVars, s.ExtraVarsFiles, s.Local, s.Vault = nil, nil, nil, nil, ""
	return s
}

// Shown is the step for people, as it could be written.
func (s Packages) Shown() string {
	text := strings.Join(s.Install, " ")
	if s.NoRecommends {
		text += " (no_recommends)"
	}
	return text
}

// Shown is the step for people, as it could be written.
func (s Remove) Shown() string { return strings.Join(s.Packages, " ") }

// abridge names the first few words of a list and counts the rest.
func abridge(words []string) string {
	const most = 4
	if len(words) <= most {
		return strings.Join(words, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], " "), len(words)-most)
}
