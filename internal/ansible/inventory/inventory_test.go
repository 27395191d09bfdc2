package inventory

import (
	"fmt"
	"io/fs"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/fault"
)

// files is a tree of files, written name and text by turns.
func files(t testing.TB, pairs ...string) tree.Files {
	t.Helper()
	m := fstest.MapFS{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, mode := pairs[i], fs.FileMode(0o644)
		if rest, ok := strings.CutPrefix(name, "+x "); ok {
			name, mode = rest, 0o755
		}
		m[name] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: mode}
	}
	return tree.New(m, tree.NewOnce())
}

func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"hosts", "h1\n[a:children]\nb\n", `hosts:3:1: section [a:children] names group b, which is not defined`},
		{"hosts", "[a]\n[b]\n[a:children]\nb\n[b:children]\na\n", `hosts:6: group a is its own ancestor: a → b → a`},
		{"hosts", "[a:children]\na\n", `hosts:2: group a is its own ancestor: a → a`},
		{"hosts", "[a:children]\nall\n", `hosts:2: group a is its own ancestor: a → all → a`},
		{"hosts", "[a:vars]\nx=1\n", `hosts:1:1: section [a:vars] is of a group that is not defined`},
		{"hosts", "\n[a:var]\n", `hosts:2:1: section [a:var] is of an unknown type`},
		{"hosts", "[a b]\n", `hosts:1:1: section [a b] is not valid`},
		{"hosts", "n[1:x]\n", `hosts:1:1: host "n[1:x]": range [1:x]: it is neither of numbers nor of letters`},
		{"hosts", "n[01:5]\n", `hosts:1:1: host "n[01:5]": range [01:5]: begin and end have different lengths`},
		{"hosts", "n[0:99999999]\n", `hosts:1:1: host "n[0:99999999]": range [0:99999999]: more than 1048576 hosts`},
		{"hosts", "n1 x\n", `hosts:1:1: host n1: expected name=value, not "x"`},
		{"hosts", "n1 x='\n", `hosts:1:1: host definition "n1 x='": a quotation is not closed`},
		{"hosts", "[a]\n[a:vars]\nansible_group_priority=high\n", `hosts:3: group a: ansible_group_priority is high, which is no number`},
		{"hosts.yml", "all: {hosts: [a]}\n", `hosts.yml:1:14: hosts of group all is a list, not a mapping`},
		{"hosts.yml", "all:\n  hosts:\n    7:\n", `hosts.yml:3:5: the name of a host is 7, which is no string`},
		{"hosts.yml", "all: {\n", `hosts.yml:1: not YAML: did not find expected node content`},
		{"hosts.yml", "a: {children: {b: {children: {a: }}}}\n", `hosts.yml:1: group a is its own ancestor: a → b → a`},
	} {
		_, err := Read(files(t, c.name, c.text), c.name)
		faults := fault.All(err)
		if len(faults) != 1 || faults[0].Error() != c.want || faults[0].Kind != fault.Input {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		} else if faults[0].Snippet == "" && faults[0].Line <= strings.Count(c.text, "\n") {
			t.Errorf("%q: no snippet", c.text)
		}
	}
	if _, err := Read(files(t), "none"); fault.KindOf(err) != fault.Input {
		t.Errorf("no inventory: %v", err)
	}
	two := files(t, "i/a", "[x", "i/b", "[y")
	inv, err := Read(two, "i")
	if err != nil || len(inv.Unparsed) != 2 || inv.Unparsed[1].File != "i/b" || fault.All(inv.Unparsed[1].Err)[0].Line != 1 {
		t.Errorf("two files are no inventories: %v, %v", inv, err)
	}
	for _, name := range []string{"i/a", "+x i/a", "i/a.yml", "i/a.aws_ec2.yaml"} {
		text := "#!/bin/sh\n"
		if strings.Contains(name, "yml") || strings.Contains(name, "yaml") {
			text = "plugin: amazon.aws.aws_ec2\n"
		}
		for _, source := range []string{"i", strings.TrimPrefix(name, "+x ")} {
			_, err := Read(files(t, name, text), source)
			all := fault.All(err)
			if asks := len(all) == 1 && strings.Contains(all[0].Hint, "ansible-inventory -i i/a"); asks != (name != "i/a") {
				t.Errorf("%s of %s: %v", name, source, err)
			}
		}
	}
}

