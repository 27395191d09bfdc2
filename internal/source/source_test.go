package source

import (
	"context"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
)

// set notes what it is to bootstrap.
type set struct {
	packages.Set
	of  packages.Bootstrap
	err error
}

func (s *set) Bootstrap(_ context.Context, of packages.Bootstrap) error {
	s.of = of
	return s.err
}

// TestFill: a bootstrap is the package manager's, with all that the layer says.
func TestFill(t *testing.T) {
	broken := errors.New("broken")
	for _, err := range []error{nil, broken} {
		s := &set{err: err}
		to := Tree{Upper: "/upper", Scratch: "/scratch", Repositories: s, Environment: []string{"A=b"}, Log: io.Discard}
		if got := Fill(t.Context(), to, layer.Bootstrap{Distribution: "debian", Recommends: true}); !errors.Is(got, err) {
			t.Errorf("%v, not %v", got, err)
		}
		want := packages.Bootstrap{Upper: "/upper", Scratch: "/scratch", Environment: []string{"A=b"}, Log: io.Discard, Recommends: true}
		if !reflect.DeepEqual(s.of, want) {
			t.Errorf("%+v", s.of)
		}
	}
}
