package inventory

import (
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/fault"
)

// TestFrozen freezes inventories made at random with ansible-inventory, and wants the
// same hosts, groups and variables of what it printed: from this package, and from
// Ansible, given what a build gives it.
func TestFrozen(t *testing.T) {
	if _, err := exec.LookPath("ansible-inventory"); err != nil {
		t.Skip(err)
	}
	seeds, compared := 6, 0
	if testing.Short() {
		seeds = 3
	}
	config, err := filepath.Abs("testdata/ansible.cfg")
	if err != nil {
		t.Fatal(err)
	}
	var cases []oracleCase
	for seed := range seeds {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(seed))
		p := &project{Rand: rand.New(rand.NewSource(int64(seed))), dir: dir, t: t}
		for i := range 2 + p.Intn(8) {
			p.groups = append(p.groups, pick(p.Rand, "g", "web", "db-", "site.", "z_")+fmt.Sprint(i))
		}
		p.write("a", p.ini(p.groups))
		p.write("b.yml", p.yaml())
		cmd := exec.Command("ansible-inventory", "-i", "a", "-i", "b.yml", "--list", "--export")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "ANSIBLE_CONFIG="+config, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=1", "LC_ALL=C.UTF-8")
		frozen, err := cmd.Output()
		if err != nil {
			continue // some are wrong
		}
		p.write("frozen/hosts.json", string(frozen))
		// Variables that stand beside it are as strong as beside any other.
		p.vars("frozen", "group_vars", append([]string{"all"}, p.groups...))
		p.vars("frozen", "host_vars", []string{"h1", "n1"})
		thawed, ok, err := Thaw(frozen)
		if !ok || err != nil {
			t.Fatalf("%v %v\n%s", ok, err, frozen)
		}
		if err := os.Mkdir(filepath.Join(dir, "thawed"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, vars := range []string{"group_vars", "host_vars"} {
			if err := os.Symlink("../frozen/"+vars, filepath.Join(dir, "thawed", vars)); err != nil {
				t.Fatal(err)
			}
		}
		p.write("thawed/hosts.json", string(thawed))
		given := []string{"strata_image", p.groups[0]}
		cases = append(cases, oracleCase{
			Dir: dir, Play: "play", sources: []string{"frozen/hosts.json"}, Nodes: []string{"n1"}, Patterns: []string{"all", p.groups[0]},
			Sources: []string{filepath.Join(dir, "thawed/hosts.json"), p.generated("n1", given)}, given: map[string][]string{"n1": given}, shown: p.shown.String(),
		})
		compared += sameInventory(t, dir)
	}
	var answers []oracleAnswer
	runPython(t, "testdata/oracle.py", cases, &answers)
	count := map[string]int{}
	for i, c := range cases {
		if c.compare(t, answers[i], count); t.Failed() {
			t.Fatal(c.shown)
		}
	}
	t.Log(compared, count)
	if !testing.Short() && (compared < 100 || count["variables"] < 200) {
		t.Error("too little was compared")
	}
}

// sameInventory compares what a project's own inventory says with what its frozen one
// says, and returns how many variables it looked at. Groups without hosts Ansible
// leaves out.
func sameInventory(t *testing.T, dir string) (compared int) {
	read := func(sources ...string) *Inventory {
		inv, err := Read(tree.New(os.DirFS(dir), tree.NewOnce()), sources...)
		if err != nil {
			t.Fatal(err)
		}
		inv.Dirs = nil // what stands beside it is not compared
		return inv
	}
	own, frozen := read("a", "b.yml"), read("frozen/hosts.json")
	if got, want := frozen.AllHosts(), own.AllHosts(); !slices.Equal(got, want) {
		t.Fatalf("%s: hosts %v, not %v", dir, got, want)
	}
	none := tree.New(os.DirFS(t.TempDir()), tree.NewOnce())
	for _, name := range own.AllHosts() {
		a, b := own.Node(name, nil), frozen.Node(name, nil)
		if !slices.Equal(a.Groups(), b.Groups()) {
			t.Errorf("%s: host %s: groups %v, not %v", dir, name, b.Groups(), a.Groups())
		}
		want, err := a.Definitions(none, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Definitions(none, nil)
		if err != nil {
			t.Fatal(err)
		}
		for d := range want.Definitions() {
			compared++
			x, _ := want.Winner(d.Name())
			y, ok := got.Winner(d.Name())
			if !ok || asJSON(encode(x.Value)) != asJSON(encode(y.Value)) {
				t.Errorf("%s: host %s: %s is %s, not %s", dir, name, d.Name(), asJSON(encode(y.Value)), asJSON(encode(x.Value)))
			}
		}
	}
	return compared
}

// TestFrozenFaults names what is wrong in a frozen inventory, and where.
func TestFrozenFaults(t *testing.T) {
	for text, want := range map[string]string{
		`{"_meta": {"hostvars": {}}, "a": 3}`:                                             `hosts.json:1:34: group a is a int, not a mapping`,
		`{"_meta": {"hostvars": {}}, "a": {"hosts": {"h": {}}}}`:                          `hosts.json:1:44: hosts of group a is a map, not a list`,
		`{"_meta": {"hostvars": {}}, "a": {"host": ["h"]}}`:                               `hosts.json:1:35: group a has host, which is none of hosts, children and vars`,
		`{"_meta": {"hostvars": {}}, "a": {"hosts": [1]}}`:                                `hosts.json:1:45: hosts of group a: 1 is no name`,
		`{"_meta": {"hostvars": {}}, "a": ["h[1:2]"]}`:                                    `hosts.json:1:35: host h[1:2] has the form of a range, or of a host with its port`,
		`{"_meta": {"hostvars": {"h": [1]}}, "a": ["h"]}`:                                 `hosts.json:1:30: hostvars of h is a list, not a mapping`,
		`{"_meta": {"hostvars": {}}, "a": {"children": ["b"]}, "b": {"children": ["a"]}}`: `hosts.json:1: group a is its own ancestor: a → b → a`,
		`{"_meta": {"hostvars": {}}, "a": {"vars": [1]}}`:                                 `hosts.json:1:43: vars of group a is a list, not a mapping`,
	} {
		_, err := Read(files(t, "hosts.json", text), "hosts.json")
		faults := fault.All(err)
		if len(faults) != 1 || faults[0].Error() != want || faults[0].Snippet == "" {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		if _, ok, err := Thaw([]byte(text)); !ok || err == nil && !strings.Contains(want, "ancestor") && !strings.Contains(want, "vars of group") {
			t.Errorf("%s: Thaw: %v %v", text, ok, err)
		}
	}
	_, err := Read(files(t, "i/hosts.json", `{"_meta": {"hostvars": {}}}`), "i")
	if faults := fault.All(err); len(faults) != 1 || !strings.Contains(faults[0].Hint, "inventory: [i, FILE]") {
		t.Error(err)
	}
	for _, text := range []string{"", "_meta", "#!/bin/sh\n# _meta\n", `{"_meta": {}}`, "all: {hosts: {_meta: }}", `{"_meta": [`} {
		if _, ok, err := Thaw([]byte(text)); ok || err != nil {
			t.Errorf("%q: %v %v", text, ok, err)
		}
	}
}

// TestFrozenValues keeps what JSON can and cannot say.
func TestFrozenValues(t *testing.T) {
	text := `{"_meta": {"hostvars": {"h": {"i": -1, "f": 1.50, "b": true, "n": null, "s": "yes \"x\" é", "l": [1, {"a": []}],
 "v": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n61\n"}}}}, "all": {"children": ["g"]}, "g": {"hosts": ["h", "h"], "vars": {"x": 1}}, "u": ["h"], "e": {}}`
	thawed, ok, err := Thaw([]byte(text))
	want := `{"all": {"children": {"g": null}}, "g": {"hosts": {"h": {"i": -1, "f": 1.50, "b": true, "n": null, "s": "yes \"x\" é", "l": [1, {"a": []}],` +
		` "v": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n61\n"}}}, "vars": {"x": 1}}, "u": {"hosts": {"h": null}}, "e": {}}`
	if !ok || err != nil || string(thawed) != want {
		t.Errorf("%v %v\n%s\nnot\n%s", ok, err, thawed, want)
	}
}
