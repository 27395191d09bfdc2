package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
)

// TestOtherToolsReadSparseLayers has skopeo and Podman send a layer with a file
// of 1 TiB from the store, and GNU tar unpack what came.
func TestOtherToolsReadSparseLayers(t *testing.T) {
	if os.Geteuid() != 0 || sandbox.InUserNamespace() {
		t.Skip("needs root")
	}
	for _, tool := range []string{"skopeo", "podman", "unshare", "tar"} {
		if _, ok := sandbox.LookPath(tool); !ok {
			t.Skipf("%s is not installed", tool)
		}
	}
	w := &world{t: t}
	st := w.openStore()
	added, err := st.AddLayer(t.Context(), "", func(staging store.Staging) error {
		path := filepath.Join(staging.Upper, "lastlog")
		return errors.Join(os.WriteFile(path, []byte(strings.Repeat("x", 100_000)), 0o644), os.Truncate(path, 1<<40),
			os.WriteFile(filepath.Join(staging.Upper, "next"), []byte("next"), 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.image, err = st.AddImage(w.commit(added, 0)); err != nil {
		t.Fatal(err)
	}
	run := t.TempDir()
	where := "[overlay@" + st.Root() + "+" + run + "]"
	// Podman keeps the store mounted on itself: let that go with a namespace.
	for name, args := range map[string][]string{
		"skopeo": {"skopeo", "copy", "--quiet", "containers-storage:" + where + "localhost/c/n:latest"},
		"podman": {"podman", "--root", st.Root(), "--runroot", run, "--storage-driver", "overlay", "push", "--quiet", "--format", "oci", "localhost/c/n:latest"},
	} {
		t.Run(name, func(t *testing.T) {
			out, to := filepath.Join(t.TempDir(), "out"), t.TempDir()
			w := &world{t: t}
			w.run(append(append([]string{"unshare", "--mount"}, args...), "dir:"+out)...)
			w.run("tar", "-xf", filepath.Join(out, strings.TrimPrefix(string(added.DiffID), "sha256:")), "-C", to)
			var st unix.Stat_t
			if err := unix.Stat(filepath.Join(to, "lastlog"), &st); err != nil || st.Size != 1<<40 || st.Blocks > 1000 {
				t.Errorf("%d bytes, %d blocks, %v", st.Size, st.Blocks, err)
			}
			if got, err := os.ReadFile(filepath.Join(to, "next")); err != nil || string(got) != "next" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
