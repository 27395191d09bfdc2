package galaxy

import (
	"cmp"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
)

func read(t *testing.T, text string) []Requirement {
	t.Helper()
	all, errs := Read(fstest.MapFS{"requirements.yml": {Data: []byte(text)}, "files/r.tar.gz": {Data: []byte("x")}, "files/a-b-1.0.0.tar.gz": {Data: []byte("y")}}, ".")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return all
}

// TestRoles compares what entries of roles mean with what ansible-galaxy makes of them.
func TestRoles(t *testing.T) {
	if exec.Command("/usr/bin/python3", "-c", "import ansible").Run() != nil {
		t.Skip("python3 cannot import ansible")
	}
	const script = `
import json, sys, yaml
from ansible.playbook.role.requirement import RoleRequirement
print(json.dumps([RoleRequirement.role_yaml_parse(r) for r in yaml.safe_load(sys.stdin)]))
`
	text := `
- geerlingguy.docker
- geerlingguy.docker2,1.2.3
- geerlingguy.docker3,1.2.3,other
- git+https://git.example.com/a/b.git
- git+https://git.example.com/a/c.git,v1,named
- https://github.com/a/ansible-role-d
- {src: https://github.com/a/e, version: main, name: e2}
- {src: "git+file:///srv/f.git", version: v1}
- {src: "git@git.example.com:a/g.git", scm: git}
- {src: https://example.com/h.tar.gz, name: h}
- {src: https://example.com/i.tar.gz}
- {name: geerlingguy.j, version: "2.0"}
- {src: geerlingguy.k, name: k}
- {role: never, src: geerlingguy.l}
`
	cmd := exec.Command("/usr/bin/python3", "-c", script)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []struct{ Name, Src, Scm, Version *string }
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	got := read(t, text)
	if len(got) != len(want) {
		t.Fatalf("%d roles, and ansible-galaxy sees %d", len(got), len(want))
	}
	said := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	for i, w := range want {
		g := got[i]
		if g.Name != said(w.Name) || g.Source != cmp.Or(said(w.Src), g.Name) || g.Version != said(w.Version) || (g.Type == "git") != (said(w.Scm) == "git") {
			t.Errorf("%+v, and ansible-galaxy says name %s, src %s, scm %s, version %s", g, said(w.Name), said(w.Src), said(w.Scm), said(w.Version))
		}
	}
}

// TestRequirements reads both kinds in their forms, and says which name one version.
func TestRequirements(t *testing.T) {
	type one struct {
		kind                  Kind
		name, source, version string
		pinned                bool
	}
	for text, want := range map[string]one{
		"[{src: a.b, version: 1.2.3}]":                      {Role, "a.b", "a.b", "1.2.3", true},
		"[{src: a.b, version: v1}]":                         {Role, "a.b", "a.b", "v1", true},
		"[{src: a.b, version: master}]":                     {Role, "a.b", "a.b", "master", false},
		"[a.b]":                                             {Role, "a.b", "a.b", "", false},
		"roles: [{name: x, src: files/r.tar.gz}]":           {Role, "x", "files/r.tar.gz", "", true},
		"collections: [a.b]":                                {Collection, "a.b", "", "", false},
		"collections: ['a.b:1.0.0']":                        {Collection, "a.b", "", "1.0.0", true},
		"collections: [{name: a.b, version: '>=1.0.0'}]":    {Collection, "a.b", "", ">=1.0.0", false},
		"collections: [{name: a.b, version: '*'}]":          {Collection, "a.b", "", "*", false},
		"collections: [{name: files/a-b-1.0.0.tar.gz}]":     {Collection, "a.b", "files/a-b-1.0.0.tar.gz", "", true},
		"collections: [{name: 'git+https://e/a.b.git,v1'}]": {Collection, "a.b", "https://e/a.b.git", "v1", true},
		"collections: [{name: a.b, source: 'https://e/c.git', type: git, version: 1.5.4}]": {Collection, "a.b", "https://e/c.git", "1.5.4", true},
		"collections: [{name: 'https://e/a.b', type: git}]":                                {Collection, "a.b", "https://e/a.b", "", false},
		"collections: [{name: a.b, source: 'https://hub', version: 1.0.0}]":                {Collection, "a.b", "https://hub", "1.0.0", true},
	} {
		got := read(t, text)
		if len(got) != 1 {
			t.Errorf("%s: %+v", text, got)
			continue
		}
		if g := (one{got[0].Kind, got[0].Name, got[0].Source, got[0].Version, got[0].Pinned()}); g != want {
			t.Errorf("%s: %+v", text, got[0])
		}
	}
	for _, text := range []string{"", "a", "[[a], 1, {}, {src: [a]}]", "roles: 1\ncollections: {a: b}", "collections: [1, {}]", "- include: other.yml\n"} {
		if got := read(t, text); len(got) > 0 {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if _, errs := Read(fstest.MapFS{"requirements.yml": {Data: []byte("a: [")}}, "."); len(errs) != 1 {
		t.Error("no error of a file that is not YAML")
	}
}

// TestLock reads what was written.
func TestLock(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	lock := Lock{"1": {Of: "1", Kind: Role, Name: "a: \"b\"", Version: "v1", Commit: "c", SHA256: sum}, "2": {Of: "2", Kind: Collection, Name: "x.y", SHA256: sum}}
	got, err := ReadLock(fstest.MapFS{LockName: {Data: []byte(lock.Text())}})
	if err != nil || len(got) != 2 || got["1"] != lock["1"] || got["2"] != lock["2"] {
		t.Errorf("%+v, %v of\n%s", got, err, lock.Text())
	}
	if _, err := ReadLock(fstest.MapFS{LockName: {Data: []byte("roles: [{name: x}]")}}); err == nil {
		t.Error("an entry without a checksum is taken")
	}
	if got, err := ReadLock(fstest.MapFS{}); len(got) > 0 || err != nil {
		t.Error(got, err)
	}
}
