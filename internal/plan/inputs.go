package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// Kinds of inputs.
const (
	KindTool       = "tool"       // Strata itself
	KindDefinition = "definition" // a part of what is written about the layer
	KindProject    = "project"    // what is written elsewhere in strata.yaml
	KindFile       = "file"       // a file that the layer names
	KindPackage    = "package"    // a package file that the layer names
	KindAnsible    = "ansible"    // a file that the layer's playbooks reach
	KindCommit     = "commit"     // what git says of the project's commit
	KindVariable   = "variable"   // a variable that the layer's playbooks reach
	KindSecret     = "secret"     // a secret's value
	KindParent     = "parent"     // the content of the parent
)

// Input is one thing that decides a node's content. Kind, Name and Digest are
// the input; the rest is for people and is in no key and in no record.
type Input struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Digest string `json:"digest"` // hex of a SHA-256; of a parent, its digest as it is

	File  string   `json:"-"` // where it is written; "" where that says nothing
	Line  int      `json:"-"`
	Shown string   `json:"-"` // the value, shortened; of a secret a digest; "" of files
	Via   []string `json:"-"` // what uses it, as file:line

	// Vaulted is a file of variables that is encrypted as a whole, and was taken to have no
	// templates in its values: who builds checks that.
	Vaulted bool `json:"-"`
	// Undefined are names of variables that such a file was taken not to define.
	Undefined []string `json:"-"`

	definitions []ansible.Definition // of a variable, all places that count
}

// Same reports whether two inputs are the same in what decides.
func (in Input) Same(other Input) bool { return compareInputs(in, other) == 0 }

// SameInputs reports whether two lists of inputs lead to one key.
func SameInputs(a, b []Input) bool { return slices.EqualFunc(a, b, Input.Same) }

// stepOrder is the name of the input that says which steps there are.
const stepOrder = "order of steps"

// theCommit is the name of the input that is the project's commit.
const theCommit = "the commit"

// format changes whenever this package derives keys in another way.
const format = "strata key 3"

// Inputs returns everything that decides a node's content, except its parent:
// sorted by kind and name. Errors are faults where a person can act on them.
func Inputs(p *layer.Project, n layer.Node, src *Source) ([]Input, error) {
	c := collector{p: p, n: n, src: src}
	return c.collect()
}

