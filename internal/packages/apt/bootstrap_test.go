package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Whoever fails first while packages are unpacked ends all of it, with its own
// error: a package, the disk, or a signal.
func TestUnpackAllEndsWithTheFirstFailure(t *testing.T) {
	var packages []string
	for i := range 40 {
		packages = append(packages, fmt.Sprintf("package-%02d", i))
	}
	broken := errors.New("broken")
	content := strings.Repeat("x", 1<<20)
	good := func(_ context.Context, _ string, w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}
	drain := func(_ context.Context, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	for _, at := range []int{0, 1, 2, 20, 39} {
		name := packages[at]
		badOpen := func(ctx context.Context, path string, w io.Writer) error {
			if path == name {
				_, _ = io.WriteString(w, content[:1<<10])
				return broken
			}
			return good(ctx, path, w)
		}
		unpacked := 0
		badUnpack := func(ctx context.Context, r io.Reader) error {
			if unpacked++; unpacked > at {
				_, _ = io.ReadFull(r, make([]byte, 1<<10))
				return broken
			}
			return drain(ctx, r)
		}
		ends(t, name+" is damaged", broken, func(context.Context) error { return unpackAll(t.Context(), packages, badOpen, drain) })
		ends(t, name+" cannot be unpacked", broken, func(context.Context) error { return unpackAll(t.Context(), packages, good, badUnpack) })
	}
	stuck := func(ctx context.Context, _ io.Reader) error { <-ctx.Done(); return ctx.Err() }
	ends(t, "a signal", context.Canceled, func(ctx context.Context) error { return unpackAll(ctx, packages, good, stuck) })
	ends(t, "nothing fails", nil, func(context.Context) error { return unpackAll(t.Context(), packages, good, drain) })
}

// A package that is damaged in whatever way, and a program that is killed, end the
// bootstrap with the package's name.
func TestDamagedPackages(t *testing.T) {
	if _, ok := sandbox.LookPath("dpkg-deb"); !ok {
		t.Skip("dpkg-deb is not installed")
	}
	dir := t.TempDir()
	good := filepath.Join(dir, "good_1_all.deb")
	tree := filepath.Join(dir, "tree")
	noise := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(noise)
	err := errors.Join(os.MkdirAll(tree+"/DEBIAN", 0o755), os.WriteFile(tree+"/noise", noise, 0o644),
		os.WriteFile(tree+"/DEBIAN/control", []byte("Package: good\nVersion: 1\nArchitecture: all\nMaintainer: a <a@localhost>\nDescription: x\n"), 0o644))
	if err == nil {
		err = sandbox.Host(t.Context(), sandbox.Cmd{Args: []string{"dpkg-deb", "-Zxz", "--root-owner-group", "--build", tree, good}})
	}
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0xff
	for name, content := range map[string][]byte{
		"empty": {}, "no-archive": []byte("<html>not found</html>"), "header-only": whole[:100], "truncated": whole[:len(whole)/2],
		"flipped": flipped, "unknown-compression": bytes.Replace(whole, []byte("data.tar.xz"), []byte("data.tar.qq"), 1),
		"no-data": bytes.Replace(whole, []byte("data.tar.xz"), []byte("dada.tar.xz"), 1),
	} {
		bad := filepath.Join(dir, name+"_1_all.deb")
		b := bootstrap{Bootstrap: packages.Bootstrap{Scratch: t.TempDir()}}
		if err := errors.Join(os.WriteFile(bad, content, 0o644), os.Mkdir(b.plain(), 0o755)); err != nil {
			t.Fatal(err)
		}
		drain := func(_ context.Context, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		var failed error
		ends(t, name, nil, func(context.Context) error {
			failed = unpackAll(t.Context(), []string{good, bad}, b.unpackOne, drain)
			return nil
		})
		if failed == nil || !strings.Contains(failed.Error(), name+"_1_all.deb") {
			t.Errorf("%s: %v", name, failed)
		}
		t.Log(failed)
	}
}

// ends checks that do ends with an error. Its context ends after a while.
func ends(t *testing.T, name string, want error, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(100*time.Millisecond, cancel)
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	select {
	case err := <-ended:
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: it hangs", name)
	}
}
