package plan

import (
	"errors"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// Select returns the nodes and images that names mean, each once, in the order
// of the names. A name is an image's or a node's; where it is both, the image
// is meant, for it is what people use; node/NAME is the node. No name at all means all images, or in a
// project without images all nodes that nothing stands on.
func Select(p *layer.Project, names []string) ([]layer.NodeID, []layer.Image, error) {
	var nodes []layer.NodeID
	var images []layer.Image
	add := func(id layer.NodeID) {
		if !slices.Contains(nodes, id) {
			nodes = append(nodes, id)
		}
	}
	addImage := func(im layer.Image) {
		if !slices.ContainsFunc(images, func(i layer.Image) bool { return i.Name == im.Name }) {
			images = append(images, im)
		}
		add(im.Node)
	}
	if len(names) == 0 {
		for _, im := range p.Images {
			addImage(im)
		}
		if len(p.Images) == 0 {
			for _, id := range leaves(p) {
				add(id)
			}
		}
	}
	var errs []error
	for _, name := range names {
		if im, ok := p.Image(name); ok {
			addImage(im)
		} else if n, ok := p.Node(layer.NodeID(strings.TrimPrefix(name, "node/"))); ok {
			add(n.ID)
		} else {
			errs = append(errs, unknown(p, name))
		}
	}
	if len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	return nodes, images, nil
}

// leaves returns the nodes that are nobody's parent.
func leaves(p *layer.Project) []layer.NodeID {
	parents := map[layer.NodeID]bool{}
	for _, n := range p.Nodes {
		parents[n.Parent] = true
	}
	var ids []layer.NodeID
	for _, n := range p.Nodes {
		if !parents[n.ID] {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// unknown is the fault for a name that is nothing's.
func unknown(p *layer.Project, name string) error {
	var images, all []string
	for _, im := range p.Images {
		images = append(images, im.Name)
	}
	all = append(all, images...)
	var nodes []string
	for _, n := range p.Nodes {
		nodes = append(nodes, string(n.ID))
		if n.Variant != "" && n.Layer == name {
			// A layer with variants is no node: these are.
			all = slices.Insert(all, 0, string(n.ID))
		}
	}
	all = append(all, nodes...)
	hint := ""
	if near := fault.Nearest(name, all); near != "" {
		hint = "did you mean " + near + "? "
	}
	if len(images) > 0 {
		hint += "images: " + strings.Join(images, ", ") + "; "
	}
	hint += "nodes: " + strings.Join(nodes, ", ")
	return fault.New(fault.Input, "there is no image or node %q", name).WithHint("%s", hint)
}
