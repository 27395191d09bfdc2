package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Scratch is a directory in the cache in which one build downloads: overlays
// on the lists and archives have their upper directories there.
type Scratch struct {
	Dir   string
	cache *Cache
	lock  *os.File
}

// Scratch makes one, and removes those that ended builds left.
func (c *Cache) Scratch(ctx context.Context) (s *Scratch, err error) {
	err = locked(ctx, filepath.Join(c.dir, "scratch.lock"), func() error {
		if err := c.prune(); err != nil {
			return fmt.Errorf("clean up: %w", err)
		}
		s, err = c.newScratch()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("use package cache: %w", err)
	}
	return s, nil
}

func (c *Cache) newScratch() (*Scratch, error) {
	dir, err := os.MkdirTemp(c.scratch(), "")
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &Scratch{Dir: dir, cache: c, lock: lock}, nil
}

// prune removes scratch directories whose lock nobody holds any more.
func (c *Cache) prune() error {
	locks, err := filepath.Glob(filepath.Join(c.scratch(), "*.lock"))
	if err != nil {
		return err
	}
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = errors.Join(os.RemoveAll(strings.TrimSuffix(path, ".lock")), os.Remove(path))
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Lists gives the scratch directory lists of its own, as they are now, and
// returns their directory.
func (s *Scratch) Lists(repositories []Repository) (string, error) {
	from, to := s.cache.Lists(repositories), filepath.Join(s.Dir, "lists")
	if err := os.MkdirAll(filepath.Join(to, "partial"), 0o755); err != nil {
		return "", fmt.Errorf("use package lists: %w", err)
	}
	entries, err := os.ReadDir(from)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("use package lists: %w", err)
	}
	for _, e := range entries {
		// Apt replaces lists, and never writes into one.
		if e.Type().IsRegular() && e.Name() != "lock" {
			if err := os.Link(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return "", fmt.Errorf("use package lists: %w", err)
			}
		}
	}
	return to, nil
}

// Archives is where packages are that apt downloads in a tree, above the cache's.
func (s *Scratch) Archives() string { return filepath.Join(s.Dir, "archives", "upper") }

// Own is the directory cache of a tree's apt.
func (s *Scratch) Own() string { return filepath.Join(s.Dir, "cache") }

// Install calls install, with which a tree's apt downloads and installs packages, and
// ends it when they come too slowly.
func (s *Scratch) Install(ctx context.Context, install func(context.Context) error) error {
	return s.cache.Pace.watch(ctx, s.Archives(), filepath.Join(s.Own(), installing), install)
}

// Keep moves the packages that apt downloaded in a tree into the cache: those
// that are what the signed lists of the repositories say, as a step may have
// put anything there.
func (s *Scratch) Keep(repositories []Repository) error {
	packages, err := filepath.Glob(filepath.Join(s.Archives(), "*.deb"))
	if err != nil || len(packages) == 0 {
		return err
	}
	sums, err := checksums(s.cache.Lists(repositories))
	if err != nil {
		return fmt.Errorf("keep downloaded packages: %w", err)
	}
	for _, path := range packages {
		name := filepath.Base(path)
		ok, err := matches(path, sums[name])
		if err != nil {
			return fmt.Errorf("keep downloaded packages: %w", err)
		}
		if !ok {
			continue
		}
		if err := os.Rename(path, filepath.Join(s.cache.Archives(), name)); err != nil {
			return fmt.Errorf("keep downloaded packages: %w", err)
		}
	}
	return nil
}

// DropDamaged is the cache's.
func (s *Scratch) DropDamaged(repositories []Repository) ([]string, error) {
	return s.cache.DropDamaged(repositories)
}

// Close removes the scratch directory.
func (s *Scratch) Close() error {
	err := errors.Join(os.RemoveAll(s.Dir), os.Remove(s.Dir+".lock"))
	return errors.Join(err, s.lock.Close())
}
