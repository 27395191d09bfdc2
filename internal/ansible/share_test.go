package ansible

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/ansible/value"
)

// alone is Reach by a walk that shares nothing.
func alone(p *Project, q Query) (*Reached, error) {
	w, err := newWalk(p, q, Options{})
	if err != nil {
		return nil, err
	}
	for _, name := range w.q.Playbooks {
		w.playbook(name, place{}, runs)
	}
	w.settle()
	if len(w.faults) > 0 {
		return nil, w.faults[0]
	}
	return w.reached(), nil
}

// TestSharedIsAlone holds walks that begin together against those that do not.
func TestSharedIsAlone(t *testing.T) {
	fsys := os.DirFS("../../examples/cluster")
	shared := Open(fsys, NewParsed())
	for _, groups := range [][]string{{"cluster"}, {"HSN"}, {"Compute"}, {"UAN"}, {"Slurm", "Compute"}, {"Slurm", "UAN"}, {"elsewhere"}, nil} {
		for _, book := range []string{"base.yml", "hsn.yml", "compute.yml", "uan.yml", "slurm.yml"} {
			for i := range 2 {
				q := Query{Playbooks: []string{book, "base.yml"}, Host: fmt.Sprintf("node%d", i), Groups: groups, Inventory: []string{"inventory"}}
				got, err := shared.Reach(q, Options{})
				want, wantErr := alone(Open(fsys, NewParsed()), q)
				if (err == nil) != (wantErr == nil) {
					t.Fatalf("%v: %v, alone %v", q, err, wantErr)
				}
				if err == nil && !reflect.DeepEqual(digests(got), digests(want)) {
					t.Errorf("%v: %v, alone %v", q, digests(got), digests(want))
				}
			}
		}
	}
}

// TestSharedLaterValues: what one computed name leads to gives another one more
// values, of a node only that the inventory does not give that name.
func TestSharedLaterValues(t *testing.T) {
	fsys := project(`
-- p.yml --
- hosts: all
  roles: [one]
  tasks:
    - include_role: {name: "{{ more }}"}
    - include_tasks: "{{ which }}.yml"
-- roles/one/defaults/main.yml --
which: foo
-- roles/two/defaults/main.yml --
which: bar
-- foo.yml --
- debug: {msg: foo}
-- bar.yml --
- debug: {msg: bar}
-- inventory/hosts --
[a]
[b]
-- inventory/group_vars/all.yml --
more: two
-- inventory/group_vars/a.yml --
which: foo
ansible_remote_tmp: /somewhere
`)
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}, {"a", "b", "a", "b"}} {
		shared := Open(fsys, NewParsed())
		for i, group := range order {
			q := Query{Playbooks: []string{"p.yml"}, Host: fmt.Sprint("node", i), Groups: []string{group}, Inventory: []string{"inventory"}}
			got, err := shared.Reach(q, Options{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := alone(Open(fsys, NewParsed()), q)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(digests(got), digests(want)) {
				t.Errorf("%v, %d: %v, alone %v", order, i, digests(got), digests(want))
			}
			if _, bar := digests(got)["file bar.yml"]; bar != (group == "b") {
				t.Errorf("%v, %d: bar.yml counts: %v", order, i, bar)
			}
		}
	}
}

// nasty are the projects of the mutation test.
type nasty struct {
	name   string
	fsys   fstest.MapFS
	query  Query
	groups []string
}

func allNasty(t *testing.T) []nasty {
	files, err := filepath.Glob("../../test/soundness/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "there are none")
	}
	var all []nasty
	for _, file := range files {
		archive, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		says := func(key string) string {
			_, rest, _ := strings.Cut("\n"+string(archive), "\n"+key+": ")
			line, _, _ := strings.Cut(rest, "\n")
			return line
		}
		n := nasty{name: path.Base(file), fsys: project(string(archive))}
		n.query = Query{Playbooks: strings.Fields(says("playbooks")), Host: "node", Inventory: strings.Fields(says("inventory"))}
		w, err := newWalk(Open(n.fsys, NewParsed()), n.query, Options{})
		if err != nil {
			t.Fatal(file, err)
		}
		n.groups = slices.Sorted(maps.Keys(w.inv.Groups))
		all = append(all, n)
	}
	return all
}

// node asks about a node in some of the groups.
func (n nasty) node(i int, random *rand.Rand) Query {
	q := n.query
	q.Host = fmt.Sprint("node", i)
	for _, g := range n.groups {
		if random.IntN(3) == 0 && g != "ungrouped" {
			q.Groups = append(q.Groups, g)
		}
	}
	return q
}

// equal holds an answer against that of a walk which shares nothing.
func equal(t *testing.T, what string, fsys fs.FS, q Query, got *Reached, err error) {
	t.Helper()
	want, wantErr := alone(Open(fsys, NewParsed()), q)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%s %v: %v, alone %v", what, q.Groups, err, wantErr)
	}
	if err == nil && !maps.Equal(digests(got), digests(want)) {
		t.Errorf("%s %v: %v, alone %v", what, q.Groups, digests(got), digests(want))
	}
}

