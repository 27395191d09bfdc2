package ansible

import (
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/trace"
)

// Variables of other hosts, and the members of groups.

// foreignResult is what a variable comes to on other hosts.
type foreignResult struct {
	digest string
	reads  reads
	first  Definition
	asked  *trace.Asked
}

// otherHosts are the hosts of the inventory that a pattern may mean, but for
// the node itself.
func (w *walk) otherHosts(pattern string) []string {
	self := w.self()
	if !computed(pattern) {
		if w.inv.Hosts[pattern] == nil || pattern == self {
			return nil
		}
		return []string{pattern}
	}
	return slices.DeleteFunc(slices.Clone(w.inv.AllHosts()), func(host string) bool {
		return host == self || !matches(pattern, host)
	})
}

// self is the node's name if it is a host of the inventory, and so not among the others;
// else, and in what several nodes begin with, "".
func (w *walk) self() string {
	if w.shared || w.inv.Hosts[w.q.Host] == nil {
		return ""
	}
	return w.q.Host
}

// foreignValue is what a variable comes to on the hosts that a pattern may mean;
// a name of "" is all of them. Playbooks' own group_vars count as well.
func (w *walk) foreignValue(h hostRead) foreignResult {
	of := fmt.Sprintf("%s\x00%s\x00%s\x00%s", w.self(), strings.Join(w.dirs, ":"), w.sources(), w.cfg.digest)
	r := w.foreign.Get([2]string{h.host + "\x00" + h.name, of}, func() foreignResult { return w.readForeign(h) })
	w.files.Asked.Include(r.asked)
	return r
}

// readForeign reads that, as many hosts at once as there are processors: whoever
// else asks for it meanwhile waits.
func (w *walk) readForeign(h hostRead) foreignResult {
	hosts := w.otherHosts(h.host)
	groups := make([]foreignHosts, min(len(hosts), runtime.GOMAXPROCS(0)))
	var reading sync.WaitGroup
	for i := range groups {
		from, to := i*len(hosts)/len(groups), (i+1)*len(hosts)/len(groups)
		reading.Go(func() { groups[i] = w.readHostsOf(h, hosts[from:to]) })
	}
	reading.Wait()
	r := foreignResult{asked: &trace.Asked{}}
	switch {
	case h.name == "":
		r.asked.Ask(askVariable, "")
		r.asked.Ask(askVariablesLike, unknownText)
	case computed(h.name):
		r.asked.Ask(askVariablesLike, h.name)
	default:
		r.asked.Ask(askVariable, h.name)
	}
	var says []string
	for _, g := range groups {
		says = append(says, g.says...)
		g.asked.All(func(q trace.Question) { r.asked.Ask(q.Kind, q.Name) }) // as one set, of which many traces have a part
		for _, d := range g.definitions {
			r.reads.value(d.Value)
			if r.first.File == "" {
				r.first = Definition{File: d.File, Line: d.Line(), Shown: d.Value.Shown(shown)}
			}
		}
	}
	for _, dir := range w.varsDirs() {
		r.asked.Ask(askReadable, dir)
	}
	r.digest = sum(append(says, w.broken()...)...)
	return r
}

// foreignHosts is what a variable comes to on some hosts.
type foreignHosts struct {
	says        []string // for the digest
	definitions []inventory.Definition
	asked       *trace.Asked
}

func (w *walk) readHostsOf(h hostRead, hosts []string) foreignHosts {
	var g foreignHosts
	seen := tree.NewSeen(w.files.Files)
	of := inventory.NewWinners(seen, w.dirs, h.name).Of
	several := h.name == "" || computed(h.name)
	if several || w.cfg.merge { // then all of them count
		of = func(n *inventory.Node) (*inventory.Scope, error) { return n.Definitions(seen, w.dirs) }
	}
	for _, host := range hosts {
		scope, err := of(w.inv.Node(host, nil))
		if err != nil {
			continue // the same fault comes up where the node's own variables are read
		}
		g.says = append(g.says, host)
		definitions := slices.Values(scope.Lookup(h.name))
		if several {
			definitions = scope.Definitions()
		}
		for d := range definitions {
			if computed(h.name) && !matches(h.name, d.Name()) {
				continue
			}
			g.says = append(g.says, d.Name(), d.Value.Digest())
			g.definitions = append(g.definitions, d)
		}
		for _, s := range scope.Sealed {
			digest, _ := seen.Digest(s.File)
			g.says = append(g.says, s.File, digest)
		}
	}
	g.asked = seen.Asked
	return g
}

