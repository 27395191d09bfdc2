package ansible

import (
	"strings"
	"testing"
)

// TestNamesOfForeign tells a name by a variable of another host, which no play in a build sets.
func TestNamesOfForeign(t *testing.T) {
	all := files("files/a files/b files/deep/c")
	copies := func(name string) string { return "  - copy: {src: \"" + name + "\", dest: /x}\n" }
	local := "{{ hostvars['127.0.0.1']['cert'] }}"
	testNames(t, []namesTest{
		{"set by nothing", book + "  tasks:\n" + copies(local) + all, "", "files/a files/b files/deep/c"},
		{"set by a play on that host only", "-- p.yml --\n- hosts: localhost\n  tasks:\n  - set_fact: {cert: a}\n- hosts: web\n  tasks:\n" + copies(local) + all, "", "files/a files/b files/deep/c"},
		{"given to all", book + "  tasks:\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: a\n", "files/a", "files/b files/deep/c"},
		{"of a host of the inventory", book + "  tasks:\n" + copies("{{ hostvars.w1.cert }}") + all + "-- host_vars/w1.yml --\ncert: b\n", "files/b", "files/a files/deep/c"},
		{"by another variable", book + "  tasks:\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: '{{ x }}'\nx: a\n", "files/a", "files/b"},
		{"by several", book + "  tasks:\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: '{{ x }}{{ y }}'\nx: a\ny: ''\n", "files/a", "files/b"},
		{"by itself", book + "  tasks:\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: '{{ cert }}'\n", "files/a files/b", ""},
		{"by a filter", book + "  tasks:\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: '{{ x | site_filter }}'\nx: a\n", "files/a files/b", ""},
		{"by a fact", book + "  tasks:\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: '{{ ansible_hostname }}'\n", "files/a files/b", ""},
		{"set by a task", book + "  tasks:\n  - set_fact: {cert: b}\n    delegate_to: localhost\n    delegate_facts: true\n" + copies(local) + all, "files/a files/b", ""},
		{"facts of that host, which have names of their own", book + "  tasks:\n  - setup:\n    delegate_to: localhost\n    delegate_facts: true\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: a\n", "files/a", "files/b"},
		{"of a host that is put in a group with variables", book + "  tasks:\n  - add_host: {name: w1, groups: more}\n" + copies("{{ hostvars['w1'].cert }}") + all + "-- group_vars/more.yml --\ncert: a\n", "files/a files/b", ""},
		{"another one is set by a task", book + "  tasks:\n  - set_fact: {other: b}\n    delegate_to: localhost\n    delegate_facts: true\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: a\n", "files/a", "files/b"},
		{"what its value is made of is set by a task", book + "  tasks:\n  - set_fact: {x: b}\n    delegate_to: localhost\n    delegate_facts: true\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: '{{ x }}'\nx: a\n", "files/a files/b", ""},
		{"set by a name that is computed", book + "  tasks:\n  - set_fact: {\"{{ 'cert' }}\": b}\n    delegate_to: localhost\n    delegate_facts: true\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: a\n", "files/a files/b", ""},
		{"set by a block", book + "  tasks:\n  - block:\n    - set_fact: {cert: b}\n    delegate_to: localhost\n    delegate_facts: '{{ yes }}'\n" + copies(local) + all, "files/a files/b", ""},
		{"of a host that is made", book + "  tasks:\n  - add_host: {name: other, cert: a}\n" + copies("{{ hostvars['other'].cert }}") + all, "files/a files/b", ""},
		{"of the node itself", book + "  tasks:\n  - set_fact: {cert: b}\n" + copies("{{ hostvars['n'].cert }}") + all, "files/b", "files/a"},
		{"of the node and others", book + "  tasks:\n  - copy: {src: '{{ hostvars[item].cert }}', dest: /x}\n    loop: '{{ groups.web }}'\n" + all + "-- host_vars/n.yml --\ncert: b\n-- host_vars/w1.yml --\ncert: a\n", "files/a files/b", "files/deep/c"},
		{"of a host that is computed", book + "  tasks:\n" + copies("{{ hostvars[ansible_local.x].cert }}") + all, "files/a files/b", ""},
		{"from a cache of facts", "-- ansible.cfg --\n[defaults]\nfact_caching = jsonfile\n" + book + "  tasks:\n" + copies(local) + all, "files/a files/b", ""},
	}, Query{})
}

// TestForeignPatterns reads variables of hosts whose names are known in part.
func TestForeignPatterns(t *testing.T) {
	const site = "-- hosts --\n[web]\nw1\nw2\n[db]\nd1\n-- host_vars/w1.yml --\nopt_a: 1\nopt_b: '{{ lead }}'\nlead: 1\nother: 1\n-- host_vars/d1.yml --\nopt_a: 1\n-- host_vars/n.yml --\nopt_c: 1\nother: 1\n" +
		book + "  tasks: [{debug: {msg: \"READ\"}}]\n"
	for read, hosts := range map[string]string{
		"{{ hostvars['w1']['opt_' ~ ansible_local.x] }}":                                                "w1",
		"{{ hostvars[item]['opt_' ~ ansible_local.x] }}":                                                "w1 d1 n",
		"{% for h in groups.web %}{{ hostvars[h]['opt_' ~ ansible_local.x] | default(1) }}{% endfor %}": "w1 d1 n",
	} {
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
		base := strings.Replace(site, "READ", read, 1)
		before := digestOf(t, project(base), q)
		a, err := Open(project(base), NewParsed()).Analyse(q, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for file, says := range map[string]string{
			"w1 a": "-- host_vars/w1.yml --\nopt_a: 2\nopt_b: '{{ lead }}'\nlead: 1\nother: 1\n", "w1 lead": "-- host_vars/w1.yml --\nopt_a: 1\nopt_b: '{{ lead }}'\nlead: 2\nother: 1\n",
			"w1 more": "-- host_vars/w1.yml --\nopt_a: 1\nopt_b: '{{ lead }}'\nlead: 1\nother: 1\nopt_new: 1\n", "w1": "-- host_vars/w1.yml --\nopt_a: 1\nopt_b: '{{ lead }}'\nlead: 1\nother: 2\n",
			"d1 a": "-- host_vars/d1.yml --\nopt_a: 2\n", "d1": "-- host_vars/d1.yml --\nopt_a: 1\nother: 1\n",
			"n c": "-- host_vars/n.yml --\nopt_c: 2\nother: 1\n", "n": "-- host_vars/n.yml --\nopt_c: 1\nother: 2\n",
		} {
			host, which, _ := strings.Cut(file, " ")
			want := which != "" && strings.Contains(hosts, host)
			if got := digestOf(t, project(base+says), q) != before; got != want {
				t.Errorf("%s: a change of %s counts: %v", read, file, got)
			}
			kept := verified(t, Open(project(base), NewParsed()), Open(project(base+says), NewParsed()), []string{"host_vars/" + host + ".yml"}, a)
			if want && kept {
				t.Errorf("%s: a trace does not ask for %s", read, file)
			}
		}
	}
}
