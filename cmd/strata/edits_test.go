package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// edited is a project of a few layers, roles and hosts that is edited at random:
// one seed makes one history. What is written is mostly valid, and full of
// references: every name comes from a few, so that an edit here means something
// there.
type edited struct {
	*rand.Rand
	files  map[string]entry
	groups map[string][]string // hosts of each
	under  map[string]string   // the group that a group is a child of
	layers []string            // strata.yaml, a layer each
	more   bool                // there is a second inventory
}

const (
	someGroups    = 5
	someHosts     = 4
	someRoles     = 6
	someVariables = 24
	somePlaybooks = 4
)

func newEdited(seed uint64) *edited {
	e := &edited{Rand: rand.New(rand.NewPCG(10, seed)), files: map[string]entry{}, groups: map[string][]string{}, under: map[string]string{}}
	for i := range someGroups {
		e.groups[fmt.Sprint("g", i)] = e.hosts()
		if i > 0 && e.IntN(2) == 0 {
			e.under[fmt.Sprint("g", i)] = fmt.Sprint("g", e.IntN(i))
		}
	}
	e.layers = []string{"  base:\n    from: {bootstrap: {distribution: debian, repositories: [debian]}}\n    packages: [python3]\n",
		// One without a parent has a key that plans know.
		"  l1:\n    from: {bootstrap: {distribution: debian, repositories: [debian]}}\n    ansible: {playbooks: [p0.yml, p1.yml], groups: [g0, g2], extra_vars: {v3: extra}}\n"}
	for range 3 + e.IntN(3) {
		e.addLayer()
	}
	for i := range somePlaybooks {
		e.put(fmt.Sprintf("p%d.yml", i), e.playbook())
	}
	for i := range someRoles {
		for _, name := range rolePlaces {
			if e.IntN(3) > 0 || strings.HasPrefix(name, "tasks/") {
				e.put(fmt.Sprintf("roles/r%d/%s", i, name), e.content(name))
			}
		}
	}
	for range 8 {
		name := e.pick(places...)
		e.put(name, e.content(name))
	}
	e.describe()
	return e
}

// describe writes what is made of the whole: strata.yaml and the inventories.
func (e *edited) describe() {
	sources := "inventory"
	if delete(e.files, "more.ini"); e.more {
		sources = "[inventory, more.ini]"
		e.put("more.ini", "[g1]\nh1 v3=more\n[g2:vars]\nv1=more\n")
	}
	e.put("strata.yaml", "strata: 1\ncluster: {name: c, short: c}\ninventory: "+sources+
		"\nrepositories:\n  debian: {type: apt, suite: bookworm}\nlayers:\n"+strings.Join(e.layers, "")+"images:\n  one: {node: base}\n")
	var b strings.Builder
	for _, g := range slices.Sorted(maps.Keys(e.groups)) {
		fmt.Fprintf(&b, "[%s]\n%s\n", g, strings.Join(e.groups[g], "\n"))
	}
	for _, g := range slices.Sorted(maps.Keys(e.under)) {
		fmt.Fprintf(&b, "[%s:children]\n%s\n", e.under[g], g)
	}
	e.put("inventory/hosts", b.String())
}

func (e *edited) put(name, text string) { e.files[name] = entry{"100644", text} }

func (e *edited) pick(from ...string) string { return from[e.IntN(len(from))] }

func (e *edited) variable() string { return fmt.Sprint("v", e.IntN(someVariables)) }

func (e *edited) hosts() (all []string) {
	for range e.IntN(3) {
		all = append(all, fmt.Sprint("h", e.IntN(someHosts)))
	}
	return all
}

func (e *edited) addLayer() {
	n := len(e.layers)
	parent := "base"
	if n > 1 {
		parent = fmt.Sprint("l", 1+e.IntN(n-1))
	}
	text := fmt.Sprintf("  l%d:\n    parent: %s\n    ansible: {playbooks: [p%d.yml], groups: [g%d, g%d]", n, parent, e.IntN(somePlaybooks), e.IntN(2), 2+e.IntN(someGroups-2))
	if e.IntN(3) == 0 {
		text += fmt.Sprintf(", extra_vars: {%s: extra}", e.variable())
	}
	text += e.pick("", "", "", ", tags: [t0]", ", skip_tags: [t1]")
	text += "}\n"
	if e.IntN(3) == 0 {
		text += "    files: [{src: " + e.pick("files/d", "files/a", "data") + ", dest: /d}]\n"
	}
	e.layers = append(e.layers, text)
}

