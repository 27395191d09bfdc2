// Package value holds values as Ansible reads them from YAML 1.1 and from INI
// inventories: scalars, lists and mappings with the place where each is written,
// and a canonical digest.
//
// It evaluates nothing: a template in a value is a string like any other.
package value

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Kind says what a value is.
type Kind uint8

// The kinds. Numbers and times keep the text that they were written with.
const (
	Null Kind = iota
	Bool
	Int
	Float
	Time
	String
	Unsafe // a string that is never a template
	Vault  // a string encrypted with Ansible Vault; Text is the ciphertext
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"null", "bool", "int", "float", "time", "string", "unsafe", "vault", "list", "map"}[k]
}

// Value is one value. The zero Value is null, written nowhere.
type Value struct {
	Kind      Kind
	Text      string // of scalars
	Line, Col int    // where it, or its text, begins; counts from 1

	inner *inner // of lists and maps: most values are neither, and there are many
}

// inner is what is in a list or map. It does not change once it is in a Value.
type inner struct {
	items []Value
	pairs []Pair
}

// Items are the elements of a list.
func (v Value) Items() []Value {
	if v.inner == nil {
		return nil
	}
	return v.inner.items
}

// Pairs are the entries of a map, in the order written, each key once.
func (v Value) Pairs() []Pair {
	if v.inner == nil {
		return nil
	}
	return v.inner.pairs
}

// WithItems returns v with other elements.
func (v Value) WithItems(items []Value) Value {
	v.inner = &inner{items, v.Pairs()}
	return v
}

// WithPairs returns v with other entries.
func (v Value) WithPairs(pairs []Pair) Value {
	v.inner = &inner{v.Items(), pairs}
	return v
}

// Pair is an entry of a map.
type Pair struct{ Key, Value Value }

// Get returns the entry of a map with this name; false if there is none, or if
// v is no map.
func (v Value) Get(name string) (Value, bool) {
	for _, p := range v.Pairs() {
		if p.Key.Text == name && p.Key.Kind == String {
			return p.Value, true
		}
	}
	return Value{}, false
}

// At is Get for those who take null for nothing.
func (v Value) At(name string) Value {
	found, _ := v.Get(name)
	return found
}

// Scalar reports whether v is neither list nor map.
func (v Value) Scalar() bool { return v.Kind < List }

// List returns the items of a list, v itself if it is something else, and
// nothing for null: as most keywords of Ansible take one or several.
func (v Value) List() []Value {
	switch v.Kind {
	case Null:
		return nil
	case List:
		return v.Items()
	}
	return []Value{v}
}

// Strings calls f for every string in v that may be a template, keys included.
func (v Value) Strings(f func(text string, line int)) {
	switch v.Kind {
	case String:
		f(v.Text, v.Line)
	case List:
		for _, item := range v.Items() {
			item.Strings(f)
		}
	case Map:
		for _, p := range v.Pairs() {
			p.Key.Strings(f)
			p.Value.Strings(f)
		}
	}
}

// Digest is the same for values that Ansible cannot tell apart, as far as this
// package knows, and for no others: style and place do not count, yes is true,
// the order of a map does count, as templates can see it. Hex of a SHA-256.
func (v Value) Digest() string {
	var b strings.Builder
	v.canonical(&b)
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

func (v Value) canonical(b *strings.Builder) {
	switch v.Kind {
	case List:
		b.WriteString("[")
		for _, item := range v.Items() {
			item.canonical(b)
		}
		b.WriteString("]")
	case Map:
		b.WriteString("{")
		for _, p := range v.Pairs() {
			p.Key.canonical(b)
			p.Value.canonical(b)
		}
		b.WriteString("}")
	default:
		b.WriteByte("nbiftsuv"[v.Kind])
		b.WriteString(strconv.Itoa(len(v.Text)))
		b.WriteByte(':')
		b.WriteString(v.Text)
	}
}

// Confidential reports whether a name says that what has it is not for everybody
// who may see a plan.
func Confidential(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "passwd", "passphrase", "secret", "token", "private_key", "credential", "api_key"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// Shown is v as people are shown it, in at most limit bytes or so. Of encrypted
// values, and of entries with a confidential name, there is no more than a digest.
func (v Value) Shown(limit int) string {
	var b strings.Builder
	v.shown(&b, limit)
	s := b.String()
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

func (v Value) shown(b *strings.Builder, limit int) {
	if b.Len() > limit {
		return
	}
	switch v.Kind {
	case Null:
		b.WriteString("null")
	case Vault:
		b.WriteString("vaulted:" + v.Digest()[:12])
	case String, Unsafe:
		if len(v.Text) > 0 && !strings.ContainsAny(v.Text, "\n\"") {
			b.WriteString(v.Text)
			return
		}
		b.WriteString(strconv.Quote(v.Text))
	case List:
		b.WriteString("[")
		for i, item := range v.Items() {
			if i > 0 {
				b.WriteString(", ")
			}
			item.shown(b, limit)
		}
		b.WriteString("]")
	case Map:
		b.WriteString("{")
		for i, p := range v.Pairs() {
			if i > 0 {
				b.WriteString(", ")
			}
			p.Key.shown(b, limit)
			b.WriteString(": ")
			if p.Value.Kind != Vault && Confidential(p.Key.Text) {
				b.WriteString("sha256:" + p.Value.Digest()[:12])
				continue
			}
			p.Value.shown(b, limit)
		}
		b.WriteString("}")
	default:
		b.WriteString(v.Text)
	}
}
