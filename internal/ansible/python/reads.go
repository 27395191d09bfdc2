package python

import (
	"slices"
	"strings"
)

// worth is what an expression comes to.
type worth struct {
	kind worthKind
	args []string // which of the task's arguments it is of
	// searched says that it was looked for where Ansible looks for a task's files.
	searched bool
}

type worthKind byte

const (
	anything  worthKind = iota
	neutral             // nothing, or an empty text: no file
	argument            // the value of an argument, or an element of it
	arguments           // all arguments
	temporary           // a path in a directory that was made for it
	opened              // a file that an argument names, open
	content             // what is in it
	module              // what reads nothing
)

// both is what is one or the other.
func both(a, b worth) worth {
	switch {
	case a.kind == neutral:
		return b
	case b.kind == neutral:
		return a
	case a.kind != b.kind:
		return worth{}
	}
	a.args = append(slices.Clip(a.args), b.args...)
	slices.Sort(a.args)
	a.args, a.searched = slices.Compact(a.args), a.searched || b.searched
	return a
}

// of is what an expression comes to. Path are the names that are being looked at.
func (r *reader) of(e []token, path ...string) worth {
	for len(e) > 1 && e[0].text == "(" && e[0].kind == sign && bracket(e) == len(e) {
		e = e[1 : len(e)-1]
	}
	if len(e) == 0 {
		return worth{kind: neutral}
	}
	if parts := split(e, "or"); len(parts) > 1 {
		all := worth{kind: neutral}
		for _, part := range parts {
			all = both(all, r.of(part, path...))
		}
		return all
	}
	switch {
	case len(e) == 1 && e[0].kind == text && e[0].text == "",
		len(e) == 1 && e[0].kind == word && (e[0].text == "None" || e[0].text == "True" || e[0].text == "False"),
		len(e) == 1 && e[0].kind == number:
		return worth{kind: neutral}
	case len(e) == 1 && e[0].kind == word:
		return r.named(e[0].text, path)
	case e[0].kind == sign && (e[0].text == "[" || e[0].text == "{") && bracket(e) == len(e):
		all := worth{kind: neutral}
		for _, one := range split(e[1:len(e)-1], ",") {
			all = both(all, r.of(one, path...))
		}
		return all
	case is(e, "list", "(", ")") && len(e) == 3, is(e, "dict", "(", ")") && len(e) == 3:
		return worth{kind: neutral}
	case is(e, "self", ".", "_task", ".", "args"):
		return r.ofArguments(e[5:], path)
	case is(e, "self", ".", "_find_needle", "(", "TEXT", ",") && bracket(e[3:]) == len(e)-3:
		w := r.of(e[6:len(e)-1], path...)
		w.searched = true
		if w.kind == argument {
			return w
		}
	case is(e, "NAME", "(") && bracket(e[1:]) == len(e)-1 && (wrappers[e[0].text] || r.defs[e[0].text].identity):
		if d, own := r.defs[e[0].text]; own && !d.identity {
			return worth{}
		}
		if full, ok := r.modules[e[0].text]; ok && !strings.HasSuffix(full, "."+e[0].text) {
			return worth{}
		}
		return r.of(split(e[2:len(e)-1], ",")[0], path...)
	case is(e, "open", "(") && bracket(e[1:]) == len(e)-1:
		given := split(e[2:len(e)-1], ",")
		if written(given) {
			return worth{kind: neutral}
		}
		w := r.of(given[0], path...)
		switch w.kind {
		case argument:
			w.kind = opened
			return w
		case temporary: // it reads what it wrote
			return worth{kind: neutral}
		}
	case is(e, "tempfile", ".", "mkdtemp", "(") && bracket(e[3:]) == len(e)-3 && r.modules["tempfile"] == "tempfile":
		return worth{kind: temporary}
	case is(e, "os", ".", "path", ".", "join", "(") && bracket(e[5:]) == len(e)-5 && r.modules["os"] == "os":
		parts := split(e[6:len(e)-1], ",")
		w := r.of(parts[0], path...)
		for _, part := range parts[1:] {
			if len(part) != 1 || part[0].kind != text || strings.ContainsAny(part[0].text, "/\\") || strings.Contains(part[0].text, "..") {
				return worth{}
			}
		}
		if w.kind == temporary {
			return w
		}
	case len(e) > 1 && e[0].kind == word:
		w := r.named(e[0].text, path)
		switch {
		case w.kind == arguments:
			return r.ofArguments(e[1:], path)
		case w.kind == opened && len(e) == 5 && is(e[1:], ".", "read", "(", ")"):
			w.kind = content
			return w
		case w.kind == argument && is(e[1:], "[") && bracket(e[1:]) == len(e)-1: // an element
			return w
		}
	}
	return worth{}
}

