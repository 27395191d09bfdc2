package ansible

import (
	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// foreignOutcomes is what hostvars comes to at a path, HOST.NAME and further on. In a build nothing
// runs on another host, so that its variables are those of the inventory and those that
// are given: what only a play on it sets has no value.
func (w *walk) foreignOutcomes(at []string) []outcome {
	w.asksOwn() // it may be the node itself
	if len(at) < 2 || at[0] == w.q.Host || at[0] == "" || w.shared || w.opaque || w.outside || w.cfg.merge || w.cfg.cachesFacts || w.setsOthers {
		return unknownOutcome()
	}
	host, name := at[0], at[1]
	if reserved(name) || w.ownName(name) {
		return unknownOutcome()
	}
	w.files.Asked.Ask(askVariable, name)
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
			return unknownOutcome() // by that host's variables
		}
		all.add(w.valueOutcomes(*v, at[2:], owner{})...)
	}
	return all.limited()
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

// factsAway reports whether a task, a block or a role says that what is found out counts for the host
// that it is delegated to.
func factsAway(v value.Value) bool {
	away := v.At("delegate_facts")
	return away.Kind != value.Null && (away.Kind != value.Bool || away.Text != "false")
}
