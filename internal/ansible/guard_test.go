package ansible

import "testing"

// TestGuards has tasks that never run, and tasks of which nobody can be sure.
func TestGuards(t *testing.T) {
	const (
		never = "never runs"
		may   = "may run"
	)
	tests := []struct{ name, when, more, want string }{
		{"the image", "not (strata_image | default(false) | bool)", "", never},
		{"the image, shorter", "not strata_image", "", never},
		{"only in the image", "strata_image | bool", "", may},
		{"a list", "[whatever, not strata_image]", "", never},
		{"one of two", "not strata_image or whatever", "", may},
		{"neither of two", "not strata_image or flag", "", never},
		{"a variable", "flag", "", never},
		{"a variable that is true", "not flag", "", may},
		{"a length", "text | length > 0", "", never},
		{"another length", "list | length > 1", "", may},
		{"a comparison", "kind == 'x'", "", never},
		{"a comparison that holds", "kind != 'x'", "", may},
		{"a text", "empty_text", "", may},
		{"a text as a truth", "word | bool", "", never},
		{"a default", "own_default", "", never},
		{"nobody knows it", "ansible_local.x | default(false)", "", may},
		{"defined nowhere", "nothing | default(false)", "", never},
		{"defined nowhere, as a test", "nothing is defined", "", never},
		{"defined by a task", "nothing is defined", "- set_fact: {nothing: 1}\n", may},
		{"defined by a task, as a default", "nothing | default(false)", "- set_fact: {nothing: true}\n", may},
		{"defined by a loop", "nothing is defined", "- include_tasks: x.yml\n  loop: [1]\n  loop_control: {index_var: nothing}\n", may},
		{"defined by what runs with a name that is computed", "nothing is defined", "- set_fact: {\"{{ 'nothing' }}\": true}\n", may},
		{"undefined", "flag is undefined", "", never},
		{"a template", "lead", "", never},
		{"a template of what is set", "lead", "- set_fact: {flag: true}\n", may},
		{"a fact", "ansible_os_family == 'RedHat'", "", never},
		{"a fact, in another way", "ansible_facts['os_family'] in ['RedHat', 'Suse']", "", never},
		{"a fact that is so", "ansible_facts.distribution | lower == 'debian'", "", may},
		{"a fact that is set", "ansible_os_family == 'RedHat'", "- set_fact: {ansible_os_family: RedHat}\n", may},
		{"a fact that is set in another way", "ansible_facts.os_family == 'RedHat'", "- set_fact: {os_family: RedHat, cacheable: true}\n", may},
		{"a fact that a module makes", "ansible_os_family == 'RedHat'", "- other_facts:\n", may},
		{"a fact that has nothing to do with those that a module makes", "ansible_os_family == 'RedHat'", "- amazon.aws.ec2_metadata_facts:\n", never},
		{"one of those that a module makes", "ansible_ec2_x is defined", "- amazon.aws.ec2_metadata_facts:\n", may},
		{"a fact that is not known", "ansible_distribution_release == 'x'", "", may},
		{"a version", "ansible_distribution_major_version is version('11', '<')", "", never},
		{"a newer version", "ansible_distribution_major_version is version('11', '>')", "", may},
		{"both, of which one is not known", "ansible_local.x and ansible_os_family == 'RedHat'", "", never},
		{"both, of which one is not known and one is so", "ansible_local.x and ansible_os_family == 'Debian'", "", may},
		{"one of two that is not known", "ansible_local.x or ansible_os_family == 'RedHat'", "", may},
		{"not one of two", "not (ansible_local.x or ansible_os_family == 'Debian')", "", never},
		{"a version that is compared by a name", "text9 is version('10', operator='<')", "", may},
		{"a text that begins so", "ansible_os_family is match('Deb')", "", may},
		{"a text that does not begin so", "ansible_os_family is match('ebian')", "", never},
		{"a text that has it", "ansible_os_family is search('ebian')", "", may},
		{"a text that has it, whatever the case", "ansible_os_family is search('EBIAN', ignorecase=true)", "", may},
		{"a text that does not have it", "ansible_os_family is regex('[Rr]ed.*')", "", never},
		{"an expression that is Python's", "ansible_os_family is search('x(?!y)')", "", may},
		{"one that is computed", "ansible_os_family is search(word)", "- set_fact: {word: '{{ ansible_local.x }}'}\n", may},
		{"what lsb_release says", "ansible_facts.lsb.id | default('') == 'Raspbian' or ansible_facts.lsb.description | default('') is match('[Rr]aspbian.*')", "", never},
		{"what lsb_release says, and is so", "ansible_lsb.id | default('') == 'Debian'", "", may},
		{"what lsb_release says first", "ansible_lsb.description is match('Debian GNU')", "", may},
		{"what lsb_release does not say first", "ansible_lsb.description is match('Ubuntu')", "", never},
		{"what lsb_release says of the rest", "ansible_lsb.description is search('12')", "", may},
		{"what lsb_release says, set", "ansible_lsb.id == 'Raspbian'", "- set_fact: {ansible_lsb: {id: Raspbian}}\n", may},
		{"what lsb_release says, set in another way", "ansible_facts.lsb.id == 'Raspbian'", "- set_fact: {lsb: {id: Raspbian}, cacheable: true}\n", may},
		{"a number", "ansible_distribution_major_version | int < 12", "", never},
		{"a number that is so", "ansible_distribution_major_version | int <= 12", "", may},
		{"no element", "kind not in list", "", may},
		{"no element that is there", "2 not in list", "", never},
		{"an element", "kind in list", "", never},
		{"an element that is there", "2 in list", "", may},
		{"a choice", "(false if strata_image else flag) and ansible_local.x", "", never},
		{"set", "flag", "- set_fact: {flag: true}\n", may},
		{"set by a name that is computed", "flag", "- set_fact: {\"{{ 'flag' }}\": true}\n", may},
		{"another is set by a name that is computed", "flag", "- set_fact: {\"{{ 'other' }}\": true}\n", never},
		{"set by a name of a loop", "flag", "- set_fact: {\"{{ item }}_x\": true}\n  loop: [a, b]\n- set_fact: {\"{{ item }}\": true}\n  loop: [a, flag]\n", may},
		{"others are set by names of a loop", "flag", "- set_fact: {\"{{ item }}\": true}\n  loop: [a, b]\n", never},
		{"a name of a form is set", "flag", "- set_fact: {\"f{{ ansible_local.x }}\": true}\n", may},
		{"names of another form are set", "flag", "- set_fact: {\"{{ ansible_local.x }}_changed\": true}\n", never},
		{"a name is set that nobody knows", "flag", "- set_fact: {\"{{ ansible_local.x }}\": true}\n", may},
		{"set to what is false, too", "flag", "- set_fact: {\"{{ 'flag' }}\": false}\n", never},
		{"set by a mapping that is computed", "flag", "- set_fact: '{{ whatever }}'\n", may},
		{"set by more arguments", "flag", "- set_fact: {x: 1}\n  args: '{{ whatever }}'\n", may},
		{"registered", "flag", "- command: x\n  register: flag\n", may},
		{"included", "flag", "- include_vars: '{{ ansible_local.x }}'\n", may},
		{"facts that have names of their own", "flag", "- service_facts:\n", never},
		{"facts", "flag", "- other_facts:\n", may},
		{"a module of the project's that makes none", "flag", "- own_facts:\n", never},
		{"a module of the project's that makes some", "flag", "- made_facts:\n", may},
		{"a module whose helper makes some", "flag", "-- roles/one/module_utils/helper.py --\nresult = {'ansible_facts': {}}\n-- roles/one/tasks/main.yml --\n- own_facts:\n", may},
		{"set by one that never runs", "flag", "- set_fact: {flag: true}\n  when: not strata_image\n", never},
		{"the loop's", "item", "", may},
		{"no more than false", "false", "", never},
		{"broken", "x ==", "", may},
		{"a template itself", "'{{ flag }}'", "", may},
	}
	q := Query{
		Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"},
		Facts: map[string]string{"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := "-- hosts --\n-- p.yml --\n- hosts: all\n  roles: [one]\n-- group_vars/all.yml --\nflag: false\ntext: ''\nempty_text: ''\nlist: [1, 2]\nkind: y\nword: no way\ntext9: '9'\nlead: '{{ flag }}'\nread: 1\nitem: false\n" +
				"-- library/own_facts.py --\nexit_json(result)\n-- library/made_facts.py --\nexit_json(ansible_facts=result)\n" +
				"-- extra.yml --\nx: 1\n-- roles/one/defaults/main.yml --\nown_default: false\n-- roles/one/tasks/main.yml --\n" + test.more
			task := func(arg string) string {
				return "- copy: {content: '{{ read }}" + arg + "', dest: /x}\n  when: " + test.when + "\n  with_items: [1]\n"
			}
			if test.name == "included" {
				base = "-- vars/more.yml --\nflag: true\n" + base
			}
			before := digestOf(t, project(base+task("")), q)
			if after := digestOf(t, project(base+task("x")), q); (after == before) != (test.want == never) {
				t.Errorf("it %s", test.want)
			}
			if after := digestOf(t, project(base+task("")+"-- group_vars/web.yml --\nread: 2\n"), q); (after == before) != (test.want == never) {
				t.Errorf("it %s, and reads a variable", test.want)
			}
			if after := digestOf(t, project(base+task("")+"  notify: x\n"), q); after == before {
				t.Error("that it is there, and how, counts")
			}
		})
	}
}

