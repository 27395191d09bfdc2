package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// notify is what tasks notify handlers by.
type notify struct {
	names []string
	any   bool // nobody can know
}

func (n *notify) add(v value.Value) {
	for _, one := range v.List() {
		if !one.Scalar() || computes(one.Text) {
			n.any = true
			continue
		}
		for _, name := range append(strings.Split(one.Text, ","), one.Text) {
			name = strings.TrimSpace(name)
			n.names = append(n.names, name)
			for _, rest, ok := strings.Cut(name, " : "); ok; _, rest, ok = strings.Cut(rest, " : ") { // with its role
				n.names = append(n.names, rest)
			}
		}
	}
}

// notify notes which handlers may run.
func (w *walk) notify(n *notify) {
	names := n.names
	if n.any {
		names = append(slices.Clip(names), "")
	}
	for _, name := range names {
		if w.notified.add(name) {
			w.decided++
			w.news++
		}
	}
}

// notifies reports whether something may notify a handler with one of these
// names. Plugins can in ways of their own.
func (w *walk) notifies(names []string) bool {
	for d := range w.plugins.dirs.keys() {
		switch d.kind {
		case "callback_plugins", "callback", "strategy_plugins", "strategy":
			return true
		}
	}
	return w.all || w.plugins.notifies || w.notified.has("") || slices.ContainsFunc(names, w.notified.has)
}

// readHandlers reads the handlers of a role, which run only if they are notified.
func readHandlers(v value.Value) *taskList {
	l := readList(v, handler)
	l.handlers = true
	return l
}

// handler is a handler that is notified by names that are known; others are like
// tasks.
func handler(v value.Value) *guarded {
	names := v.At("listen").List()
	if name := v.At("name"); name.Kind == value.String {
		names = append(slices.Clip(names), name)
	}
	if v.Kind != value.Map || len(names) == 0 || slices.ContainsFunc(names, func(name value.Value) bool {
		return name.Kind != value.String || name.Text == "" || computes(name.Text)
	}) {
		return guard(v)
	}
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = name.Text
	}
	return newGuarded(v, texts...)
}

// onlyMain reports whether a file is the only main one of a role's directory, so
// that it stands in front of no other.
func (w *walk) onlyMain(name string) bool {
	dir, base := path.Split(name)
	found := 0
	for _, ext := range []string{"", ".yml", ".yaml", ".json"} {
		if w.files.Kind(path.Join(dir, "main"+ext)) != tree.Absent {
			found++
		}
	}
	return found == 1 && strings.TrimSuffix(base, path.Ext(base)) == "main"
}
