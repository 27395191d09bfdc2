package ansible

import "testing"

// TestResults: what is known of what tasks register.
func TestResults(t *testing.T) {
	const vars = "-- vars/one.yml --\nx: 1\n-- vars/two.yml --\nx: 1\n-- files/a --\n1\n-- files/b --\n1\n"
	play := func(tasks string) string { return vars + "-- p.yml --\n- hosts: web\n  tasks:\n" + tasks }
	tests := []namesTest{
		{"include_vars tells all", play(`
    - include_vars: {file: one.yml, name: under}
      register: told
    - debug: {msg: "{{ told.ansible_facts }}"}
`), "vars/one.yml", "vars/two.yml"},
		{"include_vars tells all, by its name", play(`
    - include_vars: one.yml
      register: told
    - debug: {msg: "{{ told.ansible_facts.x }}"}
`), "vars/one.yml", "vars/two.yml"},
		{"include_vars tells what an extra variable hides", play(`
    - include_vars: one.yml
      register: told
    - debug: {msg: "{{ told.ansible_facts }}"}
`), "vars/one.yml", "vars/two.yml"},
		{"include_vars tells first, or last", play(`
    - include_vars: one.yml
    - include_vars: one.yml
      register: told
    - debug: {msg: "{{ told }}"}
`), "vars/one.yml", "vars/two.yml"},
		{"include_vars tells of many", play(`
    - include_vars: {file: "{{ item }}.yml", name: "{{ item }}"}
      loop: [one]
      register: told
    - set_fact: {all: "{{ told.results | json_query('[].ansible_facts') }}"}
`), "vars/one.yml", "vars/two.yml"},
		{"include_vars tells nothing", play(`
    - include_vars: {file: one.yml, name: under}
`), "", "vars/one.yml vars/two.yml"},
		{"each result says what it is of", play(`
    - command: {argv: [test, "{{ item }}"]}
      loop: [a]
      register: tested
    - copy: {src: "{{ item.item }}", dest: /x}
      loop: "{{ tested.results }}"
      when: item.rc == 0
`), "files/a", "files/b"},
		{"and by another name", play(`
    - command: {argv: [test, "{{ one }}"]}
      loop: [a]
      loop_control: {loop_var: one}
      register: tested
    - copy: {src: "{{ item.one }}", dest: /x}
      loop: "{{ tested.results }}"
`), "files/a", "files/b"},
		{"but not what else", play(`
    - command: {argv: [test, "{{ item }}"]}
      loop: [a]
      register: tested
    - copy: {src: "{{ item.stdout }}", dest: /x}
      loop: "{{ tested.results }}"
`), "files/a files/b", ""},
		{"two tasks register it", play(`
    - command: {argv: [test, "{{ item }}"]}
      loop: [a]
      register: tested
    - command: tests
      register: tested
    - copy: {src: "{{ tested.results[0].item }}", dest: /x}
`), "files/a files/b", ""},
		{"what is temporary is none of the project's", play(`
    - tempfile: {state: directory}
      register: made
      delegate_to: localhost
    - copy: {src: "{{ made.path }}/a", dest: /x}
    - command: "ssh-keygen -h -s {{ made.path | quote }}/{{ key | basename | quote }} -P {{ word | quote }} '{{ made.path }}/{{ inventory_hostname | quote }}.pub'"
      delegate_to: localhost
`), "", "files/a files/b vars/one.yml"},
		{"unless it is made there", play(`
    - tempfile: {state: directory, path: "{{ playbook_dir }}/files"}
      register: made
      delegate_to: localhost
    - copy: {src: "{{ made.path }}", dest: /x}
`), "files/a files/b", "vars/one.yml"},
		{"a word for a shell is what it is quoted from", play(`
    - command: "cat {{ (playbook_dir ~ '/files/a') | quote }} {{ 'vars/it\\'s.yml' | quote }}"
      delegate_to: localhost
`), "files/a", "files/b vars/one.yml"},
		{"a template goes through a list for names of variables", play(`
    - template: {src: t.j2, dest: /x}
`) + `
-- templates/t.j2 --
{% for one in named %}{% for n in one.list %}{{ lookup('vars', one.name)[n] }}{% endfor %}{% endfor %}
-- group_vars/web/a.yml --
named: [{name: used, list: [1]}]
-- group_vars/web/b.yml --
used: 1
-- group_vars/web/c.yml --
unused: 1
`, "templates/t.j2 group_vars/web/a.yml group_vars/web/b.yml", "group_vars/web/c.yml"},
		{"and through the keys of a mapping", play(`
    - template: {src: t.j2, dest: /x}
`) + `
-- templates/t.j2 --
{% for name in named %}{{ lookup('vars', name) }}{{ lookup('vars', named[name]) }}{% endfor %}
-- group_vars/web/a.yml --
named: {used: other}
-- group_vars/web/b.yml --
used: 1
-- group_vars/web/d.yml --
other: 1
-- group_vars/web/c.yml --
unused: 1
`, "templates/t.j2 group_vars/web/a.yml group_vars/web/b.yml group_vars/web/d.yml", "group_vars/web/c.yml"},
	}
	testNames(t, tests[:2], Query{})
	testNames(t, tests[2:3], Query{ExtraVars: map[string]any{"x": 2}})
	testNames(t, tests[3:], Query{})
}
