package recipe

import (
	"slices"

	"github.com/strata-hpc/strata/internal/layer"
)

// build makes a node; its parent, if it has one, is made already.
func (r *resolver) build(d *draft) layer.Node {
	doc := &d.layer.Value
	n := layer.Node{ID: d.id, Layer: d.layer.Name, Arch: r.arch, Pos: d.at().pos()}
	var variant variantDoc
	if d.variant != nil {
		n.Variant, variant = d.variant.Name, d.variant.Value
	}
	var parent layer.Node
	if d.parent != nil {
		n.Parent, parent = d.parent.id, *d.parent.node
	}
	n.Repositories = slices.Clone(parent.Repositories)
	if n.Source = doc.From.source(); n.Source != nil {
		n.Repositories = appendNew(n.Repositories, n.Source.Uses()...)
	}
	for _, name := range doc.Repositories {
		n.Repositories = appendNew(n.Repositories, name.Text)
	}
	var own []string
	if doc.Ansible != nil {
		own = doc.Ansible.Groups
	}
	own = union(own, variant.Groups)
	n.Groups = union(parent.Groups, own)
	n.Env = overlay(parent.Env, doc.Env, variant.Env)
	n.Labels = overlay(parent.Labels, doc.Labels, variant.Labels)
	n.Identities = layer.Identities{
		Remove: union(r.identities.Remove, parent.Identities.Remove, doc.Identities.Remove),
		Keep:   union(r.identities.Keep, parent.Identities.Keep, doc.Identities.Keep),
	}
	for _, s := range doc.Secrets {
		if n.Secrets == nil {
			n.Secrets = map[string]layer.Secret{}
		}
		n.Secrets[s.Name] = s.Value
	}
	n.Steps = r.steps(doc, own, variant.ExtraVars)
	return n
}

// steps returns what is done in a layer, in the order in which it is done,
// whatever the order in which it is written. What has nothing to do is left out.
func (r *resolver) steps(doc *layerDoc, groups []string, extra map[string]any) []layer.Step {
	var steps []layer.Step
	var names []string
	if from := doc.From.source(); from != nil {
		for _, name := range from.Uses() {
			if r.repositories[name].Value.URL != "" { // then the image names it
				names = append(names, name)
			}
		}
	}
	for _, name := range doc.Repositories {
		names = appendNew(names, name.Text)
	}
	if len(names) > 0 {
		s := layer.Repositories{Names: names}
		for _, name := range names {
			s.Definitions = append(s.Definitions, r.repositories[name].Value)
		}
		steps = append(steps, s)
	}
	if len(doc.Remove) > 0 {
		steps = append(steps, layer.Remove{Packages: doc.Remove})
	}
	if p := doc.Packages; p != nil && len(p.Install) > 0 {
		steps = append(steps, *p)
	}
	if len(doc.Files) > 0 {
		steps = append(steps, layer.Files{Files: doc.Files})
	}
	if a := doc.Ansible; a != nil && len(a.Playbooks.Playbooks) > 0 {
		s := a.step()
		s.Groups = slices.Clone(groups)
		s.ExtraVars = overlay(a.ExtraVars, extra)
		s.Local = slices.Concat(a.Local, r.local)
		steps = append(steps, s)
	}
	if len(doc.Run) > 0 {
		steps = append(steps, layer.Run{Commands: doc.Run})
	}
	if s := doc.Services; s != nil && len(s.Enable)+len(s.Disable)+len(s.Mask) > 0 {
		steps = append(steps, *s)
	}
	return steps
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
