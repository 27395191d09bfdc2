package main

import (
	"fmt"
	"strings"
)

// role writes one role of a site.
func (s *site) role(i int) {
	name := roleName(i)
	file := func(at, content string) { s.emit("roles/"+name+"/"+at, content) }
	set := func(k int) string { return fmt.Sprintf("%s_setting_%03d", name, k) }
	dependencies := " []"
	if d := dependsOn(i); d >= 0 {
		dependencies = "\n  - role: " + roleName(d)
	}
	file("meta/main.yml", "---\ngalaxy_info:\n  author: the site\n  description: "+name+"\n  license: MIT\n  min_ansible_version: \"2.14\"\ndependencies:"+dependencies+"\n")
	file("README.md", "# "+name+"\n\n"+strings.Repeat("What it does, and what its variables are for.\n", 20))
	file("defaults/main.yml", s.settings(name, "---\n# What can be set from outside.\n"+name+"_port: 8080\n", 0, 150))
	for v, os := range []string{"main", "Debian", "RedHat"} {
		file("vars/"+os+".yml", s.settings(name, "---\n", 200+20*v, 20))
	}
	file("tasks/main.yml", fmt.Sprintf(roleMain, name))
	file("tasks/install.yml", fmt.Sprintf(roleInstall, name, set(1), set(2)))
	file("tasks/configure.yml", fmt.Sprintf(roleConfigure, name, set(3), set(4), set(5)))
	file("tasks/service.yml", fmt.Sprintf(roleService, name, set(6), set(7)))
	file("tasks/users.yml", fmt.Sprintf(roleUsers, name, set(8)))
	file("tasks/limits.yml", fmt.Sprintf(roleLimits, name, set(9)))
	file("handlers/main.yml", fmt.Sprintf(roleHandlers, name))
	for t := range 6 {
		var b strings.Builder
		fmt.Fprintf(&b, "# {{ ansible_managed }}\n# %s, template %d\n", name, t)
		if t == 0 {
			fmt.Fprintf(&b, "Port {{ %s_port }}\n", name)
		}
		for k := range 15 {
			v := set(10 + 15*t + k)
			switch k % 5 {
			case 0:
				fmt.Fprintf(&b, "{%% if %s is defined and %s %%}\nsetting%d {{ %s | to_json }}\n{%% endif %%}\n", v, v, k, v)
			case 1:
				fmt.Fprintf(&b, "{%% for item in %s | default([]) %%}\nentry%d {{ item }} {{ loop.index }}\n{%% endfor %%}\n", v, k)
			default:
				fmt.Fprintf(&b, "Setting%d {{ %s | default('none') }}\n", k, v)
			}
		}
		if t == 5 && i%40 == 13 { // a file of hosts, as every site has some
			b.WriteString("{% for host in groups['all'] %}\n{{ hostvars[host]['node_address'] | default('-') }} {{ host }}\n{% endfor %}\n")
		}
		file(fmt.Sprintf("templates/part%d.conf.j2", t), b.String())
	}
	for f := range 7 {
		file(fmt.Sprintf("files/file%d.conf", f), fmt.Sprintf("# %s, file %d\n", name, f)+strings.Repeat("option = value\n", 5+i%40))
	}
}

// settings are the variables from one number on.
func (s *site) settings(role, head string, from, n int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		s.variable(&b, fmt.Sprintf("%s_setting_%03d", role, from+i), role+"_port")
	}
	return b.String()
}

const roleMain = `---
- name: Read what differs between systems
  ansible.builtin.include_vars: "{{ lookup('first_found', found) }}"
  vars:
    found:
      files: ["{{ ansible_distribution }}.yml", "{{ ansible_os_family }}.yml", main.yml]
      paths: [vars]

- name: Install
  ansible.builtin.import_tasks: install.yml

- name: Configure
  ansible.builtin.include_tasks: configure.yml
  tags: [%[1]s, configure]

- name: Further parts
  ansible.builtin.include_tasks: "{{ part }}.yml"
  loop: [users, limits]
  loop_control: {loop_var: part}

- name: Run the service
  ansible.builtin.import_tasks: service.yml
  when: %[1]s_setting_012 is defined
`

const roleInstall = `---
- name: Install packages of %[1]s
  ansible.builtin.apt:
    name: ["%[1]s", "%[1]s-tools"]
    state: present
  when: ansible_os_family == 'Debian'

- name: Make directories
  ansible.builtin.file:
    path: "/etc/%[1]s/{{ item }}"
    state: directory
    mode: "0755"
  loop: [conf.d, keys, "{{ %[2]s | default('extra') }}"]

- name: Copy what never changes
  ansible.builtin.copy:
    src: "{{ item }}"
    dest: "/etc/%[1]s/{{ item }}"
    owner: root
    mode: "{{ %[3]s | default('0644') }}"
  with_items: [file0.conf, file1.conf, file2.conf, file3.conf]
`

const roleConfigure = `---
- name: Write the configuration of %[1]s
  ansible.builtin.template:
    src: "part{{ item }}.conf.j2"
    dest: "/etc/%[1]s/conf.d/part{{ item }}.conf"
    mode: "0644"
  loop: [0, 1, 2, 3]
  notify: Restart %[1]s

- name: Write what only some have
  ansible.builtin.template:
    src: part4.conf.j2
    dest: "{{ %[2]s | default('/etc/%[1]s/four') }}"
    mode: "0600"
  when:
    - %[3]s is defined
    - "%[4]s | default('') | length > 0"

- name: Write the rest
  block:
    - name: Write part five
      ansible.builtin.template: {src: part5.conf.j2, dest: /etc/%[1]s/five.conf, mode: "0644"}
      register: written
    - name: Say so
      ansible.builtin.debug:
        msg: "{{ written.changed }}"
      when: written is changed
  rescue:
    - name: Give up
      ansible.builtin.fail: {msg: "%[1]s cannot be configured"}
`

const roleService = `---
- name: Install the unit of %[1]s
  ansible.builtin.copy: {src: file4.conf, dest: /etc/systemd/system/%[1]s.service, mode: "0644"}
  notify: Reload units

- name: Enable %[1]s
  ansible.builtin.systemd:
    name: "{{ %[2]s | default('%[1]s') }}"
    enabled: "{{ %[3]s | default(true) | bool }}"

- name: Set what the kernel should know
  ansible.builtin.lineinfile:
    path: /etc/sysctl.d/%[1]s.conf
    line: "kernel.%[1]s = {{ %[1]s_setting_120 | default(1) }}"
    create: true
    mode: "0644"
`

const roleUsers = `---
- name: Users of %[1]s
  ansible.builtin.user:
    name: "{{ item.name | default(item) }}"
    shell: /bin/bash
  loop: "{{ %[2]s | default([]) }}"
  when: %[1]s_setting_121 | default(true)
`

const roleLimits = `---
- name: Limits of %[1]s
  community.general.pam_limits:
    domain: "%[1]s"
    limit_type: soft
    limit_item: nofile
    value: "{{ %[2]s | default(1024) }}"

- name: Put a table in place
  ansible.builtin.copy:
    content: "{{ lookup('file', 'file5.conf') }}"
    dest: /etc/%[1]s/table
    mode: "0644"
`

const roleHandlers = `---
- name: Restart %[1]s
  ansible.builtin.systemd: {name: %[1]s, state: restarted}

- name: Reload units
  ansible.builtin.systemd: {daemon_reload: true}
`