// rolePlaces are the files of a role, places those beside roles.
var (
	rolePlaces = []string{
		"tasks/main.yml", "tasks/a.yml", "tasks/b.yml", "defaults/main.yml", "vars/main.yml", "vars/a.yml", "handlers/main.yml",
		"meta/main.yml", "templates/a.j2", "templates/b.j2", "files/a", "files/b", "files/d/a", "library/own.py", "README.md",
	}
	places = []string{
		"inventory/group_vars/all.yml", "inventory/group_vars/g0.yml", "inventory/group_vars/g1/a.yml", "inventory/group_vars/g1/b.yml",
		"inventory/group_vars/g2", "inventory/group_vars/g3.yml", "inventory/group_vars/g4.yml", "inventory/host_vars/h0.yml",
		"inventory/host_vars/h1/a.yml", "inventory/host_vars/l1.yml", "inventory/host_vars/l2.yml", "group_vars/all.yml", "group_vars/g0.yml", "group_vars/g2.yml", "host_vars/h0.yml",
		"vars/a.yml", "vars/b.yml", "tasks/a.yml", "templates/a.j2", "templates/b.j2", "files/a", "files/b", "files/d/a", "files/d/b", "a", "data/a", "data/b",
		"ansible.cfg", "filter_plugins/own.py", "library/own.py", "module_utils/helper.py", "README.md", "docs/a.md", "scripts/run.sh",
		"requirements.yml", "files/d/c", "data/c", "vars/c.yml", "inventory/more.yml",
	}
)

// content is a file such as there may be at a path.
func (e *edited) content(name string) string {
	dir, base := path.Base(path.Dir(name)), path.Base(name)
	switch {
	case name == "inventory/more.yml":
		return fmt.Sprintf("g%d:\n  hosts: {h%d: {%s: more}}\n  children: {%s: }\n", e.IntN(someGroups), e.IntN(someHosts), e.variable(), e.pick("g6", "g7"))
	case strings.HasPrefix(name, "p") && path.Dir(name) == "." && path.Ext(name) == ".yml":
		return e.playbook()
	case base == "requirements.yml":
		return e.requirements()
	case strings.Contains(name, "vars") && e.IntN(12) == 0:
		return e.vault() + "\n"
	case name == "ansible.cfg":
		return "[defaults]\n" + e.pick("", "roles_path = roles\n", "roles_path = more/roles:roles\n", "hash_behaviour = merge\n", "forks = 5\n")
	case dir == "tasks" || dir == "handlers":
		return e.tasks(1+e.IntN(4), dir == "handlers")
	case dir == "meta":
		return fmt.Sprintf("dependencies: [%s]\n", e.pick("", "", "r0", "{role: r1, v2: given}"))
	case dir == "defaults" || dir == "vars" || strings.Contains(name, "_vars/"):
		return e.variables()
	case path.Ext(base) == ".j2":
		return e.template()
	case path.Ext(base) == ".py":
		return e.pick("import json\n", "from ansible.module_utils import helper\n", "import os\nos.listdir('.')\n") + "# " + e.variable() + "\n"
	}
	return fmt.Sprintf("%s %d\n", e.variable(), e.IntN(100))
}

func (e *edited) variables() string {
	set := map[string]string{}
	for range 1 + e.IntN(5) {
		set[e.variable()] = e.value()
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&b, "%s: %s\n", name, set[name])
	}
	return b.String()
}

func (e *edited) value() string {
	v := e.variable()
	if e.IntN(20) == 0 {
		return "!vault |\n  " + strings.ReplaceAll(e.vault(), "\n", "\n  ")
	}
	if e.IntN(3) > 0 {
		return e.pick("a", "b", fmt.Sprint(e.IntN(9)), "true", "false", "[a, b]", "[]", "{x: a, y: b}", "{x: 1}")
	}
	return e.pick("'{{ "+v+" }}'", "'{{ "+v+" | default(\"a\") }}'",
		"'{{ hostvars[\"h0\"]."+v+" }}'", "'{{ groups[\"g1\"] | length }}'", "'{{ lookup(\"file\", \"a\") }}'", "'{{ lookup(\"template\", \"b.j2\") }}'", "'{{ "+v+".x }}'",
		"'{{ lookup(\"vars\", \"v\" ~ v1) }}'", "'{{ query(\"fileglob\", \"d/*\") }}'", "'{{ ansible_facts.os_family }}'", "'{{ \"b\" if "+v+" else \"a\" }}'")
}

