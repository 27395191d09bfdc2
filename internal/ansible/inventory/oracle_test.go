package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// runPython runs a script below testdata, or skips where no Python has Ansible.
func runPython(t *testing.T, script string, in, out any) {
	t.Helper()
	interpreters := []string{"python3", "/usr/bin/python3"} // the first may be one of the user's own
	i := slices.IndexFunc(interpreters, func(python string) bool {
		return exec.Command(python, "-c", "import ansible").Run() == nil
	})
	if i < 0 {
		t.Skip("python3 cannot import ansible")
	}
	question, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(interpreters[i], script)
	cmd.Stdin = bytes.NewReader(question)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatal(err)
	}
}

// oracleSeeds is how many projects are made; ORACLE_SEEDS asks for more.
func oracleSeeds() int {
	if n, err := strconv.Atoi(os.Getenv("ORACLE_SEEDS")); err == nil {
		return n
	}
	return 250
}

type oracleCase struct {
	Dir      string   `json:"dir"`
	Play     string   `json:"play"`
	Sources  []string `json:"sources"`
	Nodes    []string `json:"nodes"`
	Patterns []string `json:"patterns"`
	sources  []string
	given    map[string][]string
	shown    string
}

type oracleAnswer struct {
	Error string
	Hosts map[string]struct {
		Groups     []string
		GroupNames []string `json:"group_names"`
		Vars       map[string]any
	}
	Groups  map[string][]string
	Matches map[string]map[string]string
}

// encode is encode of testdata/oracle.py.
func encode(v value.Value) any {
	switch v.Kind {
	case value.List:
		list := []any{}
		for _, item := range v.Items() {
			list = append(list, encode(item))
		}
		return list
	case value.Map:
		pairs := []any{}
		for _, p := range v.Pairs() {
			pairs = append(pairs, []any{encode(p.Key), encode(p.Value)})
		}
		return map[string]any{"": pairs}
	case value.Null:
		return "n"
	}
	return string("nbiftssv"[v.Kind]) + ":" + v.Text
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestOracle makes inventories at random and asks Ansible about each of their
// hosts: groups in order, group_names, the value of every variable, the members
// of groups, and whether plays match.
func TestOracle(t *testing.T) {
	seeds := oracleSeeds()
	if testing.Short() {
		seeds = 40
	}
	root := t.TempDir()
	var cases []oracleCase
	for seed := range seeds {
		cases = append(cases, newProject(t, filepath.Join(root, fmt.Sprint(seed)), int64(seed)))
		cases = append(cases, newSoup(t, filepath.Join(root, fmt.Sprint("soup", seed)), int64(seed)))
	}
	var answers []oracleAnswer
	runPython(t, "testdata/oracle.py", cases, &answers)
	count := map[string]int{"projects": len(cases)}
	for i, c := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Log(c.shown)
				}
			}()
			c.compare(t, answers[i], count)
		})
	}
	t.Log("compared: ", count)
	if !testing.Short() && (count["hosts"] < 1000 || count["variables"] < 5000 || count["matches"] < 10000 || count["faults"] < 10) {
		t.Error("too little was compared")
	}
}

