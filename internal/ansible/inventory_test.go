package ansible

import (
	"slices"
	"strings"
	"testing"
)

func TestGroupsOf(t *testing.T) {
	const ini = `
# a comment
lonely ansible_host=10.0.0.1
[web]
web[01:20].example   x=1 ; more
"quoted" y=2
[db] # databases
db1
[servers:children]
web
db
[all_of:children]
servers
[servers:vars]
children=nothing [x]
[circle:children]
round
[round:children]
circle
`
	const yml = `
all:
  hosts: {lonely: }
  children:
    all_of: &x
      children:
        servers:
          vars: {a: 1}
          children:
            web: {hosts: {"web[01:20].example": {x: 1}, quoted: }}
            db:
              hosts: db1
    circle: {children: {round: {children: {circle: }}}}
`
	for form, read := range map[string]func(*inventory) error{
		"ini":  func(inv *inventory) error { return readINIHosts(inv, ini) },
		"yaml": func(inv *inventory) error { return readYAMLHosts(inv, yml) },
	} {
		t.Run(form, func(t *testing.T) {
			inv := newInventory()
			if err := read(inv); err != nil {
				t.Fatal(err)
			}
			for _, test := range []struct{ host, given, want string }{
				{"web07.example", "", "all all_of servers strata_image ungrouped web"},
				{"web07.other", "", "all strata_image ungrouped"},
				{"quoted", "", "all all_of servers strata_image ungrouped web"},
				{"x", "db", "all all_of db servers strata_image ungrouped"},
				{"db1", "circle", "all all_of circle db round servers strata_image ungrouped"},
				{"x", "new", "all new strata_image ungrouped"},
			} {
				got := inv.groupsOf(test.host, strings.Fields(test.given))
				if strings.Join(got, " ") != test.want {
					t.Errorf("host %s, groups %q: got %q, want %q", test.host, test.given, got, test.want)
				}
			}
		})
	}
}

func TestUnreadableInventory(t *testing.T) {
	for _, s := range []string{"[x\n", "[x:odd]\n", "[]\n", "[a b]\n", "[x]y\n"} {
		if err := readINIHosts(newInventory(), s); err == nil {
			t.Errorf("ini %q: no error", s)
		}
	}
	for _, s := range []string{"", "x", "- a\n", "plugin: aws\n", "g: [a]\n", "g: {hosts: [a]}\n", "g: a\n",
		"a: &a\n  children:\n    b: *a\n    c: *a\n"} {
		if err := readYAMLHosts(newInventory(), s); err == nil {
			t.Errorf("yaml %q: no error", s)
		}
	}
}

func TestConfig(t *testing.T) {
	fsys := project(`
-- etc/ansible.cfg --
# roles_path = no
[defaults]
Roles_Path : roles:../shared : ~/.ansible/roles
    :more ; comment
collections_paths = {{CWD}}/col
library=../modules
filter_plugins = ../../out
log_path = x
`)
	c := Open(fsys).config("etc/ansible.cfg")
	for _, test := range []struct {
		what string
		got  []string
		want string
	}{
		{"roles", c.roles, "etc/roles shared etc/more"},
		{"collections", c.collections, "col"},
		{"other", c.other, "modules"},
		{"outside", c.outside, "../out ~/.ansible/roles"},
	} {
		if got := strings.Join(test.got, " "); got != test.want {
			t.Errorf("%s: got %q, want %q", test.what, got, test.want)
		}
	}
}

func TestScan(t *testing.T) {
	tests := []struct {
		s                            string
		others, everything, computed bool
		anchored                     string
	}{
		{s: "a: 1"},
		{s: "{{ hostvars[x] }}", others: true},
		{s: "{{ groups.web | first }}", others: true},
		{s: "{% for g in groups %}", others: true},
		{s: "when: inventory_hostname in groups['a']", others: true},
		{s: "user: {groups: a}, when: 'a' in group_names"},
		{s: "groups: '{{ user.groups }}'"},
		{s: "# hostvars, ../x and lookup(a)\nb: 1"},
		{s: "# {{ hostvars }}", others: true},
		{s: "delegate_to: other", others: true},
		{s: "delegate_to: localhost"},
		{s: "{{ lookup('file', 'a') }}"},
		{s: "{{ lookup('env', a) }}"},
		{s: "{{ lookup('file', a) }}", computed: true},
		{s: "{{ lookup('file', 'a' ~ b) }}", computed: true},
		{s: "{{ query('fileglob', x) }}", computed: true},
		{s: "{{ lookup('csvfile', 'a', file='x.csv') }}"},
		{s: "{{ lookup('pipe', 'cat x') }}", everything: true},
		{s: "{{ lookup(how, 'x') }}", everything: true},
		{s: "{% include 'x.j2' %}"},
		{s: "{% include x %}", computed: true},
		{s: "a: ../b c", anchored: "../b"},
		{s: "src={{ playbook_dir }}/x/{{ y }}.z w", anchored: "src={{ playbook_dir }}/x/{{ y }}.z"},
	}
	for _, test := range tests {
		got := Open(nil).scan("x.yml", []byte(test.s))
		if got.others != test.others || got.everything != test.everything || got.computed != test.computed ||
			strings.Join(got.anchored, " ") != test.anchored {
			t.Errorf("%q: %+v", test.s, got)
		}
	}
}

func FuzzInventory(f *testing.F) {
	for _, s := range []string{"a\n[b]\nc[1:2] d=1\n[e:children]\nb\n[b:vars]\nx=y\n", "[x", "[:]\n", "a: {hosts: {b: }, children: {c: &x {children: {d: *x}}}}", "\"\n"} {
		f.Add(s, "c1")
	}
	f.Fuzz(func(t *testing.T, s, host string) {
		inv := newInventory()
		if readINIHosts(inv, s) == nil {
			for g := range inv.parents {
				if g == "" {
					t.Errorf("a child without a name in %q", s)
				}
			}
		}
		_ = readYAMLHosts(inv, s)
		groups := inv.groupsOf(host, nil)
		if !slices.IsSorted(groups) || !slices.Contains(groups, "all") {
			t.Errorf("groups %q", groups)
		}
	})
}
