package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// site is a generated project of the size of a large centre: a strata.yaml, an
// inventory, playbooks and roles. One seed and size make the same bytes always.
//
// Ten layers are common to all image types; each type has a layer of its own and
// is then a variant of nine more, one on the other. A playbook per layer runs
// ten roles or so. Each type is in a family, both are groups with variables.
type site struct {
	types  int
	roles  int
	groups int // besides those of types, families and layers: of no image
	hosts  int // cluster nodes with variables of their own

	random    *rand.Rand
	emit      func(name, content string)
	files     int
	variables int
}

// newSite is a site of about this many nodes, a multiple of ten.
func newSite(nodes int) *site {
	return &site{
		types: (nodes - 10) / 10, roles: max(nodes/5, 20), groups: nodes / 6, hosts: nodes * 3 / 2,
		random: rand.New(rand.NewPCG(1, uint64(nodes))),
	}
}

const (
	families   = 10
	services   = 9  // layers that every type is a variant of
	rolesEach  = 10 // in a playbook
	groupFiles = 11 // per group
)

func typeName(i int) string   { return fmt.Sprintf("type%04d", i) }
func familyName(i int) string { return fmt.Sprintf("family%d", i) }
func roleName(i int) string   { return fmt.Sprintf("role%04d", i) }

// playbooks are the names of all playbooks, without suffix: of common layers,
// families and services.
func (s *site) playbooks() []string {
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprintf("common%d", i))
	}
	for i := range families {
		all = append(all, familyName(i))
	}
	for i := range services {
		all = append(all, fmt.Sprintf("service%d", i))
	}
	return all
}

// rolesOf are the roles of a playbook, by its place in playbooks.
func (s *site) rolesOf(playbook int) []int {
	var all []int
	for i := range rolesEach {
		all = append(all, (playbook*7+i*3)%(s.roles*9/10)) // some roles nobody uses
	}
	return all
}

// dependsOn is the role that a role depends on, -1 for none.
func dependsOn(role int) int {
	if role%3 == 0 && role > 0 {
		return role / 10
	}
	return -1
}

// reaches reports whether a playbook runs a role, be it for another.
func (s *site) reaches(playbook, role int) bool {
	for _, r := range s.rolesOf(playbook) {
		for ; r >= 0; r = dependsOn(r) {
			if r == role {
				return true
			}
		}
	}
	return false
}

// siteNode is a node, for telling which a change concerns.
type siteNode struct {
	id, parent string
	playbook   int
	kind       int // the image type, -1 for common layers
}

func (s *site) nodes() []siteNode {
	var all []siteNode
	for i := range 10 {
		n := siteNode{id: fmt.Sprintf("common%d", i), playbook: i, kind: -1}
		if i > 0 {
			n.parent = fmt.Sprintf("common%d", (i-1)/2)
		}
		all = append(all, n)
	}
	for t := range s.types {
		parent := fmt.Sprintf("common%d", 5+t%5)
		all = append(all, siteNode{id: typeName(t), parent: parent, playbook: 10 + t%families, kind: t})
		parent = typeName(t)
		for i := range services {
			id := fmt.Sprintf("service%d-%s", i, typeName(t))
			all = append(all, siteNode{id: id, parent: parent, playbook: 10 + families + i, kind: t})
			parent = id
		}
	}
	return all
}

// write emits every file.
func (s *site) write(emit func(name, content string)) {
	s.emit = func(name, content string) { s.files++; emit(name, content) }
	s.emit("strata.yaml", s.recipe())
	s.emit("ansible.cfg", "[defaults]\ninventory = inventory\nroles_path = roles\n")
	s.emit("inventory/hosts.yml", s.inventory())
	for i, name := range s.playbooks() {
		s.emit(name+".yml", s.playbook(i))
	}
	for i := range s.roles {
		s.role(i)
	}
	s.groupVariables("all")
	for i := range families {
		s.groupVariables(familyName(i))
	}
	for i := range 10 + services {
		s.groupVariables(fmt.Sprintf("layer%d", i))
	}
	for i := range s.types {
		s.groupVariables(typeName(i))
	}
	for i := range s.groups {
		s.groupVariables(fmt.Sprintf("rack%04d", i))
	}
	for i := range s.hosts {
		s.hostVariables(i)
	}
}

func (s *site) recipe() string {
	var b strings.Builder
	b.WriteString(`strata: 1
cluster: {name: site, short: st}
inventory: inventory
repositories:
  debian: {type: apt, suite: bookworm, components: [main]}
layers:
`)
	for _, n := range s.nodes()[:10] {
		from := "parent: " + n.parent
		if n.parent == "" {
			from = "from: {bootstrap: {distribution: debian, repositories: [debian]}}"
		}
		fmt.Fprintf(&b, "  %[1]s:\n    %[2]s\n    packages: [package-%[1]s-a, package-%[1]s-b]\n    ansible: {playbooks: [%[1]s.yml], groups: [layer%[3]d]}\n", n.id, from, n.playbook)
	}
	for t := range s.types {
		fmt.Fprintf(&b, "  %[1]s:\n    parent: common%[2]d\n    packages: [package-%[1]s]\n    ansible: {playbooks: [%[3]s.yml], groups: [%[1]s]}\n",
			typeName(t), 5+t%5, familyName(t%families))
	}
	for i := range services {
		fmt.Fprintf(&b, "  service%[1]d:\n    packages: [package-service%[1]d]\n    ansible: {playbooks: [service%[1]d.yml], groups: [layer%[2]d]}\n    variants:\n", i, 10+i)
		for t := range s.types {
			parent := typeName(t)
			if i > 0 {
				parent = fmt.Sprintf("service%d-%s", i-1, typeName(t))
			}
			fmt.Fprintf(&b, "      %s: {parent: %s, groups: [%s]}\n", typeName(t), parent, typeName(t))
		}
	}
	b.WriteString("images:\n")
	for t := range s.types {
		fmt.Fprintf(&b, "  %s:\n    node: service%d-%s\n    artifacts: [squashfs, kernel, initrd]\n", typeName(t)+"-image", services-1, typeName(t))
	}
	return b.String()
}

