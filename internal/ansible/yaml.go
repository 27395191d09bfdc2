package ansible

import (
	"iter"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
)

// parse reads the only document of a YAML file; nil for an empty one.
func parse(name string, data string) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(data), &doc); err != nil {
		line, what := placeOf(err)
		return nil, fault.New(fault.Input, "not YAML: %s", what).At(name, line, 0).
			WithHint("ansible-playbook --syntax-check shows the place with its surroundings")
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return resolved(doc.Content[0]), nil
}

// placeOf takes the line out of the YAML library's "yaml: line 3: message"; it
// names none for the first.
func placeOf(err error) (line int, what string) {
	what = strings.TrimPrefix(err.Error(), "yaml: ")
	rest, numbered := strings.CutPrefix(what, "line ")
	number, message, _ := strings.Cut(rest, ": ")
	if n, err := strconv.Atoi(number); numbered && err == nil {
		return n, message
	}
	return 1, what
}

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < 10; i++ {
		n = n.Alias
	}
	return n
}

// pairs yields the keys and values of a mapping, those that are merged in with
// "<<" too; nothing for any other node.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, v *yaml.Node) bool) { eachPair(n, map[*yaml.Node]bool{}, yield) }
}

// eachPair takes in each mapping once: a mapping can merge itself.
func eachPair(n *yaml.Node, seen map[*yaml.Node]bool, yield func(k, v *yaml.Node) bool) bool {
	n = resolved(n)
	if n.Kind != yaml.MappingNode || seen[n] {
		return true
	}
	seen[n] = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Tag != "!!merge" {
			if !yield(k, v) {
				return false
			}
			continue
		}
		merged := []*yaml.Node{v}
		if r := resolved(v); r.Kind == yaml.SequenceNode {
			merged = r.Content
		}
		for _, m := range merged {
			if !eachPair(m, seen, yield) {
				return false
			}
		}
	}
	return true
}

// named yields the keys of a mapping with their values, or a lone scalar as the
// only key of a mapping.
func named(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			yield(n.Value, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"})
			return
		}
		for k, v := range pairs(n) {
			if !yield(k.Value, v) {
				return
			}
		}
	}
}

// child returns the value of a mapping's key, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	for k, v := range pairs(n) {
		if k.Value == key {
			return resolved(v)
		}
	}
	return nil
}

// items returns the elements of a list, or the node itself if it is none: most
// of Ansible's keywords take one thing or several.
func items(n *yaml.Node) []*yaml.Node {
	switch {
	case n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil
	case n.Kind != yaml.SequenceNode:
		return []*yaml.Node{n}
	}
	list := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		list[i] = resolved(c)
	}
	return list
}

// scalars yields every scalar below a node, keys left out.
func scalars(n *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		seen := map[*yaml.Node]bool{}
		var down func(n *yaml.Node) bool
		down = func(n *yaml.Node) bool {
			if n == nil || seen[n] {
				return true
			}
			switch n = resolved(n); n.Kind {
			case yaml.ScalarNode:
				return yield(n)
			case yaml.SequenceNode:
				seen[n] = true
				for _, c := range n.Content {
					if !down(c) {
						return false
					}
				}
			case yaml.MappingNode:
				seen[n] = true
				for i := 1; i < len(n.Content); i += 2 {
					if !down(n.Content[i]) {
						return false
					}
				}
			}
			return true
		}
		down(n)
	}
}
