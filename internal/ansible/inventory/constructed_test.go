package inventory

import (
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/ansible/tree"
)

// TestConstructedOracle makes inventories of a file and a configuration of the plugin
// constructed at random, and asks Ansible what comes of them.
func TestConstructedOracle(t *testing.T) {
	root := t.TempDir()
	var cases []oracleCase
	for seed := range oracleSeeds() / 3 {
		cases = append(cases, newConstructed(t, filepath.Join(root, fmt.Sprint(seed)), int64(seed)))
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
	if count["hosts"] < 2*len(cases) || count["opaque"] > len(cases)*2/3 {
		t.Error("too little was compared")
	}
}

// constructedExpressions are of variables that some of the hosts have.
var constructedExpressions = []string{
	"vos", "vos == 'debian'", "vos is defined", "vrack", "vrack == 1", "vrack | int > 1", "vflag", "vflag | bool", "not vflag", "vlist", "vmap", "vmap.a", "vmap.get('a', 'z')",
	"'b' in group_names", "inventory_hostname", "inventory_hostname.startswith('h1')", "vos in ['debian', 'x']", "vos ~ '-' ~ vrack", "'x' if vflag else 'y'", "vempty",
	"vos | default('none')", "nothing", "nothing | default('d')", "nothing is defined and nothing == 1", "vos and vflag", "vos or 'z'", "vlist | length", "vlist | join('-')", "vlist[0]", "vlist.5",
	"vos | upper", "vos.split('b')", "vos | replace('deb', 'x')", "vmap['b'] is defined", "group_names", "vnested", "vgroup", "vfile", "1", "'True'", "vmap.c.d is undefined",
}

// constructedKeys are those that are mostly text, a list or a mapping: Ansible refuses a
// key that is a bool.
var constructedKeys = []string{
	"vos", "vlist", "vmap", "vmap.a", "vmap.get('a', 'z')", "inventory_hostname", "vos ~ '-' ~ vrack", "'x' if vflag else 'y'", "vempty", "vos | default('none')", "nothing",
	"nothing | default('d')", "vlist | join('-')", "vlist[0]", "vos | upper", "vos.split('b')", "vos | replace('deb', 'x')", "group_names", "vgroup", "vfile", "1", "vrack | string", "vlist + ['z']", "vrack",
}

func newConstructed(t *testing.T, dir string, seed int64) oracleCase {
	r := rand.New(rand.NewSource(seed))
	pick := func(list ...string) string { return list[r.Intn(len(list))] }
	expr := func() string { return pick(constructedExpressions...) }
	maybe := func(text string) string {
		if r.Intn(2) == 0 {
			return ""
		}
		return text
	}
	var hosts strings.Builder
	for _, g := range []string{"", "[a]\n", "[b]\n", "[c]\n"} {
		hosts.WriteString(g)
		for h := range 6 {
			if r.Intn(3) > 0 {
				continue
			}
			fmt.Fprintf(&hosts, "h%d%s%s%s%s%s%s\n", h+1, maybe(" vos="+pick("debian", "rocky")), maybe(fmt.Sprint(" vrack=", r.Intn(4))),
				maybe(" vflag="+pick("True", "False", "yes")), maybe(` vlist="['x', 'y']"`), maybe(` vmap="{'a': 'p', 'b': ''}"`), maybe(" vempty="))
		}
	}
	fmt.Fprintf(&hosts, "h9 vos=debian vrack=2\n[b:children]\nc\n[b:vars]\nvgroup=%s\n[c:vars]\nvgroup=%s\nvos=rocky\n[all:vars]\nvall=1\nvnested='{{ vos }}'\n", pick("g1", "g2"), pick("g1", "g3"))
	var config strings.Builder
	fmt.Fprintf(&config, "plugin: %s\n%s%s%s", pick("constructed", "ansible.builtin.constructed"), maybe("strict: false\n"), maybe("leading_separator: false\n"), maybe("use_vars_plugins: true\n"))
	config.WriteString(maybe(fmt.Sprintf("compose: {vc: %q, vd: %q, vos: %q}\n", expr(), expr(), expr())))
	config.WriteString(maybe(fmt.Sprintf("groups: {made1: %q, made2: %q, a: %q}\n", expr(), expr(), expr())))
	config.WriteString("keyed_groups:\n")
	for range 1 + r.Intn(3) {
		fmt.Fprintf(&config, "  - {key: %q%s%s%s%s%s}\n", pick(constructedKeys...), maybe(", prefix: "+pick("p", "''", "os")), maybe(", separator: "+pick("'-'", "''")),
			maybe(", parent_group: "+pick("top", "made1")), maybe(", default_value: "+pick("dd", "''")), maybe(", trailing_separator: "+pick("true", "false")))
	}
	archive := map[string]string{
		"inventory/1-hosts": hosts.String(), "inventory/2-constructed.yml": config.String(), "inventory/3-late": "[late]\nh8 vos=debian\n",
		"inventory/group_vars/a.yml": "vfile: of_a\n", "inventory/host_vars/h2.yml": "{vfile: of_h2, vos: debian}\n", "play/x": "",
	}
	if r.Intn(3) == 0 {
		archive["inventory/0-toml.toml"] = "[t.vars]\nvtoml = 1\nvtext = 'x'\n[t.hosts]\nh7 = {vos = 'rocky', vrack = 3, vlist = ['x', 'y']}\n'h[1:2]' = {}\n[u]\nchildren = ['t', 'v']\n"
	}
	c := oracleCase{Dir: dir, Play: "play", Nodes: []string{}, Sources: []string{"inventory"}, Patterns: []string{"all", "made1", "top", "p_debian"}, sources: []string{"inventory"}}
	for _, name := range slices.Sorted(maps.Keys(archive)) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(archive[name]), 0o644); err != nil {
			t.Fatal(err)
		}
		c.shown += "-- " + name + " --\n" + archive[name]
	}
	return c
}

// TestConstructedUnsure: what cannot be evaluated is named with its line, and nothing is
// said to be known.
func TestConstructedUnsure(t *testing.T) {
	for config, line := range map[string]int{
		"plugin: constructed\ngroups: {g: \"vos is match('deb')\"}\n":                          2,
		"plugin: constructed\nkeyed_groups:\n  - key: lookup('env', 'HOME')\n":                 3,
		"plugin: constructed\ncompose:\n  v: now()\n":                                          3,
		"plugin: constructed\nuse_extra_vars: true\ngroups: {g: x}\n":                          2,
		"plugin: constructed\ngroups: {g: templated}\n":                                        2,
		"plugin: constructed\nstrict: true\ngroups: {g: nothing}\n":                            3,
		"plugin: constructed\nkeyed_groups:\n  - {key: vos, parent_group: \"{{ vos }}\"}\n":    3,
		"plugin: constructed\ngroups: {g: nothing}\n":                                          0,
		"plugin: constructed\nkeyed_groups: [{key: vos}]\ngroups: {db: \"vos == 'debian'\"}\n": 0,
	} {
		files := fstest.MapFS{
			"i/a":     {Data: []byte("h vos=debian templated='{{ vos }}'\n"), Mode: 0o644},
			"i/b.yml": {Data: []byte(config), Mode: 0o644},
		}
		inv, err := Read(tree.New(files, tree.NewOnce()), "i")
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		if line == 0 && len(inv.Opaque) > 0 || line > 0 && (len(inv.Opaque) != 1 || inv.Opaque[0].Line != line || inv.Opaque[0].File != "i/b.yml") {
			t.Errorf("%s: %+v", config, inv.Opaque)
		}
	}
}
