package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// full is a file system in which every text of a value names a file that is a
// playbook, too.
func full(v reflect.Value) fstest.MapFS {
	files := fstest.MapFS{}
	var down func(v reflect.Value)
	down = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if name := path.Clean(v.String()); fs.ValidPath(name) && name != "." {
				text := "- hosts: all\n"
				if strings.Contains(name, "extravarsfiles") {
					text = "a: 1\n"
				}
				files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
			}
		case reflect.Pointer, reflect.Interface:
			down(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				down(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				down(v.Index(i))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				down(v.MapIndex(k))
			}
		}
	}
	down(v)
	return files
}

// fill sets every field below v to something.
func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.ToLower(name))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), name+"/"+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), fmt.Sprint(name, i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, name+"/value")
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(name))
		}
	default:
		panic("fill " + v.Kind().String())
	}
}

// fullNode is a node with every field set and a step of every kind.
func fullNode() layer.Node {
	var n layer.Node
	v := reflect.ValueOf(&n).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Steps" && name != "Source" {
			fill(v.Field(i), name)
		}
	}
	var source layer.Bootstrap
	fill(reflect.ValueOf(&source).Elem(), "Source")
	n.Source = source
	for _, s := range []layer.Step{layer.Repositories{}, layer.Remove{}, layer.Packages{}, layer.Files{},
		layer.Playbooks{}, layer.Run{}, layer.Services{}} {
		value := reflect.New(reflect.TypeOf(s)).Elem()
		fill(value, s.Kind())
		n.Steps = append(n.Steps, value.Interface().(layer.Step))
	}
	return n
}

// change makes the k-th possible change below v, and says what it changed; ""
// if there are fewer.
func change(v reflect.Value, path string, k *int) string {
	here := func() bool { *k--; return *k == -1 }
	switch v.Kind() {
	case reflect.String:
		if here() {
			v.SetString(v.String() + "x")
			return path
		}
	case reflect.Bool:
		if here() {
			v.SetBool(!v.Bool())
			return path
		}
	case reflect.Int:
		if here() {
			v.SetInt(v.Int() + 1)
			return path
		}
	case reflect.Pointer:
		if here() {
			v.SetZero()
			return path
		}
		return change(v.Elem(), path, k)
	case reflect.Struct:
		for i := range v.NumField() {
			if p := change(v.Field(i), path+"."+v.Type().Field(i).Name, k); p != "" {
				return p
			}
		}
	case reflect.Slice:
		if here() {
			v.Set(reflect.Append(v, v.Index(0)))
			return path + " longer"
		}
		if here() {
			first := reflect.New(v.Type().Elem()).Elem()
			first.Set(v.Index(0))
			v.Index(0).Set(v.Index(1))
			v.Index(1).Set(first)
			return path + " in another order"
		}
		for i := range v.Len() {
			if p := change(v.Index(i), fmt.Sprintf("%s[%d]", path, i), k); p != "" {
				return p
			}
		}
	case reflect.Map:
		key := v.MapKeys()[0]
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(v.MapIndex(key))
		if here() {
			v.SetMapIndex(reflect.ValueOf("more"), value)
			return path + " larger"
		}
		if p := change(value, path+"[]", k); p != "" {
			v.SetMapIndex(key, value)
			return p
		}
	case reflect.Interface:
		value := reflect.New(v.Elem().Type()).Elem()
		value.Set(v.Elem())
		if p := change(value, path+"("+value.Type().Name()+")", k); p != "" {
			v.Set(value)
			return p
		}
	}
	return ""
}

