package build

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/strata-hpc/strata/internal/apt"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

func TestTry(t *testing.T) {
	st, err := store.Open("/tmp/w/store")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := apt.NewCache("/tmp/w/cache/apt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "p.yml"), []byte(`
- hosts: HSN
  tasks:
    - copy: {content: "{{ strata_image }} {{ ansible_distribution_version }}", dest: /etc/marker}
    - apt: {name: hostname}
`), 0o644)
	p := &layer.Project{Cluster: layer.Cluster{Name: "try"}, Repositories: map[string]layer.Repository{"debian": {Type: "apt", Suite: "bookworm"}}}
	b := &Builder{Project: p, Files: os.DirFS(dir), Dir: dir, Store: st, Cache: cache, Version: "test", Watch: func(e Event) {
		if e.Kind != Line {
			t.Log(e.Kind, e.Title, e.Step, e.Steps)
		}
	}}
	n := layer.Node{ID: "base", Layer: "base", Arch: "amd64", Source: &layer.Source{Bootstrap: &layer.Bootstrap{Distribution: "debian"}}, Repositories: []string{"debian"},
		Steps: []layer.Step{layer.Packages{Install: []string{"hello"}, NoRecommends: true}}}
	im, err := b.buildNode(context.Background(), n, layer.Key("k"+t.Name()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(im.ID, im.Digest, im.Layers)
	n2 := layer.Node{ID: "child", Layer: "child", Arch: "amd64", Repositories: []string{"debian"}, Groups: []string{"HSN"},
		Steps: []layer.Step{layer.Packages{Install: []string{"python3-apt"}, NoRecommends: true}, layer.Playbooks{Playbooks: []string{"p.yml"}}, layer.Run{Commands: []layer.Command{{Command: "cat /etc/marker; uname -a; getent hosts localhost"}}}}}
	im2, err := b.buildNode(context.Background(), n2, layer.Key("k2"+t.Name()), im, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, fault.All(err)[0].Detail)
	}
	r, _ := st.Record(im2, layer.Key("k2"+t.Name()))
	t.Logf("%+v", r)
	t.Log(im2.ID, im2.Digest, im2.Layers)
}
