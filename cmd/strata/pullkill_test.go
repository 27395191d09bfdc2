package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/store"
)

// layoutOf writes an image of some layers of a few MiB each as a layout.
func layoutOf(t *testing.T, layers int) (ref string) {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close(); os.RemoveAll(st.RunRoot()) })
	random := rand.NewChaCha8([32]byte{})
	key := layer.Key(strings.Repeat("ab", 32))
	var im *store.Image
	for n := range layers {
		added, err := st.AddLayer(t.Context(), im.Top(), func(staging store.Staging) error {
			content := make([]byte, 4<<20)
			_, err := random.Read(content)
			return errors.Join(err, os.WriteFile(filepath.Join(staging.Upper, fmt.Sprint(n)), content, 0o644))
		})
		if err != nil {
			t.Fatal(err)
		}
		record := store.Record{Node: "n", Layer: "n", Key: key, DiffID: added.DiffID}
		if im, err = st.AddImage(store.Commit{Cluster: "c", Arch: "amd64", Parent: im, Layer: added, Record: record}); err != nil {
			t.Fatal(err)
		}
	}
	x := &engine.Exchange{Store: st, Cluster: "c"}
	ref = "oci:" + filepath.Join(t.TempDir(), "layout") + ":it"
	if _, err := x.PushTo(t.Context(), ref, key, im, registry.Options{}); err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestAKilledPullLeavesNothingMounted kills pulls at random moments, the first
// ones of each store among them.
func TestAKilledPullLeavesNothingMounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a user's mounts go with the namespace")
	}
	ref, kills := layoutOf(t, 3), 10
	if os.Getenv("STRATA_TEST_LONG") != "" {
		kills = 80
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	var dir string
	pull := func() *exec.Cmd {
		return &exec.Cmd{Path: self, Args: []string{"strata", "--store", dir, "pull", ref}, Env: append(os.Environ(), "XDG_CACHE_HOME="+home), Dir: home}
	}
	for n := range kills {
		if n%5 == 0 {
			dir = filepath.Join(t.TempDir(), "store")
		}
		cmd := pull()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			mounts, err := os.ReadFile("/proc/self/mountinfo")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(mounts), dir) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after kill %d, something is mounted in %s:\n%s", n, dir, mounts)
			}
		}
		if n%5 == 4 {
			if out, err := pull().CombinedOutput(); err != nil {
				t.Errorf("the pull after the kills: %v\n%s", err, out)
			}
		}
	}
}
