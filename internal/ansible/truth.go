package ansible

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// truths says what a shape can be as a condition: true, false, or, where it has no
// value, neither.
type truths struct{ yes, no bool }

var both = truths{true, true}

func (t truths) or(u truths) truths { return truths{t.yes || u.yes, t.no || u.no} }
func (t truths) not() truths        { return truths{t.no, t.yes} }

func truth(is bool) truths { return truths{is, !is} }

// outcomes are the truths that are possible, as values.
func (t truths) outcomes() []outcome {
	var all []outcome
	if t.yes {
		all = append(all, outcome{text: "True", kind: value.Bool})
	}
	if t.no {
		all = append(all, outcome{text: "False", kind: value.Bool})
	}
	return all
}

// truthsOf is what a shape can be as a condition.
func (w *walk) truthsOf(s jinja.Shape, o owner) truths {
	switch s := s.(type) {
	case jinja.Comparison:
		return w.compared(s, o)
	case jinja.Test:
		return w.tested(s, o)
	case jinja.Choice:
		return w.branches(s, o, func(s jinja.Shape) truths { return w.truthsOf(s, o) })
	}
	var all truths
	for _, out := range w.outcomes(s, nil, o) {
		all = all.or(out.truths())
	}
	return all
}

// branches is what a choice can be as a condition, by what each branch can be that may be
// taken. What is chosen because it is true, as in "a or b", is true.
func (w *walk) branches(s jinja.Choice, o owner, of func(jinja.Shape) truths) (all truths) {
	then, other := w.taken(s, o)
	switch {
	case !then:
	case reflect.DeepEqual(s.If, s.Then):
		all.yes = true
	default:
		all = all.or(of(s.Then))
	}
	switch {
	case !other:
	case reflect.DeepEqual(s.If, s.Else):
		all.no = true
	default:
		all = all.or(of(s.Else))
	}
	return all
}

// taken says which branches of a choice may be taken: both, if nobody can know.
func (w *walk) taken(s jinja.Choice, o owner) (then, other bool) {
	of := w.truthsOf(s.If, o)
	return of.yes || !of.no, of.no || !of.yes
}

// truths is what Python takes a value for.
func (out outcome) truths() truths {
	switch {
	case out.some != nil:
		return both
	case out.list != nil:
		return truth(len(out.list) > 0)
	case out.dict != nil:
		return truth(len(out.dict) > 0)
	case out.value.Kind == value.List:
		return truth(len(out.value.Items()) > 0)
	case out.value.Kind == value.Map:
		return truth(len(out.value.Pairs()) > 0)
	case !out.exact() || out.kind == value.Float || out.kind == value.Time:
		return both
	case out.kind == value.Bool:
		return truth(out.text == "True")
	case out.kind == value.Int:
		return truth(out.text != "0")
	}
	return truth(out.text != "")
}

// exact reports whether a text is known, every letter of it.
func (out outcome) exact() bool {
	return out.isText() && !strings.ContainsAny(out.text, wildcards+projectText)
}

// chosen is what a choice, or what lies at a path in it, can come to.
func (w *walk) chosen(s jinja.Choice, at []string, o owner) []outcome {
	var all outcomes
	then, other := w.taken(s, o)
	if then {
		all.add(w.outcomes(s.Then, at, o)...)
	}
	if other {
		all.add(w.outcomes(s.Else, at, o)...)
	}
	return all.limited()
}

// tested is what a test can come to.
func (w *walk) tested(s jinja.Test, o owner) truths {
	switch s.Name {
	case "defined":
		return w.defined(s.Of, o)
	case "undefined":
		return w.defined(s.Of, o).not()
	case "match", "search", "regex":
		if len(s.Args) == 1 {
			return w.pairs(s.Of, s.Args[0], o, func(text, pattern outcome) truths { return fitting(s.Name == "match", text, pattern) })
		}
	case "version", "version_compare":
		if len(s.Args) > 0 && len(s.Args) < 3 {
			op := "=="
			if len(s.Args) == 2 {
				literal, _ := s.Args[1].(jinja.Literal)
				op = string(literal)
			}
			return w.pairs(s.Of, s.Args[0], o, func(a, b outcome) truths { return comparedVersions(op, a, b) })
		}
	}
	return both
}

// defined is whether something has a value.
func (w *walk) defined(s jinja.Shape, o owner) truths {
	if v, ok := s.(jinja.Variable); ok && w.surelyDefined(v.Name, v.Path) {
		return truth(true)
	}
	return truths{len(w.outcomes(s, nil, o)) > 0, true}
}

// surelyDefined reports whether a variable has a value whatever runs before: one
// of the inventory, or one that is given, in which nothing can fail.
func (w *walk) surelyDefined(name string, at []string) bool {
	all := w.definitions(name)
	if len(at) > 0 && (len(all) != 1 || w.facts || w.mayBeAnything(name) || len(w.locals.at(name)) > 0 || w.sealedIn(name)) {
		return false
	}
	for _, d := range all {
		if d.class != "extra" && (d.class != "inventory" || len(w.dirs) > 1) || computesIn(*d.value) {
			continue
		}
		v, ok := *d.value, true
		for _, key := range at {
			if v, ok = v.Get(key); !ok {
				return false
			}
		}
		return true
	}
	return false
}

// plainRegexp are regular expressions that mean the same to Python and to Go, in texts of ASCII.
var plainRegexp = regexp.MustCompile(`^\^?([A-Za-z0-9 _/:,=-]|\.[*+?]?|\[[A-Za-z0-9_-]+\]|\|)*$`)

