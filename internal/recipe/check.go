package recipe

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/layer"
)

// keys are the keys of a mapping as they were written, for the checks.
type keys struct {
	w       *walker
	at      site
	written map[string]*yaml.Node // the keys' own nodes
	values  map[string]*yaml.Node
	meant   map[string]bool // keys that unknown ones were probably meant to be
}

// has reports whether a key is written.
func (k keys) has(key string) bool { return k.written[key] != nil }

// empty reports whether a key is written and holds a mapping or list of nothing.
func (k keys) empty(key string, kind yaml.Kind) bool {
	v := k.values[key]
	return v != nil && v.Kind == kind && len(v.Content) == 0
}

// add reports a mistake at the value of a key, or at the mapping if the key is
// not written.
func (k keys) add(key, hint, format string, args ...any) {
	node := k.at.node
	if v := k.values[key]; v != nil {
		node = v
	}
	k.w.faults.add(k.w.place(node), hint, "%s"+format, append([]any{k.at.prefix()}, args...)...)
}

// item returns an item of the list that a key holds, or the mapping's own site.
func (k keys) item(key string, i int) *yaml.Node {
	list := k.values[key]
	if list != nil && list.Kind == yaml.AliasNode {
		list = list.Alias
	}
	if list == nil || i >= len(list.Content) {
		return k.at.node
	}
	return list.Content[i]
}

// check reports the mistakes that a struct's tags cannot tell.
func (w *walker) check(doc any, k keys) {
	switch v := doc.(type) {
	case layer.Repository:
		checkRepository(v, k)
	case layer.File:
		checkFile(v, k)
	case playbooksDoc:
		checkPlaybooks(v.Playbooks, k)
	case rolesDoc:
		checkRoles(k)
	case inventoryDoc:
		checkInventory(k)
	case layer.Services:
		checkServices(v, k)
	case layer.Artifact:
		checkArtifact(v, k)
	case layerDoc:
		checkLayer(v, k)
	case fromDoc:
		checkFrom(k)
	case imageDoc:
		checkImage(v, k)
	case pipelineDoc:
		checkPipeline(v, k)
	}
}

func checkRepository(r layer.Repository, k keys) {
	switch r.Type {
	case "apt":
		if !k.has("suite") {
			k.add("", "write the release's code name, such as bookworm", "an apt repository needs a suite")
		}
		if strings.HasSuffix(r.Suite, "/") && k.has("components") {
			k.add("components", "take the components out", "a suite that ends in a slash has no components")
		}
	case "rpm":
		if !k.has("url") {
			k.add("", "", "an rpm repository needs a url")
		}
		for _, key := range []string{"suite", "components"} {
			if k.has(key) {
				k.add(key, "take it out", "an rpm repository has no %s", key)
			}
		}
	}
	if r.Trusted && k.has("key") {
		k.add("trusted", "take one of them out", "trusted leaves the signature unchecked, so the key has no use")
	}
}

func checkFile(f layer.File, k keys) {
	if f.Content != nil && strings.HasSuffix(f.Dest, "/") {
		k.add("dest", "write the file's whole path", "content needs the name of a file, not a directory")
	}
}

func checkPlaybooks(p layer.Playbooks, k keys) {
	if len(p.Playbooks) > 0 {
		return
	}
	for _, key := range sorted(k.written) {
		if key != "groups" && key != "playbooks" {
			k.add(key, "name the playbooks, or take it out", "%s has no effect without playbooks", key)
		}
	}
	if !k.has("playbooks") && !k.has("groups") {
		k.add("", "write \"playbooks\", \"groups\" or both", "neither playbooks nor groups are named")
	}
}

func checkRoles(k keys) {
	if !k.has("path") && !k.has("repo") {
		k.add("", "write \"path\", \"repo\" or both", "neither path nor repo is named")
	}
	if k.has("ref") && !k.has("repo") {
		k.add("ref", "name the repository with \"repo\", or take it out", "ref has no effect without repo")
	}
}

func checkInventory(k keys) {
	if !k.has("path") && !k.has("url") && !k.meant["path"] && !k.meant["url"] {
		k.add("", "write \"path\", \"url\" or both", "neither path nor url is named")
	} else if k.has("ref") && !k.has("url") && !k.meant["url"] {
		k.add("ref", "name the repository with \"url\", or take it out", "ref has no effect without url")
	}
}

func checkServices(s layer.Services, k keys) {
	for i, unit := range s.Enable {
		other := ""
		switch {
		case slices.Contains(s.Disable, unit):
			other = "disable"
		case slices.Contains(s.Mask, unit):
			other = "mask"
		}
		if unit != "" && other != "" {
			k.w.faults.add(k.w.place(k.item("enable", i)), "keep one of them", "%s: unit %s stands in enable and in %s", k.at.path, unit, other)
		}
	}
}

