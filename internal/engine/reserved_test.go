package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
)

// TestAStepCannotMakeTwoTreesOfOne does, in a mounted overlay, what would mean
// something else in a layer: the layer is refused, with the path and a hint,
// unless the kernel refuses it first.
func TestAStepCannotMakeTwoTreesOfOne(t *testing.T) {
	if os.Geteuid() != 0 || sandbox.InUserNamespace() {
		t.Skip("needs root")
	}
	w := &world{t: t}
	st := w.openStore()
	base, err := st.AddLayer(t.Context(), "", func(staging store.Staging) error {
		return errors.Join(os.Mkdir(filepath.Join(staging.Upper, "dir"), 0o755), os.WriteFile(filepath.Join(staging.Upper, "dir/victim"), nil, 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
	xattr := func(name string) func(string) error {
		return func(root string) error { return unix.Setxattr(filepath.Join(root, "dir"), name, []byte("y"), 0) }
	}
	for name, c := range map[string]struct {
		do     func(root string) error
		path   string
		kernel bool // older kernels refuse it
	}{
		"a whiteout's name": {func(root string) error { return os.WriteFile(filepath.Join(root, "dir/.wh.victim"), nil, 0o644) }, "/dir/.wh.victim", false},
		"an opaque's name":  {func(root string) error { return os.WriteFile(filepath.Join(root, "dir/.wh..wh..opq"), nil, 0o644) }, "/dir/.wh..wh..opq", false},
		"users' opaque":     {xattr("user.overlay.opaque"), "/dir", false},
		"users' redirect":   {xattr("user.overlay.redirect"), "/dir", false},
		"root's opaque":     {xattr("trusted.overlay.opaque"), "/dir", true},
		"a whiteout":        {func(root string) error { return unix.Mknod(filepath.Join(root, "dir/victim2"), unix.S_IFCHR, 0) }, "/dir/victim2", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := st.AddLayer(t.Context(), base.ID, func(staging store.Staging) error {
				box, err := sandbox.Start(t.Context(), sandbox.Spec{Lower: staging.Lower, Upper: staging.Upper, Scratch: staging.Scratch, Bare: true})
				if err != nil {
					return err
				}
				return errors.Join(c.do(box.Root()), box.Finish(t.Context()))
			})
			if c.kernel && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP)) {
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || !strings.Contains(err.Error(), `"`+c.path+`"`) || f.Hint == "" {
				t.Errorf("%v", err)
			}
		})
	}
}
