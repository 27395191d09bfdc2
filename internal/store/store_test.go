package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
)

func open(t *testing.T) *Store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); os.RemoveAll(s.RunRoot()) })
	return s
}

// files writes a tree of files into a staging directory; a path that ends in
// "/" is a directory.
func files(st Staging, content map[string]string) error {
	for name, text := range content {
		path := filepath.Join(st.Upper, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func add(t *testing.T, s *Store, parent string, fill func(Staging) error) Layer {
	t.Helper()
	l, err := s.AddLayer(context.Background(), parent, fill)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEqualContentIsOneLayerWheneverItIsBuilt(t *testing.T) {
	s := open(t)
	fill := func(st Staging) error {
		return files(st, map[string]string{"etc/motd": "hi", "var/log/dpkg.log": time.Now().String(), "etc/machine-id": time.Now().String(),
			"etc/ssh/ssh_host_rsa_key": time.Now().String(), "var/cache/apt/pkgcache.bin": time.Now().String()})
	}
	a := add(t, s, "", fill)
	time.Sleep(1100 * time.Millisecond) // tar's times are seconds
	b := add(t, s, "", fill)
	if a != b {
		t.Errorf("%v and %v", a, b)
	}
	dirs, err := s.dirs(a.ID)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dirs[0], "etc/motd"))
	if err != nil || !st.ModTime().Equal(Epoch) {
		t.Errorf("%v, %v", st, err)
	}
	for _, gone := range []string{"var/log/dpkg.log", "etc/ssh/ssh_host_rsa_key", "var/cache/apt/pkgcache.bin"} {
		if _, err := os.Lstat(filepath.Join(dirs[0], gone)); err == nil {
			t.Errorf("%s is in the layer", gone)
		}
	}
	if id, err := os.ReadFile(filepath.Join(dirs[0], "etc/machine-id")); err != nil || len(id) != 0 {
		t.Errorf("machine-id: %q, %v", id, err)
	}
	if staged, _ := os.ReadDir(s.staging()); len(staged) != 0 {
		t.Errorf("left in staging: %v", staged)
	}
}

func TestWhatIsAsInTheParentIsNoPartOfTheLayer(t *testing.T) {
	s := open(t)
	base := add(t, s, "", func(st Staging) error {
		return files(st, map[string]string{"etc/same": "1", "etc/changed": "1", "etc/mode": "1", "usr/lib/x": "1"})
	})
	empty := add(t, s, base.ID, func(st Staging) error { return nil })
	rewritten := add(t, s, base.ID, func(st Staging) error {
		return files(st, map[string]string{"etc/same": "1", "usr/lib/": ""})
	})
	if rewritten != empty {
		t.Errorf("rewriting the same content made a layer of its own: %v", rewritten)
	}
	changed := add(t, s, base.ID, func(st Staging) error {
		err := files(st, map[string]string{"etc/same": "1", "etc/changed": "2", "etc/mode": "1"})
		return errors.Join(err, os.Chmod(filepath.Join(st.Upper, "etc/mode"), 0o600),
			unix.Mknod(filepath.Join(st.Upper, "etc/never-was"), unix.S_IFCHR, 0))
	})
	dirs, _ := s.dirs(changed.ID)
	entries, _ := os.ReadDir(filepath.Join(dirs[0], "etc"))
	if len(entries) != 2 || entries[0].Name() != "changed" || entries[1].Name() != "mode" {
		t.Errorf("the layer has %v", entries)
	}
}

func TestAFailedBuildLeavesNothing(t *testing.T) {
	s := open(t)
	broken := errors.New("broken")
	_, err := s.AddLayer(context.Background(), "", func(st Staging) error {
		_ = files(st, map[string]string{"a": "1"})
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if staged, _ := os.ReadDir(s.staging()); len(staged) != 0 {
		t.Errorf("left in staging: %v", staged)
	}
}

func TestPruneRemovesWhatAKilledBuildLeft(t *testing.T) {
	s := open(t)
	left := filepath.Join(s.staging(), "123")
	if err := os.MkdirAll(filepath.Join(left, "dir/etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(left); err == nil {
		t.Error("it is still there")
	}
}

func TestImagesAreFoundByKey(t *testing.T) {
	s := open(t)
	l := add(t, s, "", func(st Staging) error { return files(st, map[string]string{"a": "1"}) })
	commit := Commit{Cluster: "c", Arch: "amd64", Layer: l, Record: Record{Node: "base", Layer: "base", Key: "aa", Steps: []StepRecord{{Title: "x"}}}}
	first, err := s.AddImage(commit)
	if err != nil {
		t.Fatal(err)
	}
	commit.Record.Key = "bb" // asked for in another way, and the same came out
	second, err := s.AddImage(commit)
	if err != nil || first.ID != second.ID || first.Digest != second.Digest {
		t.Fatalf("%v, %v, %v", first, second, err)
	}
	for _, key := range []layer.Key{"aa", "bb"} {
		im, err := s.Find("c", "base", key)
		if err != nil || im.ID != first.ID {
			t.Errorf("key %s: %v, %v", key, im, err)
		}
		if r, err := s.Record(im, key); err != nil || r.Key != key {
			t.Errorf("record of %s: %v, %v", key, r, err)
		}
	}
	if _, err := s.Find("c", "base", "cc"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if im, err := s.Latest("c", "base"); err != nil || im.ID != first.ID {
		t.Errorf("latest: %v, %v", im, err)
	}
}

// A context that ends after a step ends the sealing and the digest as well, and
// nothing stays.
func TestContextEndsCommit(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.AddLayer(ctx, "", func(st Staging) error {
		defer cancel()
		return files(st, map[string]string{"a": "a", "b": "b"})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("add: %v", err)
	}
	left, err := os.ReadDir(s.staging())
	if err != nil || len(left) > 0 {
		t.Errorf("staging: %v %v", left, err)
	}
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "a"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := seal(ctx, tree, nil, time.Now(), &Sealing{}); !errors.Is(err, context.Canceled) {
		t.Errorf("seal: %v", err)
	}
	if _, err := (&differ{ctx: ctx, dest: tree}).describe(true); !errors.Is(err, context.Canceled) {
		t.Errorf("digest: %v", err)
	}
}

// An image that was pulled under the tag of a key is not what that key stands
// for: whoever pushed it chose the tag.
func TestTagOfAKeyElsewhere(t *testing.T) {
	s := open(t)
	l := add(t, s, "", func(st Staging) error { return files(st, map[string]string{"etc/x": "x"}) })
	im, err := s.AddImage(Commit{Cluster: "c", Arch: "amd64", Layer: l, Record: Record{Node: "base", Key: "aa"}})
	if err != nil {
		t.Fatal(err)
	}
	key := layer.Key(strings.Repeat("b", 64))
	if err := s.Containers().AddNames(im.ID, []string{"registry.example/c/base:" + KeyTag(key)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find("c", "base", key); !errors.Is(err, ErrNotFound) {
		t.Errorf("it was found: %v", err)
	}
	if chains, err := s.Chains(); err != nil || chains[key] != "" || chains["aa"] == "" {
		t.Errorf("%v, %v", chains, err)
	}
}

// A file system without extended attributes is refused by name: layers would lose
// what they take away.
func TestStoreNeedsAttributes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("strata-test", dir, "ramfs", 0, ""); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Unmount(dir, 0) }()
	s, err := Open(filepath.Join(dir, "store"))
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "keeps no extended attributes") {
		t.Errorf("got %v", err)
	}
}
