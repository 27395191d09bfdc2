package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/union"
)

// commits are what the files of a project are commits of: its own repository, and
// those that its layers and its inventory name.
func (p *project) commits(ctx context.Context) []layer.Commit {
	commits := []layer.Commit{stateOf(ctx, p.dir)}
	commits[0].Name = layer.ProjectCommit
	for _, r := range p.repos.pinned {
		c := layer.Commit{URL: git.Shown(r.URL), ID: commitOf(r)}
		if dir := p.repos.dirs[r.Name]; dir != "" {
			c.ID = stateOf(ctx, dir).ID
		}
		c.Name = r.Name
		commits = append(commits, c)
	}
	return commits
}

// commitOf is a commit that others can make again: of a merge, what it is made of.
func commitOf(r plan.Repo) string {
	_, id, _ := strings.Cut(r.Pin(), "=")
	return id
}

// stateOf is the commit that is checked out in a directory; without an id if it is in
// no repository.
func stateOf(ctx context.Context, dir string) layer.Commit {
	repo, err := git.Open(dir)
	if err != nil || repo.Bare() {
		return layer.Commit{}
	}
	c := layer.Commit{URL: git.Shown(repo.Remote())}
	head, err := repo.Commit("HEAD")
	if err != nil {
		return c
	}
	c.ID = head.ID
	if isDirty(ctx, repo, head, dir) {
		c = c.Dirty()
	}
	return c
}

// isDirty reports whether files in a directory differ from a commit: those that git
// ignores do not count, as far as there is a git that can say so.
func isDirty(ctx context.Context, repo *git.Repository, head git.Commit, dir string) bool {
	out, err := runGit(ctx, []string{"git", "-C", dir, "status", "--porcelain", "--untracked-files=normal", "--", "."}, []string{"GIT_OPTIONAL_LOCKS=0"}, nil)
	if err == nil {
		return len(out) > 0
	}
	was, err := repo.Files(head, repo.Prefix())
	if errors.Is(err, fs.ErrNotExist) {
		was, err = union.Empty(), nil
	}
	if err != nil {
		return true
	}
	now, err := repo.Worktree(dir)
	if err != nil {
		return true
	}
	changed, err := git.Changed(was, now)
	return err != nil || len(changed) > 0
}