// vault is what is encrypted, of which nobody knows what it says.
func (e *edited) vault() string {
	return fmt.Sprintf("$ANSIBLE_VAULT;1.1;AES256\n%064x\n%064x", e.IntN(5), 1)
}

// requirements are roles and collections from elsewhere, at versions of which no cache has any.
func (e *edited) requirements() string {
	return fmt.Sprintf("roles:\n  - {name: ext, src: 'https://git.example/ext', version: v%d}\ncollections:\n  - {name: site.own, version: 1.%d.0}\n", e.IntN(4), e.IntN(4))
}

func (e *edited) template() string {
	v, w := e.variable(), e.variable()
	return e.pick("{{ "+v+" }}\n", "{% for x in "+v+" %}{{ x }}{% endfor %}\n", "{% if "+v+" is defined %}{{ "+w+" }}{% endif %}\n",
		"{% include 'b.j2' %}\n", "{% for h in groups['g2'] %}{{ hostvars[h]."+v+" }}{% endfor %}\n", "{{ "+v+" | own }}\n", "{# "+v+" #}plain\n", "{% import 'a.j2' as m %}{{ m.x }}\n")
}

func (e *edited) playbook() string {
	var b strings.Builder
	for range 1 + e.IntN(3) {
		if e.IntN(8) == 0 {
			fmt.Fprintf(&b, "- import_playbook: p%d.yml\n", e.IntN(somePlaybooks))
			continue
		}
		fmt.Fprintf(&b, "- hosts: %s\n", e.pick("all", "all", "g0", "g1", "g2", "g3", "'g1:&g2'", "'all:!g3'", "[g0, g4]", "'{{ v0 | default(\"g1\") }}'", "localhost"))
		if e.IntN(3) == 0 {
			fmt.Fprintf(&b, "  vars_files: [%s]\n", e.pick("vars/a.yml", "vars/b.yml", "'vars/{{ v1 }}.yml'", "[vars/none.yml, vars/a.yml]"))
		}
		if e.IntN(3) == 0 {
			fmt.Fprintf(&b, "  vars: {%s: %s}\n", e.variable(), e.value())
		}
		fmt.Fprintf(&b, "  roles: [%s]\n", strings.Join(slices.Compact([]string{e.role(), e.role()}), ", "))
		if e.IntN(2) == 0 {
			b.WriteString("  tasks:\n" + indented(e.tasks(1+e.IntN(2), false)))
		}
	}
	return b.String()
}

func (e *edited) role() string {
	r := fmt.Sprint("r", e.IntN(someRoles))
	if _, ok := e.files["requirements.yml"]; ok && e.IntN(5) == 0 {
		return e.pick("ext", "site.own.deep")
	}
	return e.pick(r, r, r, "{role: "+r+", tags: t0}", "{role: "+r+", "+e.variable()+": param}", "{role: "+r+", when: "+e.variable()+" is defined}")
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}

// tasks are tasks of every kind that reaches something.
func (e *edited) tasks(n int, named bool) string {
	var b strings.Builder
	for range n {
		v, w := e.variable(), e.variable()
		text := e.pick(
			"copy: {src: a, dest: /a}", "copy: {src: d/, dest: /d}", "copy: {src: '{{ "+v+" }}', dest: /a}", "copy: {content: '{{ "+v+" }}', dest: /c}",
			"template: {src: a.j2, dest: /t}", "template: {src: b.j2, dest: '/{{ "+v+" }}'}", "template: {src: '{{ "+v+" }}.j2', dest: /t}",
			"include_tasks: a.yml", "import_tasks: b.yml", "include_tasks: '{{ "+v+" }}.yml'", "include_role: {name: r2}", "include_role: {name: 'r{{ "+v+" }}'}",
			"include_vars: a.yml", "include_vars: {dir: vars}", "include_vars: '{{ item }}'\n  with_first_found: [none.yml, a.yml]",
			"copy: {src: '{{ item }}', dest: /g/}\n  with_fileglob: ['d/*']", "copy: {content: x, dest: '/{{ item }}'}\n  loop: '{{ "+v+" }}'",
			"debug: {msg: \"{{ lookup('file', 'b') }}\"}", "debug: {var: "+v+"}", "command: echo {{ "+v+" }}\n  notify: handled", "own: {name: '{{ "+v+" }}'}",
			"set_fact: {"+v+": '{{ "+w+" }}'}", "group_by: {key: 'g{{ "+v+" }}'}", "command: date\n  delegate_to: localhost", "command: scripts/run.sh {{ "+v+" }}\n  delegate_to: localhost",
			"copy: {src: a, dest: /data}\n  when: '\"data/a\" is exists'", "block: [{debug: {msg: '{{ "+v+" }}'}}]\n  when: "+w,
		)
		if e.IntN(6) == 0 {
			text += "\n  tags: " + e.pick("t0", "t1", "[t0, t2]", "never", "always")
		}
		if e.IntN(4) == 0 {
			text += "\n  when: " + e.pick(w, w+" is defined", "not "+w, "strata_image", w+" == 'a'")
		}
		if named {
			text = "name: handled\n  " + text
		}
		fmt.Fprintf(&b, "- %s\n", strings.Replace(text, "\n  when: ", "\n  when: ", 1))
	}
	return b.String()
}

