package soundness

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mutation is one change of a project, or of a node's groups.
type mutation struct {
	name   string
	change files
	groups func([]string) []string // nil: the same
}

// mutations are all changes of one thing.
func (p *project) mutations() []*mutation {
	var all []*mutation
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		c := p.files[name]
		add := func(what string, data string, mode uint32) {
			if data != c.data || mode != uint32(c.mode) {
				changed := &content{data: data, mode: c.mode}
				if mode != 0 {
					changed.mode = 0o755
				}
				all = append(all, &mutation{name: name + ": " + what, change: files{name: changed}})
			}
		}
		all = append(all, &mutation{name: name + ": remove the file", change: files{name: nil}})
		if c.isLink() {
			all = append(all, p.elsewhere(name)...)
			continue
		}
		if isYAML(name, c.data) {
			for _, m := range yamlEdits(c.data) {
				add(m.what, m.text, 0)
			}
			add("a comment", "# soundness\n"+c.data, 0)
			continue
		}
		if strings.ContainsRune(c.data, 0) {
			continue // a byte of it changed is no archive any more
		}
		for _, m := range lineEdits(name, c.data) {
			add(m.what, m.text, 0)
		}
		if c.mode&0o111 == 0 && strings.Contains(name, "files/") {
			add("make it executable", c.data, 1)
		}
	}
	all = append(all, p.shadows()...)
	all = append(all, p.newFiles()...)
	all = append(all, p.appearing()...)
	all = append(all, p.versions()...)
	return append(all, p.memberships()...)
}

func isYAML(name, text string) bool {
	if strings.HasPrefix(text, "$ANSIBLE_VAULT") || strings.Contains(name, "templates/") || strings.Contains(name, "files/") && !strings.Contains(text, "- ") {
		return false
	}
	switch path.Ext(name) {
	case ".yml", ".yaml":
		return true
	case "":
		return strings.Contains(name, "_vars/")
	}
	return false
}

// edit is a text after a change.
type edit struct{ what, text string }

// yamlEdits changes, removes and reverses every part of a YAML text.
func yamlEdits(text string) []edit {
	var all []edit
	for i := 0; ; i++ {
		var doc yaml.Node
		if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
			return all
		}
		e := &editor{want: i}
		e.node(doc.Content[0], "")
		if e.did == "" {
			return append(all, edit{"written in another way", encode(&doc)})
		}
		all = append(all, edit{e.did, encode(&doc)})
	}
}

func encode(doc *yaml.Node) string {
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(4)
	if err := e.Encode(doc); err != nil {
		return ""
	}
	return b.String()
}

// editor does the want-th of the edits that are possible.
type editor struct {
	want, at int
	did      string
}

func (e *editor) now(format string, args ...any) bool {
	if e.at++; e.did != "" || e.at-1 != e.want {
		return false
	}
	e.did = fmt.Sprintf(format, args...)
	return true
}

func (e *editor) node(n *yaml.Node, key string) {
	switch n.Kind {
	case yaml.MappingNode:
		e.mapping(n)
	case yaml.SequenceNode:
		e.sequence(n, key)
	case yaml.ScalarNode:
		if e.now("line %d: change %s", n.Line, key) {
			change(n, key)
		}
	}
}

func (e *editor) mapping(n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if e.now("line %d: remove %s", key.Line, key.Value) {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
		e.node(n.Content[i+1], key.Value)
		if e.did != "" {
			return
		}
	}
	if len(n.Content) > 2 && e.now("line %d: keys in another order", n.Line) {
		reversed := []*yaml.Node{}
		for i := len(n.Content) - 2; i >= 0; i -= 2 {
			reversed = append(reversed, n.Content[i], n.Content[i+1])
		}
		n.Content = reversed
	}
}

func (e *editor) sequence(n *yaml.Node, key string) {
	for i, item := range n.Content {
		if e.now("line %d: remove element %d of %s", item.Line, i, key) {
			n.Content = slices.Delete(n.Content, i, i+1)
			return
		}
		e.node(item, key)
		if e.did != "" {
			return
		}
	}
	if len(n.Content) > 1 && e.now("line %d: elements of %s in another order", n.Line, key) {
		slices.Reverse(n.Content)
	}
}

