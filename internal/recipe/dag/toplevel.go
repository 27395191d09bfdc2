package dag

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
)

// topKeys are the keys at the top of a file that are no names of layers.
func topKeys() []string { return []string{"inventory", "layers", "image_types"} }

// topLayers takes the layers that stand at the top, beside "inventory" and without
// "layers", out of the file's mapping, and returns both; layers is nil without any.
func (s *source) topLayers(root *yaml.Node) (rest, layers *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		return root, nil
	}
	for _, key := range []string{"layers", "image_types"} {
		if value(root, key) != nil {
			s.onePlace(root, key)
			return root, nil
		}
	}
	layers, rest = split(root, func(key, value *yaml.Node) bool {
		switch {
		case slices.Contains(topKeys(), key.Value):
			return false
		case likeLayer(value):
			return true
		case fault.Nearest(key.Value, topKeys()) != "":
			return false // pairs says so
		}
		return value.Kind == yaml.MappingNode || isNothing(value)
	})
	if len(layers.Content) == 0 {
		return root, nil
	}
	return rest, layers
}

// onePlace refuses layers at the top of a file that has a place for them.
func (s *source) onePlace(root *yaml.Node, place string) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if key := root.Content[i]; !slices.Contains(topKeys(), key.Value) && value(root.Content[i+1], "image_types") != nil {
			s.refuseAt(key, "write it below \"layers\", as the others", "%s looks like a layer, and stands beside %s", quote(key.Value), quote(place))
		}
	}
}

// likeLayer says whether a value has a key of a layer, if a misspelt one.
func likeLayer(n *yaml.Node) bool {
	known := []string{"repo", "pb", "playbook", "playbooks", "groups", "image_types"}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if key := n.Content[i].Value; slices.Contains(known, key) || fault.Nearest(key, []string{"image_types"}) != "" {
			return true
		}
	}
	return false
}

// split divides a mapping into what is wanted of it, and what is not.
func split(n *yaml.Node, wanted func(key, value *yaml.Node) bool) (yes, no *yaml.Node) {
	one, other := *n, *n
	one.Content, other.Content = nil, nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		into := &other
		if wanted(n.Content[i], n.Content[i+1]) {
			into = &one
		}
		into.Content = append(into.Content, n.Content[i], n.Content[i+1])
	}
	return &one, &other
}