// A source enters with its kind: two that say the same are not the same.
func TestSourceEntersWithItsKind(t *testing.T) {
	b := layer.Bootstrap{Distribution: "debian", Repositories: []string{"debian"}}
	text, err := canonical(definitionOf(b))
	if want := `&{Bootstrap:&{Distribution:"debian",Repositories:["debian",],},}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if got, want := show(definitionOf(b)), "{bootstrap: {distribution: debian, repositories: [debian]}}"; got != want {
		t.Errorf("it is shown as %s", got)
	}
}

func TestEveryFieldDecides(t *testing.T) {
	irrelevant := map[string]string{
		".Pos.File":       "where it is written",
		".Pos.Line":       "where it is written",
		".Pos.Col":        "where it is written",
		".Parent":         "enters by its digest",
		".Secrets[].File": "where a secret is read from; its value enters",
		".Secrets[].Env":  "where a secret is read from; its value enters",

		".Steps[4](Playbooks).Groups longer":           "groups enter by what playbooks make of them",
		".Steps[4](Playbooks).Groups in another order": "groups enter by what playbooks make of them",
		".Steps[4](Playbooks).Groups[0]":               "groups enter by what playbooks make of them",
		".Steps[4](Playbooks).Groups[1]":               "groups enter by what playbooks make of them",
		".Steps[4](Playbooks).ExtraVars larger":        "variables enter if playbooks read them",
		".Steps[4](Playbooks).ExtraVars[](string)":     "variables enter if playbooks read them",
		".Steps[4](Playbooks).ExtraVarsFiles":          "variables enter if playbooks read them",
		".Steps[4](Playbooks).Vault":                   "enters by the variables that then count",
		".Steps[4](Playbooks).Local":                   "enters by the files that are then read",
	}
	key := func(n layer.Node) layer.Key {
		t.Helper()
		p := &layer.Project{Repositories: map[string]layer.Repository{}}
		for _, name := range n.Repositories {
			p.Repositories[name] = layer.Repository{Type: "apt"}
		}
		if n.Source != nil {
			for _, name := range n.Source.Uses() {
				p.Repositories[name] = layer.Repository{Type: "apt"}
			}
		}
		src := &Source{Files: full(reflect.ValueOf(n)), Secret: func(layer.Secret) ([]byte, error) { return []byte("s"), nil }}
		inputs, err := Inputs(p, n, src)
		if err != nil {
			t.Fatal(err)
		}
		return KeyOf("", inputs)
	}
	before := key(fullNode())
	if key(fullNode()) != before {
		t.Fatal("the same node has two keys")
	}
	seen, changes := map[string]bool{}, 0
	for k := 0; ; k++ {
		n, left := fullNode(), k
		path := change(reflect.ValueOf(&n).Elem(), "", &left)
		if path == "" {
			break
		}
		changes++
		for _, whole := range []string{"Local", "ExtraVarsFiles"} {
			if whole = ".Steps[4](Playbooks)." + whole; strings.HasPrefix(path, whole) {
				path = whole // and all that is in it
			}
		}
		seen[path] = true
		if changed := key(n) != before; changed == (irrelevant[path] != "") {
			t.Errorf("%s: key changed: %v", path, changed)
		}
	}
	for path := range irrelevant {
		if !seen[path] {
			t.Errorf("%s is said to be irrelevant but is no field", path)
		}
	}
	if changes < 100 {
		t.Errorf("only %d changes tried", changes)
	}
}

func str(s string) *string { return &s }

// example is a project as people write them: base, hsn, compute, slurm.
func example() *layer.Project {
	node := func(id, parent layer.NodeID, groups []string, steps ...layer.Step) layer.Node {
		return layer.Node{ID: id, Layer: string(id), Arch: "amd64", Parent: parent, Groups: groups, Steps: steps,
			Pos: layer.Pos{File: "strata.yaml", Line: 5}}
	}
	base := node("base", "", nil, layer.Packages{Install: []string{"systemd-sysv", "debs/tool.deb"}})
	base.Source = layer.Bootstrap{Distribution: "debian", Repositories: []string{"debian"}}
	return &layer.Project{
		Cluster:      layer.Cluster{Name: "a", Short: "a"},
		Inventory:    []string{"inventory"},
		Repositories: map[string]layer.Repository{"debian": {Type: "apt", Suite: "bookworm", Key: "keys/debian.asc"}},
		Nodes: []layer.Node{
			base,
			node("hsn", "base", nil, layer.Run{Commands: []layer.Command{{Script: "scripts/hsn.sh"}}}),
			node("compute", "hsn", []string{"Compute"}, layer.Files{Files: []layer.File{{Src: "files/etc", Dest: "/etc"}}}),
			node("uan", "hsn", []string{"UAN"}, layer.Services{Enable: []string{"ssh"}}),
			node("slurm-compute", "compute", []string{"Compute"}, layer.Playbooks{Playbooks: []string{"pb/slurm.yml"}}),
			node("slurm-uan", "uan", []string{"UAN"}, layer.Playbooks{Playbooks: []string{"pb/slurm.yml"}}),
		},
		Images: []layer.Image{{Name: "compute", Node: "slurm-compute"}, {Name: "login", Node: "slurm-uan"}},
	}
}

func exampleFiles() fstest.MapFS {
	m := fstest.MapFS{}
	for name, data := range map[string]string{
		"keys/debian.asc": "key", "debs/tool.deb": "deb", "scripts/hsn.sh": "#!/bin/sh", "files/etc/motd": "hello",
		"files/etc/issue": "x", "inventory/hosts": "[Compute]\n[UAN]\n", "inventory/group_vars/all.yml": "a: 1",
		"inventory/group_vars/Compute.yml": "b: 1", "inventory/group_vars/UAN.yml": "b: 2",
		"pb/slurm.yml":                               "- hosts: all\n  roles: [slurm]\n",
		"pb/roles/slurm/tasks/main.yml":              "- template: {src: slurm.conf.j2, dest: /etc/slurm.conf}\n",
		"pb/roles/slurm/templates/slurm.conf.j2":     "ClusterName={{ a }} {{ b }}",
		"pb/roles/unused/tasks/main.yml":             "[]",
		"pb/roles/slurm/files/slurm-run-epilog.tmpl": "x",
	} {
		m[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
	}
	m["files/etc/localtime"] = &fstest.MapFile{Data: []byte("/usr/share/zoneinfo/UTC"), Mode: fs.ModeSymlink | 0o777}
	return m
}

func keys(t *testing.T, p *layer.Project, src *Source) map[layer.NodeID]layer.Key {
	t.Helper()
	all := map[layer.NodeID]layer.Key{}
	for _, n := range p.Nodes {
		inputs, err := Inputs(p, n, src)
		if err != nil {
			t.Fatal(err)
		}
		all[n.ID] = KeyOf("", inputs)
	}
	return all
}

func TestInputsOfAProject(t *testing.T) {
	set := func(name, data string) func(*layer.Project, fstest.MapFS, *Source) {
		return func(_ *layer.Project, m fstest.MapFS, _ *Source) {
			m[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
		}
	}
	type edit func(*layer.Project, fstest.MapFS, *Source)
	tests := []struct {
		name string
		edit edit
		want string // the nodes whose keys change
	}{
		{"nothing", func(*layer.Project, fstest.MapFS, *Source) {}, ""},
		{"tool", func(_ *layer.Project, _ fstest.MapFS, s *Source) { s.Tool = "2" }, "base hsn compute uan slurm-compute slurm-uan"},
		{"package file", set("debs/tool.deb", "other"), "base"},
		{"repository's key", set("keys/debian.asc", "other"), "base"},
		{"repository", func(p *layer.Project, _ fstest.MapFS, _ *Source) {
			p.Repositories["debian"] = layer.Repository{Type: "apt", Suite: "trixie", Key: "keys/debian.asc"}
		}, "base"},
		{"another repository", func(p *layer.Project, _ fstest.MapFS, _ *Source) {
			p.Repositories["more"] = layer.Repository{Type: "apt"}
		}, ""},
		{"cluster", func(p *layer.Project, _ fstest.MapFS, _ *Source) { p.Cluster.Short = "b" }, ""},
		{"cluster with template", func(p *layer.Project, _ fstest.MapFS, _ *Source) {
			p.Nodes[3].Steps = []layer.Step{layer.Files{Files: []layer.File{{Content: str(""), Dest: "/x", Template: true}}}}
			p.Cluster.Short = "b"
		}, "uan"},
		{"variable that nobody reads", set("inventory/group_vars/UAN.yml", "b: 2\nc: 3"), ""},
		{"comment", set("pb/roles/slurm/tasks/main.yml", "# x\n- template: {dest: /etc/slurm.conf, src: slurm.conf.j2}\n"), ""},
		{"registry", func(p *layer.Project, _ fstest.MapFS, _ *Source) { p.Registry = "b" }, ""},
		{"script", set("scripts/hsn.sh", "#!/bin/bash"), "hsn"},
		{"script made executable", func(_ *layer.Project, m fstest.MapFS, _ *Source) { m["scripts/hsn.sh"].Mode = 0o755 }, "hsn"},
		{"other bits of the mode", func(_ *layer.Project, m fstest.MapFS, _ *Source) { m["scripts/hsn.sh"].Mode = 0o600 }, ""},
		{"file in a tree", set("files/etc/motd", "bye"), "compute"},
		{"new file in a tree", set("files/etc/new/x", ""), "compute"},
		{"link in a tree", func(_ *layer.Project, m fstest.MapFS, _ *Source) {
			m["files/etc/localtime"].Data = []byte("/usr/share/zoneinfo/GMT")
		}, "compute"},
		{"empty directory in a tree", func(_ *layer.Project, m fstest.MapFS, _ *Source) {
			m["files/etc/empty"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
		}, "compute"},
		{"file that nobody reads", set("README.md", "x"), ""},
		{"role that nobody uses", set("pb/roles/unused/tasks/main.yml", "x"), ""},
		{"template of a role", set("pb/roles/slurm/templates/slurm.conf.j2", "x"), "slurm-compute slurm-uan"},
		{"variables of a group", set("inventory/group_vars/UAN.yml", "b: 3"), "slurm-uan"},
		{"variables of all", set("inventory/group_vars/all.yml", "b: 3"), "slurm-compute slurm-uan"},
		{"groups without playbook", func(p *layer.Project, _ fstest.MapFS, _ *Source) { p.Nodes[2].Groups = nil }, ""},
		{"groups with playbook", func(p *layer.Project, _ fstest.MapFS, _ *Source) { p.Nodes[4].Groups = nil }, "slurm-compute"},
		{"groups with template", func(p *layer.Project, _ fstest.MapFS, _ *Source) {
			p.Nodes[3].Steps = []layer.Step{layer.Files{Files: []layer.File{{Content: str(""), Dest: "/x", Template: true}}}}
		}, "uan"},
		{"empty lists say nothing", func(p *layer.Project, _ fstest.MapFS, _ *Source) {
			p.Nodes[1].Env, p.Nodes[1].Groups = map[string]string{}, []string{}
		}, ""},
		{"place", func(p *layer.Project, _ fstest.MapFS, _ *Source) { p.Nodes[1].Pos.Line = 99 }, ""},
		{"secret", func(p *layer.Project, _ fstest.MapFS, _ *Source) {
			p.Nodes[1].Secrets = map[string]layer.Secret{"token": {Env: "TOKEN"}}
		}, "hsn"},
	}
	before := keys(t, example(), &Source{Files: exampleFiles()})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, m := example(), exampleFiles()
			src := &Source{Files: m, Secret: func(s layer.Secret) ([]byte, error) { return []byte(s.Env), nil }}
			test.edit(p, m, src)
			after := keys(t, p, src)
			var changed []string
			for _, n := range p.Nodes {
				if after[n.ID] != before[n.ID] {
					changed = append(changed, string(n.ID))
				}
			}
			if got := strings.Join(changed, " "); got != test.want {
				t.Errorf("keys changed of %q, want %q", got, test.want)
			}
		})
	}
}

func TestTypesDecide(t *testing.T) {
	seen := map[string]any{}
	for _, v := range []any{1, "1", 1.0, 1.5, true, "true", nil, []any{}, []any{"a", "b"}, []any{"a,b"}, map[string]any{},
		map[string]any{"a": 1, "b": 2}, map[string]any{"a": "1,b:2"}, uint8(1)} {
		text, err := canonical(map[string]any{"v": v})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(text)]; ok {
			t.Errorf("%#v and %#v are both %s", v, other, text)
		}
		seen[string(text)] = v
	}
	if _, err := canonical(func() {}); err == nil {
		t.Error("a function has a canonical form")
	}
}

func TestKeyOf(t *testing.T) {
	a, b := Input{Kind: KindFile, Name: "a", Digest: "1"}, Input{Kind: KindFile, Name: "b", Digest: "2"}
	key := KeyOf("sha256:p", []Input{a, b})
	if len(key) != 64 {
		t.Errorf("key %q", key)
	}
	if KeyOf("sha256:p", []Input{b, ParentInput("x", "sha256:p"), a}) != key {
		t.Error("the order of inputs, or the record of the parent, decides")
	}
	for _, other := range []layer.Key{KeyOf("", []Input{a, b}), KeyOf("sha256:p", []Input{a}), KeyOf("sha256:p", nil),
		KeyOf("sha256:p", []Input{a, {Kind: KindPackage, Name: "b", Digest: "2"}}), KeyOf("sha256:p", []Input{a, {Kind: KindFile, Name: "b2"}})} {
		if other == key {
			t.Error("different inputs have one key")
		}
	}
}

func TestInputsFaults(t *testing.T) {
	tests := []struct {
		step layer.Step
		want string
	}{
		{layer.Files{Files: []layer.File{{Src: "nope"}}}, "strata.yaml:5: cannot read nope"},
		{layer.Files{Files: []layer.File{{Src: "../x"}}}, "../x is not below the project's directory"},
		{layer.Packages{Install: []string{"x.deb"}}, "cannot read x.deb"},
		{layer.Run{Commands: []layer.Command{{Script: "/x"}}}, "/x is not below"},
		{layer.Playbooks{Playbooks: []string{"nope.yml"}}, "strata.yaml:5: the playbook nope.yml does not exist"},
	}
	for _, test := range tests {
		p := example()
		p.Nodes[1].Steps = []layer.Step{test.step}
		_, err := Inputs(p, p.Nodes[1], &Source{Files: exampleFiles()})
		faults := fault.All(err)
		if len(faults) != 1 || faults[0].Kind != fault.Input || !strings.Contains(faults[0].Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	p := example()
	p.Nodes[1].Secrets = map[string]layer.Secret{"a": {}}
	cause := errors.New("sealed")
	if _, err := Inputs(p, p.Nodes[1], &Source{Files: exampleFiles(),
		Secret: func(layer.Secret) ([]byte, error) { return nil, cause }}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// TestUndefined: a file of variables that is encrypted as a whole is checked for what any
// of a node's steps took it not to define.
func TestUndefined(t *testing.T) {
	m := fstest.MapFS{}
	for name, text := range map[string]string{
		"hosts":                      "[web]\n",
		"group_vars/web/secrets.yml": "$ANSIBLE_VAULT;1.1;AES256\n31\n",
		"group_vars/all.yml":         "{one: x, other: y, unused: z}",
		"a.yml":                      "- hosts: web\n  tasks: [{include_tasks: \"{{ one }}.yml\"}]\n",
		"b.yml":                      "- hosts: web\n  tasks: [{include_tasks: \"{{ other }}.yml\"}]\n",
	} {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	steps := []layer.Step{
		layer.Playbooks{Playbooks: []string{"a.yml"}, Groups: []string{"web"}},
		layer.Playbooks{Playbooks: []string{"b.yml"}, Groups: []string{"web"}},
	}
	inputs, err := Inputs(&layer.Project{Inventory: []string{"hosts"}}, layer.Node{ID: "n", Steps: steps}, &Source{Files: m})
	if err != nil {
		t.Fatal(err)
	}
	vaulted := 0
	for _, in := range inputs {
		if in.Vaulted {
			vaulted++
			if fmt.Sprint(in.Undefined) != "[one other]" {
				t.Errorf("%s is checked for %s", in.Name, in.Undefined)
			}
		} else if in.Undefined != nil {
			t.Errorf("%s is checked for %s", in.Name, in.Undefined)
		}
	}
	if vaulted != 1 {
		t.Errorf("%d files are encrypted as a whole", vaulted)
	}
}
