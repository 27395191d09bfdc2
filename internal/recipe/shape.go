package recipe

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/layer"
)

// kind says what a shape describes.
type kind int

const (
	kindText    kind = iota // a string
	kindWord                // a string that keeps its place
	kindScalar              // any scalar, taken as it is written
	kindBool                //
	kindInt                 //
	kindAny                 // any YAML
	kindList                // a list of elem
	kindDict                // a mapping from names that people choose to elem
	kindEntries             // the same, in order and with places
	kindMapping             // a mapping with the keys in fields
	kindLater               // refused by name
)

// shape is the table that the decoder, the schema and the reference share: what
// may be written in one place, read from a Go type and a field's tags.
type shape struct {
	kind   kind
	name   string   // kindMapping: how the schema and the reference call it
	enum   []string // legal values
	min    int      // least legal number, or length of a list; 0 means any
	format string   // a key of formats, or ""
	legal  *regexp.Regexp
	elem   *shape // of a list, a dict or entries
	keys   *shape // of a dict or entries: what its names look like
	fields []field
	short  *field // a mapping that may also be written as only this field
	alone  bool   // a list whose one item may be written without the brackets
}

// field is a key of a mapping.
type field struct {
	key      string
	doc      string
	required bool
	oneof    string // of the fields with the same word, exactly one is written
	standard string // the default, as YAML; "" for none
	standby  *yaml.Node
	index    []int
	shape    *shape
}

// field returns the field with a key, or nil.
func (s *shape) field(key string) *field {
	for i := range s.fields {
		if s.fields[i].key == key {
			return &s.fields[i]
		}
	}
	return nil
}

// known lists the keys that may be written.
func (s *shape) known() []string {
	var keys []string
	for _, f := range s.fields {
		if f.shape.kind != kindLater {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// shapeOf returns the shape of a document type.
func shapeOf(doc any) *shape {
	return (&shaper{formats: formats()}).shape(reflect.TypeOf(doc), "")
}

type shaper struct {
	formats map[string]format
}

// shape describes a type as the value of a field with these tags.
func (b *shaper) shape(t reflect.Type, tag reflect.StructTag) *shape {
	switch t.Kind() {
	case reflect.Pointer:
		return b.shape(t.Elem(), tag)
	case reflect.String:
		return b.leaf(kindText, tag)
	case reflect.Bool:
		return &shape{kind: kindBool}
	case reflect.Int:
		return b.leaf(kindInt, tag)
	case reflect.Slice:
		if elem := t.Elem(); elem.Implements(reflect.TypeFor[interface{ isEntry() }]()) {
			value, _ := elem.FieldByName("Value")
			return &shape{kind: kindEntries, keys: b.keys(tag), elem: b.shape(value.Type, "")}
		}
		return &shape{kind: kindList, elem: b.shape(t.Elem(), tag), min: least(tag), alone: tag.Get("alone") != ""}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return &shape{kind: kindDict, keys: b.keys(tag), elem: &shape{kind: kindAny}}
		}
		return &shape{kind: kindDict, keys: b.keys(tag), elem: &shape{kind: kindScalar}}
	case reflect.Struct:
		switch t {
		case reflect.TypeFor[word]():
			return b.leaf(kindWord, tag)
		case reflect.TypeFor[later]():
			return &shape{kind: kindLater}
		}
		return b.mapping(t, tag)
	}
	panic("recipe: no shape for type " + t.String())
}

func (b *shaper) leaf(k kind, tag reflect.StructTag) *shape {
	s := &shape{kind: k, format: tag.Get("format")}
	if list := tag.Get("enum"); list != "" {
		s.enum = strings.Split(list, ",")
	}
	if k == kindInt {
		s.min = least(tag)
	}
	if f, ok := b.formats[s.format]; ok && f.pattern != "" {
		s.legal = regexp.MustCompile(f.pattern)
	} else if !ok && s.format != "" {
		panic("recipe: no format " + s.format)
	}
	return s
}

func least(tag reflect.StructTag) int {
	n, _ := strconv.Atoi(tag.Get("min")) // without the tag, 0
	return n
}

func (b *shaper) keys(tag reflect.StructTag) *shape {
	return b.leaf(kindText, reflect.StructTag(`format:"`+tag.Get("keys")+`"`))
}

func (b *shaper) mapping(t reflect.Type, tag reflect.StructTag) *shape {
	s := &shape{kind: kindMapping, name: nameOf(t)}
	b.addFields(s, t, nil)
	if key := tag.Get("short"); key != "" {
		s.short = s.field(key)
	}
	return s
}

// addFields adds the keys of a struct, and in their place those of the structs
// embedded in it.
func (b *shaper) addFields(s *shape, t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		if f.Anonymous {
			b.addFields(s, f.Type, at)
			continue
		}
		if f.Tag.Get("yaml") == "-" {
			continue
		}
		entry := field{
			key: f.Tag.Get("yaml"), doc: f.Tag.Get("doc"), required: f.Tag.Get("required") != "",
			oneof: f.Tag.Get("oneof"), standard: f.Tag.Get("default"), index: at,
			shape: b.shape(f.Type, f.Tag),
		}
		if entry.standard != "" {
			entry.standby = parseDefault(entry.standard)
		}
		s.fields = append(s.fields, entry)
	}
}

func parseDefault(text string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		panic("recipe: default " + text + ": " + err.Error())
	}
	return doc.Content[0]
}

// nameOf calls a mapping by the key of the step that it is, or by its type.
func nameOf(t reflect.Type) string {
	if step, ok := reflect.Zero(t).Interface().(layer.Step); ok {
		return step.Kind()
	}
	name := strings.TrimSuffix(t.Name(), "Doc")
	return strings.ToLower(name[:1]) + name[1:]
}
