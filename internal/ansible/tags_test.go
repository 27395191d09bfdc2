package ansible

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tagsSite has a task NAME in each way in which tags come to a task.
const tagsSite = `
-- p.yml --
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: plain}
    - {debug: {msg: x}, tags: x}
    - {debug: {msg: y}, tags: 'y, z'}
    - {debug: {msg: always}, tags: always}
    - {debug: {msg: never}, tags: never}
    - {debug: {msg: never-x}, tags: [never, x]}
    - {debug: {msg: untagged}, tags: untagged}
    - {debug: {msg: computed}, tags: '{{ tag }}'}
    - block:
        - debug: {msg: block-x}
        - {debug: {msg: block-x-y}, tags: y}
        - block:
            - {debug: {msg: inner}, tags: [z]}
          rescue:
            - debug: {msg: rescue}
      tags: x
    - {import_tasks: imported.yml, tags: x}
    - {include_tasks: included.yml, tags: x}
    - include_tasks: {file: applied.yml, apply: {tags: x}}
      tags: [y]
    - block:
        - {include_tasks: inblock.yml, tags: y}
      tags: x
    - {import_role: {name: ri}, tags: x}
    - {include_role: {name: rn}, tags: x}
    - include_role: {name: ra, apply: {tags: [y]}}
      tags: x
    - {debug: {msg: notifies}, changed_when: true, notify: h, tags: x}
    - {debug: {msg: notifies-other}, changed_when: true, notify: other, tags: q}
  handlers:
    - {name: h, debug: {msg: handler}, tags: nothing}
    - {name: other, debug: {msg: handler-other}}
- hosts: all
  gather_facts: false
  tags: p
  roles:
    - {role: rd, tags: x}
    - re
  tasks: [debug: {msg: in-play}, {debug: {msg: in-play-never}, tags: never}]
- {import_playbook: q.yml, tags: x}
- import_playbook: q.yml
-- q.yml --
- hosts: all
  gather_facts: false
  tasks: [debug: {msg: other-play}]
-- imported.yml --
- debug: {msg: imported}
- {debug: {msg: imported-y}, tags: y}
- {import_tasks: further.yml, tags: z}
-- further.yml --
- debug: {msg: further}
-- included.yml --
- debug: {msg: included}
- {debug: {msg: included-x}, tags: x}
- {debug: {msg: included-always}, tags: always}
-- applied.yml --
- debug: {msg: applied}
- {debug: {msg: applied-never}, tags: never}
-- inblock.yml --
- debug: {msg: inblock}
- {debug: {msg: inblock-z}, tags: z}
-- roles/ri/tasks/main.yml --
- debug: {msg: ri}
-- roles/rn/tasks/main.yml --
- debug: {msg: rn}
- {debug: {msg: rn-x}, tags: x}
-- roles/ra/tasks/main.yml --
- debug: {msg: ra}
- {debug: {msg: ra-x}, tags: x}
-- roles/rd/meta/main.yml --
dependencies: [{role: dep, tags: y}]
-- roles/rd/tasks/main.yml --
- debug: {msg: rd}
-- roles/re/tasks/main.yml --
- {debug: {msg: re}, tags: z}
- include_tasks: more.yml
-- roles/re/tasks/more.yml --
- {debug: {msg: more}, tags: x}
- debug: {msg: more-untagged}
-- roles/dep/tasks/main.yml --
- debug: {msg: dep}
`

var tagsMessage = regexp.MustCompile(`msg: ([a-z-]+)`)

// TestTagsAsAnsible has Ansible run playbooks by tags: what runs counts, and of the rest next to
// nothing.
func TestTagsAsAnsible(t *testing.T) {
	program, err := exec.LookPath("ansible-playbook")
	if err != nil {
		t.Skip("ansible-playbook is not here: apt-get install ansible-core")
	}
	selections := [][2]string{{"x", ""}, {"tagged", "x"}, {"y,never", "z"}}
	if os.Getenv("STRATA_TEST_LONG") == "1" {
		selections = append(selections, [][2]string{{"untagged", ""}, {"all", "x"}, {"", "tagged"}, {"", "all"}, {"x", "always"}, {"never", ""}, {"z", ""}, {"p", "y"}, {"all", "all,always"}}...)
	}
	dir := t.TempDir()
	for name, f := range project(tagsSite) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range selections {
		cmd := exec.Command(program, "-i", "localhost,", "-c", "local", "-e", "tag=x", "p.yml")
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Inventory: []string{"hosts"}, ExtraVars: map[string]any{"tag": "x"}}
		if s[0] != "" {
			cmd.Args, q.Tags = append(cmd.Args, "--tags", s[0]), []string{s[0]}
		}
		if s[1] != "" {
			cmd.Args, q.SkipTags = append(cmd.Args, "--skip-tags", s[1]), strings.Split(s[1], ",")
		}
		cmd.Dir = dir
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANSIBLE_") }), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		site := "-- hosts --\n" + tagsSite
		before, needless := digestOf(t, project(site), q), []string{}
		for _, m := range tagsMessage.FindAllStringSubmatch(tagsSite, -1) {
			ran := strings.Contains(string(out), fmt.Sprintf("\"msg\": %q", m[1]))
			after := digestOf(t, project(strings.Replace(site, "{msg: "+m[1]+"}", "{msg: changed}", 1)), q)
			switch counts := after != before; {
			case ran && !counts:
				t.Errorf("--tags %q --skip-tags %q: %s runs, and does not count", s[0], s[1], m[1])
			case counts && !ran:
				needless = append(needless, m[1])
			}
		}
		t.Logf("--tags %q --skip-tags %q: needless %q", s[0], s[1], needless)
		if len(needless) > 4 {
			t.Errorf("--tags %q --skip-tags %q: too much counts: %q", s[0], s[1], needless)
		}
	}
}
