package python

import (
	"slices"
	"strings"
)

// Action is what an action plugin reads on the machine that it runs on.
type Action struct {
	Opens     []string // arguments of its task whose values, or their elements, name the files that it opens or looks for
	Searches  bool     // it looks for them where Ansible looks for a task's files, too
	Templates bool     // what is in them is a template
	Variables []string // what it asks of the variables by name
	Any       bool     // it may read any variable
	Calls     []string // further action plugins that it runs with its task's arguments
}

// ReadAction reads the code of an action plugin. It returns false for code that may read
// other files than those that its arguments name. What is known:
//
//   - a class ActionModule(ActionBase); modules of Python that read no files by
//     themselves; methods and names that are on the lists in words.go;
//   - open(x), os.access(x, …), os.path.exists(x) and the like of an x that is always
//     self._task.args.get('KEY'), an element of it, or what _find_needle makes of it;
//   - writing, in a directory that tempfile made;
//   - self._templar.template(x) of what such a file has in it, and
//     action_loader.get('copy', …).
//
// A name means the same all over the code: it is whatever anything in it binds it to.
func ReadAction(code string) (Action, bool) {
	all, ok := tokens(code)
	if !ok {
		return Action{}, false
	}
	r := newReader(all)
	if !r.statements() || !r.isAction || !r.calls() || !r.changes() || !r.names() || !r.opens() {
		return Action{}, false
	}
	r.reads()
	for _, list := range []*[]string{&r.found.Opens, &r.found.Variables, &r.found.Calls} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return r.found, true
}

type reader struct {
	all       []token
	found     Action
	isAction  bool
	script    bool              // it is a program of its own
	binds     map[string][]bind // of a name, all that it may be
	defs      map[string]def
	modules   map[string]string // names that are modules, or things of them: "os", "io.StringIO"
	variables map[string]bool   // names for all variables
	classes   map[string]bool
	returns   map[string][][]token // by function
	changed   map[string]bool      // names of what gets more elements
}

func newReader(all []token) *reader {
	return &reader{
		all: all, binds: map[string][]bind{}, defs: map[string]def{}, modules: map[string]string{}, classes: map[string]bool{}, returns: map[string][][]token{}, changed: map[string]bool{},
		variables: map[string]bool{"task_vars": true},
	}
}

// bind is something that a name may be.
type bind struct {
	value   []token
	element bool // it is one of the elements
	file    bool // it is the open file
	other   bool // it may be anything
}

// def is a function of the code.
type def struct {
	params   []string // without self
	identity bool     // it returns what it is given
}

func (r *reader) bind(name string, b bind) { r.binds[name] = append(r.binds[name], b) }

// other binds the words of a target.
func (r *reader) other(target []token) {
	for _, t := range target {
		if t.kind == word {
			r.bind(t.text, bind{other: true})
		}
	}
}

// statements reads what binds names.
func (r *reader) statements() bool {
	for i, t := range r.all {
		switch {
		case t.kind == word && (t.text == "lambda" || t.text == "yield" || t.text == "await") || t.kind == sign && t.text == ":=":
			return false
		case t.kind == word && t.text == "for" && i > 0 && r.all[i-1].kind != end && r.all[i-1].text != ":": // of a comprehension
			sides := split(r.all[i+1:], "in")
			if len(sides) < 2 {
				return false
			}
			r.other(sides[0])
		}
	}
	lines := split(r.all, "")
	var last string    // the function whose first statement is next
	var within []token // the names of the functions that a line is in
	for _, line := range lines {
		for len(line) > 0 && len(within) > 0 && line[0].column <= within[len(within)-1].column {
			within = within[:len(within)-1]
		}
		if len(line) > 1 && is(line, "def", "NAME") {
			within = append(within, line[1])
		}
		if len(within) > 0 {
			for i, t := range line {
				if t.kind == word && t.text == "return" {
					name := within[len(within)-1].text
					r.returns[name] = append(r.returns[name], line[i+1:])
				}
			}
		}
		for len(line) > 0 {
			rest, name, ok := r.header(line)
			if !ok {
				return false
			}
			if len(rest) < len(line) {
				line = rest
				if last = name; name != "" && len(rest) == 0 {
					break
				}
				continue
			}
			if last != "" {
				d := r.defs[last]
				d.identity = len(d.params) == 1 && len(line) == 2 && is(line, "return", d.params[0])
				r.defs[last], last = d, ""
			}
			if !r.simple(line) {
				return false
			}
			line = nil
		}
	}
	return true
}

// header reads what stands before a block, and returns what is behind it in the line; of
// a function also its name. Of any other statement it returns all.
func (r *reader) header(line []token) (rest []token, name string, ok bool) {
	first := line[0].text
	if line[0].kind != word || !slices.Contains([]string{"if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class"}, first) {
		return line, "", true
	}
	parts := split(line, ":")
	if len(parts) < 2 {
		return nil, "", false
	}
	head := parts[0]
	rest = line[len(head)+1:]
	switch first {
	case "for":
		sides := split(head[1:], "in")
		if len(sides) != 2 {
			return nil, "", false
		}
		if len(sides[0]) == 1 {
			r.bind(sides[0][0].text, bind{value: sides[1], element: true})
		} else {
			r.other(sides[0])
		}
	case "with", "except":
		for _, one := range split(head[1:], ",") {
			sides := split(one, "as")
			if len(sides) == 2 && len(sides[1]) == 1 {
				r.bind(sides[1][0].text, bind{value: sides[0], file: first == "with", other: first == "except"})
			} else if len(sides) > 1 {
				return nil, "", false
			}
		}
	case "class":
		return rest, "", r.class(head)
	case "def":
		return rest, head[1].text, r.function(head)
	}
	return rest, "", true
}

