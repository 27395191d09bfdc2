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
	"github.com/strata-hpc/strata/internal/trace"
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

// TestSharedDelegation: a task is delegated to one of two nodes, which is connected to
// locally. For that one it is no other host, and for the other one it is, whichever
// comes first.
func TestSharedDelegation(t *testing.T) {
	fsys := project(`
-- p.yml --
- hosts: all
  tasks:
    - command: cat secret.txt
      args: {chdir: "{{ playbook_dir }}"}
      delegate_to: one
-- secret.txt --
x
-- inventory/hosts --
[web]
one ansible_connection=local
two
`)
	for _, order := range [][]string{{"one", "two"}, {"two", "one"}} {
		shared := Open(fsys, NewParsed())
		for _, host := range order {
			q := Query{Playbooks: []string{"p.yml"}, Host: host, Inventory: []string{"inventory"}}
			got, err := shared.Reach(q, Options{})
			equal(t, "delegated", fsys, q, got, err)
			if _, reads := digests(got)["file secret.txt"]; reads != (host == "two") {
				t.Errorf("%v: for %s secret.txt counts: %v", order, host, reads)
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

// equalTrace also holds against it what people are told, and the questions: none may
// be missing that the node's own analysis would have asked.
func equalTrace(t *testing.T, what string, fsys fs.FS, q Query, got *Analysis) {
	t.Helper()
	p := Open(fsys, NewParsed())
	w, err := newWalk(p, q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range w.q.Playbooks {
		w.playbook(name, place{}, runs)
	}
	w.settle()
	for h := range w.hostReads.keys() {
		w.foreignValue(h)
	}
	w.suspect()
	want := &Analysis{walk: w}
	one, other := got.Told(), want.Told()
	one.Programs, other.Programs = nil, nil // in the order in which they were come by
	if !reflect.DeepEqual(one, other) {
		t.Errorf("%s %v: it says %.1000s, alone %.1000s", what, q.Groups, fmt.Sprint(one), fmt.Sprint(other))
	}
	asked := map[trace.Question]bool{}
	got.Asked().All(func(one trace.Question) { asked[one] = true })
	want.Asked().All(func(one trace.Question) {
		if !asked[one] && one.Kind != tellVariable && one.Kind != tellFile {
			t.Errorf("%s %v: %v was not asked", what, q.Groups, one)
		}
	})
	told := placesTold(got.Asked())
	for _, v := range got.Reached().Variables {
		if at := told[fmt.Sprint(tellVariable, v.Name)]; !strings.Contains(v.Name, "[") && v.Name != "groups" && !slices.Equal(at, v.Via) {
			t.Errorf("%s %v: it tells that %s is used at %v, and means %v", what, q.Groups, v.Name, at, v.Via)
		}
	}
	for _, f := range got.Reached().Files {
		if at, ok := told[fmt.Sprint(tellFile, f.Path)]; ok && !slices.Equal(at, f.Via) {
			t.Errorf("%s %v: it tells that %s is used at %v, and means %v", what, q.Groups, f.Path, at, f.Via)
		}
	}
	for one := range asked {
		if strings.Contains(one.Name, "host_vars/node") && !strings.HasSuffix(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(one.Name, ".yml"), ".yaml"), ".json"), "/"+q.Host) {
			t.Errorf("%s %v: %v was asked, which is another node's", what, q.Groups, one)
		}
	}
}

// placesTold are the places that an analysis tells to use what counts: those that come
// first, whichever were come by before.
func placesTold(asked *trace.Asked) map[string]via {
	all := map[string]via{}
	asked.All(func(q trace.Question) {
		if q.Kind == tellVariable || q.Kind == tellFile {
			of := fmt.Sprint(q.Kind, firstPart(q.Name))
			all[of] = all[of].withText(q.Name[strings.LastIndex(q.Name, nul)+1:])
		}
	})
	return all
}

// TestSharedIsAloneInNasty does the same as TestSharedIsAlone with nodes in groups of
// all kinds.
func TestSharedIsAloneInNasty(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range allNasty(t) {
		shared := Open(n.fsys, NewParsed())
		for i := range 40 {
			q := n.node(i, random)
			got, err := shared.Analyse(q, Options{})
			if err != nil {
				equal(t, n.name, n.fsys, q, nil, err)
				continue
			}
			equal(t, n.name, n.fsys, q, got.Reached(), nil)
			equalTrace(t, n.name, n.fsys, q, got)
		}
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