// checkArtifact holds an artifact's settings against what is known of its format.
func checkArtifact(a layer.Artifact, k keys) {
	if a.Type == "" {
		return
	}
	f := a.Type.Format()
	c, known := f.Compressor(a.Compression)
	switch {
	case len(f.Compressors) == 0 && (a.Compression != "" || a.Level != 0):
		k.add("compression", "take it out", "%s has no compression to set", a.Type)
	case len(f.Compressors) == 0:
	case !known:
		k.add("compression", "legal are "+strings.Join(f.CompressorNames(), ", "), "%s cannot be compressed with %s", a.Type, a.Compression)
	case a.Level > 0 && c.Most == 0:
		k.add("level", "take it out", "%s has no levels", c.Name)
	case a.Level > c.Most:
		k.add("level", "", "the highest level of %s is %d", c.Name, c.Most)
	}
	switch {
	case a.BlockSize == 0 || f.Block.Fits(a.BlockSize):
	case f.Block.Most == 0:
		k.add("block_size", "take it out", "only a squashfs has a block size")
	default:
		k.add("block_size", "", "%d is not a power of two from %d to %d", a.BlockSize, f.Block.Least, f.Block.Most)
	}
}

// checkLayer wants a parent or a source for each of the layer's nodes.
func checkLayer(l layerDoc, k keys) {
	const hint = "write \"parent: NODE\", or \"from:\" for a first layer"
	switch {
	case k.has("parent") || k.has("from") || k.meant["parent"] || k.meant["from"]:
	case !k.has("variants") && !k.meant["variants"]:
		k.add("", hint, "the layer has neither a parent nor a source")
	default:
		for _, v := range l.Variants {
			if v.Value.Parent.Text == "" {
				k.w.faults.add(v.At, hint+", in the variant or in its layer", "%s.variants.%s: the variant has neither a parent nor a source", k.at.path, v.Name)
			}
		}
	}
	if k.has("parent") && k.has("from") {
		k.w.faults.add(k.w.place(k.written["from"]), "take one of them out", "%s: a layer has a parent or a source, not both", k.at.path)
	}
	if k.empty("variants", yaml.MappingNode) {
		k.add("variants", "write one, or take the key out", "variants is empty")
	}
	for i, name := range l.Repositories {
		if j := slices.IndexFunc(l.Repositories, func(o word) bool { return o.Text == name.Text }); j < i && name.Text != "" {
			k.w.faults.add(name.At, "take one of them out", "%s: repository %s is named twice", k.at.path, quote(name.Text))
		}
	}
}

// checkFrom wants exactly one source. One that is not supported was refused by
// its name.
func checkFrom(k keys) {
	switch {
	case len(k.written)+len(k.meant) == 0:
		k.add("", "write from: {bootstrap: {...}}", "no source is named")
	case len(k.written) > 1:
		k.add("", "keep one of them", "a layer has one source, not %d", len(k.written))
	}
}

func checkImage(im imageDoc, k keys) {
	if k.empty("artifacts", yaml.SequenceNode) {
		k.add("artifacts", "take the key out for the default", "the image has no artifacts")
	}
	for i, a := range im.Artifacts {
		if j := slices.IndexFunc(im.Artifacts, func(o layer.Artifact) bool { return o.Type == a.Type }); j < i && a.Type != "" {
			k.w.faults.add(k.w.place(k.item("artifacts", i)), "take one of them out", "%s: artifact %s stands twice in the list", k.at.path, a.Type)
		}
	}
	for i, t := range im.Tests {
		if j := slices.IndexFunc(im.Tests, func(o layer.Test) bool { return o.Name == t.Name }); j < i && t.Name != "" {
			k.w.faults.add(k.w.place(k.item("tests", i)), "rename one of them", "%s: test %s stands twice in the list", k.at.path, quote(t.Name))
		}
	}
}

// checkPipeline refuses secrets: what is generated is there for everybody to read.
func checkPipeline(p pipelineDoc, k keys) {
	for _, name := range sorted(p.Variables) {
		if value.Confidential(name) {
			k.add("variables", "set it in the CI system, masked; there is no need to name it here", "variable %s looks like a secret", name)
			k.w.faults.list[len(k.w.faults.list)-1].err.Snippet = ""
		}
	}
	for i, h := range p.Before {
		if len(h.Only) > 0 {
			k.w.faults.add(k.w.place(k.item("before", i)), "take it out", "%s.before[%d]: only has no meaning before anything is built", k.at.path, i)
		}
	}
	for name, hooks := range map[string][]hookDoc{"before": p.Before, "after_node": p.AfterNode, "after_image": p.AfterImage} {
		for i, h := range hooks {
			for _, command := range h.Run {
				checkCommand(command, name, i, k)
			}
		}
	}
}

// checkCommand refuses what CI systems would not hand on as it is: they join the
// commands of a job, some of them by lines.
func checkCommand(command, key string, i int, k keys) {
	slashes := len(command) - len(strings.TrimRight(command, `\`))
	switch {
	case slashes%2 == 1:
		k.w.faults.add(k.w.place(k.item(key, i)), "take it out, or write what follows", "%s.%s[%d]: a command ends in a backslash", k.at.path, key, i)
	case strings.Contains(command, "\r"):
		k.w.faults.add(k.w.place(k.item(key, i)), `end lines with \n alone; printf '\r' writes one`, "%s.%s[%d]: a command holds a carriage return", k.at.path, key, i)
	}
}
