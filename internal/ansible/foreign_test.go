package ansible

import "testing"

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
