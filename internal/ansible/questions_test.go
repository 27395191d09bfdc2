package ansible

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/trace"
)

// verified is whether the trace of an analysis says that it comes to the same at another
// revision.
func verified(t *testing.T, was, now *Project, changed []string, a *Analysis) bool {
	t.Helper()
	return !touches(t, was, now, changed, a).Has(0)
}

// touches is what the trace of an analysis says of another revision.
func touches(t *testing.T, was, now *Project, changed []string, a *Analysis) Touches {
	t.Helper()
	all := a.Asked().After()
	all.Include(was.Definers([]*trace.Asked{a.Asked()}))
	file := trace.Encode(nil, []trace.Trace{{Asked: all}})
	traces, err := trace.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	change := was.To(now, changed)
	found, err := change.Touches(traces)
	if err != nil {
		t.Fatal(err)
	}
	few := trace.Encode(nil, []trace.Trace{{Asked: change.Relevant(a.Asked())}})
	if traces, err = trace.Open(bytes.NewReader(few), int64(len(few))); err != nil {
		t.Fatal(err)
	}
	if again, err := change.Touched(traces); err != nil || found.Has(0) && !again.Has(0) {
		t.Errorf("the relevant questions alone do not say it (%v)", err)
	}
	return found
}

// told are the digests of what an analysis reaches, with those of leaves as they are in
// another project.
func (t Touches) told(a *Analysis, now *Project) map[string]string {
	all := digests(a.Reached())
	for _, l := range t.LeavesOf(0) {
		var there Reached
		l.Add(&there, now, 0)
		maps.Copy(all, digests(&there))
	}
	return all
}

// via is what uses each thing that is reached.
func viaOf(r *Reached) map[string]string {
	all := map[string]string{}
	for _, f := range r.Files {
		all["file "+f.Path] = fmt.Sprint(f.Via)
	}
	for _, v := range r.Variables {
		all["variable "+v.Name] = fmt.Sprint(v.Via, v.Definitions)
	}
	return all
}

// valued finds plain values of variables.
var valued = regexp.MustCompile(`(?m)^(\w+): [\w./]+$`)

// TestTouchedInNasty holds what traces say against what analyses come to: where a file
// is not there, says something else, or says the same in other words.
func TestTouchedInNasty(t *testing.T) {
	edits := map[string]func(m fstest.MapFS, name string){
		"gone":      func(m fstest.MapFS, name string) { delete(m, name) },
		"commented": func(m fstest.MapFS, name string) { m[name] = saying(m[name], "# a comment\n"+string(m[name].Data)) },
		"longer": func(m fstest.MapFS, name string) {
			m[name] = saying(m[name], string(m[name].Data)+"\nadded_at_the_end: 1\n")
		},
		"other": func(m fstest.MapFS, name string) {
			m[name] = saying(m[name], strings.Replace(string(m[name].Data), ": ", ": 7", 1))
		},
		"valued": func(m fstest.MapFS, name string) {
			m[name] = saying(m[name], valued.ReplaceAllString(string(m[name].Data), "$1: 7"))
		},
		"ended": func(m fstest.MapFS, name string) { m[name] = saying(m[name], string(m[name].Data)+"the end\n") },
		"empty": func(m fstest.MapFS, name string) { m[name] = saying(m[name], "") },
		"twice": func(m fstest.MapFS, name string) { m[path.Join(path.Dir(name), "other-"+path.Base(name))] = m[name] },
	}
	random := rand.New(rand.NewPCG(3, 4))
	kept, touched, leaves := 0, 0, 0
	for _, n := range allNasty(t) {
		for _, file := range slices.Sorted(maps.Keys(n.fsys)) {
			for what, edit := range edits {
				other := maps.Clone(n.fsys)
				edit(other, file)
				changed := changedIn(n.fsys, other)
				was, now := Open(n.fsys, NewParsed()), Open(other, NewParsed())
				for i := range 2 {
					q := n.node(i, random)
					before, err := was.Analyse(q, Options{Changed: changed})
					if err != nil {
						continue
					}
					say := touches(t, was, now, changed, before)
					switch {
					case say.Follow.Has(0):
						touched++
						continue
					case say.Has(0):
						leaves++
					default:
						kept++
					}
					after, err := now.Analyse(q, Options{Changed: changed})
					if err != nil {
						t.Errorf("%s, %s %s: kept, and it fails: %v", n.name, file, what, err)
						continue
					}
					if !maps.Equal(say.told(before, now), digests(after.Reached())) {
						t.Errorf("%s, %s %s, groups %v: it differs in more than what is told, %d leaves", n.name, file, what, q.Groups, len(say.Leaves))
					}
					said, all := viaOf(after.Reached()), &Reached{}
					for _, l := range say.LeavesOf(0) {
						l.Add(all, now, 0)
					}
					for name, via := range viaOf(all) {
						if !was.To(now, changed).Moved(file) && said[name] != via {
							t.Errorf("%s, %s %s: %s is told to be %s, and is %s", n.name, file, what, name, via, said[name])
						}
					}
				}
			}
		}
	}
	t.Logf("%d kept, %d followed, %d told", kept, touched, leaves)
	if kept < 300 || touched < 300 || leaves < 50 {
		t.Errorf("only %d kept, %d followed, %d told", kept, touched, leaves)
	}
}

