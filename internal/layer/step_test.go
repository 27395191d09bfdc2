package layer

import (
	"reflect"
	"testing"
)

// What a step reads, it says itself: nobody else has a list of kinds.
func TestReads(t *testing.T) {
	content := "x"
	books := Playbooks{Playbooks: []string{"site.yml"}, Groups: []string{"g"}}
	for name, c := range map[string]struct {
		step Step
		want Reads
	}{
		"repositories": {Repositories{Definitions: []Repository{{Key: "keys/a.asc"}, {}}}, Reads{Files: []ReadFile{{Name: "keys/a.asc", Follow: true}}}},
		"remove":       {Remove{Packages: []string{"nano"}}, Reads{}},
		"packages": {Packages{Install: []string{"chrony", "debs/x.deb", "rpms/x.rpm"}},
			Reads{Lists: NewLists, Files: []ReadFile{{Name: "debs/x.deb", Package: true, Follow: true}, {Name: "rpms/x.rpm", Package: true, Follow: true}}}},
		"files":    {Files{Files: []File{{Src: "a"}, {Content: &content}}}, Reads{Files: []ReadFile{{Name: "a"}}}},
		"template": {Files{Files: []File{{Src: "a", Template: true}}}, Reads{Node: true, Files: []ReadFile{{Name: "a", Follow: true}}}},
		"ansible":  {books, Reads{Playbooks: &books, Lists: AnyLists}},
		"run":      {Run{Commands: []Command{{Command: "true"}, {Script: "s.sh"}}}, Reads{Lists: AnyLists, Files: []ReadFile{{Name: "s.sh", Follow: true}}}},
		"services": {Services{Enable: []string{"sshd"}}, Reads{}},
	} {
		if got := c.step.Reads(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := books.Written(); !reflect.DeepEqual(got, Playbooks{Playbooks: []string{"site.yml"}}) {
		t.Errorf("of playbooks counts as it is written: %+v", got)
	}
}
