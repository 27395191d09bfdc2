package ansible

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/union"
)

// world is where Debian's package ansible keeps its collections.
const world = "/usr/lib/python3/dist-packages/ansible_collections"

// TestWorldFiles reads every file of these collections in every way in which a
// project's files are read: none may bring a reader down.
func TestWorldFiles(t *testing.T) {
	if _, err := os.Stat(world); err != nil {
		t.Skip("Debian's package ansible is not installed")
	}
	files := tree.New(os.DirFS(world), tree.NewOnce())
	var documents, templates, inventories, refused int
	err := filepath.WalkDir(world, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ = filepath.Rel(world, name)
		switch path.Ext(name) {
		case ".yml", ".yaml", ".json":
			documents++
			doc := files.Document(name)
			if doc.Err != nil {
				refused++
				return nil
			}
			readTasks(doc.Value)
			readPlaybook(doc.Value)
			var r reads
			r.value(doc.Value)
		case ".j2":
			templates++
			files.Template(name)
		}
		if base := path.Base(name); base == "inventory" || base == "hosts" || strings.HasPrefix(base, "inventory.") {
			inventories++
			_, _ = inventory.Read(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d documents, of which %d are refused; %d templates; %d inventories", documents, refused, templates, inventories)
	if documents < 1000 || templates < 100 || refused > documents/20 {
		t.Error("that is not what a whole set of collections has")
	}
}

// TestWorldRoles follows every role of these collections as a project would use
// it.
func TestWorldRoles(t *testing.T) {
	roles, err := filepath.Glob(world + "/*/*/roles/*/tasks/main.*ml")
	if err != nil || len(roles) == 0 {
		t.Skip("Debian's package ansible is not installed")
	}
	followed, faults := 0, 0
	for _, name := range roles {
		dir := filepath.Dir(filepath.Dir(name))
		role, collection := filepath.Base(dir), filepath.Dir(filepath.Dir(dir))
		project := union.New(fstest.MapFS{"p.yml": {Data: []byte("- hosts: all\n  roles: ['" + role + "']\n")}})
		if err := project.Join("@c", os.DirFS(collection)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r, err := Open(project, NewParsed()).Reach(Query{Playbooks: []string{"p.yml"}, Host: "node", RolesPath: []string{"@c/roles"}}, Options{})
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
		if err != nil {
			if fault.KindOf(err) != fault.Input {
				t.Errorf("%s: %v", name, err)
			}
			faults++
			t.Logf("%s: %v", strings.TrimPrefix(name, world), err)
			continue
		}
		followed++
		tasks := "@c" + strings.TrimPrefix(name, collection)
		if !strings.Contains(paths(r), "\n"+tasks+"\n") {
			t.Errorf("%s does not reach its own tasks", name)
		}
	}
	t.Logf("%d roles followed, %d with faults", followed, faults)
	if followed < 20 {
		t.Error("too few roles were followed")
	}
}

func paths(r *Reached) string {
	all := "\n"
	for _, f := range r.Files {
		all += f.Path + "\n"
	}
	return all
}

func FuzzReach(f *testing.F) {
	f.Add("- hosts: all\n  tasks: [{include_tasks: '{{ x }}.yml', loop: [a, b]}]\n", "x: '{{ y }}'\ny: [a, {b: '{{ x }}'}]\n", "- template: {src: '{{ item }}.j2', dest: /x}\n")
	f.Add("- import_playbook: p.yml\n", "a: &a [1]\nb: {<<: *a}\n", "- include_role: {name: '{{ a[0] }}'}\n")
	f.Add("- hosts: '{{ x }}'\n  roles: [r, {role: r, y: 1}]\n", "x: \"{{ lookup('file', 'x') }}\"\n", "- {block: [{set_fact: {x: '{{ hostvars[a].b }}'}}], rescue: [{fail: {}}]}\n")
	f.Fuzz(func(t *testing.T, book, vars, tasks string) {
		if _, err := value.YAML([]byte(vars)); err != nil && len(vars) > 1000 {
			return
		}
		project := fstest.MapFS{
			"p.yml": {Data: []byte(book)}, "group_vars/all.yml": {Data: []byte(vars)}, "hosts": {Data: []byte("[a]\nb x=1\n")},
			"roles/r/tasks/main.yml": {Data: []byte(tasks)}, "roles/r/templates/a.j2": {Data: []byte(vars)}, "a.yml": {Data: []byte(tasks)},
		}
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"a"}, Inventory: []string{"hosts"}}
		r, err := Open(project, NewParsed()).Reach(q, Options{})
		again, errAgain := Open(project, NewParsed()).Reach(q, Options{})
		if (err == nil) != (errAgain == nil) || err == nil && (paths(r) != paths(again) || len(r.Variables) != len(again.Variables)) {
			t.Errorf("two answers: %v, %v", err, errAgain)
		}
	})
}
