package ansible

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inventory is what the host files of an inventory say about groups.
type inventory struct {
	files   []string            // the host files
	parents map[string][]string // group to the groups that have it as a child
	members map[string][]string // host, or pattern of hosts, to its groups
	opaque  string              // the first host file that is not data (a script, a plugin), or ""
}

func newInventory() *inventory {
	return &inventory{parents: map[string][]string{}, members: map[string][]string{}}
}

// child says that group has a child group.
func (inv *inventory) child(group, child string) {
	if !slices.Contains(inv.parents[child], group) {
		inv.parents[child] = append(inv.parents[child], group)
	}
}

// member says that group has a host.
func (inv *inventory) member(group, host string) {
	if !slices.Contains(inv.members[host], group) {
		inv.members[host] = append(inv.members[host], group)
	}
}

// groupsOf returns every group of the host: the given ones, those that name the
// host, all and ungrouped, and the ancestors of all these. Sorted.
func (inv *inventory) groupsOf(host string, given []string) []string {
	seen := map[string]bool{}
	var up func(string)
	up = func(g string) {
		if seen[g] {
			return
		}
		seen[g] = true
		for _, parent := range inv.parents[g] {
			up(parent)
		}
	}
	for _, g := range append([]string{"all", "ungrouped", "strata_image"}, given...) {
		up(g)
	}
	for pattern, groups := range inv.members {
		if hostMatches(pattern, host) {
			for _, g := range groups {
				up(g)
			}
		}
	}
	list := make([]string, 0, len(seen))
	for g := range seen {
		list = append(list, g)
	}
	slices.Sort(list)
	return list
}

// hostMatches reports whether a pattern such as web[01:20].x could mean host.
func hostMatches(pattern, host string) bool {
	before, rest, ranged := strings.Cut(pattern, "[")
	if !ranged {
		return pattern == host
	}
	after := rest[strings.LastIndex(rest, "]")+1:]
	return strings.HasPrefix(host, before) && strings.HasSuffix(host, after)
}

// inventory reads the inventory at a path, which may be a file, a directory or
// "" for none.
func (p *Project) inventory(name string) *inventory {
	if inv, ok := p.inventories[name]; ok {
		return inv
	}
	inv := newInventory()
	p.inventories[name] = inv
	if name == "" {
		return inv
	}
	inv.files = p.hostFiles(name)
	for _, f := range inv.files {
		if !p.readHosts(inv, f) && inv.opaque == "" {
			inv.opaque = f
		}
	}
	return inv
}

// hostFiles lists the files that Ansible reads hosts from. In a directory it
// leaves out hidden files, variables, and the extensions of
// INVENTORY_IGNORE_EXTS.
func (p *Project) hostFiles(name string) []string {
	if p.kind(name) != directory {
		return []string{name}
	}
	ignored := []string{".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".ini", ".cfg", ".retry"}
	var files []string
	for _, e := range p.entries(name) {
		base := e.Name()
		if strings.HasPrefix(base, ".") || base == "group_vars" || base == "host_vars" || base == "vars_plugins" ||
			slices.ContainsFunc(ignored, func(ext string) bool { return strings.HasSuffix(base, ext) }) {
			continue
		}
		files = append(files, p.hostFiles(path.Join(name, base))...)
	}
	return files
}

// readHosts adds what a host file says, and reports whether it was understood.
func (p *Project) readHosts(inv *inventory, name string) bool {
	t := p.text(name)
	if t == nil || p.stat(name).executable || t.binary || t.vaulted {
		return false
	}
	switch path.Ext(name) {
	case ".yml", ".yaml", ".json":
		return readYAMLHosts(inv, t.s) == nil
	case ".toml":
		return false
	}
	return readYAMLHosts(inv, t.s) == nil || readINIHosts(inv, t.s) == nil
}

// readINIHosts reads the INI form of an inventory: sections [group],
// [group:children] and [group:vars]; a host is the first word of its line. The
// format is that of Ansible's inventory plugin "ini".
func readINIHosts(inv *inventory, data string) error {
	group, section := "ungrouped", "hosts"
	n := 0
	for line := range strings.Lines(data) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			var err error
			if group, section, err = iniSection(line); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		case section == "vars":
		case section == "children":
			inv.child(group, firstWord(line))
		default:
			inv.member(group, firstWord(line))
		}
	}
	return nil
}

// iniSection takes "[group]" or "[group:section]" apart.
func iniSection(line string) (group, section string, err error) {
	inside, rest, closed := strings.Cut(line[1:], "]")
	rest = strings.TrimSpace(rest)
	if !closed || rest != "" && rest[0] != '#' && rest[0] != ';' {
		return "", "", fmt.Errorf("read section %q: not closed", line)
	}
	group, section, found := strings.Cut(strings.TrimSpace(inside), ":")
	if !found {
		section = "hosts"
	}
	if group == "" || strings.ContainsAny(group, " \t") || !slices.Contains([]string{"hosts", "children", "vars"}, section) {
		return "", "", fmt.Errorf("read section %q: neither a group nor its children or vars", line)
	}
	return group, section, nil
}

// firstWord returns what stands before the first blank, without quotes.
func firstWord(line string) string {
	word, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	return strings.Trim(word, `"'`)
}

// readYAMLHosts reads the YAML form of an inventory: groups with hosts, vars
// and children, nested as deep as somebody likes.
func readYAMLHosts(inv *inventory, data string) error {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(data), &doc); err != nil {
		return err
	}
	if len(doc.Content) == 0 {
		return fmt.Errorf("read inventory: empty")
	}
	top := resolved(doc.Content[0])
	if top.Kind != yaml.MappingNode || child(top, "plugin") != nil {
		return fmt.Errorf("read inventory: not a mapping of groups")
	}
	// Read into a copy, so that a file that turns out not to be YAML leaves
	// nothing behind.
	r := groupReader{inv: newInventory(), budget: len(data) + 1}
	for name, body := range pairs(top) {
		if err := r.group(name.Value, body); err != nil {
			return err
		}
	}
	inv.merge(r.inv)
	return nil
}

// groupReader reads groups of the YAML form.
type groupReader struct {
	inv *inventory
	// budget is how many more groups there can be. Aliases could make a short
	// file mean endlessly many.
	budget int
}

func (r *groupReader) group(group string, body *yaml.Node) error {
	if r.budget--; r.budget < 0 {
		return fmt.Errorf("read group %s: too many groups for the file's size", group)
	}
	body = resolved(body)
	if body.Kind == yaml.ScalarNode && body.Tag == "!!null" {
		return nil
	}
	if body.Kind != yaml.MappingNode {
		return fmt.Errorf("read group %s: not a mapping", group)
	}
	for section, value := range pairs(body) {
		value = resolved(value)
		if section.Value != "hosts" && section.Value != "children" {
			continue
		}
		if value.Kind == yaml.SequenceNode {
			return fmt.Errorf("read %s of group %s: a list, not a mapping", section.Value, group)
		}
		for name, sub := range named(value) {
			if section.Value == "hosts" {
				r.inv.member(group, name)
				continue
			}
			r.inv.child(group, name)
			if err := r.group(name, sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge adds what another inventory says.
func (inv *inventory) merge(other *inventory) {
	for c, groups := range other.parents {
		for _, g := range groups {
			inv.child(g, c)
		}
	}
	for h, groups := range other.members {
		for _, g := range groups {
			inv.member(g, h)
		}
	}
}
