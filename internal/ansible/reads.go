package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// reads is what texts can read when they are evaluated.
type reads struct {
	names      []jinja.Use
	needs      []jinja.Use // those of names that are evaluated in any case
	calls      []jinja.Call
	hosts      []jinja.HostRead
	groups     []pathText       // the groups whose hosts are read; a nil shape for all
	computed   []jinja.Computed // names of variables that are computed
	files      []jinja.FileRef  // what templates include
	included   form             // how that counts, if not as usual
	plugins    []string         // filters and tests
	binds      []string         // names that the text gives values, which what it includes may see
	conditions []jinja.Use      // names whose values are evaluated as expressions
	paths      []pathText       // texts that mention a directory of the project
	any        []why            // why any variable may be read
}

// pathText is a text that something can be computed with: a path of the
// project, the name of a group.
type pathText struct {
	shape jinja.Shape
	line  int
}

// why is a reason with its line.
type why struct {
	text string
	line int
}

// directoryVariables hold paths of the project's own.
var directoryVariables = map[string]bool{
	"role_path": true, "playbook_dir": true, "inventory_dir": true, "inventory_file": true,
	"ansible_search_path": true, "ansible_config_file": true, "ansible_parent_role_paths": true,
	"ansible_inventory_sources": true,
}

// plain reports whether nothing but variables is read, of which it does not matter
// how often.
func (r *reads) plain() bool {
	return r.calls == nil && r.hosts == nil && r.groups == nil && r.computed == nil && r.files == nil && r.plugins == nil &&
		r.binds == nil && r.conditions == nil && r.paths == nil && r.any == nil
}

// take takes from others what was added to them, but for what is the same whichever
// element of a loop it is read for: names of variables and plugins.
func (r *reads) take(from *reads, before reads) {
	r.calls, from.calls = append(r.calls, from.calls[len(before.calls):]...), slices.Clip(before.calls)
	r.hosts, from.hosts = append(r.hosts, from.hosts[len(before.hosts):]...), slices.Clip(before.hosts)
	r.groups, from.groups = append(r.groups, from.groups[len(before.groups):]...), slices.Clip(before.groups)
	r.computed, from.computed = append(r.computed, from.computed[len(before.computed):]...), slices.Clip(before.computed)
	r.files, from.files = append(r.files, from.files[len(before.files):]...), slices.Clip(before.files)
	r.paths, from.paths = append(r.paths, from.paths[len(before.paths):]...), slices.Clip(before.paths)
}

// text adds what a text reads that was found at a line of its file.
func (r *reads) text(t *jinja.Text, line int) {
	offset := max(line-1, 0)
	mentions := false
	for _, n := range t.Names {
		n.Line += offset
		r.names = append(r.names, n)
		mentions = mentions || directoryVariables[n.Name]
	}
	for _, n := range t.Needs {
		n.Line += offset
		r.needs = append(r.needs, n)
	}
	for _, c := range t.Calls {
		c.Line += offset
		r.calls = append(r.calls, c)
	}
	for _, h := range t.Hosts {
		h.Line += offset
		r.hosts = append(r.hosts, h)
	}
	for _, g := range t.Globals { // a variable of that name hides Ansible's own
		g.Line += offset
		r.names = append(r.names, g)
	}
	for _, g := range t.Groups {
		r.groups = append(r.groups, pathText{g, line})
	}
	for _, f := range t.Files {
		f.Line += offset
		r.files = append(r.files, f)
	}
	r.plugins = append(append(r.plugins, t.Filters...), t.Tests...)
	if len(t.Files) > 0 {
		r.binds = append(r.binds, t.Binds...)
	}
	for _, c := range t.Computed {
		c.Line += offset
		r.computed = append(r.computed, c)
	}
	if t.Again {
		r.computed = append(r.computed, jinja.Computed{Name: t.Shape, Line: line})
	}
	if t.AnyVariable != "" && !t.Bounded {
		r.any = append(r.any, why{t.AnyVariable, offset + 1})
	}
	if mentions {
		r.paths = append(r.paths, pathText{t.Shape, offset + 1})
	}
}

// template adds what a string reads that may have templates in it.
func (r *reads) template(s string, line int) {
	if !computes(s) {
		return
	}
	t, _ := jinja.Parse(s, jinja.Syntax{}) // what cannot be parsed reads every word in it
	r.text(t, line)
}

// value adds what the strings in a value read.
func (r *reads) value(v value.Value) { v.Strings(r.template) }

// expression adds what bare expressions read: those of when, until and the like.
func (r *reads) expression(v value.Value) {
	for _, item := range v.List() {
		if item.Kind != value.String {
			continue
		}
		if computes(item.Text) { // deprecated, and still in use
			r.template(item.Text, item.Line)
		}
		t, _ := jinja.Expression(item.Text)
		r.text(t, item.Line)
		if name, ok := t.Shape.(jinja.Variable); ok && len(name.Path) == 0 {
			r.conditions = append(r.conditions, jinja.Use{Name: name.Name, Line: item.Line})
		}
	}
}

// computes reports whether a string may be a template.
func computes(s string) bool {
	return strings.Contains(s, "{{") || strings.Contains(s, "{%")
}
