package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

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
	ctx      context.Context
	cache    string // where fetched repositories are
	choices  choices
	files    *union.FS
	pinned   []plan.Repo    // in the order in which they came
	base     bool           // this is the side that a plan compares with
	recorded []layer.Commit // what that was built of, if it is an image
	refs     refs
	dirs     map[string]string // of those that are directories of this machine, by name
	commits  map[string]fs.FS  // by commit

	elsewhere *elsewhere // what its Ansible requires
}

// refs is what refs of repositories name, by URL and ref, and how commits stand to
// each other: each is asked once in a plan, however many layers, and both sides of a
// comparison, have it.
type refs struct {
	named   map[string]fetched
	related map[string]git.Merged
}

func newRefs() refs { return refs{map[string]fetched{}, map[string]git.Merged{}} }

// fetched is a repository at a commit.
type fetched struct {
	repo   *git.Repository
	commit git.Commit
}

// repos prepares for the repositories of the project that a file in files
// describes. What known has already is not asked for again.
func (a *app) repos(files fs.FS, file string, known refs, base bool) (*repos, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	chosen, err := a.choices()
	if err != nil {
		return nil, err
	}
	r := &repos{
		ctx: a.ctx, cache: filepath.Join(cache, "repos"), choices: chosen, files: union.New(files),
		dirs: map[string]string{}, commits: map[string]fs.FS{}, refs: known, base: base,
	}
	if len(chosen.given) == 0 {
		return r, nil
	}
	return r, r.choices.settle(reposOf(files, file), base)
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
	if r.recorded != nil {
		return r.asRecorded(p)
	}
	base, head, merged := strings.Cut(c.pin, "+")
	exactly := false
	if c.override != "" {
		head, exactly = strings.CutPrefix(c.override, "=")
		merged = true
	}
	usual := cmp.Or(base, p.Ref)
	if info, err := os.Stat(head); merged && err == nil && info.IsDir() {
		if r.base {
			return r.left(p, usual, head)
		}
		return r.directory(p, usual, head)
	}
	switch {
	case !merged || r.base:
		return r.at(p, usual)
	case exactly:
		return r.instead(p, usual, head)
	}
	return r.merge(p, usual, head)
}

// asRecorded takes a repository at the commit that something was built of.
func (r *repos) asRecorded(p *plan.Repo) (fs.FS, error) {
	id, err := recorded(r.recorded, p.Name)
	if err != nil {
		return nil, err
	}
	if base, head, ok := strings.Cut(id, "+"); ok {
		return r.merge(p, base, head)
	}
	return r.at(p, id)
}

// at takes a repository at what a ref names.
func (r *repos) at(p *plan.Repo, ref string) (fs.FS, error) {
	got, err := r.fetch(p.URL, ref)
	if err != nil {
		return nil, err
	}
	if ref != p.Ref {
		p.Usual, p.Ref = p.Ref, ref
	}
	return r.commit(p, got)
}

// commit pins a commit, and returns its files.
func (r *repos) commit(p *plan.Repo, got fetched) (files fs.FS, err error) {
	p.Commit = got.commit.ID
	if r.commits[p.Commit] == nil {
		if r.commits[p.Commit], err = got.repo.Files(got.commit, ""); err != nil {
			return nil, err
		}
	}
	return r.commits[p.Commit], nil
}

// both finds the commits that are used usually and instead of it.
func (r *repos) both(p *plan.Repo, usual, rev string) (base, head fetched, err error) {
	if base, err = r.fetch(p.URL, usual); err != nil {
		return base, head, err
	}
	if head, err = r.fetch(p.URL, rev); err != nil {
		return base, head, err
	}
	p.Usual, p.Ref, p.Base = p.Ref, rev, base.commit.ID
	return base, head, nil
}

// merge takes a repository at what merging a revision into what is used usually
// makes: what will be built when a merge request is merged.
func (r *repos) merge(p *plan.Repo, usual, rev string) (fs.FS, error) {
	base, head, err := r.both(p, usual, rev)
	if err != nil {
		return nil, err
	}
	m, err := r.related(p.URL+" "+p.Base+"+"+head.commit.ID, func() (git.Merged, error) {
		return git.Merge(r.ctx, runGit, git.Place{URL: p.URL, Cache: r.cache}, p.Base, head.commit.ID)
	})
	if err != nil {
		return nil, err
	}
	if m.Commit.ID == head.commit.ID {
		return r.commit(p, head)
	}
	p.Merged = head.commit.ID
	if m.Commit.ID == p.Base {
		return r.commit(p, base)
	}
	return r.commit(p, fetched{m.Repo, m.Commit})
}

