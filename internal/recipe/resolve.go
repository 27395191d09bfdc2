package recipe

import (
	"maps"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
)

// resolver turns the documents into a project: it connects the names.
type resolver struct {
	loader       *loader
	faults       *faults
	arch         string
	identities   layer.Identities // the project's
	local        []layer.Local    // the project's
	repositories map[string]entry[layer.Repository]
	layers       map[string]*entry[layerDoc]
	images       map[string]place
	drafts       []*draft // in the order written
	nodes        map[layer.NodeID]*draft
}

// draft is a node whose parent may not be known yet.
type draft struct {
	id      layer.NodeID
	layer   *entry[layerDoc]
	variant *entry[variantDoc] // nil for a layer without variants
	parent  *draft
	wants   word // the parent as written
	node    *layer.Node
}

// at is where the node is defined.
func (d *draft) at() place {
	if d.variant != nil {
		return d.variant.At
	}
	return d.layer.At
}

func newResolver(l *loader, opts Options) *resolver {
	return &resolver{
		loader: l, faults: l.faults, arch: opts.Arch,
		repositories: map[string]entry[layer.Repository]{},
		layers:       map[string]*entry[layerDoc]{},
		images:       map[string]place{},
		nodes:        map[layer.NodeID]*draft{},
	}
}

// resolve returns the project; it is whole only if no mistake was reported.
func (r *resolver) resolve(doc *projectDoc, fragments []*includedDoc) *layer.Project {
	p := &layer.Project{
		Cluster: doc.Cluster, Registry: doc.Registry.URL, Trusted: doc.Registry.Trusted, Trust: doc.Trust,
		Repositories: map[string]layer.Repository{}, Files: r.loader.files,
	}
	for _, source := range doc.Inventory {
		if source.Path != "" {
			p.Inventory = append(p.Inventory, source.Path)
		}
	}
	r.identities, r.local = doc.Identities, doc.Ansible.Local
	for _, f := range fragments {
		r.define(f)
	}
	for name, repo := range r.repositories {
		p.Repositories[name] = repo.Value
	}
	r.checkRepositories()
	for _, d := range r.drafts {
		r.findParent(d)
	}
	r.checkCycles()
	for _, d := range r.drafts {
		r.place(d, p)
	}
	for _, f := range fragments {
		for i := range f.Images {
			r.image(&f.Images[i], p)
		}
	}
	p.Pipeline = r.pipeline(doc.Pipeline)
	r.checkHandedOn(doc, p)
	if len(r.layers) == 0 && len(r.faults.list) == 0 {
		r.faults.add(r.loader.main.at(1, 1), "write a layer below \"layers:\", or include a file that has one", "no layers are defined")
	}
	return p
}

// define notes the names that a document defines.
func (r *resolver) define(f *includedDoc) {
	for _, repo := range f.Repositories {
		if first, ok := r.repositories[repo.Name]; ok {
			r.twice("repository", repo.Name, repo.At, first.At)
			continue
		}
		if strings.HasSuffix(repo.Value.Suite, "/") {
			repo.Value.Components = nil // a flat repository
		}
		r.repositories[repo.Name] = repo
	}
	for i := range f.Layers {
		l := &f.Layers[i]
		if first, ok := r.layers[l.Name]; ok {
			r.twice("layer", l.Name, l.At, first.At)
			continue
		}
		r.layers[l.Name] = l
		r.draft(l)
	}
}

func (r *resolver) twice(what, name string, at, first place) {
	r.faults.add(at, "rename one of them", "%s %s is defined twice; first at %s", what, quote(name), first)
}

// draft makes the nodes of a layer.
func (r *resolver) draft(l *entry[layerDoc]) {
	doc := &l.Value
	if doc.Arch.Text != "" && doc.Arch.Text != r.arch {
		r.faults.add(doc.Arch.At, "build it on such a machine", "layers.%s: architecture %s is not supported yet on this machine, which is %s", l.Name, doc.Arch.Text, r.arch)
	}
	if len(doc.Variants) == 0 {
		r.addDraft(&draft{id: layer.NodeID(l.Name), layer: l, wants: doc.Parent})
		return
	}
	for i := range doc.Variants {
		v := &doc.Variants[i]
		d := &draft{id: layer.NodeID(l.Name + "-" + v.Name), layer: l, variant: v, wants: v.Value.Parent}
		if d.wants.Text == "" {
			d.wants = doc.Parent
		} else if doc.From != nil {
			r.faults.add(d.wants.At, "take one of them out", "layers.%s.variants.%s: the layer has a source, so its variants cannot have parents", l.Name, v.Name)
		}
		if len(v.Value.ExtraVars) > 0 && (doc.Ansible == nil || len(doc.Ansible.Playbooks.Playbooks) == 0) {
			r.faults.add(v.At, "name the playbooks below \"ansible\" of the layer", "layers.%s.variants.%s: extra_vars has no effect without playbooks", l.Name, v.Name)
		}
		r.addDraft(d)
	}
}

