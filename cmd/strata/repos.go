package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/union"
)

// repos brings the git repositories of a project into its files: each is a
// directory "@NAME" at the top.
type repos struct {
	ctx       context.Context
	cache     string // where fetched repositories are
	overrides overrides
	files     *union.FS
	pinned    []plan.Repo        // in the order in which they came
	fetched   map[string]fetched // by URL and reference
	dirs      map[string]string  // of those that are directories of this machine, by name
	commits   map[string]fs.FS   // by commit
}

// overrides say what is to be used for a repository instead of what is written:
// a directory of this machine, or another commit.
type overrides struct {
	given map[string]string
	used  map[string]bool
}

func parseOverrides(list []string) (overrides, error) {
	o := overrides{map[string]string{}, map[string]bool{}}
	for _, entry := range list {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" || value == "" {
			return o, fault.New(fault.Input, "--override %s is not NAME=DIR or NAME=REV", entry).
				WithHint("NAME is the name of a layer or of a repository: --override slurm=../slurm")
		}
		if o.given[name] != "" {
			return o, fault.New(fault.Input, "--override names %s twice", name)
		}
		o.given[name] = value
	}
	return o, nil
}

// repos prepares for the repositories of a project with these files.
func (a *app) repos(files fs.FS) (*repos, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	o, err := parseOverrides(a.overrides)
	if err != nil {
		return nil, err
	}
	return &repos{
		ctx: a.ctx, cache: filepath.Join(cache, "repos"), overrides: o, files: union.New(files),
		dirs: map[string]string{}, commits: map[string]fs.FS{}, fetched: map[string]fetched{},
	}, nil
}

// join makes a repository part of the project's files, for recipe.Options. Its
// name there is that of who needs it, whatever it is overridden with: the names
// of files are in keys.
func (r *repos) join(repo layer.Repo, user string) (string, error) {
	p := plan.Repo{Name: user, URL: repo.URL, Ref: repo.Ref}
	files, err := r.open(&p, r.override(user, repoName(repo.URL)))
	if err != nil {
		return "", err
	}
	r.pinned = append(r.pinned, p)
	if err := r.files.Join("@"+user, files); err != nil {
		return "", fault.New(fault.Input, "%w", err).WithHint("a repository's files appear in the project as @%s: rename what is called so", user)
	}
	return "@" + user, nil
}

// override is what was given for the first of some names, "" for nothing.
func (r *repos) override(names ...string) string {
	for _, n := range names {
		if v := r.overrides.given[n]; v != "" {
			r.overrides.used[n] = true
			return v
		}
	}
	return ""
}

// open returns the files of a repository, and pins its commit. What several need
// is fetched once.
func (r *repos) open(p *plan.Repo, override string) (fs.FS, error) {
	if override != "" {
		if info, err := os.Stat(override); err == nil && info.IsDir() {
			return r.directory(p, override)
		}
		p.Ref = override
	}
	key := p.URL + " " + p.Ref
	got, ok := r.fetched[key]
	if !ok {
		repo, commit, err := git.Fetch(r.ctx, runGit, p.URL, p.Ref, r.cache)
		if err != nil {
			return nil, err
		}
		if got.files, err = repo.Files(commit, ""); err != nil {
			return nil, err
		}
		got.commit = commit.ID
		r.fetched[key] = got
	}
	p.Commit = got.commit
	r.commits[p.Commit] = got.files
	return got.files, nil
}

// fetched is a repository at a commit.
type fetched struct {
	commit string
	files  fs.FS
}

// directory returns the files of a directory on this machine: with git's ids if
// it is a work tree.
func (r *repos) directory(p *plan.Repo, dir string) (fs.FS, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p.Ref = dir
	r.dirs[p.Name] = dir
	if repo, err := git.Open(dir); err == nil && !repo.Bare() {
		if files, err := repo.Worktree(dir); err == nil {
			return files, nil
		}
	}
	return os.DirFS(dir), nil
}

// unused is a fault if an override names nothing.
func (r *repos) unused() error {
	for _, name := range slices.Sorted(maps.Keys(r.overrides.given)) {
		if r.overrides.used[name] {
			continue
		}
		f := fault.New(fault.Input, "--override %s: no layer or repository of that name has a repo", name)
		if len(r.pinned) > 0 {
			var names []string
			for _, p := range r.pinned {
				names = append(names, p.Name, repoName(p.URL))
			}
			slices.Sort(names)
			names = slices.Compact(names)
			f.WithHint("there are %s", strings.Join(names, ", "))
		}
		return f
	}
	return nil
}

// repoName is a name for a repository: the last part of its URL.
func repoName(url string) string {
	url = strings.TrimSuffix(strings.TrimRight(url, "/"), ".git")
	if i := strings.LastIndexAny(url, "/:"); i >= 0 {
		url = url[i+1:]
	}
	name := strings.Map(func(c rune) rune {
		if c == '.' || c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '-'
	}, url)
	if strings.Trim(name, ".-") == "" {
		return "repository"
	}
	return name
}

// runGit runs the git program for package git.
func runGit(ctx context.Context, args, env []string) ([]byte, error) {
	var out bytes.Buffer
	err := sandbox.Host(ctx, sandbox.Cmd{Args: args, Env: append(os.Environ(), env...), Stdout: &out})
	return out.Bytes(), err
}

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
		return os.CopyFS(dir, r.commits[p.Commit])
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
