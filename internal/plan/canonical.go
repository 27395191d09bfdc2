package plan

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// canonical writes a value so that two values which mean the same are the same
// text: keys of maps in order, empty fields of structs left out (so that a new
// field changes nothing until somebody uses it). Values behind an interface
// carry their type: 1 is not "1".
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := write(&b, reflect.ValueOf(v)); err != nil {
		return nil, fmt.Errorf("write %T in canonical form: %w", v, err)
	}
	return b.Bytes(), nil
}

func write(b *bytes.Buffer, v reflect.Value) error {
	if !v.IsValid() {
		b.WriteString("null")
		return nil
	}
	if v.Type().Implements(reflect.TypeFor[encoding.TextMarshaler]()) && v.Kind() != reflect.Pointer {
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		b.WriteString(strconv.Quote(string(text)))
		return err
	}
	switch v.Kind() {
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		b.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case reflect.String:
		b.WriteString(strconv.Quote(v.String()))
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("null")
			return nil
		}
		b.WriteByte('&')
		return write(b, v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			b.WriteString("null")
			return nil
		}
		b.WriteString(v.Elem().Type().String() + ":")
		return write(b, v.Elem())
	case reflect.Slice, reflect.Array:
		return writeList(b, v)
	case reflect.Map:
		return writeMap(b, v)
	case reflect.Struct:
		return writeStruct(b, v)
	default:
		return fmt.Errorf("a %s has no canonical form", v.Kind())
	}
	return nil
}

func writeList(b *bytes.Buffer, v reflect.Value) error {
	b.WriteByte('[')
	for i := range v.Len() {
		if err := write(b, v.Index(i)); err != nil {
			return err
		}
		b.WriteByte(',')
	}
	b.WriteByte(']')
	return nil
}

func writeMap(b *bytes.Buffer, v reflect.Value) error {
	var pairs []string
	for iter := v.MapRange(); iter.Next(); {
		var pair bytes.Buffer
		if err := write(&pair, iter.Key()); err != nil {
			return err
		}
		pair.WriteByte(':')
		if err := write(&pair, iter.Value()); err != nil {
			return err
		}
		pairs = append(pairs, pair.String())
	}
	slices.Sort(pairs)
	b.WriteString("{" + strings.Join(pairs, ",") + "}")
	return nil
}

func writeStruct(b *bytes.Buffer, v reflect.Value) error {
	b.WriteByte('{')
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case !f.IsExported():
			return fmt.Errorf("field %s of %s cannot be read", f.Name, v.Type())
		case empty(v.Field(i)):
			continue
		}
		b.WriteString(f.Name + ":")
		if err := write(b, v.Field(i)); err != nil {
			return err
		}
		b.WriteByte(',')
	}
	b.WriteByte('}')
	return nil
}

// empty reports whether a field says nothing. A list or map that is written out
// with nothing in it says no more than one that is not written.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}