func saying(f *fstest.MapFile, text string) *fstest.MapFile {
	other := *f
	other.Data = []byte(text)
	return &other
}

// changedIn are the names of the files that differ.
func changedIn(a, b fstest.MapFS) []string {
	var all []string
	for name, f := range a {
		if g := b[name]; g == nil || string(f.Data) != string(g.Data) || f.Mode != g.Mode {
			all = append(all, name)
		}
	}
	for name := range b {
		if a[name] == nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// TestTouched: what ends a question, and what does not, one by one.
func TestTouched(t *testing.T) {
	const site = `
-- p.yml --
- hosts: web
  roles: [one]
  tasks:
    - debug: {msg: "{{ used }} {{ nowhere | default('') }}"}
    - copy: {src: a, dest: /a}
-- roles/one/tasks/main.yml --
- template: {src: t.j2, dest: /t}
-- roles/one/templates/t.j2 --
A port:
{{ port }}
-- roles/one/defaults/main.yml --
port: 1
unread: 2
-- a --
a
-- hosts.yml --
web: {hosts: {h1: {}}, vars: {inside: 1, used_inside: 2}}
db: {hosts: {h2: {}}}
-- group_vars/web.yml --
used: 1
unread: 1
-- group_vars/db.yml --
used: 3
-- README --
read me
`
	base := project(site)
	for _, c := range []struct {
		what, file, text string
		touched          bool
	}{
		{"a comment in tasks", "roles/one/tasks/main.yml", "# say\n- template: {src: t.j2, dest: /t}\n", false},
		{"another task", "roles/one/tasks/main.yml", "- template: {src: t.j2, dest: /u}\n", true},
		{"a comment in a template", "roles/one/templates/t.j2", "A port:\n{# say #}\n{{ port }}\n", false},
		{"other text in a template", "roles/one/templates/t.j2", "Port {{ port }}\n", true},
		{"a default that is read", "roles/one/defaults/main.yml", "port: 2\nunread: 2\n", true},
		{"one that is not", "roles/one/defaults/main.yml", "port: 1\nunread: 3\n", false},
		{"the order of defaults", "roles/one/defaults/main.yml", "unread: 2\nport: 1\n", false},
		{"a group's variable that is read", "group_vars/web.yml", "used: 2\nunread: 1\n", true},
		{"one that is not, with a comment", "group_vars/web.yml", "# say\nused: 1\nunread: 2\n", false},
		{"a variable that becomes defined", "group_vars/web.yml", "used: 1\nunread: 1\nnowhere: 1\n", true},
		{"one that nobody reads and becomes defined", "group_vars/web.yml", "used: 1\nunread: 1\nmore: 1\n", false},
		{"one that Ansible reads by itself", "group_vars/web.yml", "used: 1\nunread: 1\nansible_become: true\n", true},
		{"another group's variable", "group_vars/db.yml", "used: 4\n", false},
		{"a file that is copied", "a", "b", true},
		{"one that is not read", "README", "do", false},
		{"a comment in the inventory", "hosts.yml", "# say\nweb: {hosts: {h1: {}}, vars: {inside: 1, used_inside: 2}}\ndb: {hosts: {h2: {}}}\n", false},
		{"a variable in the inventory that is not read", "hosts.yml", "web: {hosts: {h1: {}}, vars: {inside: 9, used_inside: 2}}\ndb: {hosts: {h2: {}}}\n", false},
		{"one that is", "hosts.yml", "web: {hosts: {h1: {}}, vars: {inside: 1, used_inside: 2, used: 7}}\ndb: {hosts: {h2: {}}}\n", true},
		{"a host in another group too", "hosts.yml", "web: {hosts: {h1: {}, h2: {}}, vars: {inside: 1, used_inside: 2}}\ndb: {hosts: {h2: {}}}\n", true},
		{"a file that comes", "group_vars/all.yml", "x: 1\n", true},
		{"a file of a role that comes", "roles/one/handlers/main.yml", "[]\n", true},
		{"one beside", "roles/one/README", "x", false},
		{"a template in an earlier place", "roles/one/templates/templates/t.j2", "x", false},
	} {
		other := maps.Clone(base)
		other[c.file] = &fstest.MapFile{Data: []byte(c.text), Mode: 0o644}
		was, now := Open(base, NewParsed()), Open(other, NewParsed())
		q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts.yml"}}
		a, err := was.Analyse(q, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := !verified(t, was, now, []string{c.file}, a); got != c.touched {
			t.Errorf("%s: touched is %v", c.what, got)
		}
	}
}

// TestTouchedByMode: a template is copied with its mode.
func TestTouchedByMode(t *testing.T) {
	base := project("-- p.yml --\n- hosts: all\n  tasks:\n    - template: {src: t.j2, dest: /t}\n-- t.j2 --\nx\n-- hosts --\n[web]\n")
	other := maps.Clone(base)
	other["t.j2"] = &fstest.MapFile{Data: base["t.j2"].Data, Mode: 0o755}
	was, now := Open(base, NewParsed()), Open(other, NewParsed())
	a, err := was.Analyse(Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if verified(t, was, now, []string{"t.j2"}, a) {
		t.Error("a template that may be executed now is the same")
	}
}

// TestBrokenForeignVariables: Ansible stops at a file of another host's variables,
// though a stronger place decides the one that is read.
func TestBrokenForeignVariables(t *testing.T) {
	const site = "-- p.yml --\n- hosts: all\n  tasks:\n    - debug: msg={{ hostvars['d1'].ip }}\n-- hosts --\n[db]\nd1 ip=1\n-- group_vars/db.yml --\n"
	q := Query{Playbooks: []string{"p.yml"}, Host: "n", Groups: []string{"web"}, Inventory: []string{"hosts"}}
	for says, touched := range map[string]bool{"ip: 2\n": false, "ip: [\n": true} {
		was, now := Open(project(site+"ip: 3\n"), NewParsed()), Open(project(site+says), NewParsed())
		changed := []string{"group_vars/db.yml"}
		a, err := now.Analyse(q, Options{Changed: changed})
		if err != nil {
			t.Fatal(err)
		}
		if got := !verified(t, now, was, changed, a); got != touched {
			t.Errorf("%q: touched %v", says, got)
		}
		b, err := was.Analyse(q, Options{Changed: changed})
		if err != nil {
			t.Fatal(err)
		}
		if same := maps.Equal(digests(a.Reached()), digests(b.Reached())); same == touched {
			t.Errorf("%q: it comes to the same: %v", says, same)
		}
	}
}

// TestTracesAreOfOneNode: what another node asked, which went before it on the same
// way, is no question of this one.
func TestTracesAreOfOneNode(t *testing.T) {
	base := project("-- p.yml --\n- hosts: all\n  tasks:\n    - debug: msg={{ x }}\n-- hosts --\n[a]\n[b]\n-- group_vars/a.yml --\nx: 1\n-- group_vars/b.yml --\nx: 1\n")
	other := maps.Clone(base)
	other["group_vars/a.yml"] = &fstest.MapFile{Data: []byte("x: 2\n"), Mode: 0o644}
	was, now := Open(base, NewParsed()), Open(other, NewParsed())
	for _, group := range []string{"a", "b", "a", "b"} {
		a, err := was.Analyse(Query{Playbooks: []string{"p.yml"}, Host: "n" + group, Groups: []string{group}, Inventory: []string{"hosts"}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if touched := !verified(t, was, now, []string{"group_vars/a.yml"}, a); touched != (group == "a") {
			t.Errorf("of group %s: touched is %v", group, touched)
		}
	}
}