// fitting is whether a text has a regular expression in it, or begins with it.
func fitting(atBegin bool, text, pattern outcome) truths {
	known := fixedPart(text.text)
	if !pattern.exact() || !text.isText() || text.kind != value.String || !plainRegexp.MatchString(pattern.text) || strings.ContainsAny(known, "\n"+projectText) {
		return both
	}
	expr := pattern.text
	if atBegin {
		expr = "^(?:" + expr + ")"
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return both
	}
	if text.exact() {
		return truth(re.MatchString(text.text))
	}
	begins := plainBeginning.FindStringSubmatch(pattern.text)
	if !atBegin || begins == nil {
		return both
	}
	letters := []string{""}
	if begins[1] != "" {
		letters = strings.Split(begins[1], "")
	}
	for _, letter := range letters { // what begins otherwise does not match, whatever follows
		if word := letter + begins[2]; strings.HasPrefix(known, word) || strings.HasPrefix(word, known) {
			return both
		}
	}
	return truth(false)
}

// plainBeginning are expressions that begin with one of some letters, or without, and a plain text.
var plainBeginning = regexp.MustCompile(`^(?:\[([A-Za-z0-9]+)\])?([A-Za-z0-9 _/-]*)(?:\.\*)?$`)

const mostPairs = 2000 // that are compared

// pairs is what a comparison of two shapes can come to.
func (w *walk) pairs(a, b jinja.Shape, o owner, compare func(a, b outcome) truths) truths {
	left, right := w.outcomes(a, nil, o), w.outcomes(b, nil, o)
	if len(left)*len(right) > mostPairs {
		return both
	}
	var all truths
	for _, one := range left {
		for _, other := range right {
			all = all.or(compare(one, other))
		}
	}
	return all
}

// compared is what a comparison can come to.
func (w *walk) compared(s jinja.Comparison, o owner) truths {
	switch op := s.Op; op {
	case "==":
		return w.pairs(s.A, s.B, o, sameAs)
	case "!=":
		return w.pairs(s.A, s.B, o, sameAs).not()
	case "in":
		return w.pairs(s.A, s.B, o, w.in)
	case "not in":
		return w.pairs(s.A, s.B, o, w.in).not()
	case "<", "<=", ">", ">=":
		return w.pairs(s.A, s.B, o, func(a, b outcome) truths {
			m, ok := a.integer()
			n, ok2 := b.integer()
			if !ok || !ok2 {
				return both
			}
			return truth(holds(op, m-n))
		})
	}
	return both
}

// holds reports whether an operator does of what a difference is the sign of.
func holds(op string, difference int) bool {
	switch op {
	case "<", "lt":
		return difference < 0
	case "<=", "le":
		return difference <= 0
	case ">", "gt":
		return difference > 0
	case ">=", "ge":
		return difference >= 0
	case "!=", "<>", "ne":
		return difference != 0
	}
	return difference == 0
}

func (out outcome) integer() (int, bool) {
	if !out.exact() || out.kind != value.Int {
		return 0, false
	}
	n, err := strconv.Atoi(out.text)
	return n, err == nil
}

// sameAs is whether two values are the same for Python. Which of them are numbers
// may be lost on the way through a template, so those that only look alike may be.
func sameAs(a, b outcome) truths {
	if !a.isText() || !b.isText() {
		return both
	}
	kind := func(k value.Kind) value.Kind {
		if k == value.Unsafe {
			return value.String
		}
		return k
	}
	k, l := kind(a.kind), kind(b.kind)
	numbers := k != l && k != value.String && l != value.String
	switch {
	case k == value.Float || l == value.Float || k == value.Time || l == value.Time || numbers:
		return both
	case a.exact() && b.exact() && a.text == b.text:
		return truths{true, k != l}
	case b.exact() && !strings.Contains(a.text, projectText) && !matches(a.text, b.text),
		a.exact() && !strings.Contains(b.text, projectText) && !matches(b.text, a.text):
		return truth(false)
	}
	return both
}

// in is whether a value is in another: in a list, or a part of a text.
func (w *walk) in(a, b outcome) truths {
	switch {
	case b.isList():
		var some bool
		for _, item := range w.elementsOf(b) {
			found := truths{no: true}
			for _, out := range item {
				found = found.or(sameAs(a, out))
			}
			if b.some == nil && found.yes && !found.no {
				return truth(true)
			}
			if len(item) == 1 && b.some == nil {
				if is := sameAs(a, item[0]); is.yes && !is.no {
					return truth(true)
				}
			}
			some = some || found.yes
		}
		return truths{some, true}
	case b.value.Kind == value.Map && a.exact():
		for _, p := range b.value.Pairs() {
			if computes(p.Key.Text) || p.Key.Kind != value.String {
				return both
			}
		}
		_, found := b.value.Get(a.text)
		return truth(found)
	case a.exact() && b.exact() && a.kind == value.String && b.kind == value.String:
		return truth(strings.Contains(b.text, a.text))
	}
	return both
}

// comparedVersions is Ansible's test version of dotted numbers.
func comparedVersions(op string, a, b outcome) truths {
	if !a.exact() || !b.exact() {
		return both
	}
	m, n := strings.Split(a.text, "."), strings.Split(b.text, ".")
	for i := range max(len(m), len(n)) {
		if i >= len(m) || i >= len(n) {
			return truth(holds(op, len(m)-len(n)))
		}
		x, err := strconv.Atoi(m[i])
		y, err2 := strconv.Atoi(n[i])
		if err != nil || err2 != nil || !knownOperator(op) {
			return both
		}
		if x != y {
			return truth(holds(op, x-y))
		}
	}
	return truth(holds(op, 0))
}

func knownOperator(op string) bool {
	switch op {
	case "==", "=", "eq", "!=", "<>", "ne", "<", "lt", "<=", "le", ">", "gt", ">=", "ge":
		return true
	}
	return false
}
