package ansible

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// Plays that mean no host, and playbooks that do nothing to the node.

// unmatched warns of them.
func (w *walk) unmatched() {
	if len(w.inv.Opaque) > 0 {
		return
	}
	for _, b := range w.books {
		if len(w.joinForms) == 0 {
			w.unknownHosts(b)
		}
	}
	for _, name := range w.q.Playbooks {
		if !w.doesSomething(name, map[string]bool{}) {
			w.warn(Warning{
				Kind: WarnPlay, File: name, Message: fmt.Sprintf("no play of it matches %s: it does nothing there", ThisNode),
				Hint: "compare the hosts of its plays with the groups of the layer",
			})
		}
	}
}

// doesSomething reports whether a play of a playbook, or of one that it imports, is
// followed.
func (w *walk) doesSomething(name string, seen map[string]bool) bool {
	if seen[name] {
		return false
	}
	seen[name] = true
	i := slices.IndexFunc(w.books, func(b *bookRead) bool { return b.name == name })
	if i < 0 {
		return true // it is encrypted, or of a collection of the machine
	}
	b := w.books[i]
	for k, p := range b.book.plays {
		if !b.followed[k] {
			continue
		}
		if p.imports.Kind == value.Null {
			return true
		}
		file, ok := firstWord(p.imports).(jinja.Literal)
		if !ok {
			return true
		}
		if w.doesSomething(path.Join(path.Dir(b.name), string(file)), seen) {
			return true
		}
	}
	return false
}

// unknownHosts warns of the plays of a playbook whose hosts are called as nothing is.
func (w *walk) unknownHosts(b *bookRead) {
	for i, p := range b.book.plays {
		if b.followed[i] || p.imports.Kind != value.Null {
			continue
		}
		for _, pattern := range p.hosts.List() {
			if pattern.Kind != value.String || computes(pattern.Text) {
				continue
			}
			names, any := w.inv.Named([]string{pattern.Text})
			if any {
				continue
			}
			for _, name := range names {
				if w.isKnown(name) {
					continue
				}
				// A site's playbook may be for more than this inventory has.
				if near := fault.Nearest(name, w.groupNames()); near != "" {
					w.warn(Warning{
						Kind: WarnHosts, Name: name, File: b.name, Line: pattern.Line,
						Message: fmt.Sprintf("hosts: %s means nothing: no group and no host is called so", name), Hint: "did you mean " + near + "?",
					})
				}
			}
		}
	}
}

// isKnown reports whether hosts can be called so.
func (w *walk) isKnown(name string) bool {
	switch {
	case name == "all" || name == "localhost" || name == "127.0.0.1" || name == "::1" || name == ImageGroup || name == w.q.Host:
		return true
	case w.inv.Groups[name] != nil || w.inv.Hosts[name] != nil || slices.Contains(w.q.Groups, name) || slices.Contains(w.joins, name):
		return true
	}
	return strings.ContainsAny(name, "[]*?~")
}

func (w *walk) groupNames() []string { return slices.Sorted(maps.Keys(w.inv.Groups)) }