func TestSources(t *testing.T) {
	f := files(t,
		"i/01", "h1\n", "i/02.yml", "plugin: constructed\n", "i/03", "[x", "i/04.toml", "[t.hosts]\nh4 = {x = 1}\n", "i/05.ini", "h5\n",
		"i/06.cfg", "h6", "i/.07", "h7", "i/group_vars/all", "x: 1", "i/08/09", "h9", "i/10", "$ANSIBLE_VAULT;1.1;AES256\n61\n", "i/11.yml", "---\n", "i/12.py", "#!/usr/bin/python\nimport os\n")
	inv, err := Read(f, "i")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintln(inv.AllHosts(), inv.Dirs, inv.Files); got != "[h1 h4 h9] [i] [i i/01 i/02.yml i/03 i/04.toml i/08 i/08/09 i/10 i/11.yml i/12.py]\n" {
		t.Error(got)
	}
	var opaque []string
	for _, o := range inv.Opaque {
		opaque = append(opaque, o.File)
	}
	if got := fmt.Sprint(opaque); got != "[i/05.ini i/10]" || len(inv.Unparsed) != 2 || inv.Unparsed[0].File != "i/03" || inv.Unparsed[1].File != "i/12.py" {
		t.Error(got, inv.Opaque, inv.Unparsed)
	}
	inv, err = Settings{IgnoreExtensions: []string{".yml"}, IgnorePatterns: []string{"^0[34]", "^1"}}.Read(f, "i")
	if err != nil || len(inv.Opaque) != 0 || fmt.Sprint(inv.AllHosts()) != "[h1 h5 h6 h9]" {
		t.Error(err, inv)
	}
	inv, err = Read(f, "a, b:22,c[1:2],")
	if err != nil || fmt.Sprint(inv.AllHosts(), inv.Groups["ungrouped"].Hosts) != "[a b c[1:2]] [a b c[1:2]]" {
		t.Error(err, inv)
	}
	if inv, err = Read(f); err != nil || len(inv.Hosts) != 0 {
		t.Error(err, inv)
	}
}

func TestSealedAndNotVariables(t *testing.T) {
	f := files(t, "hosts", "[a]\nh1\n", "group_vars/a", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "group_vars/all/x.yml", "", "host_vars/h1.yml", "- 1\n", "host_vars/h2", "a: {")
	inv, err := Read(f, "hosts")
	if err != nil {
		t.Fatal(err)
	}
	s, err := inv.Node("n", []string{"a"}).Definitions(f, nil)
	if err != nil || fmt.Sprint(s.Sealed, s.Files) != "[{group_vars/a group_vars/a}] [group_vars/all/x.yml group_vars/a]" {
		t.Error(err, s)
	}
	for host, want := range map[string]string{"h1": "host_vars/h1.yml:1:1: expected a mapping of variables, not a list", "h2": "host_vars/h2:1: not YAML: did not find expected node content"} {
		if _, err = inv.Node(host, nil).Definitions(f, nil); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestPrecedence(t *testing.T) {
	f := files(t, "i/hosts", "h1 v=host\n[a]\nh1\n[all:vars]\nv=all\n[a:vars]\nv=group\n",
		"i/group_vars/all.yml", "v: 1", "i/group_vars/a.yml", "v: 2", "play/group_vars/all.yml", "v: 3", "play/group_vars/a.yml", "v: 4", "i/host_vars/h1", "v: 5", "play/host_vars/h1", "v: 6")
	inv, err := Read(f, "i")
	if err != nil {
		t.Fatal(err)
	}
	s, err := inv.Node("h1", nil).Definitions(f, []string{"play", "play", "i"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range s.Lookup("v") {
		got = append(got, d.Level+"="+d.Value.Text)
	}
	want := "group all=all, group a=group, group_vars/all=1, group_vars/all=3, group_vars/a=2, group_vars/a=4, host h1=host, host_vars/h1=5, host_vars/h1=6"
	if strings.Join(got, ", ") != want {
		t.Error(strings.Join(got, ", "))
	}
	if d, ok := s.Winner("v"); !ok || d.Value.Text != "6" || d.File != "play/host_vars/h1" || d.Line() != 1 {
		t.Error(d)
	}
	if _, ok := s.Winner("w"); ok || s.Lookup("w") != nil {
		t.Error("w is not defined")
	}
}

func TestImplicitLocalhost(t *testing.T) {
	f := files(t, "hosts", "[a]\nh1\n")
	inv, err := Read(f, "hosts")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "stranger"} {
		n := inv.Node(name, nil)
		if got := fmt.Sprint(n.Groups(), n.GroupNames(), n.Members("all")); got != "[all] [] [h1]" {
			t.Error(name, got)
		}
	}
	n := inv.Node("new", []string{"a", "fresh"})
	if got := fmt.Sprint(n.Groups(), n.GroupNames(), n.Members("all"), n.Members("a"), n.Members("fresh"), n.Members("none")); got != "[all a fresh] [a fresh] [new h1] [h1 new] [new] []" {
		t.Error(got)
	}
	for pattern, want := range map[string]string{"localhost": "false true", "all": "true true", "{{ x }}": "true false", "~(?=x)": "true false", "fresh:&a": "true true", "a[-1]": "true true", "": "true true"} {
		matches, sure := n.Match(pattern)
		if got := fmt.Sprint(matches, sure); got != want {
			t.Errorf("%q: %s, want %s", pattern, got, want)
		}
	}
}

func TestPythonRegexp(t *testing.T) {
	for _, c := range []struct {
		expr, s     string
		found, sure bool
	}{
		{"a|b", "b1", true, true}, {"^a$", "a", true, true}, {`h\d`, "h1", true, true}, {`h\d`, "h١", true, false},
		{"(?=a)", "a", true, false}, {"a{,2}", "a", true, false}, {"[[:alpha:]]", "a", true, false}, {`\pL`, "a", true, false}, {"(", "a", true, false},
	} {
		if found, sure := pythonPrefix(c.expr).search(c.s); found != c.found || sure != c.sure {
			t.Errorf("%s in %s: %v %v", c.expr, c.s, found, sure)
		}
	}
}

func FuzzINI(f *testing.F) {
	for _, s := range []string{"h[1:3]:22 a=1 # c\n[a]\nb\n[a:vars]\nx = [1]\n[c:children]\na\n", "[a:children]\nb\n[b:children]\na\n", "[b]\n[a:children]\nb\nc\n[c]", "x[a:z:2]y[01:10]", "'", "\\", "a b=c\u2028d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fs := files(t, "hosts.x", text)
		inv, err := Read(fs, "hosts.x")
		if err != nil {
			if fault.KindOf(err) != fault.Input {
				t.Error(err)
			}
			return
		}
		if len(inv.Hosts) > 1000 {
			return
		}
		for _, name := range inv.AllHosts() {
			n := inv.Node(name, nil)
			if n.Groups()[0] != "all" || !slices.Contains(n.Members("all"), name) {
				t.Errorf("host %q: groups %v, members of all %v", name, n.Groups(), n.Members("all"))
			}
			for _, g := range n.GroupNames() {
				if matches, sure := n.Match(g); !slices.Contains(n.Members(g), name) || plain(g) && (!matches || !sure) && inv.Hosts[g] == nil {
					t.Errorf("host %q is not in its group %q: %v %v", name, g, matches, sure)
				}
			}
		}
	})
}

// plain reports whether a pattern is a name for certain.
func plain(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func FuzzPattern(f *testing.F) {
	inv, err := Read(files(f, "hosts", "[a]\nh[1:3]\n[b:children]\na\n[c.d]\nx.y\n"), "hosts")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"all", "a:&b:!h1", "h[1:2]", "~h.", "a[0]", "a[-1]", "[!x-z]*", "fe80::1", "a,b", "!", "~", "[", "a[99999999999999999999]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"h1", "x.y", "new"} {
			n := inv.Node(name, []string{"a", "e"})
			matches, sure := n.Match(text)
			if !sure && !matches {
				t.Errorf("%q: what is not sure matches", text)
			}
			if again, _ := n.Match(text); again != matches {
				t.Errorf("%q matches, and does not", text)
			}
		}
	})
}

