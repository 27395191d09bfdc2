package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// siteChange is a commit of a site.
type siteChange struct {
	what    string
	file    string
	edit    func(content string) string
	affects func(n siteNode) bool // whether what decides the node's content is another; nil for never
}

// changes are one of each kind that people make, and what each really affects.
func (s *site) changes() []siteChange {
	const family = 3
	role := s.rolesOf(10 + families)[4] // of service0
	add := func(text string) func(string) string { return func(old string) string { return old + text } }
	in := func(at string) string { return "roles/" + roleName(role) + "/" + at }
	uses := func(n siteNode) bool { return s.reaches(n.playbook, role) }
	return []siteChange{
		{"a variable of one family, which one role reads", "inventory/group_vars/" + familyName(family) + "/part00.yml",
			add(roleName(role) + "_port: 9090\n"),
			func(n siteNode) bool { return uses(n) && n.kind >= 0 && n.kind%families == family }},
		{"a template of one role", in("templates/part2.conf.j2"), add("Last line\n"), uses},
		{"a comment in a role's defaults", in("defaults/main.yml"), add("# Nothing else.\n"), nil},
		{"a comment in a role's tasks", in("tasks/main.yml"), add("# Nothing else.\n"), nil},
		{"the name of a task", in("tasks/users.yml"),
			func(old string) string { return strings.Replace(old, "- name: Users", "- name: People", 1) }, nil},
		{"a role's README", in("README.md"), add("More.\n"), nil},
		{"a default that nothing reads", in("defaults/main.yml"), add(roleName(role) + "_setting_999: 1\n"), nil},
		{"a variable for all that nothing reads", "inventory/group_vars/all/part00.yml", add("nobody_reads_this: 1\n"), nil},
		{"a default that a family sets otherwise", in("defaults/main.yml"),
			func(old string) string {
				return strings.Replace(old, roleName(role)+"_port: 8080", roleName(role)+"_port: 8081", 1)
			},
			func(n siteNode) bool { return uses(n) && !(n.kind >= 0 && n.kind%families == family) }},
		{"a variable of a rack", "inventory/group_vars/rack0000/part00.yml", add("rack_door: left\n"), nil},
		{"the order of a family's variables", "inventory/group_vars/" + familyName(family) + "/part00.yml",
			func(old string) string {
				rest, last, _ := strings.Cut(old, roleName(role)+"_port: 9090\n")
				return "---\n" + roleName(role) + "_port: 9090\n" + strings.TrimPrefix(rest, "---\n") + last
			}, nil},
	}
}

// last is what the last commit changes, all at once: a variable, a template and
// a comment.
func (s *site) last() []siteChange {
	all := s.changes()
	role := s.rolesOf(10 + families)[6]
	variable, template, comment := all[0], all[1], all[2]
	family := variable.affects
	variable.edit = func(old string) string { return strings.Replace(old, "_port: 9090", "_port: 9091", 1) }
	template.file = "roles/" + roleName(role) + "/templates/part3.conf.j2"
	template.affects = func(n siteNode) bool { return s.reaches(n.playbook, role) }
	comment.edit = func(old string) string { return old + "# The end.\n" }
	variable.affects = family
	return []siteChange{variable, template, comment}
}

// importSite makes a git repository of a site in dir, checked out: a commit with
// all files, one for each change, and one more.
func importSite(dir string, s *site) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	git := func(args ...string) *exec.Cmd {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Stderr = os.Stderr
		return cmd
	}
	if err := exec.Command("git", "init", "--quiet", "--initial-branch", "main", dir).Run(); err != nil {
		return fmt.Errorf("git init: %w", err)
	}
	load := git("fast-import", "--quiet")
	to, err := load.StdinPipe()
	if err != nil {
		return err
	}
	if err := load.Start(); err != nil {
		return err
	}
	w := bufio.NewWriterSize(to, 1<<20)
	writeHistory(w, s)
	if err := w.Flush(); err != nil {
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	if err := load.Wait(); err != nil {
		return fmt.Errorf("git fast-import: %w", err)
	}
	for _, args := range [][]string{{"reset", "--quiet", "--hard", "main"}, {"gc", "--quiet"}} {
		if err := git(args...).Run(); err != nil {
			return fmt.Errorf("git %s: %w", args[0], err)
		}
	}
	return os.WriteFile(filepath.Join(dir, ".git", "made"), []byte(siteForm), 0o644)
}

// siteForm changes with what sites are.
const siteForm = "2"

// writeHistory writes a site and its changes as git fast-import reads them.
func writeHistory(w io.Writer, s *site) {
	steps := [][]siteChange{}
	for _, c := range s.changes() {
		steps = append(steps, []siteChange{c})
	}
	steps = append(steps, s.last())
	kept := map[string]string{}
	for _, step := range steps {
		for _, c := range step {
			kept[c.file] = ""
		}
	}
	when := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	commit := func(n int, message string) {
		fmt.Fprintf(w, "commit refs/heads/main\nmark :%d\ncommitter Site <site@example.org> %d +0000\ndata %d\n%s\n", n+1, when+int64(n), len(message), message)
		if n > 0 {
			fmt.Fprintf(w, "from :%d\n", n)
		}
	}
	file := func(name, content string) {
		fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", name, len(content), content)
	}
	commit(0, "The site")
	s.write(func(name, content string) {
		if _, ok := kept[name]; ok {
			kept[name] = content
		}
		file(name, content)
	})
	for i, step := range steps {
		commit(i+1, step[0].what)
		edited := map[string]bool{}
		for _, c := range step {
			kept[c.file] = c.edit(kept[c.file])
			edited[c.file] = true
		}
		for _, name := range slices.Sorted(maps.Keys(edited)) {
			file(name, kept[name])
		}
	}
}