func (c oracleCase) compare(t *testing.T, want oracleAnswer, count map[string]int) {
	files := tree.New(os.DirFS(c.Dir), tree.NewOnce())
	inv, err := Read(files, c.sources...)
	if err == nil && want.Error != "" {
		for _, name := range append(inv.AllHosts(), c.Nodes...) {
			if _, err = inv.Node(name, c.given[name]).Definitions(files, []string{c.Play}); err != nil {
				break
			}
		}
	}
	if err == nil && len(inv.Unparsed) > 0 {
		err = inv.Unparsed[0].Err // here, Ansible is to stop at it
	}
	if err == nil && len(inv.Opaque) > 0 {
		count["opaque"]++
		return
	}
	if (err != nil) != (want.Error != "") {
		t.Fatalf("error %v, Ansible's %q", err, want.Error)
	}
	if err != nil {
		count["faults"]++
		return
	}
	for name, host := range want.Hosts {
		n := inv.Node(name, c.given[name])
		count["hosts"]++
		if got := n.Groups(); !slices.Equal(got, host.Groups) {
			t.Errorf("host %s: groups %v, Ansible's %v", name, got, host.Groups)
		}
		if got := n.GroupNames(); !slices.Equal(got, host.GroupNames) {
			t.Errorf("host %s: group_names %v, Ansible's %v", name, got, host.GroupNames)
		}
		scope, err := n.Definitions(files, []string{c.Play})
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for d := range scope.Definitions() {
			names[d.Name()] = names[d.Name()] || strings.HasPrefix(d.Name(), "v") || d.Name() == "ansible_port" || d.Name() == "ansible_host"
		}
		for v := range host.Vars {
			names[v] = true
		}
		for v, compared := range names {
			if !compared {
				continue
			}
			count["variables"]++
			got, ok := scope.Winner(v)
			all := scope.Lookup(v)
			if !ok || asJSON(encode(got.Value)) != asJSON(host.Vars[v]) {
				t.Errorf("host %s: variable %s is %s, Ansible's is %s (%v)", name, v, asJSON(encode(got.Value)), asJSON(host.Vars[v]), all)
			}
			if ok && (len(all) == 0 || all[len(all)-1] != got) {
				t.Errorf("Lookup %v, Winner %v", all, got)
			}
		}
	}
	for node, matches := range want.Matches {
		n := inv.Node(node, c.given[node])
		for pattern, m := range matches {
			count["matches"]++
			got, sure := n.Match(pattern)
			if !sure {
				count["unsure matches"]++
			}
			if m == "error" && !sure || !sure && got {
				continue
			}
			if m != "error" && (got != (m == "yes") || !sure) {
				t.Errorf("host %s, pattern %q: %v %v, Ansible's %s", node, pattern, got, sure, m)
			}
		}
	}
	if len(c.given) == 1 { // with more, no single node sees all of them
		n := inv.Node(c.Nodes[0], c.given[c.Nodes[0]])
		for g, want := range want.Groups {
			count["groups"]++
			got := n.Members(g)
			group := n.group(g)
			if group == nil {
				t.Errorf("there is no group %s", g)
				continue
			}
			if _, sure := n.members(group); !sure {
				got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
			} else {
				count["ordered groups"]++
			}
			if !slices.Equal(got, want) {
				t.Errorf("group %s: %v, Ansible's %v", g, got, want)
			}
		}
	}
}

// project makes a project's files at random.
type project struct {
	*rand.Rand
	dir    string
	t      *testing.T
	groups []string
	shown  strings.Builder
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.Intn(len(list))] }

func (p *project) write(name, text string) {
	file := filepath.Join(p.dir, name)
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o644)
	}
	if err != nil && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.EISDIR) && !errors.Is(err, syscall.EEXIST) {
		p.t.Fatal(err)
	}
	fmt.Fprintf(&p.shown, "--- %s\n%s\n", name, text)
}

func newProject(t *testing.T, dir string, seed int64) oracleCase {
	p := &project{Rand: rand.New(rand.NewSource(seed)), dir: dir, t: t}
	for i := range 2 + p.Intn(8) {
		p.groups = append(p.groups, pick(p.Rand, "g", "web", "db-", "site.", "z_")+fmt.Sprint(i))
	}
	c := oracleCase{Dir: dir, Play: pick(p.Rand, "play", "play", "."), given: map[string][]string{}}
	source := p.source(&c, "")
	c.sources = []string{source}
	for i := 0; p.Intn(2) == 0 && i < 3; i++ { // more of them, some in the same directory or the same again
		more := pick(p.Rand, "other/", "other/", "third/", "", "inventory/")
		c.sources = append(c.sources, pick(p.Rand, source, p.source(&c, more)))
	}
	c.Nodes = []string{pick(p.Rand, "n1", "h1", "h2", "web1.example.com", "localhost")}
	given := []string{"strata_image", pick(p.Rand, append([]string{"new"}, p.groups...)...), pick(p.Rand, p.groups...)}
	c.given[c.Nodes[0]] = given
	for _, name := range c.sources {
		c.Sources = append(c.Sources, filepath.Join(dir, name))
	}
	c.Sources = append(c.Sources, p.generated(c.Nodes[0], given))
	for range 60 {
		c.Patterns = append(c.Patterns, p.pattern())
	}
	c.shown = p.shown.String()
	return c
}

