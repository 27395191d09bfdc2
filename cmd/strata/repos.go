package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/recipe"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/union"
)

// repos brings the git repositories of a project into its files: each is a
// directory "@NAME" at the top.
type repos struct {
	ctx     context.Context
	cache   string // where fetched repositories are
	choices choices
	files   *union.FS
	pinned  []plan.Repo // in the order in which they came
	refs    refs
	dirs    map[string]string // of those that are directories of this machine, by name
	commits map[string]fs.FS  // by commit
}

// refs is what refs of repositories name, by URL and ref: each is asked for once
// in a plan, however many layers, and both sides of a comparison, have it.
type refs map[string]fetched

// fetched is a repository at a commit.
type fetched struct {
	repo   *git.Repository
	commit git.Commit
}

// repos prepares for the repositories of the project that a file in files
// describes. What known has already is not asked for again.
func (a *app) repos(files fs.FS, file string, known refs, overridden bool) (*repos, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	chosen, err := a.choices(overridden)
	if err != nil {
		return nil, err
	}
	r := &repos{
		ctx: a.ctx, cache: filepath.Join(cache, "repos"), choices: chosen, files: union.New(files),
		dirs: map[string]string{}, commits: map[string]fs.FS{}, refs: known,
	}
	if len(chosen.given) == 0 {
		return r, nil
	}
	return r, r.choices.settle(reposOf(files, file))
}

// reposOf are the repositories that a project names. Nothing is fetched, and
// mistakes in the project are left to whoever loads it.
func reposOf(files fs.FS, file string) []plan.Repo {
	var found []plan.Repo
	note := func(repo layer.Repo, user string) (string, error) {
		found = append(found, plan.Repo{Name: user, URL: repo.URL, Ref: repo.Ref})
		return "", errors.New("not fetched")
	}
	_, _ = recipe.Load(files, file, recipe.Options{Arch: runtime.GOARCH, Repo: note})
	return found
}

// join makes a repository part of the project's files, for recipe.Options. Its
// name there is that of who needs it, whatever it is overridden with: the names
// of files are in keys.
func (r *repos) join(repo layer.Repo, user string) (string, error) {
	p := plan.Repo{Name: user, URL: repo.URL, Ref: repo.Ref}
	files, err := r.open(&p, r.choices.of[user])
	if err != nil {
		return "", err
	}
	r.pinned = append(r.pinned, p)
	if err := r.files.Join("@"+user, files); err != nil {
		return "", fault.New(fault.Input, "%w", err).WithHint("a repository's files appear in the project as @%s: rename what is called so", user)
	}
	return "@" + user, nil
}

// open returns the files of a repository, and pins its commit.
func (r *repos) open(p *plan.Repo, c choice) (fs.FS, error) {
	if c.override != "" {
		if info, err := os.Stat(c.override); err == nil && info.IsDir() {
			return r.directory(p, c.override)
		}
	}
	if c.override != "" {
		p.Ref = c.override
	} else if c.pin != "" {
		p.Ref = c.pin
	}
	got, err := r.fetch(p.URL, p.Ref)
	if err != nil {
		return nil, err
	}
	p.Commit = got.commit.ID
	if r.commits[p.Commit] == nil {
		if r.commits[p.Commit], err = got.repo.Files(got.commit, ""); err != nil {
			return nil, err
		}
	}
	return r.commits[p.Commit], nil
}

// fetch finds out what a ref names, once.
func (r *repos) fetch(url, ref string) (fetched, error) {
	key := url + " " + ref
	if got, ok := r.refs[key]; ok {
		return got, nil
	}
	repo, commit, err := git.Fetch(r.ctx, runGit, url, ref, r.cache)
	if err != nil {
		return fetched{}, err
	}
	r.refs[key] = fetched{repo, commit}
	return r.refs[key], nil
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

// runGit runs the git program for package git.
func runGit(ctx context.Context, args, env []string) ([]byte, error) {
	var out bytes.Buffer
	err := sandbox.Host(ctx, sandbox.Cmd{Args: args, Env: append(os.Environ(), env...), Stdout: &out})
	return out.Bytes(), err
}