func (r *reader) class(head []token) bool {
	if len(head) < 2 {
		return false
	}
	r.other(head[1:2])
	r.classes[head[1].text] = true
	if head[1].text != "ActionModule" {
		return true
	}
	n := len(head)
	r.isAction = n >= 5 && is(head[2:], "(") && head[n-1].text == ")" && head[n-2].text == "ActionBase" && len(split(head[3:n-1], ",")) == 1
	return r.isAction
}

func (r *reader) function(head []token) bool {
	if len(head) < 4 || !is(head, "def", "NAME", "(") || head[len(head)-1].text != ")" {
		return false
	}
	name := head[1].text
	if _, twice := r.defs[name]; twice {
		return false
	}
	var d def
	for i, param := range split(head[3:len(head)-1], ",") {
		switch {
		case len(param) == 0:
		case param[0].kind != word || len(param) > 1 && param[1].text != "=":
			return false
		case i == 0 && (param[0].text == "self" || param[0].text == "cls"):
		default:
			d.params = append(d.params, param[0].text)
			if len(param) > 2 {
				r.bind(param[0].text, bind{value: param[2:]})
			}
		}
	}
	if name == "run" && (len(d.params) != 2 || d.params[1] != "task_vars") {
		r.found.Any = true
	}
	r.defs[name] = d
	r.bind(name, bind{other: true})
	return true
}

// simple reads a statement without a block.
func (r *reader) simple(line []token) bool {
	switch first := line[0].text; {
	case line[0].kind != word:
	case first == "import" || first == "from":
		return r.imports(line)
	case slices.Contains([]string{"global", "nonlocal", "async", "await", "yield", "match"}, first):
		return false
	}
	sides := split(line, "=")
	for _, target := range sides[:len(sides)-1] {
		if len(target) == 1 && len(sides) == 2 {
			r.bind(target[0].text, bind{value: sides[1]})
		} else if len(target) > 0 && !slices.ContainsFunc(target, func(t token) bool { return t.kind == sign && (t.text == "." || t.text == "[") }) {
			r.other(target)
		} else if len(split(target, ",")) > 1 {
			return false
		}
	}
	if len(line) > 2 && line[1].kind == sign && len(line[1].text) == 2 && line[1].text[1] == '=' && !strings.Contains("=!<>", line[1].text[:1]) {
		r.other(line[:1])
	}
	return len(split(line, ":")) == 1 // no annotations
}

// imports notes what names stand for modules.
func (r *reader) imports(line []token) bool {
	join := func(all []token) string {
		var b strings.Builder
		for _, t := range all {
			b.WriteString(t.text)
		}
		return b.String()
	}
	add := func(of string, one []token) bool {
		sides := split(one, "as")
		what, name := join(sides[0]), sides[len(sides)-1]
		if len(sides) > 2 || len(name) == 0 || what == "*" {
			return false
		}
		full := what
		if of != "" {
			full = of + "." + what
		}
		if !known(full) && !(r.script && scriptModules[full]) {
			return false
		}
		if (careful[full] || scriptModules[full]) && (len(sides) > 1 || of != "") {
			return false // what is done with it is told by its name
		}
		r.modules[name[0].text] = full
		return true
	}
	if line[0].text == "import" {
		for _, one := range split(line[1:], ",") {
			if !add("", one) {
				return false
			}
		}
		return true
	}
	sides := split(line[1:], "import")
	if len(sides) != 2 || len(sides[1]) == 0 {
		return false
	}
	list := sides[1]
	if list[0].text == "(" {
		list = list[1 : len(list)-1]
	}
	for _, one := range split(list, ",") {
		if len(one) > 0 && !add(join(sides[0]), one) {
			return false
		}
	}
	return true
}

// calls binds the parameters of the code's own functions to what these are given.
func (r *reader) calls() bool {
	for i, t := range r.all {
		d, own := r.defs[t.text]
		if t.kind != word || !own || i > 0 && r.all[i-1].text == "def" {
			continue
		}
		if t.text == "run" || t.text == "__init__" && i > 0 && r.all[i-1].text == "." { // those of other classes
			continue
		}
		if i+1 == len(r.all) || r.all[i+1].text != "(" || r.all[i+1].kind != sign {
			if i > 0 && r.all[i-1].text == "." || !r.keyword(i) {
				for _, p := range d.params {
					r.bind(p, bind{other: true})
				}
			}
			continue
		}
		inner := r.all[i+2 : i+1+bracket(r.all[i+1:])-1]
		for n, arg := range split(inner, ",") {
			switch {
			case len(arg) == 0:
			case arg[0].kind == sign && (arg[0].text == "*" || arg[0].text == "**"):
				return false
			case len(arg) > 2 && arg[0].kind == word && arg[1].text == "=":
				r.bind(arg[0].text, bind{value: arg[2:]})
			case n < len(d.params):
				r.bind(d.params[n], bind{value: arg})
			default:
				return false
			}
		}
	}
	for _, name := range []string{"run", "__init__"} { // Ansible calls these
		for _, p := range r.defs[name].params {
			r.bind(p, bind{other: true})
		}
	}
	return true
}

// keyword reports whether a word is the name of an argument that is given.
func (r *reader) keyword(i int) bool {
	return i > 0 && i+1 < len(r.all) && r.all[i+1].text == "=" && (r.all[i-1].text == "(" || r.all[i-1].text == ",")
}