// expressions are the keywords that take bare expressions.
var expressions = []string{"when", "until", "that", "changed_when", "failed_when"}

// change makes a scalar another one of its kind.
func change(n *yaml.Node, key string) {
	switch {
	case slices.Contains(expressions, key) && n.Tag != "!!bool":
		n.SetString("not (" + n.Value + ")")
	case n.Tag == "!!bool":
		n.Value = map[bool]string{true: "false", false: "true"}[n.Value == "true" || n.Value == "yes"]
	case n.Tag == "!!int" || n.Tag == "!!str" && n.Style != 0:
		if i, ok := number(n.Value); ok {
			n.Value = strings.Repeat("0", len(n.Value)-len(strings.TrimLeft(n.Value, "0"))) + fmt.Sprint(i+1)
			return
		}
		n.Value += "x"
	case n.Tag == "!!float":
		n.Value += "1"
	case n.Tag == "!!null":
		n.Tag, n.Value = "!!str", "x"
	case n.Tag == "!vault":
		n.Value = strings.Replace(n.Value, "3", "4", 1)
	default:
		n.Value += "x"
	}
}

// lineEdits changes and removes every line of a text.
func lineEdits(name, text string) []edit {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	with := func(i int, line ...string) string {
		return strings.Join(slices.Replace(slices.Clone(lines), i, i+1, line...), "")
	}
	var all []edit
	for i, line := range lines {
		what := fmt.Sprintf("line %d: ", i+1)
		all = append(all, edit{what + "remove", with(i)})
		bare := strings.TrimRight(line, "\n")
		if strings.HasPrefix(text, "$ANSIBLE_VAULT") && len(bare) > 3 { // still hexadecimal
			all = append(all, edit{what + "change", with(i, bare[:2]+string('0'+(bare[2]+1)%8)+bare[3:]+"\n")})
			continue
		}
		all = append(all, edit{what + "change", with(i, bare+"x\n")})
		if trimmed := strings.TrimSpace(bare); strings.HasPrefix(trimmed, "{%") || path.Ext(name) == ".py" {
			continue
		}
		all = append(all, edit{what + "once more", with(i, line, line)})
	}
	switch path.Ext(name) {
	case ".j2":
		all = append(all, edit{"a comment", text + "{# soundness #}\n"}, edit{"a line more", text + "soundness\n"})
	case ".cfg", ".ini", ".py", ".sh", "":
		all = append(all, edit{"a comment", text + "# soundness\n"})
	}
	return all
}

// variables are the values that files of variables give names.
func (p *project) variables() map[string]*yaml.Node {
	all := map[string]*yaml.Node{}
	for name, c := range p.files {
		if !strings.Contains(name, "_vars/") && !strings.Contains(name, "/vars/") && !strings.Contains(name, "/defaults/") || !isYAML(name, c.data) {
			continue
		}
		var doc yaml.Node
		if yaml.Unmarshal([]byte(c.data), &doc) != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
			continue
		}
		for i, n := range doc.Content[0].Content {
			if i%2 == 1 {
				all[doc.Content[0].Content[i-1].Value] = n
			}
		}
	}
	return all
}

// shadows give every variable another value in a new place.
func (p *project) shadows() []*mutation {
	dir := ""
	if n := len(p.inventory); n > 0 {
		dir = p.inventory[n-1]
	}
	if dir == "" || path.Ext(dir) != "" || p.files[dir] != nil {
		dir = path.Dir(dir)
	}
	places := []string{path.Join(dir, "group_vars/strata_image.yml"), path.Join(path.Dir(p.nodes[0].playbooks[0]), "group_vars/all/soundness.yml")}
	for _, n := range p.nodes {
		places = append(places, path.Join(dir, "host_vars", n.host+".yml"))
	}
	var all []*mutation
	values := p.variables()
	for i, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		changeFirst(value, name)
		var b strings.Builder
		e := yaml.NewEncoder(&b)
		if e.Encode(map[string]*yaml.Node{name: value}) != nil {
			continue
		}
		place := places[i%len(places)]
		// A file where there is a directory, or the other way round, is no new place.
		if p.files[place] != nil || p.files[strings.TrimSuffix(place, ".yml")] != nil || p.files[path.Dir(place)] != nil || p.files[path.Dir(place)+".yml"] != nil {
			place = path.Join(path.Dir(p.nodes[0].playbooks[0]), "group_vars/strata_image/soundness.yml")
		}
		all = append(all, &mutation{name: place + ": new, gives " + name + " another value", change: files{place: {data: b.String(), mode: 0o644}}})
	}
	return all
}