// TestEmptyLoops has tasks that are repeated over nothing, and over what nobody can
// be sure of.
func TestEmptyLoops(t *testing.T) {
	const nothing, something = true, false
	for _, test := range []struct {
		name, task, more string
		want             bool
	}{
		{"empty", "  loop: '{{ list }}'\n", "", nothing},
		{"with a label", "  loop: '{{ list }}'\n  loop_control: {label: '{{ x }}', loop_var: y}\n", "", nothing},
		{"a condition that may fail", "  loop: '{{ list }}'\n  when: x\n", "", nothing},
		{"an own default", "  loop: '{{ own }}'\n", "", nothing},
		{"not empty", "  loop: '{{ full }}'\n", "", something},
		{"no list", "  loop: '{{ map }}'\n", "", something},
		{"not only the variable", "  loop: '{{ list + x }}'\n", "", something},
		{"a list in a variable", "  loop: '{{ lead }}'\n", "", something},
		{"set", "  loop: '{{ list }}'\n", "- set_fact: {list: [1]}\n", something},
		{"its own variable", "  loop: '{{ list }}'\n  vars: {list: [1]}\n", "", something},
		{"what Ansible may not take", "  loop: '{{ list }}'\n  loop_control: {labels: x}\n", "", something},
		{"the result is looked at", "  loop: '{{ list }}'\n  register: x\n", "", something},
	} {
		t.Run(test.name, func(t *testing.T) {
			base := "-- hosts --\n-- p.yml --\n- hosts: all\n  roles: [one]\n-- group_vars/all.yml --\nlist: []\nfull: [1]\nmap: {}\nlead: '{{ list }}'\n" +
				"-- roles/one/defaults/main.yml --\nown: []\n-- roles/one/tasks/main.yml --\n- debug:\n" + test.more
			q := Query{Playbooks: []string{"p.yml"}, Host: "n", Inventory: []string{"hosts"}}
			before := digestOf(t, project(base), q)
			if after := digestOf(t, project(base+"- copy: {content: '{{ full }}', dest: /x}\n"+test.task), q); (after == before) != test.want {
				t.Errorf("as good as none: %v", test.want)
			}
		})
	}
	block := "-- hosts --\n-- p.yml --\n- hosts: all\n  roles: [one]\n-- roles/one/defaults/main.yml --\nown: []\n-- roles/one/tasks/main.yml --\n"
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Inventory: []string{"hosts"}}
	if digestOf(t, project(block), q) == digestOf(t, project(block+"- block: [{debug: }]\n  loop: '{{ own }}'\n"), q) {
		t.Error("Ansible takes no block with a loop")
	}
}