func (r *resolver) addDraft(d *draft) {
	if first, ok := r.nodes[d.id]; ok {
		r.faults.add(d.at(), "rename the layer or the variant", "node %s is defined twice: by %s, and first by %s at %s", quote(string(d.id)), d.origin(), first.origin(), first.at())
		return
	}
	r.nodes[d.id] = d
	r.drafts = append(r.drafts, d)
}

// origin names what a node is made from.
func (d *draft) origin() string {
	if d.variant != nil {
		return "layer " + d.layer.Name + " in variant " + d.variant.Name
	}
	return "layer " + d.layer.Name
}

// checkRepositories checks every use of a repository's name.
func (r *resolver) checkRepositories() {
	for _, ref := range r.loader.repositories {
		repo, ok := r.repositories[ref.Text]
		switch {
		case !ok && !r.loader.broken:
			hint := didYouMean(ref.Text, sorted(r.repositories), "there are")
			if len(r.repositories) == 0 {
				hint = "define it below \"repositories\""
			}
			r.faults.add(ref.At, hint, "%s: there is no repository %s", ref.path, quote(ref.Text))
		case ok && repo.Value.Type == "rpm":
			r.faults.add(ref.At, "name one of type apt", "%s: repository %s is of type rpm (%s), which is not supported yet", ref.path, quote(ref.Text), repo.At)
		}
	}
}

// findParent connects a node with its parent.
func (r *resolver) findParent(d *draft) {
	if d.layer.Value.From != nil || d.wants.Text == "" {
		return // checkLayer wants one of the two
	}
	if parent, hint := r.node(d.wants.Text, d); parent != nil {
		d.parent = parent
	} else if !r.loader.broken {
		r.faults.add(d.wants.At, hint, "%s: there is no node %s to be its parent", d.origin(), quote(d.wants.Text))
	}
}

// node finds the node that a name stands for, or says how to name one. For a
// child in a variant, a layer's name stands for its node of the same variant.
func (r *resolver) node(name string, child *draft) (*draft, string) {
	if d, ok := r.nodes[layer.NodeID(name)]; ok {
		return d, ""
	}
	if l, ok := r.layers[name]; ok && len(l.Value.Variants) > 0 {
		var ids []string
		for _, v := range l.Value.Variants {
			if child != nil && child.variant != nil && child.variant.Name == v.Name {
				return r.nodes[layer.NodeID(name+"-"+v.Name)], ""
			}
			ids = append(ids, name+"-"+v.Name)
		}
		return nil, "layer " + name + " has variants; its nodes are " + strings.Join(ids, ", ")
	}
	var ids []string
	for id := range r.nodes {
		if child == nil || id != child.id {
			ids = append(ids, string(id))
		}
	}
	slices.Sort(ids)
	return nil, didYouMean(name, ids, "there are")
}

// checkCycles reports every cycle once, at its member that is written first, and
// cuts it there.
func (r *resolver) checkCycles() {
	const (
		walking = 1
		done    = 2
	)
	state := map[*draft]int{}
	for _, d := range r.drafts {
		var trail []*draft
		n := d
		for ; n != nil && state[n] == 0; n = n.parent {
			state[n] = walking
			trail = append(trail, n)
		}
		if n != nil && state[n] == walking {
			r.cycle(trail[slices.Index(trail, n):])
		}
		for _, t := range trail {
			state[t] = done
		}
	}
}

// cycle reports a cycle, given as child, parent, parent's parent and so on.
func (r *resolver) cycle(ring []*draft) {
	first := 0
	for i, d := range ring {
		if d.at().compare(ring[first].at()) < 0 {
			first = i
		}
	}
	ring = append(ring[first:len(ring):len(ring)], ring[:first]...)
	var path []string
	for _, d := range append(ring, ring[0]) {
		path = append(path, string(d.id))
	}
	r.faults.add(ring[0].wants.At, "each stands on the next one; give one of them another parent", "the parents form a cycle: %s", strings.Join(path, " -> "))
	ring[0].parent = nil
}

