package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cached is Strata's package cache, as the peers get it too.
type cached struct {
	archives string // directory of packages
	lists    string // directory of lists of the example's repository
	sources  string // that repository in deb822 style
}

// aptCache finds it.
func (l *lab) aptCache() (cached, error) {
	dir := l.path("cache", "strata", "apt")
	all, err := filepath.Glob(filepath.Join(dir, "lists", "*.etc", "strata.sources"))
	if err != nil {
		return cached{}, err
	}
	for _, sources := range all {
		content, err := os.ReadFile(sources)
		if err != nil {
			return cached{}, err
		}
		if !strings.Contains(string(content), "Suites: bookworm\nComponents: main\n") || strings.Count(string(content), "Types:") != 1 {
			continue
		}
		return cached{archives: filepath.Join(dir, "archives"), sources: sources, lists: strings.TrimSuffix(filepath.Dir(sources), ".etc")}, nil
	}
	return cached{}, errors.New("the package cache has no lists of the example's repository")
}

// birth is when a file was made.
func birth(path string) (time.Time, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &st); err != nil {
		return time.Time{}, fmt.Errorf("stat %s: %w", path, err)
	}
	if st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}, fmt.Errorf("%s: the file system does not tell when files were made", path)
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), nil
}
