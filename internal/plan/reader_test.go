package plan

import (
	"bytes"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/trace"
)

// opened notes which files are opened.
type opened struct {
	fstest.MapFS
	mu    sync.Mutex
	names []string
}

func (o *opened) Open(name string) (fs.File, error) {
	o.mu.Lock()
	o.names = append(o.names, name)
	o.mu.Unlock()
	return o.MapFS.Open(name)
}

func (o *opened) has(name string) bool { return slices.Contains(o.names, name) }

// tracesOfBuild are traces of the example as a build leaves them.
func tracesOfBuild(t *testing.T, files fstest.MapFS, h history) *trace.File {
	t.Helper()
	var file []byte
	o := h.options()
	o.Traces = TraceOptions{About: []byte("about"), Made: func(made []byte) { file = made }}
	if _, err := Make(example(), leavesOf(example()), &Source{Files: files}, h.have, o); err != nil {
		t.Fatal(err)
	}
	traces, err := trace.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return traces
}

// TestMakeWithTraces: a plan with the traces of another commit is the plan without them,
// and playbooks are read only where something that they ask for differs.
func TestMakeWithTraces(t *testing.T) {
	const playbook, role = "pb/slurm.yml", "pb/roles/slurm/tasks/main.yml"
	before, h := exampleFiles(), built(t)
	traces := tracesOfBuild(t, before, h)
	if traces.Len() != 2 {
		t.Fatalf("%d nodes have playbooks", traces.Len())
	}
	for _, test := range []struct {
		file, text string
		follows    bool
		built      []layer.NodeID
	}{
		{"", "", false, nil},
		{"README.md", "new", false, nil},
		{"pb/roles/unused/tasks/main.yml", "[{debug: }]", false, nil},
		{"inventory/group_vars/UAN.yml", "b: 3 # more\n", true, []layer.NodeID{"slurm-uan"}},
		{"pb/roles/slurm/templates/slurm.conf.j2", "other {{ a }}", true, []layer.NodeID{"slurm-compute", "slurm-uan"}},
		{"pb/roles/slurm/defaults/main.yml", "a: 7\n", true, nil}, // the inventory is stronger
		{"scripts/hsn.sh", "#!/bin/sh -e", true, []layer.NodeID{"hsn"}},
	} {
		after := &opened{MapFS: exampleFiles()}
		var changed []string
		if test.file != "" {
			after.MapFS[test.file] = &fstest.MapFile{Data: []byte(test.text), Mode: 0o644}
			changed = []string{test.file}
		}
		make := func(files fs.FS, known ...Known) *Plan {
			t.Helper()
			o := h.options()
			o.Traces.Known = known
			made, err := Make(example(), leavesOf(example()), &Source{Files: files}, h.have, o)
			if err != nil {
				t.Fatal(err)
			}
			return made
		}
		want := make(after.MapFS)
		got := make(after, Known{Traces: traces, Source: &Source{Files: before}, ChangedHead: changed})
		if followed := after.has(playbook) || after.has(role); followed != test.follows {
			t.Errorf("%s: playbooks are read: %v", test.file, followed)
		}
		for i, d := range got.Nodes {
			w := want.Nodes[i]
			if d.Key != w.Key || d.Action != w.Action || d.Reason != w.Reason || !reflect.DeepEqual(d.Reasons, w.Reasons) ||
				d.Lineage("x") != w.Lineage("x") || d.Action != Keep && !SameInputs(d.Inputs, w.Inputs) {
				t.Errorf("%s: with traces %s is %s (%s), without %s (%s)", test.file, d.Node.ID, d.Action, d.Reason, w.Action, w.Reason)
			}
			if (d.Action == Build) != slices.Contains(test.built, d.Node.ID) {
				t.Errorf("%s: %s is to %s", test.file, d.Node.ID, d.Action)
			}
		}
	}
}

// A trace of a program that nothing bounds says no key.
func TestTracesOfPrograms(t *testing.T) {
	files := exampleFiles()
	files["pb/roles/slurm/tasks/main.yml"] = &fstest.MapFile{Data: []byte("- {command: gen, delegate_to: localhost}\n")}
	traces := tracesOfBuild(t, files, history{})
	for i := range traces.Len() {
		if came, _, err := traces.Came(i); err != nil || came != [32]byte{} {
			t.Errorf("%x, %v", came, err)
		}
	}
	after := &opened{MapFS: files}
	known := Known{Traces: traces, Source: &Source{Files: files}}
	made, err := Make(example(), leavesOf(example()), &Source{Files: after}, history{}.have, Options{Traces: TraceOptions{Known: []Known{known}}})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := made.Find("slurm-uan")
	if d.Unbounded == nil || !slices.ContainsFunc(after.names, func(name string) bool { return strings.HasPrefix(name, "pb/roles") }) {
		t.Errorf("%+v", d)
	}
}