// ofArguments is what is done with the task's arguments.
func (r *reader) ofArguments(e []token, path []string) worth {
	switch {
	case len(e) == 0, len(e) == 4 && is(e, ".", "copy", "(", ")"):
		return worth{kind: arguments}
	case (is(e, ".", "get", "(", "TEXT") || is(e, ".", "pop", "(", "TEXT")) && bracket(e[2:]) == len(e)-2:
		if strings.Contains(e[3].text, "\\") {
			return worth{}
		}
		w := worth{kind: argument, args: []string{e[3].text}}
		parts := split(e[3:len(e)-1], ",")
		for _, otherwise := range parts[1:] {
			w = both(w, r.of(otherwise, path...))
		}
		if len(parts[0]) == 1 {
			return w
		}
	case len(e) == 3 && is(e, "[", "TEXT", "]") && !strings.Contains(e[1].text, "\\"):
		return worth{kind: argument, args: []string{e[1].text}}
	}
	return worth{}
}

// named is what a name may be.
func (r *reader) named(name string, path []string) worth {
	if _, ok := r.modules[name]; ok {
		if len(r.binds[name]) == 0 {
			return worth{kind: module}
		}
		return worth{}
	}
	if r.changed[name] {
		return worth{}
	}
	if slices.Contains(path, name) { // it adds nothing to itself
		return worth{kind: neutral}
	}
	if len(r.binds[name]) == 0 || len(path) > 20 {
		return worth{}
	}
	path = append(slices.Clip(path), name)
	all := worth{kind: neutral}
	for _, b := range r.binds[name] {
		if b.other {
			return worth{}
		}
		w := r.of(b.value, path...)
		if b.element && w.kind != argument && w.kind != neutral || b.file && w.kind != opened && w.kind != neutral {
			return worth{}
		}
		all = both(all, w)
	}
	return all
}

// names reports whether every word is known, and what is done with modules.
func (r *reader) names() bool {
	for i, t := range r.all {
		if t.kind != word {
			continue
		}
		attribute := i > 0 && r.all[i-1].kind == sign && r.all[i-1].text == "."
		full, isModule := r.modules[t.text]
		_, own := r.defs[t.text]
		switch {
		case r.inImport(i):
		case attribute && i > 1 && r.all[i-2].kind == word && r.ofModule(i-2),
			attribute && own && i > 1 && (r.all[i-2].kind == word && (i == 2 || r.all[i-3].text != ".") || r.all[r.root(i-2)].text == "super"):
		case attribute && !r.attribute(i):
			return false
		case attribute:
		case isModule && (careful[full] || scriptModules[full]):
			if len(r.binds[t.text]) > 0 || !r.moduleUse(i) {
				return false
			}
		case isModule, keywords[t.text], builtins[t.text], r.keyword(i), len(r.binds[t.text]) > 0:
		case t.text == "open" && i+1 < len(r.all) && r.all[i+1].text == "(":
		default:
			return false
		}
	}
	return true
}

// inImport reports whether a token is in a statement that imports.
func (r *reader) inImport(i int) bool {
	for i > 0 && r.all[i-1].kind != end {
		i--
	}
	return r.all[i].kind == word && (r.all[i].text == "import" || r.all[i].text == "from")
}

// ofModule reports whether a word is the name of a module, or leads on from one, of
// which anything may be used.
func (r *reader) ofModule(i int) bool {
	for i > 1 && r.all[i-1].text == "." && r.all[i-2].kind == word {
		i -= 2
	}
	_, ok := r.modules[r.all[i].text]
	return ok && (i == 0 || r.all[i-1].text != ".") && len(r.binds[r.all[i].text]) == 0
}

