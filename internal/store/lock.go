package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lock takes an exclusive lock that other processes, and this one, respect. It
// ends with the process at the latest.
func (s *Store) lock(name string) (unlock func(), err error) {
	return s.lockWithin(context.Background(), name, nil)
}

// lockWithin waits for a lock until ctx is done; waiting is called once if it
// is not free at once.
func (s *Store) lockWithin(ctx context.Context, name string, waiting func()) (unlock func(), err error) {
	path := filepath.Join(s.locks(), name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// pruneOne removes a staging directory unless a living build of another process
// holds its lock; closing the file would drop a lock of this one.
func (s *Store) pruneOne(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "staging.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// A living build holds a record lock on it, which this one conflicts with.
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk); err != nil {
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil
		}
		return err
	}
	return os.RemoveAll(dir)
}