func (s *site) inventory() string {
	var b strings.Builder
	b.WriteString("all:\n  children:\n")
	for f := range families {
		fmt.Fprintf(&b, "    %s:\n      children:\n", familyName(f))
		for t := f; t < s.types; t += families {
			fmt.Fprintf(&b, "        %s:\n          hosts:\n            %s-[001:030]:\n", typeName(t), typeName(t))
		}
	}
	for i := range s.groups {
		fmt.Fprintf(&b, "    rack%04d:\n      hosts:\n", i)
		for h := i; h < s.hosts; h += s.groups {
			fmt.Fprintf(&b, "        %s:\n", s.hostName(h))
		}
	}
	for i := range 10 + services {
		fmt.Fprintf(&b, "    layer%d: {}\n", i)
	}
	return b.String()
}

func (s *site) hostName(i int) string {
	return fmt.Sprintf("%s-%03d", typeName(i%s.types), 1+i/s.types)
}

func (s *site) playbook(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\n- name: Configure what %s needs\n  hosts: all\n  become: true\n  vars_files:\n    - vars/common.yml\n  roles:\n", s.playbooks()[i])
	for _, r := range s.rolesOf(i) {
		fmt.Fprintf(&b, "    - role: %s\n      tags: [%s]\n", roleName(r), roleName(r))
	}
	fmt.Fprintf(&b, "  post_tasks:\n    - name: Note what was done\n      ansible.builtin.copy:\n        dest: /etc/site/%s\n        content: \"{{ site_name }} {{ site_release | default('none') }}\\n\"\n        mode: \"0644\"\n", s.playbooks()[i])
	if i == 0 {
		s.emit("vars/common.yml", "---\nsite_name: generated\nsite_domain: site.example\nsite_admin: \"root@{{ site_domain }}\"\n")
	}
	return b.String()
}

// groupVariables writes the variables of a group: a directory of files.
func (s *site) groupVariables(group string) {
	for f := range groupFiles {
		var b strings.Builder
		fmt.Fprintf(&b, "---\n# %s: part %d of what is set for %s\n", group, f, group)
		for i := range 43 {
			name := fmt.Sprintf("%s_%d_setting_%02d", group, f, i)
			if i%4 == 0 { // of a role
				name = fmt.Sprintf("%s_setting_%03d", roleName(s.random.IntN(s.roles)), 10+s.random.IntN(80))
			}
			s.variable(&b, name, group+"_0_setting_01")
		}
		s.emit(fmt.Sprintf("inventory/group_vars/%s/part%02d.yml", group, f), b.String())
	}
}

func (s *site) hostVariables(i int) {
	var b strings.Builder
	b.WriteString("---\n")
	fmt.Fprintf(&b, "node_address: 10.%d.%d.%d\n", i>>16&255, i>>8&255, i&255)
	for k := range 19 {
		s.variable(&b, fmt.Sprintf("node_setting_%02d", k), "node_address")
	}
	s.variables++
	s.emit("inventory/host_vars/"+s.hostName(i)+".yml", b.String())
}

// variable writes one variable, of one of the forms that people use.
func (s *site) variable(b *strings.Builder, name, other string) {
	s.variables++
	n := s.random.IntN(10000)
	switch s.random.IntN(10) {
	case 0, 1, 2:
		fmt.Fprintf(b, "%s: %s\n", name, slices.Concat([]string{"/var/lib", "/etc/opt", "/srv"})[n%3]+fmt.Sprintf("/thing%d", n))
	case 3, 4:
		fmt.Fprintf(b, "%s: %d\n", name, n)
	case 5:
		fmt.Fprintf(b, "%s: %t\n", name, n%2 == 0)
	case 6:
		fmt.Fprintf(b, "%s: \"{{ %s }}-%d\"\n", name, other, n)
	case 7:
		fmt.Fprintf(b, "%s:\n  - first%d\n  - second.%d.example\n  - \"10.%d.%d.0/24\"\n", name, n, n, n%250, n%240)
	case 8:
		fmt.Fprintf(b, "%s:\n  path: /opt/%d\n  mode: \"0644\"\n  owner: root\n  size: %d\n", name, n, n)
	default:
		fmt.Fprintf(b, "# how many of them there may be\n%s: \"%d items of %s, not more\"\n", name, n, strings.Repeat("much ", n%5))
	}
}
