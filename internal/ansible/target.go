package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Hosts of plays that are computed: hosts: "{{ target | default('web') }}".

// hostsOf is what a play's pattern comes to; false if that is not known. Ansible has only
// what is the same for all hosts there: extra variables and the play's own.
func (w *walk) hostsOf(p *play, text string) (patterns []string, known bool) {
	inner, begins := strings.CutPrefix(strings.TrimSpace(text), "{{")
	inner, ends := strings.CutSuffix(inner, "}}")
	if !begins || !ends || computes(inner) || w.opaque {
		return nil, false
	}
	v, out := jinja.Evaluate(strings.TrimSpace(inner), func(name string) (any, jinja.Outcome) { return w.beforeHosts(p, name) })
	if out != jinja.Known {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return []string{v}, !computes(v)
	case []any:
		for _, item := range v {
			s, ok := item.(string)
			if !ok || computes(s) {
				return nil, false
			}
			patterns = append(patterns, s)
		}
		return patterns, len(patterns) > 0
	}
	return nil, false
}

// beforeHosts is the value of a variable where it is not known yet for which hosts a play
// is.
func (w *walk) beforeHosts(p *play, name string) (any, jinja.Outcome) {
	w.definitions(name) // it counts that it is asked for
	one := func(v value.Value) (any, jinja.Outcome) {
		if v.Kind == value.String && !computes(v.Text) {
			return v.Text, jinja.Known
		}
		return nil, jinja.Unsure
	}
	if extra := w.extra[name]; len(extra) > 0 {
		return one(*extra[len(extra)-1].value)
	}
	if len(p.roles) > 0 || p.varsFiles.Kind != value.Null || p.prompts.Kind != value.Null || w.ownName(name) {
		return nil, jinja.Unsure
	}
	for _, pair := range slices.Backward(p.vars) {
		if pair.Key.Text == name {
			return one(pair.Value)
		}
	}
	return nil, jinja.Failed
}

// inHosts reports whether the hosts of a play are computed with a variable.
func (w *walk) inHosts(name string) bool {
	for _, b := range w.books {
		for i := range b.book.plays {
			for _, pattern := range b.book.plays[i].hosts.List() {
				if computes(pattern.Text) && slices.ContainsFunc(w.textOf(pattern.Text).Names, func(u jinja.Use) bool { return u.Name == name }) {
					return true
				}
			}
		}
	}
	return false
}

// inTasks reports whether a file lies where tasks do.
func inTasks(name string) bool {
	parts := strings.Split(name, "/")
	return slices.Contains(parts[:len(parts)-1], "tasks") || slices.Contains(parts[:len(parts)-1], "handlers")
}