// changeFirst changes the first scalar in a value.
func changeFirst(n *yaml.Node, key string) bool {
	if n.Kind == yaml.ScalarNode {
		change(n, key)
		return true
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		if changeFirst(c, key) {
			return true
		}
	}
	return false
}

// newFiles puts files where Ansible may find them first, or not at all.
func (p *project) newFiles() []*mutation {
	var all []*mutation
	add := func(name, data string) {
		if p.files[name] != nil || p.beyond(name) {
			return
		}
		all = append(all, &mutation{name: name + ": new", change: files{name: {data: data, mode: 0o644}}})
	}
	dirs := map[string]bool{path.Dir(p.nodes[0].playbooks[0]): true}
	for name := range p.files {
		for _, part := range []string{"/tasks/", "/defaults/", "/templates/", "/files/", "/vars/", "/handlers/"} {
			if role, _, ok := strings.Cut(name, part); ok && strings.Contains(role, "roles/") {
				dirs[role] = true
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		add(path.Join(dir, "files/soundness"), "x\n")
		add(path.Join(dir, "tasks/soundness.yml"), "- fail:\n")
		if strings.Contains(dir, "roles/") {
			add(path.Join(dir, "vars/main.yml"), "soundness: x\n")
			add(path.Join(dir, "handlers/main.yml"), "- name: soundness\n  fail:\n")
			add(path.Join(dir, "meta/main.yml"), "dependencies: []\n")
		}
	}
	// The same name in the other places where it may be looked for.
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		kind, base := path.Base(path.Dir(name)), path.Base(name)
		data := p.files[name].data
		switch {
		case base == "main.yml":
			continue
		case kind == "files" || kind == "templates":
			data = "soundness\n"
		case kind == "tasks" && isYAML(name, data):
			data = "- copy: {content: soundness, dest: /srv/soundness}\n"
		case kind == "vars" && isYAML(name, data):
			data = encodeChanged(data)
		default:
			continue
		}
		for _, dir := range []string{path.Dir(path.Dir(name)), path.Dir(p.nodes[0].playbooks[0])} {
			for _, sub := range []string{kind, "", "files"} {
				add(path.Join(dir, sub, base), data)
			}
		}
	}
	add("roles/soundness/tasks/main.yml", "- fail:\n")
	add("soundness.yml", "- hosts: all\n  tasks: [{fail: }]\n")
	return all
}

// beyond reports whether a file would be where a directory is, or below a file.
func (p *project) beyond(name string) bool {
	for other := range p.files {
		if strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/") {
			return true
		}
	}
	return false
}

func encodeChanged(text string) string {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
		return text
	}
	changeFirst(doc.Content[0], "")
	return encode(&doc)
}

// memberships put the node in other groups.
func (p *project) memberships() []*mutation {
	var all []*mutation
	given := map[string]bool{}
	for _, n := range p.nodes {
		for _, g := range n.groups {
			given[g] = true
		}
	}
	for _, g := range slices.Sorted(maps.Keys(given)) {
		all = append(all, &mutation{name: "the node is not in " + g, groups: func(groups []string) []string {
			return slices.DeleteFunc(slices.Clone(groups), func(x string) bool { return x == g })
		}})
	}
	for _, g := range append([]string{"soundness"}, p.others...) {
		all = append(all, &mutation{name: "the node is in " + g, groups: func(groups []string) []string {
			return append(slices.Clone(groups), g)
		}})
	}
	for _, g := range slices.Sorted(maps.Keys(given)) {
		if len(p.nodes) > 1 {
			all = append(all, &mutation{name: "the node is in " + g, groups: func(groups []string) []string {
				return slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(groups), g))))
			}})
		}
	}
	return all
}