// source makes an inventory below a directory, with what stands beside it, and returns
// its name.
func (p *project) source(c *oracleCase, below string) string {
	source := below + "inventory"
	switch p.Intn(4) {
	case 0:
		source = below + "hosts" + pick(p.Rand, "", ".ini", ".x")
		p.write(source, p.ini(p.groups))
	case 1:
		source = below + "hosts" + pick(p.Rand, ".yml", ".yaml", "", ".json")
		p.write(source, p.yaml())
	default:
		p.write(source+"/a", p.ini(p.groups))
		p.write(source+"/b.yml", p.yaml())
		p.write(source+"/"+pick(p.Rand, "a.cfg", "z.md", ".hidden", "x~", "host_vars/h1"), "v0: ignored\n")
		p.write(source+"/sub/"+pick(p.Rand, "c", "c.yml"), pick(p.Rand, "[subgroup]\nsubhost v1=1\n", "", "# nothing\n"))
	}
	base := filepath.Dir(source)
	if strings.HasSuffix(source, "inventory") {
		base = source
	}
	for _, d := range []string{base, c.Play} {
		p.vars(d, "group_vars", append([]string{"all", "ungrouped", "strata_image", "new"}, p.groups...))
		p.vars(d, "host_vars", []string{"h1", "h2", "n1", "new", "web1.example.com"})
	}
	return source
}

// generated writes the inventory that Strata adds.
func (p *project) generated(host string, groups []string) string {
	member := map[string]any{"hosts": map[string]any{host: nil}}
	children := map[string]any{}
	for _, g := range groups {
		children[g] = member
	}
	p.write("tmp/strata.json", asJSON(map[string]any{"all": map[string]any{
		"hosts": map[string]any{host: map[string]any{"ansible_connection": "strata"}}, "children": children,
	}}))
	return filepath.Join(p.dir, "tmp/strata.json")
}

