package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Scratch is a directory on the store's file system that goes when its user
// does: at Close, or by the next Prune if the user was killed.
type Scratch struct {
	Dir    string
	unlock func()
}

func (s *Store) scratches() string { return filepath.Join(s.dir, "scratch") }

// Scratch makes a directory for a purpose.
func (s *Store) Scratch(ctx context.Context, purpose string) (*Scratch, error) {
	guard, err := s.lock(ctx, "staging") // Prune must not come between the two
	if err != nil {
		return nil, err
	}
	defer guard()
	if err := os.MkdirAll(s.scratches(), 0o700); err != nil {
		return nil, fmt.Errorf("make scratch directory: %w", err)
	}
	dir, err := os.MkdirTemp(s.scratches(), purpose+"-")
	if err != nil {
		return nil, fmt.Errorf("make scratch directory: %w", err)
	}
	unlock, free, err := s.tryLock(scratchLock + filepath.Base(dir))
	if err != nil || !free {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Scratch{Dir: dir, unlock: unlock}, nil
}

const scratchLock = "scratch-"

// Close removes it.
func (s *Scratch) Close() error {
	defer s.unlock()
	return os.RemoveAll(s.Dir)
}

// pruneScratch removes the scratch directories that nobody uses any more, and
// their locks.
func (s *Store) pruneScratch() error {
	locks, err := os.ReadDir(s.locks())
	if err != nil {
		return err
	}
	for _, l := range locks {
		name, ok := strings.CutPrefix(l.Name(), scratchLock)
		if !ok {
			continue
		}
		unlock, free, err := s.tryLock(l.Name())
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		err = errors.Join(os.RemoveAll(filepath.Join(s.scratches(), name)), os.Remove(filepath.Join(s.locks(), l.Name())))
		unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
