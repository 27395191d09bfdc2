package dag

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// standin is the release that stands where the file does not say one.
const standin = "bookworm"

// basics are what a cluster node of Debian needs to boot and Ansible to run.
const basics = "[systemd-sysv, linux-image-amd64, live-boot, python3]"

// writer writes a graph as a strata.yaml.
type writer struct {
	graph   *graph
	cluster string
	out     bytes.Buffer
	suites  []string
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *writer) write() []byte {
	w.line("# Made by 'strata import dag' from %s. Where it says FILL IN, the file does not say enough.", shown(w.graph.source.name))
	w.line("strata: 1")
	w.called()
	switch d := w.graph.doc; {
	case d.shared != nil:
		w.line("inventory: %s%s", d.shared.flow(), d.shared.remark())
	case d.inventory != nil:
		w.line("inventory: %s%s", scalar(d.inventory.text), w.inventoryRemark())
	}
	w.repositories()
	w.line("\nlayers:")
	for i, l := range w.graph.layers {
		if i > 0 {
			w.line("")
		}
		w.layer(l)
	}
	w.line("\nimages:")
	for _, im := range w.graph.images {
		w.line("  %s:", scalar(im.name))
		w.line("    node: %s", scalar(im.leaf.id))
		w.line("    artifacts: [squashfs, kernel, initrd]")
	}
	return w.out.Bytes()
}

// called writes what the cluster is called.
func (w *writer) called() {
	d, s := w.graph.doc, w.graph.source
	name, short, remark := w.cluster, "", ""
	switch {
	case name == "" && d.cluster == nil:
		name, remark = "cluster", " # FILL IN: the cluster's name; images are named after it"
		s.note(d.at, "the file does not name the cluster: fill in cluster.name, or give --cluster NAME")
	case name == "":
		name = d.cluster.text
	}
	switch {
	case d.short == nil:
	case d.cluster != nil && name != d.cluster.text:
		s.note(d.short.at, "cluster_name_short %s is not carried over: --cluster names another cluster", quote(d.short.text))
	default:
		short = ", short: " + scalar(d.short.text)
	}
	w.line("cluster: {name: %s%s}%s", scalar(name), short, remark)
}

// repositories writes one repository for each release that first layers start from.
func (w *writer) repositories() {
	for _, l := range w.graph.layers {
		if l.first != nil && !slices.Contains(w.suites, suite(l.first)) {
			w.suites = append(w.suites, suite(l.first))
		}
	}
	w.line("\nrepositories:")
	w.line("  # No url: the mirror that the machine's own apt uses.")
	for _, s := range w.suites {
		w.line("  %s: {type: apt, suite: %s, components: [main]}", w.repository(s), s)
	}
}

func (w *writer) repository(suite string) string {
	if len(w.suites) == 1 {
		return "debian"
	}
	return "debian-" + suite
}

func suite(f *firstLayer) string {
	if f.suite == "" {
		return standin
	}
	return f.suite
}

func (w *writer) layer(l *outLayer) {
	if l.first != nil {
		w.explain(l)
	}
	w.line("  %s:", scalar(l.name))
	if l.repo != nil {
		w.line("    repo: %s%s", l.repo.flow(), l.repo.remark())
	}
	if l.first != nil {
		w.line("    from: {bootstrap: {distribution: debian, repositories: [%s]}}", w.repository(suite(l.first)))
		w.line("    packages: %s", basics)
	} else if len(l.nodes) == 1 {
		w.line("    parent: %s", scalar(l.nodes[0].parent.id))
	}
	w.ansible(l)
	if len(l.nodes) == 1 {
		return
	}
	w.line("    variants:")
	for _, v := range l.nodes {
		var keys []string
		if v.parent != nil {
			keys = append(keys, "parent: "+scalar(v.parent.id))
		}
		own := slices.DeleteFunc(slices.Clone(v.groups), func(g string) bool { return slices.Contains(l.groups, g) })
		if len(own) > 0 {
			keys = append(keys, "groups: "+list(own))
		}
		w.line("      %s: {%s}", scalar(v.variant), strings.Join(keys, ", "))
	}
}

// explain says what a first layer lacks, in a comment and in a note.
func (w *writer) explain(l *outLayer) {
	s, first := w.graph.source, l.first
	id := l.name
	switch {
	case first.distribution == "" && first.text == "":
		w.line("  # FILL IN: the file does not say what this layer starts from. A Debian stands in its place.")
		s.note(first.at, "what %s starts from is not in the file: a Debian %s stands in its place, fill in layers.%s", id, standin, id)
	case first.distribution == "":
		w.line("  # FILL IN: the file starts this layer from %s.", quote(first.text))
		w.line("  # A Debian stands in its place.")
		s.note(first.at, "firstlayer %s of %s is not carried over: a Debian %s stands in its place, fill in layers.%s", quote(first.text), id, standin, id)
	case first.suite == "":
		w.line("  # FILL IN: the file does not say which release of Debian; this is %s.", standin)
		s.note(first.at, "%s starts from Debian, but the file does not say which release: %s stands there, check repositories", id, standin)
	}
	w.line("  # FILL IN: the packages are only what lets a cluster node boot, and Ansible run.")
	s.note(first.at, "packages %s were added to %s, so that it boots and Ansible runs: check them", strings.Trim(basics, "[]"), id)
}

// ansible writes a layer's playbooks and groups, on one line if they fit.
func (w *writer) ansible(l *outLayer) {
	var keys []string
	if playbooks := join(l.pb); len(playbooks) > 0 {
		keys = append(keys, "playbooks: "+list(playbooks))
	}
	if len(l.groups) > 0 {
		keys = append(keys, "groups: "+list(l.groups))
	}
	const most = 110
	switch one := "    ansible: {" + strings.Join(keys, ", ") + "}"; {
	case len(keys) == 0:
	case len(one) <= most:
		w.line("%s", one)
	default:
		w.line("    ansible:")
		for _, key := range keys {
			w.line("      %s", key)
		}
	}
}

// flow writes a repository on one line.
func (r *repo) flow() string {
	keys := []string{"url: " + scalar(r.url)}
	if r.ref != "" {
		keys = append(keys, "ref: "+scalar(r.ref))
	}
	if r.path != "" && r.path != "." {
		keys = append(keys, "path: "+scalar(r.path))
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// inventoryRemark is a comment on an inventory that is taken for a directory of the
// project, in a file that names repositories: it could be one of them.
func (w *writer) inventoryRemark() string {
	if !w.graph.source.places.names {
		return ""
	}
	return " # a path in this project; if a repository: import with --repo " + shown(w.graph.doc.inventory.at.Value) + "=URL"
}

// shown is a name as a comment can hold it.
func shown(name string) string {
	if regexp.MustCompile(`^[!-~]+$`).MatchString(name) {
		return name
	}
	return quote(name)
}

// remark is a comment on a repository of which nobody said where it is.
func (r *repo) remark() string {
	name, ok := r.unknown()
	if !ok {
		return ""
	}
	return " # FILL IN: its URL, or import with --repo " + name + "=URL"
}

func list(words []string) string {
	items := make([]string, len(words))
	for i, word := range words {
		items[i] = scalar(word)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// scalar writes a string so that every reader of YAML takes it for one, also
// between brackets.
func scalar(text string) string {
	var n yaml.Node
	words := regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
	if regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./+@-]*$`).MatchString(text) && !words.MatchString(text) &&
		yaml.Unmarshal([]byte(text), &n) == nil && len(n.Content) == 1 && n.Content[0].ShortTag() == "!!str" {
		return text
	}
	return strconv.Quote(text) // all its escapes are YAML's, too
}
