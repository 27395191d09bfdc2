package plan

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/recipe"
)

// copied returns a tree on disk as a map.
func copied(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	disk := os.DirFS(dir)
	err := fs.WalkDir(disk, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(disk, name)
		info, infoErr := d.Info()
		if err == nil && infoErr == nil {
			m[name] = &fstest.MapFile{Data: data, Mode: info.Mode()}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func revisionOf(files fs.FS, parsed *ansible.Parsed) (Revision, error) {
	p, err := recipe.Load(files, "strata.yaml", recipe.Options{})
	if err != nil {
		return Revision{}, err
	}
	return Revision{Project: p, Source: &Source{Files: files, Parsed: parsed, Exclude: p.Files}}, nil
}

// TestCompareTakesOver: what the base's answer takes over from the head's, as
// nothing differs that was looked at, is what it would have come to by itself.
func TestCompareTakesOver(t *testing.T) {
	base := copied(t, "../../examples/cluster")
	edits := map[string]func(m fstest.MapFS, name string){
		"gone":      func(m fstest.MapFS, name string) { delete(m, name) },
		"empty":     func(m fstest.MapFS, name string) { m[name].Data = nil },
		"commented": func(m fstest.MapFS, name string) { m[name].Data = append([]byte("# a comment\n"), m[name].Data...) },
		"run":       func(m fstest.MapFS, name string) { m[name].Mode ^= 0o100 },
		"moved": func(m fstest.MapFS, name string) {
			m[path.Join(path.Dir(name), "other-"+path.Base(name))] = m[name]
			delete(m, name)
		},
		"shadowed": func(m fstest.MapFS, name string) { // by something in front of it
			m[strings.TrimSuffix(name, path.Ext(name))+"/main.yml"] = &fstest.MapFile{Data: []byte("x: 1\n"), Mode: 0o644}
		},
		"in front": func(m fstest.MapFS, name string) {
			m["roles/slurm/templates/"+path.Base(name)] = m[name]
			m["roles/motd/tasks/"+path.Base(name)] = m[name]
		},
		"other value": func(m fstest.MapFS, name string) {
			m[name].Data = []byte(strings.Replace(string(m[name].Data), ": ", ": 7", 1))
		},
	}
	compared, built := 0, 0
	for name := range base {
		for what, edit := range edits {
			head := fstest.MapFS{}
			for n, f := range base {
				c := *f
				head[n] = &c
			}
			edit(head, name)
			var changed []string
			for n, f := range head {
				if b := base[n]; b == nil || string(b.Data) != string(f.Data) || b.Mode != f.Mode {
					changed = append(changed, n)
				}
			}
			for n := range base {
				if head[n] == nil {
					changed = append(changed, n)
				}
			}
			quick, err := compareOnce(base, head, append([]string{}, changed...))
			slow, slowErr := compareOnce(base, head, nil)
			if fmt.Sprint(err) != fmt.Sprint(slowErr) {
				t.Errorf("%s %s: %v, without help %v", name, what, err, slowErr)
			}
			if err != nil || slowErr != nil {
				continue
			}
			compared++
			if quick.Text() != slow.Text() || quick.Details(DetailOptions{}) != slow.Details(DetailOptions{}) {
				t.Errorf("%s %s:\n%s\nwithout help:\n%s", name, what, quick.Text(), slow.Text())
			}
			if quick.Count(Build) > 0 {
				built++
			}
		}
	}
	t.Logf("%d comparisons, in %d of which something is built", compared, built)
	if compared < 300 || built < 100 {
		t.Errorf("only %d comparisons, %d with something to build", compared, built)
	}
}

func compareOnce(base, head fs.FS, changed []string) (*Plan, error) {
	parsed := ansible.NewParsed()
	was, err := revisionOf(base, parsed)
	if err != nil {
		return nil, err
	}
	now, err := revisionOf(head, parsed)
	if err != nil {
		return nil, err
	}
	var want []layer.NodeID
	for _, n := range now.Project.Nodes {
		want = append(want, n.ID)
	}
	return Compare(was, now, want, CompareOptions{Changed: changed})
}

// TestCompareTwoPlaybookSteps: what the first of two steps reaches counts as well,
// also where only differences are told.
func TestCompareTwoPlaybookSteps(t *testing.T) {
	book := func(text string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("- hosts: all\n  tasks: [{debug: {msg: " + text + "}}]\n"), Mode: 0o644}
	}
	parsed := ansible.NewParsed()
	at := func(first, second string) Revision {
		p := &layer.Project{Nodes: []layer.Node{{ID: "base"}, {ID: "top", Parent: "base", Steps: []layer.Step{
			layer.Playbooks{Playbooks: []string{"one.yml"}}, layer.Playbooks{Playbooks: []string{"two.yml"}},
		}}}}
		return Revision{Project: p, Source: &Source{Files: fstest.MapFS{"one.yml": book(first), "two.yml": book(second)}, Parsed: parsed}}
	}
	for _, c := range []struct {
		first, second, changed string
		action                 Action
	}{{"a", "b", "", Keep}, {"x", "b", "one.yml", Build}, {"a", "x", "two.yml", Build}} {
		changed := []string{}
		if c.changed != "" {
			changed = append(changed, c.changed)
		}
		made, err := Compare(at("a", "b"), at(c.first, c.second), []layer.NodeID{"top"}, CompareOptions{Changed: changed, Brief: true})
		if err != nil {
			t.Fatal(err)
		}
		if d, _ := made.Find("top"); d.Action != c.action {
			t.Errorf("%s changed: %s, %v", c.changed, d.Action, d.Reasons)
		}
	}
}
