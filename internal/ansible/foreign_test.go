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
		{"by another variable", book + "  tasks:\n" + copies(local) + all + "-- group_vars/all.yml --\ncert: '{{ x }}'\nx: a\n", "files/a files/b", ""},
		{"set by a task", book + "  tasks:\n  - set_fact: {cert: b}\n    delegate_to: localhost\n    delegate_facts: true\n" + copies(local) + all, "files/a files/b", ""},
		{"set by a block", book + "  tasks:\n  - block:\n    - set_fact: {cert: b}\n    delegate_to: localhost\n    delegate_facts: '{{ yes }}'\n" + copies(local) + all, "files/a files/b", ""},
		{"of a host that is made", book + "  tasks:\n  - add_host: {name: other, cert: a}\n" + copies("{{ hostvars['other'].cert }}") + all, "files/a files/b", ""},
		{"of the node itself", book + "  tasks:\n  - set_fact: {cert: b}\n" + copies("{{ hostvars['n'].cert }}") + all, "files/b", ""},
		{"of a host that is computed", book + "  tasks:\n" + copies("{{ hostvars[ansible_local.x].cert }}") + all, "files/a files/b", ""},
		{"from a cache of facts", "-- ansible.cfg --\n[defaults]\nfact_caching = jsonfile\n" + book + "  tasks:\n" + copies(local) + all, "files/a files/b", ""},
	}, Query{})
}