// newSoup is an inventory, in INI, that was stirred: lines and parts of lines
// that may or may not be right, and patterns likewise.
func newSoup(t *testing.T, dir string, seed int64) oracleCase {
	p := &project{Rand: rand.New(rand.NewSource(seed)), dir: dir, t: t, groups: []string{"a", "b.c", "d", "a1"}}
	some := func(most int, list ...string) string {
		var b strings.Builder
		for range p.Intn(most) {
			b.WriteString(pick(p.Rand, list...))
		}
		return b.String()
	}
	var b strings.Builder
	if p.Intn(2) == 0 {
		b.WriteString("[a]\n[b.c]\n[d]\n")
	}
	for range p.Intn(5) {
		b.WriteString(pick(p.Rand,
			some(9, "h", "1", "[1:3]", "[a:c]", ":", "22", ".", "-", "_", "[01:10:5]", "[", "]", "é", "::", "fe80", "[0:f]", "|", "10.0.0.", "[3:1]", "[:2]"),
			"h1 "+some(5, "v1=", "v2", "=", "'", `"`, `\`, " ", "#", "a", "1", "[", "]", ",", "é"),
			"["+pick(p.Rand, "a", "b.c", "d", "a1")+some(4, ":", "vars", "children", "]", "x", " ")+pick(p.Rand, "]", "]", "] # x", "] ; x", ""),
			pick(p.Rand, "[a:vars]\n", "[d:vars]\n", "")+some(3, "v1", " ", "\t")+pick(p.Rand, "=", " = ", "")+p.literal(),
			pick(p.Rand, "[a:children]\n", "[d:children]\n", "[a:vars]\n")+pick(p.Rand, "b.c", "d # x", "b.c d", "a1", "d\n[a1]"),
			"h1 v3=\"a\u2028b\" v4=x\x0bh2", "\u00a0h2\u00a0", "h1 v5=a\\ b",
		) + pick(p.Rand, "\n", "\n", "\r\n", "\n\n"))
	}
	p.write("hosts", b.String())
	c := oracleCase{Dir: dir, Play: "play", sources: []string{"hosts"}, Sources: []string{filepath.Join(dir, "hosts"), p.generated("h1", []string{"a"})}, Nodes: []string{"h1"}}
	c.given = map[string][]string{"h1": {"a"}}
	for range 40 {
		c.Patterns = append(c.Patterns, some(6, "h1", "h", "a", "[", "]", "!", "&", "~", ",", ":", ".", "*", "?", "-", "1", "0", " ", "(", ")", "|", "^", "$", "+", "{1}", "{,2}", `\d`, `\w`, "b.c", "::", "é", "[!x-z]", "[^h]", "[a-]"))
	}
	c.shown = p.shown.String()
	return c
}

// literal is a value that may be a literal of Python.
func (p *project) literal() string {
	return pick(p.Rand, p.iniValue(), "[1, 'a', [2, {}]] # c", "{'a': (1, 2), 'b': None}", "'a\\tb'", "1.0e5", "'x", "-1.5", "{1: 'a', True: 'b'}", "u'é'", "a # b", "1 # b", "[1,", "0o17", "1e400")
}

func (p *project) host() string {
	return pick(p.Rand, "h1", "h2", "h3", "n1", "localhost", "127.0.0.1", "web1.example.com", "h[1:3]", "n[01:03]", "x[a:c]y[0:4:2]",
		"10.0.0.1", "web1.example.com:2222", "h3:22", "[::1]:22", "q[1:2]:9", "g0", "fe80::1", "h[3:1]", "n_1", "-odd", "é1")
}

func (p *project) variable() string { return fmt.Sprint("v", p.Intn(8)) }

func (p *project) iniValue() string {
	return pick(p.Rand, "1", "a", "True", "true", "yes", "[1,'a']", "{'a': 1}", "'q'", `"two"`, "1.50", "0755", "None", "1,2", "{{ v1 }}", "",
		"0x1F", "a=b", "/x/y", "1_000", "-5", "10.0.0.1", "b'x'", "'a' 'b'", "(1,)", "()", "1e3", "null")
}

// ini makes an INI inventory that mostly is valid.
func (p *project) ini(groups []string) string {
	var b strings.Builder
	odd := p.Intn(12) == 0
	hosts := func() {
		for range p.Intn(4) {
			b.WriteString(p.host())
			for range p.Intn(3) {
				v := p.iniValue()
				if !odd && strings.ContainsAny(v, "\"' {") {
					v = "'" + strings.ReplaceAll(v, "'", "") + "'"
				}
				b.WriteString(pick(p.Rand, " ", "  ", "\t") + pick(p.Rand, p.variable(), p.variable(), "ansible_host") + "=" + v)
			}
			b.WriteString(pick(p.Rand, "", "", " ", " # c", "#c") + "\n")
		}
	}
	hosts()
	for i, g := range groups {
		switch p.Intn(4) {
		case 0:
			fmt.Fprintf(&b, "\n[%s:vars]%s\n", g, pick(p.Rand, "", " ", " # c"))
			for range p.Intn(4) {
				fmt.Fprintf(&b, "%s%s%s\n", p.variable(), pick(p.Rand, "=", " = ", "= "), p.iniValue()+pick(p.Rand, "", "", " # c"))
			}
			if p.Intn(3) == 0 {
				fmt.Fprintf(&b, "ansible_group_priority=%d\n", p.Intn(20)-5)
			}
		case 1:
			fmt.Fprintf(&b, "[%s:children]\n", g)
			for range p.Intn(3) {
				if child := p.Intn(len(groups)); child > i || odd {
					fmt.Fprintln(&b, groups[child]+pick(p.Rand, "", " ", "  # c"))
				}
			}
		}
		if !odd || p.Intn(3) > 0 {
			fmt.Fprintf(&b, "; comment\n[%s]\n", g)
		}
		hosts()
	}
	if p.Intn(4) == 0 {
		fmt.Fprintf(&b, "[all:vars]\n%s=all\n[ungrouped:vars]\n%s=un\n", p.variable(), p.variable())
	}
	if odd {
		b.WriteString(pick(p.Rand, "[x", "[x:y]\n", "[a b]\n", "h1 v\n", "h1 v='\n", "[g:children]\nnone\n", "[nobody:vars]\nv1=1\n", "a[1:x]\n", "h1:\n", "[u:children]\nu\n", "[u:children]\nall\n"))
	}
	return b.String()
}

func (p *project) yamlValue() any {
	return pick[any](p.Rand, 1, "a", true, nil, "yes", []any{1, "b"}, map[string]any{"k": "v"}, "{{ v2 }}", "", "1", []any{}, 2.5)
}

func (p *project) yamlVars() map[string]any {
	all := map[string]any{}
	for range p.Intn(4) {
		all[p.variable()] = p.yamlValue()
	}
	return all
}

// yaml makes a YAML inventory, as JSON, which is YAML too.
func (p *project) yaml() string {
	odd := p.Intn(15) == 0
	var body func(i, depth int) any
	body = func(i, depth int) any {
		g := map[string]any{}
		if p.Intn(8) == 0 {
			return nil
		}
		if p.Intn(2) == 0 {
			vars := p.yamlVars()
			if p.Intn(3) == 0 {
				vars["ansible_group_priority"] = pick[any](p.Rand, 3, "7", -1, true)
			}
			g["vars"] = vars
		}
		hosts := map[string]any{}
		for range p.Intn(3) {
			hosts[p.host()] = pick[any](p.Rand, nil, nil, p.yamlVars(), "", false)
		}
		g["hosts"] = pick[any](p.Rand, hosts, hosts, hosts, nil, "h2")
		children := map[string]any{}
		for child := i + 1; child < len(p.groups) && depth < 3; child++ {
			if p.Intn(3) == 0 {
				children[p.groups[child]] = body(child, depth+1)
			}
		}
		if len(children) > 0 {
			g["children"] = children
		}
		if odd && p.Intn(2) == 0 {
			g[pick(p.Rand, "hosts", "children", "vars", "other")] = pick[any](p.Rand, []any{"a"}, 7, map[string]any{"a": "b"})
		}
		return g
	}
	top := map[string]any{}
	if p.Intn(2) == 0 {
		top["all"] = body(-1, 0)
	}
	for i := range p.groups {
		if p.Intn(3) == 0 || i == 0 {
			top[p.groups[i]] = body(i, 0)
		}
	}
	if odd && p.Intn(2) == 0 {
		return pick(p.Rand, "[]", "a: b\n", "3: {}\n", "{", "all: {hosts: {1: {}}}\n", "all: {hosts: {h1: x}}\n", "--- []\n")
	}
	text, _ := json.MarshalIndent(top, "", pick(p.Rand, "", " "))
	return string(text)
}

func (p *project) vars(dir, sub string, names []string) {
	if p.Intn(3) == 0 {
		return
	}
	for _, name := range names {
		if p.Intn(2) == 0 {
			continue
		}
		text := func() string {
			switch p.Intn(30) {
			case 0:
				return pick(p.Rand, "", "# nothing\n", "---\n", "{}")
			case 1:
				if p.Intn(6) == 0 {
					return pick(p.Rand, "- list\n", "text\n", "a: b: c\n", "[")
				}
			}
			return asJSON(p.yamlVars())
		}
		base := filepath.Join(dir, sub, name)
		switch p.Intn(5) {
		case 0:
			p.write(base, text())
		case 1:
			p.write(base+".yml", text())
			p.write(base+".json", text())
		case 2:
			p.write(base+pick(p.Rand, ".yaml", ".json", ".yml.bak", ".cfg"), text())
		case 3:
			for range 1 + p.Intn(3) {
				p.write(base+"/"+pick(p.Rand, "b", "a.yml", "c.yaml", ".hidden.yml", "d~", "e.txt", "sub/x.yml", "sub/deep/y", "no.d/z.yml"), text())
			}
			if p.Intn(2) == 0 {
				p.write(base+".yml", text())
			}
		case 4:
			p.write(base+".yml/in.yml", text())
		}
	}
}

func (p *project) pattern() string {
	one := func() string {
		base := pick(p.Rand, append([]string{"all", "*", "ungrouped", "new", "h1", "h2", "n1", "localhost", "127.0.0.1", "none", "web*", "h?", "h[12]",
			"h[!1]", "[hn]*", "~h[12]", "~(h|n)\\d", "~.*1$", "*.example.com", "web1.example.com", "g*", "strata_image", "~(?=h)h1", "z_*", "10.0.0.1", "h[1-2]", "*0*", "~g", "~^n0?1"}, p.groups...)...)
		return pick(p.Rand, "", "", "", "!", "&") + base + pick(p.Rand, "", "", "", "", "[0]", "[-1]", "[1:2]", "[0:0]", "[1:]", "[0-1]", "[9]", "[7:9]")
	}
	parts := []string{one()}
	for range p.Intn(3) {
		parts = append(parts, one())
	}
	return strings.Join(parts, pick(p.Rand, ",", ", ", ":", ":"))
}