// broken are the changed files of variables that cannot be read: Ansible stops at
// them whatever they would decide.
func (w *walk) broken() []string {
	var all []string
	for _, name := range w.changed {
		if slices.ContainsFunc(w.varsDirs(), func(dir string) bool { return w.Project.brokenIn(dir, name) }) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// brokenIn reports whether a file is one of variables below a directory, and cannot be
// read.
func (p *Project) brokenIn(dir, name string) bool {
	return within(name, dir) && isVars(name) && p.files.Kind(name) == tree.File && p.files.Document(name).Err != nil
}

// varsDirs are the directories of variables of groups and hosts.
func (w *walk) varsDirs() []string {
	var all []string
	for _, dir := range slices.Concat(w.inv.Dirs, w.dirs) {
		all = append(all, path.Join(dir, "group_vars"), path.Join(dir, "host_vars"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// readHosts follows what the variables of other hosts read: variables of the
// same hosts, of which this node's stand for those that lead further.
func (w *walk) readHosts() {
	for _, h := range slices.SortedFunc(w.hostReads.keys(), compareHostReads) {
		if h.name == "" {
			continue // all of them: nothing is left to be followed but files
		}
		r := w.foreignValue(h)
		for _, n := range r.reads.names {
			if also := (hostRead{h.host, n.Name}); !w.hostReads.has(also) {
				w.hostReads.set(also, nil)
				w.news++
			}
		}
		o := owner{file: r.first.File}
		if w.readTexts.add(visitText{text: h.name, file: h.host}) {
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
	for h, seen := range w.hostReads.all() {
		r := w.foreignValue(h)
		name := "hostvars[" + strings.NewReplacer(unknownText, "*", wordText, "*").Replace(h.host) + "]"
		if h.name != "" {
			name += "." + strings.NewReplacer(unknownText, "*", wordText, "*").Replace(h.name)
		}
		v := Variable{Name: name, Digest: r.digest, Via: seen}
		if h.name != "" && r.first.File != "" {
			v.Definitions = []Definition{r.first}
		}
		all = append(all, v)
	}
	for group, seen := range w.groups.all() {
		name, digest, text := "groups", newSummer(), &strings.Builder{}
		groups := []string{group}
		if group == "" {
			groups = slices.Sorted(maps.Keys(w.inv.Groups))
		} else {
			name += "[" + group + "]"
		}
		for _, g := range groups {
			if !w.node.Has(g) {
				continue // which is not the same as a group without hosts
			}
			digest.add(g)
			listed(text, g)
			for _, member := range w.node.Members(g) {
				digest.add(member)
				listed(text, member)
			}
		}
		all = append(all, Variable{Name: name, Digest: digest.sum(), Via: seen, Definitions: []Definition{{Shown: cut(text.String())}}})
	}
	return all
}

// listed adds one more to a list, if people are to be shown that many.
func listed(text *strings.Builder, more string) {
	if text.Len() > shown {
		return
	}
	if text.Len() > 0 {
		text.WriteByte(',')
	}
	text.WriteString(more)
}

func cut(text string) string {
	if len(text) > shown {
		return text[:shown] + "…"
	}
	return text
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
	switch several := computed(pattern); {
	case several && !slices.Contains(w.joinForms, pattern):
		w.joinForms = append(w.joinForms, pattern)
		w.changes++
	case !several && w.inv.Groups[pattern] == nil:
		groups = append(groups, pattern)
	}
	for _, g := range groups {
		if !slices.Contains(w.joins, g) {
			w.joins = append(w.joins, g)
			w.changes++
		}
	}
	w.groupRead(pathText{nil, at.line}, owner{file: at.file})
	if !slices.ContainsFunc(groups, w.givesVariables) {
		return
	}
	scope, err := w.inv.Node(w.q.Host, append(append(groups, w.q.Groups...), ImageGroup)).Definitions(w.files, w.dirs)
	if err != nil {
		w.fail(err)
		return
	}
	for d := range scope.Definitions() {
		like := definition{file: d.File, class: "group_by", owner: owner{file: d.File}}
		w.define([]value.Pair{*d.Pair}, like)
	}
	for _, s := range scope.Sealed {
		w.sealed(s.File)
	}
}