// moduleUse reports whether what is done with a careful module reads nothing but what
// opens looks at.
func (r *reader) moduleUse(i int) bool {
	name := r.all[i].text
	used := func() bool { return moduleUses[name] || looks[name] || r.script && scriptUses[name] }
	for i+2 < len(r.all) && r.all[i+1].text == "." && r.all[i+2].kind == word && !used() {
		i += 2
		name += "." + r.all[i].text
	}
	return used()
}

// attribute reports whether an attribute of something reads nothing.
func (r *reader) attribute(i int) bool {
	after := r.all[i+1:]
	given := i > 3 && r.all[i-2].text == "self" && r.all[i-3].text == "=" && len(after) > 0 && (after[0].text == "," || after[0].text == ")")
	switch name := r.all[i].text; name {
	case "_task":
		return r.all[i-2].text == "self" && len(after) > 1 && after[0].text == "." && taskAttributes[after[1].text]
	case "_connection", "_play_context":
		return given && r.all[i-4].text == name[1:] || len(after) > 0 && after[0].text == "."
	case "_loader":
		return given && r.all[i-4].text == "loader" || is(after, ".", "_basedir") || is(after, ".", "get_basedir", "(", ")")
	case "_basedir", "get_basedir":
		return i > 1 && r.all[i-2].text == "_loader"
	case "_shared_loader_obj":
		return given && r.all[i-4].text == "shared_loader_obj" || is(after, ".", "action_loader", ".", "get", "(", "TEXT")
	case "action_loader":
		if i < 2 || r.all[i-2].text != "_shared_loader_obj" || !is(after, ".", "get", "(", "TEXT") {
			return false
		}
		r.found.Calls = append(r.found.Calls, after[3].text)
		return callable[after[3].text] && (after[4].text == "," || after[4].text == ")")
	case "_templar":
		return given && r.all[i-4].text == "templar" || is(after, ".", "template", "(") || is(after, ".", "environment", ".", "loader", ".", "searchpath", "=") ||
			is(after, ".", "available_variables", "=") || is(after, ".", "_available_variables")
	case "template", "environment", "available_variables", "_available_variables":
		return i > 1 && r.all[i-2].text == "_templar"
	case "loader":
		return i > 1 && r.all[i-2].text == "environment"
	case "searchpath":
		return i > 1 && r.all[i-2].text == "loader"
	case "_find_needle":
		return is(after, "(", "TEXT", ",")
	default:
		return attributes[name] || r.assigned(name) || r.script && scriptAttributes[name] || r.options(i)
	}
}

// assigned reports whether the code gives an attribute of this name its value.
func (r *reader) assigned(name string) bool {
	for i, t := range r.all {
		if t.kind == word && t.text == name && i > 1 && r.all[i-1].text == "." && r.all[i-2].text == "self" && i+1 < len(r.all) && r.all[i+1].text == "=" {
			return true
		}
	}
	return false
}

// opens looks at all files that are opened or looked for.
func (r *reader) opens() bool {
	for i, t := range r.all {
		if t.kind != word || i > 0 && r.all[i-1].text == "." && t.text != "_find_needle" {
			continue
		}
		name, at := t.text, i+1
		switch {
		case name == "open":
		case name == "os" && r.modules["os"] == "os" && !r.inImport(i):
			for !looks[name] && at+1 < len(r.all) && r.all[at].text == "." {
				name += "." + r.all[at+1].text
				at += 2
			}
			if !looks[name] {
				continue
			}
		case name == "_find_needle":
			r.found.Searches = true
			if w := r.of(r.all[i-2 : i+1+bracket(r.all[i+1:])]); w.kind != argument {
				return false
			}
			continue
		default:
			continue
		}
		if at >= len(r.all) || r.all[at].text != "(" {
			return false
		}
		given := split(r.all[at+1:at+bracket(r.all[at:])-1], ",")
		if name == "open" && written(given) {
			continue
		}
		switch w := r.of(given[0]); w.kind {
		case argument:
			r.found.Opens = append(r.found.Opens, w.args...)
		case temporary, neutral:
		default:
			return false
		}
	}
	return true
}

