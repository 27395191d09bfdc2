package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/layer"
)

// longest is how many bytes of a value are kept for people.
const longest = 2000

// show is a part of a definition as people are shown it: as it could be written
// in strata.yaml, without what is empty. It decides nothing.
func show(v any) string {
	var text string
	switch v := v.(type) {
	case interface{ Shown() string }:
		text = v.Shown()
	case string:
		text = v
	default:
		text = flow(reflect.ValueOf(v))
	}
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

func flow(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Invalid:
		return "null"
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "null"
		}
		return flow(v.Elem())
	case reflect.String:
		if s := v.String(); s == "" || strings.ContainsAny(s, "\n\",{}[]") {
			return fmt.Sprintf("%q", s)
		}
		return v.String()
	case reflect.Slice, reflect.Array:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = flow(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		return flowMap(v)
	case reflect.Struct:
		return flowStruct(v)
	}
	return fmt.Sprint(v.Interface())
}

func flowMap(v reflect.Value) string {
	var pairs []string
	for iter := v.MapRange(); iter.Next(); {
		key, text := flow(iter.Key()), flow(iter.Value())
		if value.Confidential(key) {
			text = "sha256:" + layer.Key(sum(text)).Short()
		}
		pairs = append(pairs, key+": "+text)
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ", ") + "}"
}

// flowStruct writes the keys that people write; a struct of nothing but a list
// is that list.
func flowStruct(v reflect.Value) string {
	if v.NumField() == 1 && v.Field(0).Kind() == reflect.Slice {
		return flow(v.Field(0))
	}
	var pairs []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || empty(v.Field(i)) {
			continue
		}
		name, text := f.Tag.Get("yaml"), flow(v.Field(i))
		if text == f.Tag.Get("default") {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		pairs = append(pairs, name+": "+text)
	}
	if c, ok := v.Interface().(layer.Command); ok && len(pairs) == 1 && c.Command != "" {
		return flow(v.FieldByName("Command")) // as it is mostly written
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}