// instead takes a repository at a revision as it is, whatever it lacks.
func (r *repos) instead(p *plan.Repo, usual, rev string) (fs.FS, error) {
	_, head, err := r.both(p, usual, rev)
	if err != nil {
		return nil, err
	}
	// How it stands to the other is for people: it may be of another history.
	m, _ := r.related(p.URL+" "+p.Base+".."+head.commit.ID, func() (git.Merged, error) {
		return git.Left(r.ctx, runGit, git.Place{URL: p.URL, Cache: r.cache}, p.Base, git.Other{Commit: head.commit.ID})
	})
	p.Behind = m.Behind
	return r.commit(p, head)
}

// related compares two commits, once.
func (r *repos) related(key string, compare func() (git.Merged, error)) (git.Merged, error) {
	if m, ok := r.refs.related[key]; ok {
		return m, nil
	}
	m, err := compare()
	if err == nil {
		r.refs.related[key] = m
	}
	return m, err
}

// fetch finds out what a ref names, once.
func (r *repos) fetch(url, ref string) (fetched, error) {
	key := url + " " + ref
	if got, ok := r.refs.named[key]; ok {
		return got, nil
	}
	repo, commit, err := git.Fetch(r.ctx, runGit, url, ref, r.cache)
	if err != nil {
		return fetched{}, err
	}
	r.refs.named[key] = fetched{repo, commit}
	return r.refs.named[key], nil
}

// directory returns the files of a directory on this machine: with git's ids if
// it is a work tree.
func (r *repos) directory(p *plan.Repo, usual, dir string) (fs.FS, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	r.dirs[p.Name] = dir
	if m, base, err := r.leaving(p, usual, dir); err == nil {
		p.Base, p.Behind = base.commit.ID, m.Behind
	}
	p.Usual, p.Ref = p.Ref, dir
	if repo, err := git.Open(dir); err == nil && !repo.Bare() {
		if files, err := repo.Worktree(dir); err == nil {
			return files, nil
		}
	}
	return git.OnDisk(dir)
}

// leaving finds where a work tree on this machine left what is used usually.
func (r *repos) leaving(p *plan.Repo, usual, dir string) (m git.Merged, base fetched, err error) {
	if base, err = r.fetch(p.URL, usual); err != nil {
		return m, base, err
	}
	m, err = r.related(p.URL+" "+base.commit.ID+" "+dir, func() (git.Merged, error) {
		return git.Left(r.ctx, runGit, git.Place{URL: p.URL, Cache: r.cache}, base.commit.ID, git.Other{Dir: dir})
	})
	return m, base, err
}

// left is the side that a directory on this machine is compared with: where it left
// what is used usually, if it is a clone, so that what others did since counts for
// nothing.
func (r *repos) left(p *plan.Repo, usual, dir string) (fs.FS, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	m, _, err := r.leaving(p, usual, dir)
	if err != nil || m.Common.ID == "" {
		return r.at(p, usual)
	}
	return r.commit(p, fetched{m.Repo, m.Common})
}

// noteModules tells of submodules that a work tree has no files of: what is in them
// counts as not there.
func (a *app) noteModules(dir string) {
	repo, err := git.Open(dir)
	if err != nil || a.quiet {
		return
	}
	for _, at := range repo.Unfetched() {
		a.note("submodule %s was not fetched, and is empty here (git submodule update --init -- %[1]s)", at)
	}
}

// runGit runs the git program for package git.
func runGit(ctx context.Context, args, env []string, stdin io.Reader) ([]byte, error) {
	var out bytes.Buffer
	err := sandbox.Host(ctx, sandbox.Cmd{Args: args, Env: append(os.Environ(), env...), Stdin: stdin, Stdout: &out})
	var exit *sandbox.ExitError
	if errors.As(err, &exit) && exit.Output != "" {
		err = errors.New(exit.Output) // all of it: git ends in advice
	}
	return out.Bytes(), err
}
