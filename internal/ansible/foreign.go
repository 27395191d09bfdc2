package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// foreignOutcomes is what hostvars comes to at a path, HOST.NAME and further on. In a build nothing
// runs on another host, so that its variables are those of the inventory and those that
// are given: what only a play on it sets has no value.
func (w *walk) foreignOutcomes(at []string) []outcome {
	w.asksOwn() // it may be the node itself
	if len(at) > 1 && at[0] == w.q.Host {
		return w.variableOutcomes(at[1], at[2:], owner{})
	}
	if len(at) < 2 || at[0] == "" || w.shared || w.opaque || w.outside || w.cfg.merge || w.cfg.cachesFacts || w.setsOthers {
		return unknownOutcome()
	}
	host, name := at[0], at[1]
	if reserved(name) || w.ownName(name) || w.setOthers.has(name) {
		return unknownOutcome()
	}
	w.files.Asked.Ask(askVariable, name)
	w.tellEvaluated(name)
	if w.inv.Hosts[host] == nil && !localhost(host) {
		return unknownOutcome() // a play may make it
	}
	scope, err := inventory.NewWinners(w.files, w.dirs, name).Of(w.inv.Node(host, nil))
	if err != nil || len(scope.Sealed) > 0 {
		return unknownOutcome()
	}
	var values []*value.Value
	for _, d := range scope.Lookup(name) {
		values = append(values, &d.Value)
	}
	for _, d := range w.extra[name] {
		values = append(values, d.value)
	}
	var all outcomes
	for _, v := range values {
		if computesIn(*v) {
			if v.Kind != value.String || len(at) > 2 {
				return unknownOutcome()
			}
			all.add(w.foreignText(w.textOf(v.Text).Shape, at[0])...)
			continue
		}
		all.add(w.valueOutcomes(*v, at[2:], owner{})...)
	}
	return all.limited()
}

// foreignText is what a text comes to that is evaluated with the variables of another
// host, if that is simple.
func (w *walk) foreignText(s jinja.Shape, host string) []outcome {
	switch s := s.(type) {
	case jinja.Literal:
		return []outcome{textOutcome(string(s))}
	case jinja.Variable:
		at := append([]string{host, s.Name}, s.Path...)
		return w.evaluated().once(node{name: "hostvars", path: strings.Join(at, "\x00")}, func() []outcome { return w.foreignOutcomes(at) })
	case jinja.Concat:
		all := []string{""}
		for _, part := range s {
			var texts []string
			for _, out := range w.foreignText(part, host) {
				if !out.isText() {
					return unknownOutcome()
				}
				texts = append(texts, out.text)
			}
			if len(texts) == 0 {
				return nil
			}
			all = joined(all, texts)
		}
		var found outcomes
		for _, text := range all {
			found.add(textOutcome(text))
		}
		return found.limited()
	}
	return unknownOutcome()
}

// setsAway notes whether something may set variables of other hosts.
func (w *walk) setsAway(away bool) {
	if w.setsOthers || !away {
		return
	}
	w.setsOthers = true
	w.forget("hostvars")
	w.changes++
}

// setsOn notes what a task may set of other hosts: facts of a host that it is delegated
// to, or what a host has that it adds. What Ansible finds out has names of its own.
func (w *walk) setsOn(t *task) {
	switch {
	case t.module == "add_host":
		w.setsAway(givesMore(t))
	case !t.factsAway || t.module == "setup" || t.module == "gather_facts":
	case t.module == "set_fact" && !t.computed && !slices.ContainsFunc(t.args.Pairs(), computedKey):
		for _, p := range t.args.Pairs() {
			if w.setOthers.add(p.Key.Text) {
				w.forget("hostvars")
				w.changes++
			}
		}
	default:
		w.setsAway(true)
	}
}

// givesMore reports whether a task that adds a host may give it more than groups.
func givesMore(t *task) bool {
	return t.computed || len(t.args.Pairs()) == 0 || slices.ContainsFunc(t.args.Pairs(), func(p value.Pair) bool {
		switch p.Key.Text {
		case "name", "hostname", "host", "groups", "group", "groupname":
			return false
		}
		return true
	})
}

// givesVariables reports whether a host gets variables by being put in a group.
func (w *walk) givesVariables(group string) bool {
	if computed(group) || w.inv.Groups[group] != nil {
		return true
	}
	for _, dir := range w.varsDirs() {
		for _, ext := range []string{"", ".yml", ".yaml", ".json"} {
			if w.files.Kind(path.Join(dir, group+ext)) != tree.Absent {
				return true
			}
		}
	}
	return false
}

// factsAway reports whether a task, a block or a role says that what is found out counts for the host
// that it is delegated to.
func factsAway(v value.Value) bool {
	away := v.At("delegate_facts")
	return away.Kind != value.Null && (away.Kind != value.Bool || away.Text != "false")
}

func computedKey(p value.Pair) bool { return computes(p.Key.Text) }