// TestSharedIsAloneInNasty does the same as TestSharedIsAlone with nodes in groups of
// all kinds.
func TestSharedIsAloneInNasty(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range allNasty(t) {
		shared := Open(n.fsys, NewParsed())
		for i := range 40 {
			q := n.node(i, random)
			got, err := shared.Reach(q, Options{})
			equal(t, n.name, n.fsys, q, got, err)
		}
	}
}

// TestAdoptedIsAloneInNasty does the same as TestAdoptedIsAlone, each file being new
// once.
func TestAdoptedIsAloneInNasty(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	adopted := 0
	for _, n := range allNasty(t) {
		for _, file := range slices.Sorted(maps.Keys(n.fsys)) {
			base := maps.Clone(n.fsys)
			delete(base, file)
			parsed := NewParsed()
			old, now := Open(base, parsed), Open(n.fsys, parsed)
			differences := now.Compare(old, []string{file})
			for i := range 6 {
				q := n.node(i, random)
				at, err := now.Reach(q, Options{Differences: differences})
				equal(t, n.name, n.fsys, q, at, err)
				got, err := old.Reach(q, Options{Differences: differences, Other: now})
				equal(t, n.name+" without "+file, base, q, got, err)
				if err == nil && at != nil && !at.Touched && !maps.Equal(digests(got), digests(at)) {
					t.Errorf("%s without %s: it differs, and nothing that differs was looked at", n.name, file)
				}
				if w, err := old.begin(q, Options{Differences: differences, Other: now}); err == nil && w.from != nil && w.from.like != nil {
					adopted++
				}
			}
		}
	}
	if adopted == 0 {
		t.Error("nothing was adopted")
	}
}

func digests(r *Reached) map[string]string {
	all := map[string]string{}
	for _, f := range r.Files {
		all["file "+f.Path] = f.Digest
	}
	for _, v := range r.Variables {
		all["variable "+v.Name] = v.Digest
	}
	return all
}

// TestGoingOnChangesNothing sees to it that walks which go on from a beginning leave
// it as it is, whatever fields a walk gets.
func TestGoingOnChangesNothing(t *testing.T) {
	p := Open(os.DirFS("../../examples/cluster"), NewParsed())
	q := Query{Playbooks: []string{"base.yml", "slurm.yml"}, Host: "a", Groups: []string{"cluster", "Slurm", "Compute"}, Inventory: []string{"inventory"}}
	first, err := p.begin(q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := first.from
	if b == nil {
		t.Fatal("it began with nothing")
	}
	before := contents(b.walk)
	for i, groups := range [][]string{{"cluster", "Slurm", "UAN"}, {"cluster", "Slurm", "Compute"}, {"HSN"}, nil} {
		q.Host, q.Groups = fmt.Sprint("b", i), groups
		w, err := p.begin(q, Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.everything("to have it change all that it can", place{file: "x"})
		w.getsAny("users_admin")
		for name := range w.defs.keys() {
			w.define([]value.Pair{{Key: value.Value{Kind: value.String, Text: name}}}, definition{file: "x"})
			w.local(name, local{})
			w.variable(name, place{file: "x"})
		}
		w.settle()
		w.reached()
	}
	after := contents(b.walk)
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s changed from\n%.2000s\nto\n%.2000s", name, was, after[name])
		}
	}
}

