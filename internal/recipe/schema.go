package recipe

import (
	"bytes"
	"encoding/json"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Schema returns the JSON Schema (draft 2020-12) of a strata.yaml, indented. An
// included file is described by its definition "included". It tells what the
// decoder checks in one value; what takes the whole recipe to see, such as a
// missing parent, only Load tells.
func Schema() []byte {
	s := schemer{defs: map[string]any{}}
	root := s.define(shapeOf(projectDoc{}))
	s.define(shapeOf(includedDoc{}))
	doc := map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$defs":       s.defs,
		"title":       "strata.yaml",
		"description": "What a cluster's images are made of.",
	}
	for k, v := range root {
		doc[k] = v
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		panic("recipe: schema: " + err.Error()) // it is made of maps, lists and strings
	}
	return out.Bytes()
}

// object is a part of a JSON Schema. Its keys come out sorted, so the text is
// the same every time.
type object = map[string]any

// schemer collects the definitions of mappings by name.
type schemer struct {
	defs map[string]any
}

// of returns the schema of a shape.
func (s schemer) of(sh *shape) object {
	switch sh.kind {
	case kindBool:
		return object{"type": "boolean"}
	case kindInt:
		return numberSchema(sh)
	case kindScalar:
		return object{"type": []string{"string", "number", "boolean"}}
	case kindAny:
		return object{}
	case kindList:
		list := object{"type": "array", "items": s.of(sh.elem)}
		if sh.min > 0 {
			list["minItems"] = sh.min
		}
		if sh.alone {
			return object{"anyOf": []object{s.of(sh.elem), list}}
		}
		return list
	case kindDict, kindEntries:
		return object{"type": "object", "propertyNames": textSchema(sh.keys), "additionalProperties": s.of(sh.elem)}
	case kindMapping:
		if sh.short != nil {
			return object{"anyOf": []object{s.of(sh.short.shape), s.define(sh)}}
		}
		return s.define(sh)
	}
	return textSchema(sh)
}

// define puts a mapping among the definitions and returns a reference to it.
func (s schemer) define(sh *shape) object {
	ref := object{"$ref": "#/$defs/" + sh.name}
	if s.defs[sh.name] != nil {
		return ref
	}
	properties, def := object{}, object{"type": "object", "additionalProperties": false}
	s.defs[sh.name] = def
	var required []string
	choices := map[string][]object{}
	for _, f := range sh.fields {
		if f.shape.kind == kindLater {
			continue
		}
		property := s.of(f.shape)
		property["description"] = f.doc
		if f.standby != nil {
			property["default"] = defaultValue(f.standby)
		}
		properties[f.key] = property
		if f.required {
			required = append(required, f.key)
		}
		if f.oneof != "" {
			choices[f.oneof] = append(choices[f.oneof], object{"required": []string{f.key}})
		}
	}
	def["properties"] = properties
	if required != nil {
		def["required"] = required
	}
	for _, choice := range sorted(choices) {
		def["oneOf"] = choices[choice] // no mapping has two of them
	}
	return ref
}

func textSchema(sh *shape) object {
	text := object{"type": "string"}
	form := formats()[sh.format]
	switch {
	case sh.enum != nil:
		text["enum"] = sh.enum
	case form.pattern != "":
		text["pattern"] = form.pattern
	case !form.empty:
		text["minLength"] = 1
	}
	return text
}

func numberSchema(sh *shape) object {
	number := object{"type": "integer"}
	if sh.min != 0 {
		number["minimum"] = sh.min
	}
	if sh.enum != nil {
		var legal []int
		for _, e := range sh.enum {
			n, err := strconv.Atoi(e)
			if err != nil {
				panic("recipe: enum of a number: " + e)
			}
			legal = append(legal, n)
		}
		number["enum"] = legal
	}
	return number
}

// defaultValue turns a default into what JSON can hold.
func defaultValue(n *yaml.Node) any {
	var value any
	if err := n.Decode(&value); err != nil {
		panic("recipe: default: " + err.Error())
	}
	return value
}
