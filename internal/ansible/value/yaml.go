package value

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/limit"
)

// SyntaxError is a text that is not YAML.
type SyntaxError struct {
	Line    int // 0 if it is not known
	Message string
	Limit   bool // it is YAML, but has more in it than is read here
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "not YAML: " + e.Message
	}
	return fmt.Sprintf("line %d: not YAML: %s", e.Line, e.Message)
}

// YAML reads a document as Ansible does: YAML 1.1 with the tags !vault and
// !unsafe. Of keys that are there twice the last one counts. An empty document
// is null. Errors are of type *SyntaxError.
func YAML(text []byte) (Value, error) {
	if err := limit.YAML(text, limit.AnsibleValues); err != nil {
		return Value{}, &SyntaxError{Message: err.Error(), Limit: true}
	}
	if v, ok := simple(text); ok {
		return v, nil
	}
	return anyYAML(text)
}

// anyYAML is YAML of a text of any kind.
func anyYAML(text []byte) (Value, error) {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err == io.EOF {
		return Value{}, nil
	} else if err != nil {
		return Value{}, syntaxError(err)
	}
	if err := decoder.Decode(&more); err == nil {
		return Value{}, &SyntaxError{Line: more.Line, Message: "there is a second document, and Ansible reads one"}
	} else if err != io.EOF {
		return Value{}, syntaxError(err)
	}
	r := reader{left: limit.AnsibleValues}
	v := r.read(&doc, 0)
	if r.left < 0 {
		return Value{}, &SyntaxError{Limit: true, Message: fmt.Sprintf("it comes to more than %d values, or is nested more than %d deep, maybe by its aliases", limit.AnsibleValues, limit.Depth)}
	}
	return v, nil
}

func syntaxError(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1 // the library names no line for the first
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		number, text, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, message = n, text
		}
	}
	if typeError, ok := errors.AsType[*yaml.TypeError](err); ok {
		message = strings.Join(typeError.Errors, ", ")
	}
	return &SyntaxError{Line: line, Message: message}
}

type reader struct {
	left int
}

func (r *reader) read(n *yaml.Node, depth int) Value {
	if r.left--; r.left < 0 || depth > limit.Depth {
		r.left = -1
		return Value{}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return Value{}
		}
		return r.read(n.Content[0], depth+1)
	case yaml.AliasNode:
		return r.read(n.Alias, depth+1)
	case yaml.SequenceNode:
		items := make([]Value, len(n.Content))
		for i, item := range n.Content {
			items[i] = r.read(item, depth+1)
		}
		return Value{Kind: List, Line: n.Line, Col: n.Column}.WithItems(items)
	case yaml.MappingNode:
		return r.mapping(n, depth)
	}
	return scalar(n)
}

func (r *reader) mapping(n *yaml.Node, depth int) Value {
	all := pairs{list: make([]Pair, 0, len(n.Content)/2)}
	// What is merged comes first, of several mappings the last one, and what is
	// written here replaces it: the order of PyYAML's flatten_mapping.
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !merges(n.Content[i]) {
			continue
		}
		for _, m := range slices.Backward(r.read(n.Content[i+1], depth+1).List()) {
			for _, p := range m.Pairs() {
				r.left--
				all.set(p.Key, p.Value)
			}
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !merges(n.Content[i]) {
			all.set(r.read(n.Content[i], depth+1), r.read(n.Content[i+1], depth+1))
		}
	}
	return Value{Kind: Map, Line: n.Line, Col: n.Column}.WithPairs(all.list)
}

func merges(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style == 0
}

func scalar(n *yaml.Node) Value {
	v := Value{Kind: String, Text: n.Value, Line: n.Line, Col: n.Column}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		v.Line++ // the text begins below its sign
	}
	tag := ""
	if n.Style&yaml.TaggedStyle != 0 {
		tag = n.Tag
	}
	switch tag {
	case "!vault", "!vault-encrypted":
		v.Kind, v.Text = Vault, strings.Join(strings.Fields(n.Value), "\n")
	case "!unsafe":
		v.Kind = Unsafe
	case "":
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			v.Kind, v.Text = plain(n.Value)
		}
	case "!!bool", "!!int", "!!float", "!!null", "!!timestamp":
		v.Kind, v.Text = plain(n.Value)
	}
	return v
}

// plain says what a scalar without quotes is in YAML 1.1.
func plain(s string) (Kind, string) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return Null, ""
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return Bool, "true"
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return Bool, "false"
	}
	if !strings.ContainsRune("+-.0123456789", rune(s[0])) {
		return String, s
	}
	switch {
	case intForm.MatchString(s):
		return Int, s
	case floatForm.MatchString(s):
		return Float, s
	case timeForm.MatchString(s):
		return Time, s
	}
	return String, s
}

// The forms of YAML 1.1, https://yaml.org/type/.
var (
	intForm   = regexp.MustCompile(`^[-+]?(0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(:[0-5]?[0-9])+)$`)
	floatForm = regexp.MustCompile(`^([-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
	timeForm  = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?)$`)
)