// site is an inventory of 10,000 hosts in 1,000 groups, with 5,000 files of variables.
func site(tb testing.TB) (tree.Files, []string) {
	m := fstest.MapFS{}
	r := rand.New(rand.NewSource(1))
	var b strings.Builder
	var names []string
	for g := range 1000 {
		fmt.Fprintf(&b, "[g%d]\nn[%d:%d] rack=%d\n", g, g*10, g*10+9, g)
		names = append(names, fmt.Sprint("n", g*10))
		if g > 0 {
			fmt.Fprintf(&b, "[g%d:children]\ng%d\n[g%d:vars]\nx%d=1\n", r.Intn(g), g, g, g%7)
		}
	}
	m["i/hosts"] = &fstest.MapFile{Data: []byte(b.String())}
	for i := range 5000 {
		var v strings.Builder
		for k := range 40 {
			fmt.Fprintf(&v, "variable_%d_%d: value %d\n", i%50, k, i)
		}
		name := fmt.Sprintf("i/group_vars/g%d/%d.yml", i%1000, i/1000)
		m[name] = &fstest.MapFile{Data: []byte(v.String())}
	}
	return tree.New(m, tree.NewOnce()), names
}

func BenchmarkRead(b *testing.B) {
	f, _ := site(b)
	for b.Loop() {
		if _, err := Read(f, "i"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNode(b *testing.B) {
	f, names := site(b)
	inv, err := Read(f, "i")
	if err != nil {
		b.Fatal(err)
	}
	f.Names("i/group_vars")
	all := func() (definitions int) {
		for _, name := range names {
			s, err := inv.Node(name, []string{"strata_image"}).Definitions(f, []string{"."})
			if err != nil {
				b.Fatal(err)
			}
			s.Winner("variable_7_7")
			for range s.Definitions() {
				definitions++
			}
		}
		return definitions
	}
	all()
	b.ReportAllocs()
	for b.Loop() {
		b.ReportMetric(float64(all())/1000, "definitions/node")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/node")
}

// TestConcurrent lets many goroutines ask one inventory; for the race detector.
func TestConcurrent(t *testing.T) {
	f, names := site(t)
	begin := time.Now()
	inv, err := Read(f, "i")
	if err != nil {
		t.Fatal(err)
	}
	t.Log("read in", time.Since(begin))
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := w; i < len(names); i += 20 {
				n := inv.Node(names[i], []string{"strata_image", "g1"})
				if _, err := n.Definitions(f, nil); err != nil {
					t.Error(err)
				}
				n.Match("g1:&strata_image")
				n.Members("g1")
				n.Members("all")
			}
		})
	}
	wait.Wait()
}
