package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// What tasks register.

// anythingElse is a template of which nobody can know what it comes to.
const anythingElse = "{{ ansible_local }}"

// registers notes the name under which a task leaves its result.
func (w *walk) registers(t *task, o owner) {
	if t.register == "" {
		return
	}
	if key, list, ok := resultOf(t); ok {
		w.results.add(t.register)
		w.local(t.register, local{value: list, result: true, found: key, owner: o})
		return
	}
	w.getsAny(t.register)
}

// resultOf is what is known of the result of a task: of a list in it, by its key, what
// any of its elements may be; with no key, what it may be itself.
func resultOf(t *task) (key string, list value.Value, ok bool) {
	switch {
	case t.loop != nil && plainName(t.loop.variable): // each result says for which element it is
		return "results", value.Value{Kind: value.List}.WithItems([]value.Value{entry(t.loop.variable, text("{{ "+t.loop.variable+" }}"))}), true
	case t.loop != nil:
		return "", list, false
	case t.module == "tempfile" && !t.computed:
		dir := argument(t.args, "path")
		if len(dir) == 0 {
			dir = []string{""} // none of the project's: what is made is new
		}
		made := text(strings.TrimRight(dir[0], "/") + "/" + unknownText)
		return "", value.Value{Kind: value.List}.WithItems([]value.Value{entry("path", made)}), len(dir) == 1
	}
	list, ok = foundBy(t)
	return "files", list, ok
}

// plainName reports whether a name can stand in an expression.
func plainName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && !strings.ContainsAny(name[:1], "0123456789")
}

// foundBy are the files that a task with the module find may find, as a list of what
// its result says of each: they lie where it looks, and are called as it says.
func foundBy(t *task) (value.Value, bool) {
	if t.module != "find" || t.loop != nil || t.computed || isTrue(t.args.At("use_regex"), true) {
		return value.Value{}, false
	}
	paths := argument(t.args, "paths", "path", "name")
	patterns := argument(t.args, "patterns", "pattern")
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	var files []value.Value
	for _, path := range paths {
		for _, pattern := range patterns {
			if computes(pattern) {
				pattern = "*"
			}
			path := strings.TrimRight(path, "/") + "/"
			files = append(files, entry("path", text(path+globbed(pattern))))
			if isTrue(t.args.At("recurse"), true) {
				files = append(files, entry("path", text(path+unknownText+"/"+globbed(pattern))))
			}
		}
	}
	return value.Value{Kind: value.List}.WithItems(files), len(paths) > 0
}

// foundIn is what lies at a path in the result of a task: some of the elements of a list
// in it, or what nobody can know.
func (w *walk) foundIn(l local, at []string) []outcome {
	elements := w.items(outcome{value: l.value, owner: l.owner}, nil)
	switch {
	case len(at) == 0:
		return unknownOutcome()
	case l.found == "":
		return w.insideAll(elements, at)
	case at[0] != l.found:
		return unknownOutcome()
	}
	return w.insideAll(some(elements), at[1:])
}

// argument are the elements of a module's argument that is a list, or a text with
// commas.
func argument(args value.Value, names ...string) []string {
	var all []string
	for _, name := range names {
		for _, one := range args.At(name).List() {
			if one.Kind != value.String {
				return nil
			}
			if computes(one.Text) {
				all = append(all, one.Text)
				continue
			}
			for _, part := range strings.Split(one.Text, ",") {
				all = append(all, strings.TrimSpace(part))
			}
		}
	}
	return all
}

// isTrue reports whether a module's argument is true, and what it is if nobody can
// know.
func isTrue(v value.Value, unknown bool) bool {
	switch v.Kind {
	case value.Null:
		return false
	case value.Bool:
		return v.Text == "true"
	case value.String:
		switch strings.ToLower(v.Text) {
		case "no", "false", "off", "0":
			return false
		}
	}
	return unknown
}

func text(s string) value.Value { return value.Value{Kind: value.String, Text: s} }

// entry is a map with a key of which the value is known, and others.
func entry(key string, v value.Value) value.Value {
	return value.Value{Kind: value.Map}.WithPairs([]value.Pair{
		{Key: text(key), Value: v}, {Key: text(anythingElse), Value: text(anythingElse)},
	})
}

// namesFor are the variables that a file of variables is given to as a whole, by the
// argument name of include_vars; false if nobody can know them.
func (w *walk) namesFor(file string, r *request) ([]string, bool) {
	o := r.owner
	if o.loop != nil && isVariable(r.shape, o.loop.variable) && w.anchored(r) {
		one := *o.loop
		one.kind, one.items = "", value.Value{Kind: value.List}.WithItems([]value.Value{{Kind: value.Unsafe, Text: projectText + file}})
		o.loop = &one
	}
	var names []string
	for _, name := range w.texts(r.called, o) {
		if computed(name) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

func isVariable(s jinja.Shape, name string) bool {
	v, ok := s.(jinja.Variable)
	return ok && v.Name == name && len(v.Path) == 0
}

// anchored reports whether what a request names are paths of the project, each from
// its directory.
func (w *walk) anchored(r *request) bool {
	return !slices.ContainsFunc(w.texts(r.shape, r.owner), func(name string) bool { return !strings.HasPrefix(name, projectText) })
}
