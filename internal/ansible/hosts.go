package ansible

import (
	"maps"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Variables of other hosts, and the members of groups.

// foreignResult is what a variable comes to on other hosts.
type foreignResult struct {
	digest string
	reads  reads
	first  Definition
}

// otherHosts are the hosts of the inventory that a pattern may mean, but for
// the node itself.
func (w *walk) otherHosts(pattern string) []string {
	return slices.DeleteFunc(slices.Clone(w.inv.AllHosts()), func(host string) bool {
		return host == w.q.Host || !matches(pattern, host)
	})
}

// foreignValue is what a variable comes to on the hosts that a pattern may mean;
// a name of "" is all of them. Playbooks' own group_vars count as well.
func (w *walk) foreignValue(h hostRead) foreignResult {
	hosts := w.otherHosts(h.host)
	// Another node may have found the answer before: what it looked at, this
	// one has not seen.
	w.files.Touched = w.files.Touched || len(w.files.Differences) > 0
	return w.foreign.get([2]string{h.host + "\x00" + strings.Join(w.dirs, ":"), h.name + "\x00" + w.q.Inventory}, func() foreignResult {
		var r foreignResult
		var parts []string
		for _, host := range hosts {
			scope, err := w.inv.Node(host, nil).Definitions(w.files, w.dirs)
			if err != nil {
				continue // the same fault comes up where the node's own variables are read
			}
			parts = append(parts, host)
			for _, d := range scope.Definitions {
				if h.name != "" && d.Name != h.name {
					continue
				}
				parts = append(parts, d.Name, d.Value.Digest())
				r.reads.value(d.Value)
				if r.first.File == "" {
					r.first = Definition{File: d.File, Line: d.Line, Shown: d.Value.Shown(shown)}
				}
			}
			for _, s := range scope.Sealed {
				digest, _ := w.files.Digest(s.File)
				parts = append(parts, s.File, digest)
			}
		}
		r.digest = sum(parts...)
		return r
	})
}

// readHosts follows what the variables of other hosts read: variables of the
// same hosts, of which this node's stand for those that lead further.
func (w *walk) readHosts() {
	for _, h := range slices.SortedFunc(maps.Keys(w.hostReads), compareHostReads) {
		if h.name == "" {
			continue // all of them: nothing is left to be followed but files
		}
		r := w.foreignValue(h)
		for _, n := range r.reads.names {
			if _, known := w.hostReads[hostRead{h.host, n.Name}]; !known {
				w.hostReads[hostRead{h.host, n.Name}] = &via{}
				w.changes++
			}
		}
		o := owner{file: r.first.File}
		if at := (visitText{text: h.name, file: h.host}); !w.readTexts[at] {
			w.readTexts[at] = true
			w.read(&r.reads, o)
		}
	}
}

func compareHostReads(a, b hostRead) int {
	return strings.Compare(a.host+"\x00"+a.name, b.host+"\x00"+b.name)
}

// foreignVariables are the variables of other hosts, and groups, as variables.
func (w *walk) foreignVariables() []Variable {
	var all []Variable
	for h, seen := range w.hostReads {
		r := w.foreignValue(h)
		name := "hostvars[" + strings.ReplaceAll(h.host, unknownText, "*") + "]"
		if h.name != "" {
			name += "." + h.name
		}
		v := Variable{Name: name, Digest: r.digest, Via: seen.strings()}
		if h.name != "" && r.first.File != "" {
			v.Definitions = []Definition{r.first}
		}
		all = append(all, v)
	}
	for group, seen := range w.groups {
		name, members := "groups", []string{}
		groups := []string{group}
		if group == "" {
			groups = slices.Sorted(maps.Keys(w.inv.Groups))
		} else {
			name += "[" + group + "]"
		}
		for _, g := range groups {
			members = append(members, g)
			members = append(members, w.node.Members(g)...)
		}
		text := strings.Join(members, ",")
		if len(text) > shown {
			text = text[:shown] + "…"
		}
		all = append(all, Variable{Name: name, Digest: sum(members...), Via: seen.strings(), Definitions: []Definition{{Shown: text}}})
	}
	return all
}

// allGroups makes the variables of every group count: nobody can know which of
// them the node will be in.
func (w *walk) allGroups(at place) { w.moreGroups(unknownText, at) }

// moreGroups makes the variables of the groups count that a pattern may mean:
// the node may be put in them while a playbook runs.
func (w *walk) moreGroups(pattern string, at place) {
	var groups []string
	for _, g := range slices.Sorted(maps.Keys(w.inv.Groups)) {
		if matches(pattern, g) {
			groups = append(groups, g)
		}
	}
	if !strings.Contains(pattern, unknownText) && w.inv.Groups[pattern] == nil {
		groups = append(groups, pattern)
	}
	for _, g := range groups {
		if !slices.Contains(w.joins, g) {
			w.joins = append(w.joins, g)
			w.changes++
		}
	}
	scope, err := w.inv.Node(w.q.Host, append(append(groups, w.q.Groups...), ImageGroup)).Definitions(w.files, w.dirs)
	if err != nil {
		w.fail(err)
		return
	}
	for _, d := range scope.Definitions {
		like := definition{file: d.File, class: "group_by", owner: owner{file: d.File}}
		key := value.Value{Kind: value.String, Text: d.Name, Line: d.Line}
		w.define([]value.Pair{{Key: key, Value: d.Value}}, like)
	}
	for _, s := range scope.Sealed {
		w.sealed(s.File)
	}
	w.groupRead(pathText{nil, at.line}, owner{file: at.file})
}
