package recipe

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
)

// unknownHint suggests the key that was meant, or says where it belongs.
func unknownHint(key string, s *shape) string {
	if c := fault.Nearest(key, s.known()); c != "" {
		return "did you mean " + quote(c) + "?"
	}
	for _, f := range s.fields {
		below := f.shape
		if below.kind == kindList {
			below = below.elem
		}
		if below.kind == kindMapping && below.field(key) != nil {
			return quote(key) + " belongs below " + quote(f.key)
		}
	}
	return "the keys here are " + strings.Join(s.known(), ", ")
}

func requiredHint(f field) string {
	switch {
	case len(f.shape.enum) == 1:
		return "write \"" + f.key + ": " + f.shape.enum[0] + "\""
	case len(f.shape.enum) > 1:
		return "it is one of " + strings.Join(f.shape.enum, ", ")
	}
	sentence, _, _ := strings.Cut(f.doc, ". ")
	return strings.ToLower(sentence[:1]) + strings.TrimSuffix(sentence[1:], ".")
}

// describe names the type of a node in a sentence.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int":
		return "a number"
	case "!!float":
		return "a decimal number"
	case "!!bool":
		return "a boolean"
	case "!!null":
		return "nothing"
	}
	return "a string"
}

// isString reports whether a scalar is a string. A date is one: YAML 1.2, which
// editors follow, has no dates.
func isString(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!str", "!!timestamp", "!!merge":
		return true
	}
	return false
}

// wanted says in words what a mapping's place takes.
func wanted(s *shape) string {
	switch {
	case s.short == nil:
		return "a mapping"
	case s.short.shape.kind == kindList:
		return "a list or a mapping"
	}
	return "a string or a mapping"
}

// listHint says how to write a list where something else stands.
func listHint(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && len(n.Value) < 40 && !strings.ContainsAny(n.Value, "\n,[]{}:#\"'"):
		return "write [" + n.Value + "]"
	case n.Kind == yaml.MappingNode:
		return `begin every item with "- "`
	}
	return ""
}
