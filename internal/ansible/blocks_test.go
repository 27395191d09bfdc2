package ansible

import "testing"

// TestBlocks changes tasks in blocks: it counts where they may run.
func TestBlocks(t *testing.T) {
	const counts, nothing = true, false
	q := Query{
		Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"},
		Facts: map[string]string{"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12"},
	}
	for _, test := range []struct {
		name, was, now string
		want           bool
	}{
		{"a task that never runs, in a block that may", "- when: ansible_local.x\n  block:\n  - dnf: {name: a}\n    when: ansible_os_family == 'RedHat'\n", "- when: ansible_local.x\n  block:\n  - dnf: {name: b}\n    when: ansible_os_family == 'RedHat'\n", nothing},
		{"in a block without a condition", "- block:\n  - dnf: {name: a}\n    when: ansible_os_family == 'RedHat'\n", "- block:\n  - dnf: {name: b}\n    when: ansible_os_family == 'RedHat'\n", nothing},
		{"in blocks in blocks", "- when: ansible_local.x\n  block:\n  - block:\n    - {dnf: {name: a}, when: not strata_image}\n", "- when: ansible_local.x\n  block:\n  - block:\n    - {dnf: {name: b}, when: not strata_image}\n", nothing},
		{"one that may run", "- when: ansible_local.x\n  block:\n  - dnf: {name: a}\n    when: ansible_os_family == 'Debian'\n", "- when: ansible_local.x\n  block:\n  - dnf: {name: b}\n    when: ansible_os_family == 'Debian'\n", counts},
		{"its condition", "- when: ansible_local.x\n  block:\n  - {apt: {name: a}}\n", "- when: ansible_local.y\n  block:\n  - {apt: {name: a}}\n", counts},
		{"what it becomes", "- block:\n  - {apt: {name: a}}\n", "- become_user: you\n  block:\n  - {apt: {name: a}}\n", counts},
		{"its variables", "- vars: {a: 1}\n  block:\n  - {apt: {name: '{{ a }}'}}\n", "- vars: {a: 2}\n  block:\n  - {apt: {name: '{{ a }}'}}\n", counts},
		{"a variable of its own in its condition", "- vars: {strata_image: false}\n  when: not strata_image\n  block:\n  - {apt: {name: a}}\n", "- vars: {strata_image: false}\n  when: not strata_image\n  block:\n  - {apt: {name: b}}\n", counts},
		{"a task that is put into another block", "- when: ansible_local.x\n  block:\n  - {apt: {name: a}}\n- {apt: {name: b}}\n", "- when: ansible_local.x\n  block:\n  - {apt: {name: a}}\n  - {apt: {name: b}}\n", counts},
		{"a rescue", "- block:\n  - {apt: {name: a}}\n  rescue:\n  - {apt: {name: b}}\n", "- block:\n  - {apt: {name: a}}\n  rescue:\n  - {apt: {name: c}}\n", counts},
		{"a block that never runs, with results", "- when: nothing is defined\n  block:\n  - {command: a, register: r}\n  - copy: {src: '{{ item }}', dest: /x}\n    with_fileglob: ['{{ nothing }}/*']\n", "- when: nothing is defined\n  block:\n  - {command: b, register: r}\n  - {command: c, when: r.rc == 0}\n", nothing},
		{"which results it has", "- when: nothing is defined\n  block:\n  - {command: a, register: r}\n", "- when: nothing is defined\n  block:\n  - {command: a, register: s}\n", counts},
		{"what a result is repeated over", "- {command: a, register: r, when: nothing is defined, loop: [1]}\n", "- {command: a, register: r, when: nothing is defined, loop: [1, 2]}\n", counts},
		{"a result that is there", "- when: nothing is defined\n  block:\n  - {command: a, register: r}\n- {command: a, when: r is defined}\n", "- when: nothing is defined\n  block:\n  - {command: a, register: r}\n- {command: b, when: r is defined}\n", counts},
		{"an import in a block that never runs", "- when: nothing is defined\n  block:\n  - import_tasks: x.yml\n", "- when: nothing is defined\n  block:\n  - import_tasks: y.yml\n", counts},
		{"tags of a block and of its task", "- tags: a, b\n  block:\n  - {apt: {name: a}, tags: c}\n", "- tags: a\n  block:\n  - {apt: {name: a}, tags: c}\n", counts},
	} {
		t.Run(test.name, func(t *testing.T) {
			base := "-- hosts --\n-- p.yml --\n- hosts: all\n  roles: [one]\n-- roles/one/tasks/x.yml --\n- debug:\n-- roles/one/tasks/y.yml --\n- debug:\n-- roles/one/tasks/main.yml --\n"
			if after := digestOf(t, project(base+test.now), q); (after != digestOf(t, project(base+test.was), q)) != test.want {
				t.Errorf("it counts: %v", !test.want)
			}
		})
	}
}

// TestBlocksReach reads variables in blocks: they count where their task may run.
func TestBlocksReach(t *testing.T) {
	testNames(t, []namesTest{
		{"set by a task that never runs", book + "  roles: [r]\n" + files("roles/r/files/a roles/r/files/b roles/r/files/c") +
			"-- roles/r/tasks/main.yml --\n- when: ansible_local.x\n  block:\n  - set_fact: {f: a}\n    when: ansible_os_family == 'RedHat'\n  - set_fact: {f: b}\n    when: ansible_local.y\n  - copy: {src: '{{ f }}', dest: /x}\n",
			"roles/r/files/b", "roles/r/files/a roles/r/files/c"},
		{"a loop of a result that says that it was left out", book + "  roles: [r]\n" + files("roles/r/files/a roles/r/files/b") +
			"-- roles/r/tasks/main.yml --\n- {command: x, register: r, when: nothing is defined, with_fileglob: ['b*']}\n",
			"roles/r/files/b", "roles/r/files/a"},
	}, Query{Facts: map[string]string{"os_family": "Debian"}})
}
