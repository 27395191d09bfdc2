package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// The reserve is space, and inodes, that a store keeps for getting rid of things:
// when an image goes, lists of those that stay are written anew, so that a disk
// that is quite full would never have room again.
const (
	reserveFiles = 8
	reserveSize  = 256 << 10 // bytes of each
)

func (s *Store) reserve() string { return filepath.Join(s.dir, "reserve") }

// keepReserve has the reserve be there, where there is plenty.
func (s *Store) keepReserve() {
	var st unix.Statfs_t
	plenty := unix.Statfs(s.dir, &st) == nil && int64(min(st.Bavail, 1<<40))*st.Bsize > 32*reserveFiles*reserveSize && (st.Files == 0 || st.Ffree > 1000)
	if !plenty || os.MkdirAll(s.reserve(), 0o700) != nil {
		return
	}
	for i := range reserveFiles {
		name := filepath.Join(s.reserve(), strconv.Itoa(i))
		if info, err := os.Stat(name); err == nil && info.Size() == reserveSize {
			continue
		}
		if os.WriteFile(name, make([]byte, reserveSize), 0o600) != nil {
			os.Remove(name)
			return
		}
	}
}

// giveReserve removes the reserve of a store.
func giveReserve(dir string) error { return os.RemoveAll(filepath.Join(dir, "reserve")) }

// rehearsal is how many files and directories containers/storage makes, at most,
// to see what overlays can do.
const rehearsal = 24

// ready sees to it that containers/storage can find out what overlays of this kernel
// can do, if it has not yet. What it cannot for lack of space, it would write down
// as a lack of the kernel, and believe until the machine starts again.
func ready(root, runRoot string) error {
	known := filepath.Join(runRoot, "overlay", "overlay-")
	if err := os.Remove(known + "false"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(known + "true"); err == nil {
		return nil
	}
	return rehearse(root)
}

// rehearse makes as many files in a store as finding out does. If that fails at first,
// the reserve is given.
func rehearse(root string) error {
	err := makeSome(root)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = errors.Join(giveReserve(filepath.Join(root, "strata")), makeSome(root))
	}
	if err != nil {
		return fmt.Errorf("see what overlays can do in %s: %w", root, err)
	}
	return nil
}

func makeSome(root string) error {
	dir, err := os.MkdirTemp(root, "room-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for i := range rehearsal {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), []byte("x"), 0o600); err != nil {
			return err
		}
	}
	return nil
}
