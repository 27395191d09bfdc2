package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/plan"
)

// onDisk returns a directory in which programs find the project's files with its
// repositories: the project's own if there are none, else one in the cache that
// links to both. A commit is written out once.
func (r *repos) onDisk(project string) (string, error) {
	if len(r.pinned) == 0 {
		return project, nil
	}
	links := map[string]string{}
	entries, err := os.ReadDir(project)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		links[e.Name()] = filepath.Join(project, e.Name())
	}
	for _, p := range r.pinned {
		dir := r.dirs[p.Name]
		if dir == "" {
			if dir, err = r.writeOut(p); err != nil {
				return "", err
			}
		}
		links["@"+p.Name] = dir
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(links)) {
		fmt.Fprintf(h, "%q %q\n", name, links[name])
	}
	return staged(filepath.Join(r.cache, "projects", hex.EncodeToString(h.Sum(nil))[:32]), func(dir string) error {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		for name, target := range links {
			if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeOut writes the files of a commit into the cache.
func (r *repos) writeOut(p plan.Repo) (string, error) {
	return staged(filepath.Join(r.cache, "commits", p.Commit), func(dir string) error {
		return os.CopyFS(dir, git.Checkout(r.commits[p.Commit]))
	})
}

// staged returns a directory that is made under another name, and is there as a
// whole or not at all.
func staged(dir string, write func(dir string) error) (string, error) {
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(path.Dir(dir), 0o700); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	made := filepath.Join(temporary, "files")
	if err := write(made); err != nil {
		return "", fmt.Errorf("write %s: %w", dir, err)
	}
	if err := os.Rename(made, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return dir, nil // another process was first
		}
		return "", err
	}
	return dir, nil
}