// contents are the maps and lists of a walk as texts, those that are added to while
// it goes on. What is made once, or replaced as a whole, is left out.
func contents(w *walk) map[string]string {
	all := map[string]string{}
	v := reflect.ValueOf(w).Elem()
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Project", "files", "inv", "cfg", "node", "scope", "trial", "from", "before", "extra", "resolved", "any":
		default:
			all[name] = fmt.Sprintf("%+v", v.Field(i))
		}
	}
	return all
}

// TestAdoptedIsAlone holds the answers at a base against those of walks that know
// nothing of the head.
func TestAdoptedIsAlone(t *testing.T) {
	head := os.DirFS("../../examples/cluster")
	for _, changed := range []string{
		"roles/slurm/defaults/main.yml", "roles/slurm/tasks/main.yml", "roles/slurm/templates/slurm.conf.j2", "roles/users/tasks/main.yml",
		"inventory/group_vars/all/users.yml", "inventory/group_vars/Slurm/slurm.yml", "inventory/hosts.yml", "base.yml", "slurm.yml", "ansible.cfg",
	} {
		base := without{head, changed}
		parsed := NewParsed()
		old, now := Open(base, parsed), Open(head, parsed)
		differences := now.Compare(old, []string{changed})
		for _, groups := range [][]string{{"cluster"}, {"Slurm", "Compute"}, {"Slurm", "UAN"}, {"HSN"}} {
			for i := range 2 {
				q := Query{Playbooks: []string{"base.yml", "slurm.yml"}, Host: fmt.Sprintf("node%d", i), Groups: groups, Inventory: []string{"inventory"}}
				if _, err := now.Reach(q, Options{Differences: differences}); err != nil {
					t.Fatal(err)
				}
				got, err := old.Reach(q, Options{Differences: differences, Other: now})
				want, wantErr := alone(Open(base, NewParsed()), q)
				if fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Fatalf("without %s: %v, alone %v", changed, err, wantErr)
				}
				if err == nil && !reflect.DeepEqual(digests(got), digests(want)) {
					t.Errorf("without %s: %v, alone %v", changed, digests(got), digests(want))
				}
			}
		}
	}
}

// TestBrokenForeignVariables: Ansible stops at a file of another host's variables,
// though a stronger place decides the one that is read.
func TestBrokenForeignVariables(t *testing.T) {
	const site = "-- p.yml --\n- hosts: all\n  tasks:\n    - debug: msg={{ hostvars['d1'].ip }}\n-- hosts --\n[db]\nd1 ip=1\n-- group_vars/db.yml --\n"
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
	for says, touched := range map[string]bool{"ip: 2\n": false, "ip: [\n": true} {
		parsed := NewParsed()
		old, now := Open(project(site+"ip: 3\n"), parsed), Open(project(site+says), parsed)
		differences := now.Compare(old, []string{"group_vars/db.yml"})
		got, err := now.Reach(q, Options{Differences: differences})
		if err != nil || got.Touched != touched {
			t.Errorf("%q: %v, touched %v", says, err, got.Touched)
		}
	}
}

// without is a file system that lacks a file.
type without struct {
	fs.FS
	name string
}

func (w without) Open(name string) (fs.File, error) {
	if name == w.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return w.FS.Open(name)
}

func (w without) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(w.FS, name)
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool { return path.Join(name, e.Name()) == w.name }), err
}
