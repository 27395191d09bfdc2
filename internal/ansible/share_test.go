package ansible

import (
	"fmt"
	"os"
	"reflect"
	"testing"
)

// alone is Reach by a walk that shares nothing.
func alone(p *Project, q Query) (*Reached, error) {
	w, err := newWalk(p, q, Options{})
	if err != nil {
		return nil, err
	}
	for _, name := range w.q.Playbooks {
		w.playbook(name, place{})
	}
	w.settle()
	if len(w.faults) > 0 {
		return nil, w.faults[0]
	}
	return w.reached(), nil
}

// TestSharedIsAlone holds walks that begin together against those that do not.
func TestSharedIsAlone(t *testing.T) {
	fsys := os.DirFS("../../examples/cluster")
	shared := Open(fsys, NewParsed())
	for _, groups := range [][]string{{"cluster"}, {"HSN"}, {"Compute"}, {"UAN"}, {"Slurm", "Compute"}, {"Slurm", "UAN"}, {"elsewhere"}, nil} {
		for _, book := range []string{"base.yml", "hsn.yml", "compute.yml", "uan.yml", "slurm.yml"} {
			for i := range 2 {
				q := Query{Playbooks: []string{book, "base.yml"}, Host: fmt.Sprintf("node%d", i), Groups: groups, Inventory: "inventory"}
				got, err := shared.Reach(q, Options{})
				want, wantErr := alone(Open(fsys, NewParsed()), q)
				if (err == nil) != (wantErr == nil) {
					t.Fatalf("%v: %v, alone %v", q, err, wantErr)
				}
				if err == nil && !reflect.DeepEqual(digests(got), digests(want)) {
					t.Errorf("%v: %v, alone %v", q, digests(got), digests(want))
				}
			}
		}
	}
}

func digests(r *Reached) map[string]string {
	all := map[string]string{}
	for _, f := range r.Files {
		all["file "+f.Path] = f.Digest
	}
	for _, v := range r.Variables {
		all["variable "+v.Name] = v.Digest
	}
	return all
}

// TestGoOnSharesNothing sees to it that what goes on from a beginning has maps,
// lists and the like of its own, whatever fields a walk gets.
func TestGoOnSharesNothing(t *testing.T) {
	common := map[string]bool{ // made once, and not changed by walks
		"Project": true, "q": true, "inv": true, "cfg": true, "from": true, "scope": true, "trial": true, "matched": true, "node": true, "extra": true,
		"any":    true, // replaced as a whole
		"faults": true, // empty where a beginning is used
	}
	p := Open(os.DirFS("../../examples/cluster"), NewParsed())
	q := Query{Playbooks: []string{"base.yml", "slurm.yml"}, Host: "a", Groups: []string{"cluster", "Slurm", "Compute"}, Inventory: "inventory"}
	first, err := p.begin(q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.begin(q, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if first.from == nil || first.from != second.from {
		t.Fatal("they did not begin together")
	}
	a, b := reflect.ValueOf(first).Elem(), reflect.ValueOf(second).Elem()
	for i := range a.NumField() {
		name := a.Type().Field(i).Name
		if common[name] {
			continue
		}
		aliased(t, name, a.Field(i), b.Field(i))
	}
}

// aliased looks for maps, lists and pointers that two values have in common.
func aliased(t *testing.T, name string, a, b reflect.Value) {
	switch a.Kind() {
	case reflect.Map:
		if a.Len() > 0 && a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", name)
		}
		for _, k := range a.MapKeys() {
			if v := a.MapIndex(k); v.Kind() == reflect.Pointer && v.Pointer() == b.MapIndex(k).Pointer() {
				t.Errorf("%s[%v] is shared", name, k)
			} else if v.Kind() == reflect.Slice && v.Len() < v.Cap() && v.Pointer() == b.MapIndex(k).Pointer() {
				t.Errorf("%s[%v] can be appended to by both", name, k)
			}
		}
	case reflect.Slice:
		if a.Len() > 0 && a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", name)
		}
		for i := range a.Len() {
			if v := a.Index(i); v.Kind() == reflect.Pointer && v.Pointer() == b.Index(i).Pointer() {
				t.Errorf("%s[%d] is shared", name, i)
			}
		}
	case reflect.Pointer:
		if !a.IsNil() && a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", name)
		}
	case reflect.Struct:
		for i := range a.NumField() {
			aliased(t, name+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	}
}
