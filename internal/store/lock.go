package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
)

// lock waits until ctx is done for an exclusive lock that other processes, and
// this one, respect. It ends with the process at the latest.
func (s *Store) lock(ctx context.Context, name string) (unlock func(), err error) {
	return s.lockWithin(ctx, name, unix.LOCK_EX, nil)
}

// lockWithin waits for a lock, LOCK_EX or LOCK_SH of flock(2), until ctx is done;
// waiting is called once if it is not free at once.
func (s *Store) lockWithin(ctx context.Context, name string, how int, waiting func()) (unlock func(), err error) {
	for {
		unlock, free, err := s.tryFlock(name, how)
		if free || err != nil {
			return unlock, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tryLock takes an exclusive lock if it is free.
func (s *Store) tryLock(name string) (unlock func(), free bool, err error) {
	return s.tryFlock(name, unix.LOCK_EX)
}

func (s *Store) tryFlock(name string, how int) (unlock func(), free bool, err error) {
	f, err := os.OpenFile(filepath.Join(s.locks(), name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", name, err)
	}
	switch err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); {
	case err == nil:
		return func() { f.Close() }, true, nil
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EINTR):
		f.Close()
		return nil, false, nil
	default:
		f.Close()
		return nil, false, fmt.Errorf("lock %s: %w", name, err)
	}
}

// LockNode keeps other builds of a node away until unlock is called; waiting is
// called once if there is one.
func (s *Store) LockNode(ctx context.Context, cluster string, node layer.NodeID, waiting func()) (unlock func(), err error) {
	return s.lockWithin(ctx, "node-"+lockName(cluster, string(node)), unix.LOCK_EX, waiting)
}

// lockName is a file name for something of a cluster; names hold no "@".
func lockName(cluster, name string) string { return strings.ToLower(cluster) + "@" + name }

// LockArtifacts keeps others from making an image's artifacts.
func (s *Store) LockArtifacts(ctx context.Context, cluster, image string) (unlock func(), err error) {
	return s.lock(ctx, artifactLock+lockName(cluster, image))
}

// ArtifactStaging is where an image's artifacts are made, by whoever holds
// their lock.
func (s *Store) ArtifactStaging(cluster, image string) string {
	return filepath.Join(s.artifacts(), stagingPrefix+lockName(cluster, image))
}

const (
	stagingPrefix = ".staging-"
	artifactLock  = "artifacts-"
)

// pruneArtifacts removes the staging directories that nobody works in.
func (s *Store) pruneArtifacts() error {
	entries, err := os.ReadDir(s.artifacts())
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), stagingPrefix)
		if !ok {
			continue
		}
		unlock, free, err := s.tryLock(artifactLock + name)
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		err = os.RemoveAll(filepath.Join(s.artifacts(), e.Name()))
		unlock()
		if err != nil {
			return err
		}
	}
	return nil
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