// place adds a node to the project, after its parents.
func (r *resolver) place(d *draft, p *layer.Project) {
	if d.node != nil {
		return
	}
	if d.parent != nil {
		r.place(d.parent, p)
	}
	n := r.build(d)
	d.node = &n
	p.Nodes = append(p.Nodes, n)
}

// image adds an image to the project.
func (r *resolver) image(im *entry[imageDoc], p *layer.Project) {
	if first, ok := r.images[im.Name]; ok {
		r.twice("image", im.Name, im.At, first)
		return
	}
	r.images[im.Name] = im.At
	doc := im.Value
	if doc.Node.Text != "" && !r.loader.broken {
		if d, hint := r.node(doc.Node.Text, nil); d == nil {
			r.faults.add(doc.Node.At, hint, "images.%s.node: there is no node %s", im.Name, quote(doc.Node.Text))
		}
	}
	p.Images = append(p.Images, layer.Image{
		Name: im.Name, Node: layer.NodeID(doc.Node.Text), Artifacts: doc.Artifacts,
		Cmdline: doc.Cmdline, Kernel: doc.Kernel, Tests: doc.Tests, Pos: im.At.pos(),
	})
}

// pipeline connects the names in a site's own jobs.
func (r *resolver) pipeline(doc pipelineDoc) layer.Pipeline {
	hooks := func(docs []hookDoc, check func(word) (there bool, hint string)) []layer.Hook {
		var list []layer.Hook
		for _, d := range docs {
			for _, name := range d.Only {
				if check == nil {
					continue // checkPipeline has said what is wrong
				}
				if there, hint := check(name); !there && !r.loader.broken {
					r.faults.add(name.At, hint, "pipeline: job %s is only for %s, which does not exist", d.Name, quote(name.Text))
				}
				d.Hook.Only = append(d.Hook.Only, name.Text)
			}
			list = append(list, d.Hook)
		}
		return list
	}
	isNode := func(name word) (bool, string) {
		d, hint := r.node(name.Text, nil)
		return d != nil, hint
	}
	isImage := func(name word) (bool, string) {
		_, ok := r.images[name.Text]
		return ok, didYouMean(name.Text, sorted(r.images), "there are")
	}
	p := layer.Pipeline{
		Runner: doc.Runner, Variables: doc.Variables, Artifacts: doc.Artifacts.Text, KeepDays: doc.KeepDays,
		Before: hooks(doc.Before, nil), AfterNode: hooks(doc.AfterNode, isNode), AfterImage: hooks(doc.AfterImage, isImage),
	}
	if bucket, err := layer.ParseObjectStore(p.Artifacts); err == nil {
		p.Artifacts, p.Bucket = "s3", &bucket
	}
	return p
}

// checkHandedOn sees that artifacts can be handed on in the way that is meant.
func (r *resolver) checkHandedOn(doc *projectDoc, p *layer.Project) {
	at := doc.Pipeline.Artifacts
	if way := p.Pipeline.Artifacts; way != "registry" && way != "s3" {
		return
	}
	if p.Registry == "" {
		r.faults.add(at.At, "add registry: HOST[:PORT]/PATH", "pipeline.artifacts: %s needs a registry, which has the nodes that artifacts are of", quote(at.Text))
	}
	for _, im := range p.Images {
		for _, a := range im.Artifacts {
			if a.Type.Format().Directory {
				r.faults.add(at.At, "take tar instead, or oci from the registry, which has the node itself", "pipeline.artifacts: image %s has the artifact %s, a directory, and only files are handed on there", quote(im.Name), a.Type)
			}
		}
	}
}

// union returns the words of the lists, sorted, each once.
func union(lists ...[]string) []string {
	all := slices.Sorted(maps.Keys(setOf(lists...)))
	return all
}

func setOf(lists ...[]string) map[string]bool {
	set := map[string]bool{}
	for _, list := range lists {
		for _, s := range list {
			set[s] = true
		}
	}
	return set
}

// overlay returns the union of maps; a later one wins. Without entries, nil.
func overlay[V any](layers ...map[string]V) map[string]V {
	var all map[string]V
	for _, m := range layers {
		for k, v := range m {
			if all == nil {
				all = map[string]V{}
			}
			all[k] = v
		}
	}
	return all
}
