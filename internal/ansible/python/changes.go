package python

import "strings"

// changers are methods that put something into what they are of.
var changers = words("append extend insert add update setdefault")

// makers return something else than what they are given.
var makers = words("run open read join format len isinstance StringIO mkdtemp dirname basename template safe_load dump loads dumps deepcopy")

// changes notes the names of what gets more elements, and of what may be the same thing
// under another name: of these it is not known what is in them. It returns false where a
// task's arguments are changed in a way that is not known.
func (r *reader) changes() bool {
	for i, t := range r.all {
		var root int
		switch {
		case t.kind == word && changers[t.text] && i > 0 && r.all[i-1].text == "." && i+1 < len(r.all) && r.all[i+1].text == "(":
			root = r.root(i - 2)
		case t.kind == sign && t.text == "]" && i+1 < len(r.all) && r.all[i+1].kind == sign && assigns(r.all[i+1].text):
			root = r.root(i)
		case t.kind == sign && t.text != "=" && assigns(t.text) && i > 0: // more of it
			root = r.root(i - 1)
		default:
			continue
		}
		switch first := r.all[root]; {
		case first.kind != word:
		case builtins[first.text] || r.modules[first.text] != "": // list.append(x, …)
			return false
		case first.text != "self":
			r.changed[first.text] = true
		case r.ofTask(root):
			return false
		}
	}
	for more := true; more; {
		more = false
		for name, all := range r.binds {
			for _, b := range all {
				for _, other := range r.mayBe(b.value) {
					if r.changed[name] != r.changed[other] {
						r.changed[name], r.changed[other], more = true, true, true
					}
				}
			}
		}
	}
	for i, t := range r.all {
		if t.kind == word && t.text == "args" && i > 1 && r.all[i-1].text == "." && !r.taskArguments(i) {
			return false
		}
	}
	return true
}

// ofTask reports whether what begins with self may be, or be in, the arguments of its
// task.
func (r *reader) ofTask(root int) bool {
	if !is(r.all[root:], "self", ".", "NAME") {
		return false
	}
	name := r.all[root+2].text
	if name == "_task" {
		return true
	}
	for i := range r.all {
		if !is(r.all[i:], "self", ".", name, "=") {
			continue
		}
		for _, t := range split(r.all[i+4:], "")[0] {
			if w := r.named(t.text, nil); t.kind == word && (t.text == "args" || w.kind == argument || w.kind == arguments) {
				return true
			}
		}
	}
	return false
}

// assigns reports whether a sign gives what is before it another value.
func assigns(sign string) bool {
	switch sign {
	case "==", "!=", "<=", ">=":
		return false
	}
	return strings.HasSuffix(sign, "=")
}

// mayBe are the names whose things an expression may be, or have in it.
func (r *reader) mayBe(e []token) []string {
	for len(e) > 1 && e[0].text == "(" && e[0].kind == sign && bracket(e) == len(e) {
		e = e[1 : len(e)-1]
	}
	var all []string
	if len(e) > 1 && e[0].kind == text && e[1].text == "%" {
		return nil // a new text
	}
	for i := 0; i < len(e); i++ {
		t := e[i]
		if t.kind != word {
			continue
		}
		if i+1 < len(e) && e[i+1].text == "(" && e[i+1].kind == sign && makers[t.text] {
			i += bracket(e[i+1:])
			continue
		}
		_, function := r.defs[t.text]
		if function && i+1 < len(e) && e[i+1].text == "(" && e[i+1].kind == sign {
			for _, returned := range r.returns[t.text] { // of itself, what it returns is known by other ways
				if !r.callsOwn(returned) {
					all = append(all, r.mayBe(returned)...)
				} else {
					for _, one := range returned {
						if len(r.binds[one.text]) > 0 {
							all = append(all, one.text)
						}
					}
				}
			}
			i += bracket(e[i+1:])
			continue
		}
		if len(r.binds[t.text]) > 0 && !function && !r.classes[t.text] && t.text != "self" && (i == 0 || e[i-1].text != ".") {
			all = append(all, t.text)
		}
	}
	return all
}

// callsOwn reports whether functions of the code are called in an expression.
func (r *reader) callsOwn(e []token) bool {
	for _, t := range e {
		if _, own := r.defs[t.text]; own && t.kind == word {
			return true
		}
	}
	return false
}

// root is where an expression begins that ends at a token: of a.b[c].d at a.
func (r *reader) root(i int) int {
	for i > 0 {
		switch t := r.all[i]; {
		case t.kind == sign && strings.Contains(")]}", t.text):
			depth := 0
			for ; i > 0; i-- {
				if s := r.all[i]; s.kind == sign && strings.Contains(")]}", s.text) {
					depth++
				} else if s.kind == sign && strings.Contains("([{", s.text) {
					if depth--; depth == 0 {
						break
					}
				}
			}
			if i == 0 || r.all[i-1].kind != word && (r.all[i-1].kind != sign || !strings.Contains(")]}", r.all[i-1].text)) {
				return i
			}
			i--
		case t.kind == word && r.all[i-1].kind == sign && r.all[i-1].text == ".":
			i -= 2
		default:
			return i
		}
	}
	return i
}

// taskArguments reports whether what is done with the arguments of a task is known: it
// is the plugin's own, and they are read, or a copy of it that gets no other source than
// what an argument names or the plugin wrote.
func (r *reader) taskArguments(i int) bool {
	after := r.all[i+1:]
	changing := is(after, ".", "update", "(") || is(after, ".", "setdefault", "(") || is(after, "[", "TEXT", "]", "=") || is(after, "=")
	if is(r.all[max(i-4, 0):], "self", ".", "_task", ".") {
		return !changing && (len(after) == 0 || after[0].text != "[" || is(after, "[", "TEXT", "]") && !assigns(after[3].text))
	}
	name := r.all[i-2]
	if name.kind != word || i > 2 && r.all[i-3].text == "." || len(r.binds[name.text]) == 0 {
		return false
	}
	for _, b := range r.binds[name.text] {
		if len(b.value) != 7 || b.element || b.file || !is(b.value, "self", ".", "_task", ".", "copy", "(", ")") {
			return false
		}
	}
	switch {
	case is(after, ".", "pop", "(", "TEXT"), is(after, ".", "get", "(", "TEXT"):
		return true
	case is(after, "[", "TEXT", "]", "="):
		return r.source(after[1], split(after[4:], "")[0])
	case is(after, ".", "update", "(", "dict", "("):
		inner := after[5 : 4+bracket(after[4:])-1]
		for _, one := range split(inner, ",") {
			if len(one) > 0 && (len(one) < 3 || one[0].kind != word || one[1].text != "=" || !r.source(one[0], one[2:])) {
				return false
			}
		}
		return bracket(after[2:]) == bracket(after[4:])+3
	}
	return false
}

// source reports whether an argument of another plugin names no file that is not known.
func (r *reader) source(key token, value []token) bool {
	if strings.Contains(key.text, "\\") {
		return false
	}
	if key.text != "src" {
		return true
	}
	w := r.of(value)
	r.found.Opens = append(r.found.Opens, w.args...)
	return w.kind == argument || w.kind == temporary || w.kind == neutral
}
