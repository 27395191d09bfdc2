package ansible

import (
	"strings"
	"testing"
)

// TestVaults: a file of variables that is encrypted as a whole counts by its
// ciphertext; what its values could read counts only where it is said that they may.
func TestVaults(t *testing.T) {
	const archive = `
-- hosts --
[web]
-- group_vars/web/vars.yml --
{used: 1, unused: 1, form: a}
-- p.yml --
- hosts: web
  tasks:
    - debug: {msg: "{{ used }} {{ secret }}"}
-- roles/r/tasks/main.yml --
[]
`
	const vault = "$ANSIBLE_VAULT;1.1;AES256\n31\n"
	for _, where := range []string{"group_vars/web/secrets.yml", "extra.yml", "included.yml", "roles/r/vars/main.yml", "beside.yml"} {
		t.Run(where, func(t *testing.T) {
			q := Query{Playbooks: []string{"p.yml"}, Host: "node", Groups: []string{"web"}, Inventory: []string{"hosts"}}
			site := archive + "-- " + where + " --\n" + vault
			switch where {
			case "extra.yml":
				q.ExtraVarsFiles = []string{where}
			case "included.yml":
				site += "-- p.yml --\n- hosts: web\n  tasks:\n    - include_vars: included.yml\n    - debug: {msg: '{{ used }} {{ secret }}'}\n"
			case "roles/r/vars/main.yml":
				site += "-- p.yml --\n- hosts: web\n  roles: [r]\n  tasks:\n    - debug: {msg: '{{ used }} {{ secret }}'}\n"
			case "beside.yml":
				site += "-- p.yml --\n- hosts: web\n  vars_files: [beside.yml]\n  tasks:\n    - debug: {msg: '{{ used }} {{ secret }}'}\n"
			}
			other := "-- " + where + " --\n" + strings.Replace(vault, "31", "32", 1)
			unused := "-- group_vars/web/vars.yml --\n{used: 1, unused: 2, form: a}\n"
			used := "-- group_vars/web/vars.yml --\n{used: 2, unused: 1, form: a}\n"
			for _, templates := range []bool{false, true} {
				q.VaultTemplates = templates
				before := digestOf(t, project(site), q)
				if digestOf(t, project(site+other), q) == before {
					t.Error("another ciphertext does not count")
				}
				if digestOf(t, project(site+used), q) == before {
					t.Error("a variable that is read does not count")
				}
				if counts := digestOf(t, project(site+unused), q) != before; counts != templates {
					t.Errorf("with templates %v, a variable that nothing names counts: %v", templates, counts)
				}
			}
			r, err := Open(project(site), NewParsed()).Reach(q, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Files {
				if f.Vaulted != (f.Path == where) {
					t.Errorf("%s is said to be encrypted: %v", f.Path, f.Vaulted)
				}
			}
		})
	}
}
