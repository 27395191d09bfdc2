package soundness

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// appearing are changes by which something comes to be that was asked for in vain,
// or more of what was listed: files, names in directories, variables, hosts of
// groups; and settings of ansible.cfg that were left out.
func (p *project) appearing() []*mutation {
	return slices.Concat(p.existent(), p.gaining(), p.defined(), p.populated(), p.settings())
}

func (p *project) one(name, what, data string) *mutation {
	return &mutation{name: name + ": " + what, change: files{name: {data: data, mode: 0o644}}}
}

var (
	fileName   = regexp.MustCompile(`[\w./-]*\w\.(?:yml|yaml|j2|txt|conf)\b`)
	identifier = regexp.MustCompile(`[a-z]\w*[a-z0-9]`)
	expression = regexp.MustCompile(`\{[{%].*?[}%]\}|(?:when|that|until|changed_when|failed_when): .*`)
	section    = regexp.MustCompile(`(?m)^\[(\w+)\]\n((?:[^\[\n].*\n)*)`)
)

// existent puts files where texts name some that are not there.
func (p *project) existent() []*mutation {
	var all []*mutation
	seen := map[string]bool{}
	for _, from := range slices.Sorted(maps.Keys(p.files)) {
		for _, named := range fileName.FindAllString(p.files[from].data, -1) {
			for _, dir := range p.searched(from, named) {
				name := path.Join(dir, named)
				if seen[name] || p.files[name] != nil || p.beyond(name) || strings.HasPrefix(name, "..") || path.IsAbs(named) {
					continue
				}
				seen[name] = true
				all = append(all, p.one(name, "is there", newContent(name)))
			}
		}
	}
	return all
}

// searched are directories in which a file that a text names may be looked for; none
// if there is one of that name somewhere else, which newFiles has.
func (p *project) searched(from, named string) []string {
	for name := range p.files {
		if path.Base(name) == path.Base(named) && path.Base(named) != "main.yml" {
			return nil
		}
	}
	beside := path.Dir(p.nodes[0].playbooks[0])
	dirs := []string{path.Dir(from), beside, path.Join(beside, "files"), path.Join(beside, "vars"), path.Join(beside, "templates")}
	if role := path.Dir(path.Dir(from)); strings.Contains(role, "roles/") {
		dirs = append(dirs, path.Join(role, "files"), path.Join(role, "vars"), path.Join(role, "templates"), role)
	}
	return dirs
}

func newContent(name string) string {
	switch {
	case path.Ext(name) != ".yml" && path.Ext(name) != ".yaml":
		return "soundness\n"
	case strings.Contains(name, "tasks/") || strings.Contains(name, "more/"):
		return "- copy: {content: soundness, dest: /srv/soundness}\n"
	}
	return "from_second: soundness\nfrom_other: soundness\nextra_set: soundness\n"
}

// gaining gives each directory another name: a file like one that it has.
func (p *project) gaining() []*mutation {
	var all []*mutation
	seen := map[string]bool{}
	for _, like := range slices.Sorted(maps.Keys(p.files)) {
		name := path.Join(path.Dir(like), "a-soundness"+path.Ext(like))
		if seen[name] || p.files[like].isLink() {
			continue
		}
		seen[name] = true
		data := newContent(name)
		if isYAML(name, p.files[like].data) {
			data = encodeChanged(p.files[like].data)
		}
		all = append(all, p.one(name, "is there, beside "+path.Base(like), data))
	}
	return all
}

// defined gives values to names in expressions that have none.
func (p *project) defined() []*mutation {
	var all []*mutation
	seen := map[string]bool{}
	known := p.variables()
	beside := path.Dir(p.nodes[0].playbooks[0])
	for _, from := range slices.Sorted(maps.Keys(p.files)) {
		for _, text := range expression.FindAllString(p.files[from].data, -1) {
			for _, name := range identifier.FindAllString(text, -1) {
				if seen[name] || known[name] != nil || slices.Contains(reserved, name) {
					continue
				}
				seen[name] = true
				place := path.Join(beside, "group_vars/all", name+".yml")
				if p.files[path.Join(beside, "group_vars/all.yml")] != nil || p.files[path.Join(beside, "group_vars/all")] != nil {
					place = path.Join(beside, "host_vars", p.nodes[0].host, name+".yml")
				}
				if p.files[place] == nil && !p.beyond(place) {
					all = append(all, p.one(place, "defines "+name, name+": soundness\n"))
				}
			}
		}
	}
	return all
}

// reserved are words that are no names of variables, or must not have other values.
var reserved = []string{
	"if", "else", "for", "in", "endfor", "endif", "elif", "is", "not", "and", "or", "defined", "undefined", "default", "set", "include", "import", "as", "when", "that",
	"ansible_connection", "groups", "hostvars", "vars", "group_names", "lookup", "query",
}

// populated lets groups of inventories lose all hosts, and gain one.
func (p *project) populated() []*mutation {
	var all []*mutation
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		text := p.files[name].data
		if !slices.Contains(p.inventory, name) && !slices.Contains(p.inventory, path.Dir(name)) {
			continue
		}
		for _, m := range section.FindAllStringSubmatchIndex(text, -1) {
			group := text[m[2]:m[3]]
			all = append(all, p.one(name, "group "+group+" gains a host", text[:m[4]]+"soundness-host\n"+text[m[4]:]))
			if m[4] < m[5] {
				all = append(all, p.one(name, "group "+group+" loses all hosts", text[:m[4]]+text[m[5]:]))
			}
		}
	}
	return all
}

// settings are lines for ansible.cfg that change what is found, where there is one.
func (p *project) settings() []*mutation {
	was := p.files["ansible.cfg"]
	if was == nil || p.name == "example" {
		return nil
	}
	var all []*mutation
	for _, line := range []string{"hash_behaviour = merge", "roles_path = two:one", "roles_path = two", "forks = 3", "jinja2_native = true", "force_handlers = true"} {
		key, _, _ := strings.Cut(line, " ")
		var text strings.Builder
		for l := range strings.Lines(was.data) {
			if !strings.HasPrefix(l, key) {
				text.WriteString(l)
			}
		}
		all = append(all, p.one("ansible.cfg", line, text.String()+line+"\n"))
	}
	return all
}

// elsewhere lets a link point to what is beside where it points, and puts in its
// place what it leads to.
func (p *project) elsewhere(name string) []*mutation {
	link := p.files[name]
	target := path.Join(path.Dir(name), link.data)
	var all []*mutation
	to := map[string]bool{"none": true}
	for other := range p.files {
		if rest, ok := strings.CutPrefix(other, path.Dir(target)+"/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			to[path.Join(path.Dir(link.data), first)] = true
		}
	}
	delete(to, path.Clean(link.data))
	delete(to, path.Base(name)) // itself
	for _, data := range slices.Sorted(maps.Keys(to)) {
		all = append(all, &mutation{name: name + ": points to " + data, change: files{name: {data: data, mode: fs.ModeSymlink | 0o777}}})
	}
	if c := p.files[target]; c != nil {
		all = append(all, &mutation{name: name + ": is no link", change: files{name: {data: c.data, mode: c.mode}}})
	}
	return all
}
