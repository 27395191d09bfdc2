package packages

import (
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// named is a manager that opens nothing but notes the call.
type named struct {
	dir    string
	opened *[]string
}

func (n named) Open(list []Repository, arch string) (Set, error) {
	for _, r := range list {
		*n.opened = append(*n.opened, n.dir+" "+r.Name+" "+arch)
	}
	return nil, nil
}

func (n named) Dir() string { return n.dir }

func TestTable(t *testing.T) {
	var opened []string
	table := Table{"b": named{"/b", &opened}, "a": named{"/a", &opened}}
	of := func(name, kind string) Repository {
		return Repository{Name: name, Repository: layer.Repository{Type: kind}}
	}
	if got := table.Dirs(); !slices.Equal(got, []string{"/a", "/b"}) {
		t.Errorf("directories: %q", got)
	}
	if _, err := table.Open([]Repository{of("x", "b"), of("y", "b")}, "arm64"); err != nil || !slices.Equal(opened, []string{"/b x arm64", "/b y arm64"}) {
		t.Errorf("%q, %v", opened, err)
	}
	if set, err := table.Open(nil, "arm64"); set != nil || err != nil {
		t.Errorf("nothing opens: %v, %v", set, err)
	}
	for want, list := range map[string][]Repository{
		"repository x is of type a, and y of type b": {of("x", "a"), of("y", "b")},
		"repository x is of type c, which":           {of("x", "c")},
	} {
		if _, err := table.Open(list, "amd64"); err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Input {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