// edit changes one thing, and says what.
func (e *edited) edit() string {
	names := slices.Sorted(maps.Keys(e.files))
	name := e.pick(names...)
	was := e.files[name]
	fixed := name == "strata.yaml" || name == "inventory/hosts" || name == "more.ini"
	switch kind := e.IntN(25); {
	case kind < 3 && !fixed:
		e.files[name] = entry{was.mode, e.content(name)}
		return "write " + name + " anew"
	case kind == 3 && !fixed:
		delete(e.files, name)
		return "remove " + name
	case kind == 4 && !fixed:
		to := e.anyPlace()
		delete(e.files, name)
		e.place(to, was)
		return "rename " + name + " to " + to
	case kind < 7:
		to := e.anyPlace()
		e.place(to, entry{"100644", e.content(to)})
		return "write " + to
	case kind == 7 && !fixed:
		e.files[name] = entry{was.mode, was.text + e.pick("# a comment\n", "{# a comment #}\n", "\n")}
		return "a comment in " + name
	case kind == 8:
		e.files[name] = entry{was.mode, strings.Replace(was.text, e.variable(), e.variable(), 1)}
		return "another variable in " + name
	case kind == 9 && was.mode != "120000":
		e.files[name] = entry{map[string]string{"100644": "100755", "100755": "100644"}[was.mode], was.text}
		return "the mode of " + name
	case kind == 10:
		return e.link()
	case kind == 11:
		g := fmt.Sprint("g", e.IntN(someGroups))
		e.groups[g] = e.hosts()
		e.describe()
		return "hosts of " + g
	case kind == 12:
		g := 1 + e.IntN(someGroups-1)
		delete(e.under, fmt.Sprint("g", g))
		if e.IntN(2) == 0 {
			e.under[fmt.Sprint("g", g)] = fmt.Sprint("g", e.IntN(g))
		}
		e.describe()
		return "where group g" + fmt.Sprint(g) + " belongs"
	case kind == 13:
		e.relayer()
		e.describe()
		return "strata.yaml"
	case kind == 14 && e.IntN(3) == 0:
		e.more = !e.more
		e.describe()
		return "the inventories"
	case kind >= 22:
		return e.revalue(names)
	case kind >= 20:
		return e.retext(names)
	}
	if what := e.small(); what != "" {
		return what
	}
	name = e.pick("inventory/group_vars/all.yml", "inventory/group_vars/g0.yml", "inventory/host_vars/h0.yml", "group_vars/g2.yml", fmt.Sprintf("roles/r%d/defaults/main.yml", e.IntN(someRoles)))
	e.place(name, entry{"100644", e.variables()})
	return "variables of " + name
}

