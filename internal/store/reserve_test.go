package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// smallDisk mounts a disk whose space and inodes can be had otherwise later.
func smallDisk(t *testing.T, options string) (dir string, remount func(options string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir = t.TempDir()
	do := func(args ...string) error { return sandbox.Host(t.Context(), sandbox.Cmd{Args: args}) }
	if err := do("mount", "-t", "tmpfs", "-o", options, "strata-test", dir); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir, func(options string) {
		t.Helper()
		if err := do("mount", "-o", "remount,"+options, dir); err != nil {
			t.Fatal(err)
		}
	}
}

// used is what a disk holds.
func used(t *testing.T, dir string) (kib, inodes uint64) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return (st.Blocks - st.Bfree) * uint64(st.Bsize) >> 10, st.Files - st.Ffree
}

// names are those of everything below a directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A store that is opened for the first time on a disk that takes no more is opened
// when it does again: no lack of the kernel's is written down.
func TestOpenWithoutRoom(t *testing.T) {
	for inodes := range 30 {
		dir, remount := smallDisk(t, fmt.Sprintf("size=100m,nr_inodes=%d", inodes+1))
		root := filepath.Join(dir, "store")
		s, err := Open(root)
		if err == nil {
			s.Close()
		} else if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("with %d inodes: %v", inodes, err)
		}
		remount("size=100m,nr_inodes=1000")
		if s, err = Open(root); err != nil {
			t.Fatalf("with room again after %d inodes: %v", inodes, err)
		}
		s.Close()
		os.RemoveAll(s.RunRoot())
	}
}

// On a disk that is quite full, gc makes room.
func TestCollectOnAFullDisk(t *testing.T) {
	dir, remount := smallDisk(t, "size=200m,nr_inodes=5000")
	root := filepath.Join(dir, "store")
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close(); os.RemoveAll(s.RunRoot()) }()
	for _, lack := range []string{"size", "inodes"} {
		var ids []string
		for _, text := range []string{"one of " + lack, "two of " + lack} {
			l := add(t, s, "", func(st Staging) error { return files(st, map[string]string{"etc/motd": text}) })
			if _, err := s.AddImage(Commit{Cluster: "c", Arch: "amd64", Layer: l, Record: Record{Node: "base", Key: layer.Key(text[:3])}}); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, l.ID)
		}
		kib, inodes := used(t, dir)
		if remount("size=200m,nr_inodes=" + fmt.Sprint(inodes)); lack == "size" {
			remount(fmt.Sprintf("size=%dk,nr_inodes=5000", kib))
		}
		freed, err := s.Collect(t.Context(), false)
		if err != nil || !strings.Contains(fmt.Sprint(freed.Items), "layer") || s.st.Exists(ids[0]) || !s.st.Exists(ids[1]) {
			t.Errorf("without %s: %v, %v", lack, freed, err)
		}
		remount("size=200m,nr_inodes=5000")
		s.keepReserve()
	}
	// The reserve is there again once there is plenty.
	if there, _ := filepath.Glob(s.reserve() + "/*"); len(there) != reserveFiles {
		t.Errorf("reserve: %v", there)
	}
}

// Whatever inode of a layer's is the first that is lacking, nothing is left.
func TestNothingIsStagedWithoutInodes(t *testing.T) {
	dir, remount := smallDisk(t, "size=200m,nr_inodes=5000")
	s, err := Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close(); os.RemoveAll(s.RunRoot()) }()
	add(t, s, "", func(st Staging) error { return files(st, map[string]string{"x": "x"}) })
	_, inUse := used(t, dir)
	before := names(t, dir)
	for inodes := range uint64(20) {
		remount(fmt.Sprintf("size=200m,nr_inodes=%d", inUse+inodes))
		_, err := s.AddLayer(t.Context(), "", func(st Staging) error { return files(st, map[string]string{"a/b": "b"}) })
		remount("size=200m,nr_inodes=5000")
		if err == nil {
			if inodes < 3 {
				t.Errorf("a layer needs %d inodes", inodes)
			}
			return
		}
		left := slices.DeleteFunc(names(t, dir), func(name string) bool { return slices.Contains(before, name) })
		if !errors.Is(err, unix.ENOSPC) || len(left) > 0 {
			t.Errorf("with %d inodes: %v, and %v is left", inodes, err, left)
		}
	}
	t.Error("no layer was added")
}