func (c *collector) collect() ([]Input, error) {
	c.src.open()
	n := c.n
	c.add(KindTool, "strata", sum(format, c.src.Tool))
	c.definition()
	c.secrets()
	for _, name := range c.repositories() {
		c.repository(name)
	}
	for _, s := range n.Steps {
		c.step(s)
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	slices.SortFunc(c.inputs, compareInputs)
	all := slices.CompactFunc(c.inputs, Input.Same) // several steps may reach the same
	slices.Sort(c.unveiled)
	for i := range all {
		if all[i].Vaulted {
			all[i].Undefined = slices.Compact(c.unveiled)
		}
	}
	return all, nil
}

// repositories are the repositories that the node names.
func (c *collector) repositories() []string {
	names := c.n.Repositories
	if c.n.Source != nil {
		names = slices.Concat(names, c.n.Source.Uses())
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func compareInputs(a, b Input) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
}

// known reports whether everything is known that a key is made of.
func known(inputs []Input) bool {
	return !slices.ContainsFunc(inputs, func(in Input) bool { return in.Digest == "" })
}

// KeyOf returns the key of a node with these inputs on a parent whose whole
// tree has this digest (its chain, not its topmost layer alone); "" for a node
// without parent. The order of the inputs does not matter, and inputs of kind
// parent are passed over: the parameter says it.
func KeyOf(parent layer.Digest, inputs []Input) layer.Key {
	return keyWith(parent, inputs, digestOf(inputs, ofPlaybooks))
}

// keyWith is KeyOf with the digest of the inputs that playbooks reach, which need not be
// among these.
func keyWith(parent layer.Digest, inputs []Input, playbooks [sha256.Size]byte) layer.Key {
	h := sha256.New()
	add(h, format)
	add(h, string(parent))
	h.Write(playbooks[:])
	rest := digestOf(inputs, func(in Input) bool { return in.Kind != KindParent && !ofPlaybooks(in) })
	h.Write(rest[:])
	return layer.Key(hex.EncodeToString(h.Sum(nil)))
}

// ofPlaybooks reports whether an input is one that playbooks reach.
func ofPlaybooks(in Input) bool { return in.Kind == KindAnsible || in.Kind == KindVariable }

// digestOf is the digest of some of the inputs, in whatever order; zero if there are none.
func digestOf(inputs []Input, of func(Input) bool) (sum [sha256.Size]byte) {
	some := slices.Collect(func(yield func(Input) bool) {
		for _, in := range inputs {
			if of(in) && !yield(in) {
				return
			}
		}
	})
	if len(some) == 0 {
		return sum
	}
	slices.SortFunc(some, compareInputs)
	h := sha256.New()
	for _, in := range some {
		add(h, in.Kind)
		add(h, in.Name)
		add(h, in.Digest)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// ParentInput is the parent as an input, for the record of a build.
func ParentInput(parent layer.NodeID, digest layer.Digest) Input {
	return Input{Kind: KindParent, Name: string(parent), Digest: string(digest)}
}

// collector gathers the inputs of one node.
type collector struct {
	p      *layer.Project
	n      layer.Node
	src    *Source
	inputs []Input
	errs   []error

	changed []string           // names of files that differ from another revision
	told    []*ansible.Reached // what is told of the playbooks of each step instead of all; nil for all

	unveiled []string // names that vaulted files were taken not to define, by any of the steps

	seen     *layer.Observed   // what programs do that nothing bounds; nil: anything
	programs []ansible.Program // these
}

func (c *collector) add(kind, name, digest string) {
	c.inputs = append(c.inputs, Input{Kind: kind, Name: name, Digest: digest})
}

// written adds an input that is written where the node is.
func (c *collector) written(kind, name, digest, shown string) {
	c.inputs = append(c.inputs, Input{Kind: kind, Name: name, Digest: digest, Shown: shown, File: c.n.Pos.File, Line: c.n.Pos.Line})
}

// fail notes an error; one without a place gets that of the node.
func (c *collector) fail(err error) {
	for _, f := range fault.All(err) {
		if f.File == "" {
			f.At(c.n.Pos.File, c.n.Pos.Line, c.n.Pos.Col)
		}
	}
	c.errs = append(c.errs, fmt.Errorf("node %s: %w", c.n.ID, err))
}

// value adds the canonical form of a value.
func (c *collector) value(kind, name string, v any) {
	text, err := canonical(v)
	if err != nil {
		c.fail(err)
		return
	}
	c.written(kind, name, sum(string(text)), show(v))
	if kind == KindProject { // written elsewhere
		c.inputs[len(c.inputs)-1].Line = 0
	}
}

// irrelevant says why a field of layer.Node is no part of the definition; ""
// for those that are.
func (c *collector) irrelevant(field string) string {
	switch field {
	case "Pos":
		return "where something is written does not decide what it says"
	case "Parent":
		return "the parent enters by the digest of its content"
	case "Secrets":
		return "a secret enters by its name and value, wherever it is read from"
	case "Steps":
		return "each step enters by itself"
	case "Groups":
		if !c.seesGroups() {
			return "of groups, playbooks enter with what these decide; only templates see them all"
		}
	}
	return ""
}

// seesGroups reports whether a step can tell which groups, or which cluster,
// the node belongs to.
func (c *collector) seesGroups() bool {
	return slices.ContainsFunc(c.n.Steps, func(s layer.Step) bool { return s.Reads().Node })
}

// definition adds every field of the node and every step.
func (c *collector) definition() {
	v := reflect.ValueOf(c.n)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if c.irrelevant(name) == "" && !empty(v.Field(i)) {
			c.value(KindDefinition, strings.ToLower(name), definitionOf(v.Field(i).Interface()))
		}
	}
	count := map[string]int{}
	order := make([]string, len(c.n.Steps))
	for i, s := range c.n.Steps {
		name := s.Kind()
		if count[name]++; count[name] > 1 {
			name = fmt.Sprintf("%s #%d", name, count[name])
		}
		order[i] = name
		if part, ok := s.(layer.PartStep); ok {
			s = part.Written()
		}
		c.value(KindDefinition, name, s)
	}
	if len(order) > 0 {
		c.written(KindDefinition, stepOrder, sum(order...), strings.Join(order, ", "))
	}
	if c.seesGroups() {
		c.value(KindProject, "cluster", c.p.Cluster)
	}
}

// definitionOf is a field of a node as it enters: of a source with its kind, in the form
// that strata.yaml has it in.
func definitionOf(field any) any {
	source, ok := field.(layer.Source)
	if !ok {
		return field
	}
	of := reflect.ValueOf(source)
	kept := reflect.New(of.Type())
	kept.Elem().Set(of)
	form := reflect.StructOf([]reflect.StructField{{Name: of.Type().Name(), Type: kept.Type(), Tag: reflect.StructTag(fmt.Sprintf("yaml:%q", source.Kind()))}})
	written := reflect.New(form)
	written.Elem().Field(0).Set(kept)
	return written.Interface()
}

func (c *collector) secrets() {
	for _, name := range slices.Sorted(maps.Keys(c.n.Secrets)) {
		if allow := c.n.Secrets[name].Allow; len(allow) > 0 {
			c.value(KindDefinition, "allow of secret "+name, allow)
		}
		if c.src.Secret == nil {
			c.fail(fmt.Errorf("read secret %s: there is nothing to read secrets with", name))
			continue
		}
		value, err := c.src.Secret(c.n.Secrets[name])
		if err != nil && c.src.WithoutSecrets {
			c.add(KindSecret, name, "")
			continue
		}
		if err != nil {
			c.fail(fmt.Errorf("read secret %s: %w", name, err))
			continue
		}
		c.add(KindSecret, name, c.src.secretDigest(c.p.Cluster.Name, name, value))
	}
}

// repository adds a repository that the node names but does not hold.
func (c *collector) repository(name string) {
	r, ok := c.p.Repositories[name]
	if !ok {
		c.fail(fault.New(fault.Input, "there is no repository %q", name))
		return
	}
	c.value(KindProject, "repository "+name, r)
	c.file(keyOf(r))
}

// namedFile is a file or directory that a layer names.
type namedFile struct {
	kind, name string // no file if the name is empty
	follow     bool   // a link counts with what it leads to
}

func keyOf(r layer.Repository) namedFile { return namedFile{KindFile, r.Key, true} }

// file adds a file or a whole directory.
func (c *collector) file(f namedFile) {
	if f.name == "" {
		return
	}
	list, err := c.src.tree(f.kind, f.name, f.follow)
	if err != nil {
		c.fail(err)
		return
	}
	c.inputs = append(c.inputs, list...)
}

// step adds what a step reads.
func (c *collector) step(s layer.Step) {
	for _, f := range namedBy(s) {
		c.file(f)
	}
	if p := s.Reads().Playbooks; p != nil {
		c.playbooks(*p)
	}
}

// namedBy are the files that a step names; playbooks reach theirs by themselves.
func namedBy(s layer.Step) []namedFile {
	var all []namedFile
	for _, f := range s.Reads().Files {
		kind := KindFile
		if f.Package {
			kind = KindPackage
		}
		all = append(all, namedFile{kind, f.Name, f.Follow})
	}
	return all
}

// playbooks adds the files and variables that playbooks reach.
func (c *collector) playbooks(s layer.Playbooks) {
	var reached *ansible.Reached
	if c.told != nil {
		reached, c.told = c.told[0], c.told[1:]
	} else {
		analysis, err := c.src.playbooks.Analyse(c.query(s), ansible.Options{Changed: c.changed})
		if err != nil {
			c.fail(err)
			return
		}
		reached = analysis.Reached()
	}
	c.src.noteReached(c.n, reached)
	c.programs = append(c.programs, reached.Programs...)
	for _, name := range reached.Without {
		if c.src.Whole {
			c.fail(fault.New(fault.Input, "%s runs, and could not be got", name).
				WithHint("see what was said of it above; strata lock tries again"))
		}
	}
	c.reached(reached)
}

// reached adds what playbooks reach.
func (c *collector) reached(reached *ansible.Reached) {
	c.inputs = slices.Grow(c.inputs, len(reached.Files)+len(reached.Variables))
	for _, f := range reached.Files {
		c.inputs = append(c.inputs, Input{Kind: KindAnsible, Name: f.Path, Digest: f.Digest, File: f.Path, Via: f.Via, Vaulted: f.Vaulted})
	}
	c.unveiled = append(c.unveiled, reached.Unveiled...)
	if len(reached.Commit) > 0 {
		id := ""
		if c.src.Commit != nil {
			id = c.src.Commit()
		}
		c.inputs = append(c.inputs, Input{Kind: KindCommit, Name: theCommit, Digest: sum(id), Shown: id, Via: reached.Commit})
	}
	for _, v := range reached.Variables {
		in := Input{Kind: KindVariable, Name: v.Name, Digest: v.Digest, Via: v.Via}
		if last := len(v.Definitions) - 1; last >= 0 {
			in.definitions = v.Definitions
			d := v.Definitions[last]
			in.File, in.Line, in.Shown = d.File, d.Line, d.Shown
			if in.File == "" && d.Extra {
				in.File, in.Line = c.n.Pos.File, c.n.Pos.Line
			}
			if value.Confidential(v.Name) {
				in.Shown = "sha256:" + layer.Key(v.Digest).Short()
			}
		}
		c.inputs = append(c.inputs, in)
	}
}

// query is what is asked about a step's playbooks.
func (c *collector) query(s layer.Playbooks) ansible.Query {
	q := ansible.Query{
		Playbooks:         s.Playbooks,
		Host:              string(c.n.ID),
		Groups:            slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.n.Groups, s.Groups)))),
		Inventory:         c.p.Inventory,
		RolesPath:         s.RolesPath,
		Collections:       s.Collections,
		Config:            s.Config,
		ExtraVars:         s.ExtraVars,
		ExtraVarsFiles:    s.ExtraVarsFiles,
		Local:             s.Local,
		Tags:              s.Tags,
		SkipTags:          s.SkipTags,
		VaultTemplates:    s.Vault == "templates",
		VaultPasswordFile: s.VaultPasswordFile,
		Facts:             c.facts(),
		Exclude:           c.src.Exclude,
	}
	if c.seen != nil {
		q.Seen, q.Observed = true, *c.seen
	}
	return q
}

// queries are what is asked about the playbooks of each step that has some.
func (c *collector) queries() []ansible.Query {
	var all []ansible.Query
	for _, s := range c.n.Steps {
		if p := s.Reads().Playbooks; p != nil {
			all = append(all, c.query(*p))
		}
	}
	return all
}