// written reports whether a file is opened with these arguments to be written only.
func written(given [][]token) bool {
	return len(given) > 1 && len(given[1]) == 1 && given[1][0].kind == text && (given[1][0].text == "w" || given[1][0].text == "wb")
}

// reads looks at what is evaluated, and at what is done with all variables.
func (r *reader) reads() {
	for i, t := range r.all {
		if t.kind == word && t.text == "template" && i > 1 && r.all[i-2].text == "_templar" {
			given := split(r.all[i+2:i+1+bracket(r.all[i+1:])-1], ",")
			if w := r.evaluated(given[0]); w && len(given) == 1 {
				r.found.Templates = true
			} else {
				r.found.Any = true
			}
		}
	}
	for more := true; more; { // names for all variables
		more = false
		for name, all := range r.binds {
			for _, b := range all {
				if !r.variables[name] && !b.other && r.isVariables(b.value) {
					r.variables[name], more = true, true
				}
			}
		}
	}
	for i, t := range r.all {
		if t.kind == word && r.variables[t.text] && !(i > 0 && r.all[i-1].text == ".") {
			r.uses(i)
		}
	}
}

// evaluated reports whether an expression is what a file has in it, or what was made of
// that before.
func (r *reader) evaluated(e []token) bool {
	if w := r.of(e); w.kind == content {
		return true
	}
	if len(e) != 1 || e[0].kind != word {
		return false
	}
	found := false
	for _, b := range r.binds[e[0].text] {
		w := r.of(b.value)
		switch {
		case b.other || b.element || b.file:
			return false
		case w.kind == content:
			found = true
		case is(b.value, "self", ".", "_templar", ".", "template", "("):
		default:
			return false
		}
	}
	return found
}

// isVariables reports whether an expression is all variables.
func (r *reader) isVariables(e []token) bool {
	return len(e) > 0 && e[0].kind == word && r.variables[e[0].text] && (len(e) == 1 || len(e) == 5 && is(e[1:], ".", "copy", "(", ")")) ||
		len(e) == 5 && is(e, "self", ".", "_templar", ".", "_available_variables")
}

// uses says what a use of all variables reads.
func (r *reader) uses(i int) {
	before := func(like ...string) bool { return i >= len(like) && is(r.all[i-len(like):], like...) }
	after := r.all[i+1:]
	start := i
	for start > 0 && r.all[start-1].kind != end {
		start--
	}
	if r.all[start].text == "def" {
		return
	}
	named := func(t token) {
		switch t.text {
		case "hostvars", "vars", "groups":
			r.found.Any = true
		default:
			r.found.Variables = append(r.found.Variables, t.text)
		}
	}
	switch {
	case is(after, ".", "get", "(", "TEXT") && (after[4].text == ")" || after[4].text == ","):
		named(after[3])
	case is(after, "[", "TEXT", "]"):
		named(after[1])
	case is(after, ".", "copy", "(", ")") && len(after) > 4 && after[4].kind == end && before("="), is(after, ".", "update", "("), is(after, "is", "None"),
		is(after, "=") && !r.keyword(i), r.keyword(i), before(".", "run", "(", "tmp", ","), before("available_variables", "="):
	case before("task_vars", "=") && (is(after, ",") || is(after, ")")) && r.handsOn(i):
	case i > 0 && r.given(i):
	default:
		r.found.Any = true
	}
}

// handsOn reports whether an argument is one of a call of Ansible's own that runs a
// module or another plugin.
func (r *reader) handsOn(i int) bool {
	depth := 0
	for i--; i > 1; i-- {
		switch t := r.all[i]; {
		case t.kind != sign:
		case strings.Contains(")]}", t.text):
			depth++
		case strings.Contains("([{", t.text):
			if depth--; depth < 0 {
				return t.text == "(" && r.all[i-2].text == "." && (r.all[i-1].text == "run" || r.all[i-1].text == "_execute_module")
			}
		}
	}
	return false
}

// given reports whether a word is all that a parameter of the code's own functions is
// given, or a name is bound to.
func (r *reader) given(i int) bool {
	for name, all := range r.binds {
		if !r.variables[name] {
			continue
		}
		for _, b := range all {
			if len(b.value) == 1 && &b.value[0] == &r.all[i] {
				return true
			}
		}
	}
	return false
}