// small changes as little as there is: a variable that comes to be defined, or is no more, a
// version, a name in a directory, the last host of a group.
func (e *edited) small() string {
	switch e.IntN(6) {
	case 0, 1:
		name := e.pick("inventory/group_vars/all.yml", "inventory/group_vars/g1/a.yml", "group_vars/all.yml", "vars/a.yml", fmt.Sprintf("roles/r%d/vars/main.yml", e.IntN(someRoles)))
		was, v := e.files[name], e.variable()
		lines := slices.DeleteFunc(strings.SplitAfter(was.text, "\n"), func(line string) bool { return strings.HasPrefix(line, v+":") })
		text := strings.Join(lines, "")
		if text == was.text {
			text += v + ": " + e.value() + "\n"
		}
		if was.mode == "120000" || strings.HasPrefix(text, "$") {
			return ""
		}
		e.place(name, entry{"100644", text})
		return "whether " + v + " is defined in " + name
	case 2:
		e.place("requirements.yml", entry{"100644", e.requirements()})
		return "versions from elsewhere"
	case 3:
		name := e.pick("files/d/", "data/", fmt.Sprintf("roles/r%d/files/d/", e.IntN(someRoles))) + fmt.Sprint("new", e.IntN(3))
		if _, ok := e.files[name]; ok {
			delete(e.files, name)
			return name + " is gone"
		}
		e.place(name, entry{"100644", "new\n"})
		return name + " is new"
	case 4:
		g := fmt.Sprint("g", e.IntN(someGroups))
		e.groups[g] = nil
		e.describe()
		return g + " has no host"
	}
	return ""
}

// revalue gives a variable another value where it is defined, now and then with more lines
// before it.
func (e *edited) revalue(names []string) string {
	names = slices.DeleteFunc(names, func(name string) bool {
		return e.files[name].mode == "120000" || !strings.Contains(name, "vars/") && !strings.Contains(name, "/defaults/")
	})
	if len(names) == 0 {
		return "nothing"
	}
	name := e.pick(names...)
	lines := strings.SplitAfter(e.files[name].text, "\n")
	i := e.IntN(len(lines))
	variable, _, ok := strings.Cut(lines[i], ": ")
	if !ok {
		return "nothing"
	}
	lines[i] = variable + ": " + e.value() + "\n"
	if e.IntN(4) == 0 {
		lines[0] = "# more\n" + lines[0]
	}
	e.files[name] = entry{e.files[name].mode, strings.Join(lines, "")}
	return "the value of " + variable + " in " + name
}

// retext writes another text into a template or a file that is copied.
func (e *edited) retext(names []string) string {
	names = slices.DeleteFunc(names, func(name string) bool {
		return e.files[name].mode == "120000" || !strings.Contains(name, "templates/") && !strings.Contains(name, "files/") && name != "a" && !strings.HasPrefix(name, "data/")
	})
	if len(names) == 0 {
		return "nothing"
	}
	name := e.pick(names...)
	was := e.files[name]
	text := was.text + fmt.Sprintf("text %d\n", e.IntN(9))
	if e.IntN(4) == 0 {
		text = fmt.Sprintf("text %d\n", e.IntN(9)) + was.text
	}
	e.files[name] = entry{was.mode, text}
	return "the text of " + name
}

// relayer makes, changes or takes away a layer.
func (e *edited) relayer() {
	last := len(e.layers) - 1
	switch {
	case e.IntN(3) == 0 || last < 2:
		e.addLayer()
	case e.IntN(2) == 0:
		e.layers = e.layers[:last]
	default:
		e.layers = e.layers[:last]
		e.addLayer()
	}
}

func (e *edited) anyPlace() string {
	if e.IntN(2) == 0 {
		return e.pick(places...)
	}
	return fmt.Sprintf("%sroles/r%d/%s", e.pick("", "", "", "more/"), e.IntN(someRoles), e.pick(rolePlaces...))
}

// link makes a link of a file or a role, or lets one point elsewhere.
func (e *edited) link() string {
	one, other := fmt.Sprint("r", e.IntN(someRoles)), fmt.Sprint("r", e.IntN(someRoles))
	if e.IntN(3) == 0 {
		e.place("roles/"+one, entry{"120000", other})
		return "roles/" + one + " is " + other
	}
	name := e.pick("files/a", "vars/a.yml", "templates/a.j2", "inventory/group_vars/g3.yml", "roles/"+one+"/files/a", "roles/"+one+"/tasks/a.yml", "roles/"+one+"/templates/b.j2")
	to := e.pick("b"+path.Ext(name), "../roles/"+other, "none", "../files/b", ".", "g0.yml")
	e.place(name, entry{"120000", to})
	return name + " is a link to " + to
}

// place puts a file where there is none above or below it.
func (e *edited) place(name string, what entry) {
	for other := range e.files {
		if strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/") {
			delete(e.files, other)
		}
	}
	e.files[name] = what
}
