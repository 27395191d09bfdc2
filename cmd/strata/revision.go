package main

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/build"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/recipe"
)

// history is the project's git repository.
type history struct {
	repo   *git.Repository
	dir    string // the project's directory on disk; "" in a bare repository
	below  string // the project's directory in the repository
	file   string // the configuration, in the project's directory
	parsed *ansible.Parsed
}

// openHistory finds the repository that the project lies in.
func (a *app) openHistory() (*history, error) {
	name, err := filepath.Abs(a.path(a.file))
	if err != nil {
		return nil, err
	}
	h := &history{dir: filepath.Dir(name), file: filepath.Base(name), parsed: ansible.NewParsed()}
	h.repo, err = git.Open(h.dir)
	if err != nil && a.file != filepath.Base(a.file) { // a bare repository has no directories
		if repo, bareErr := git.Open(a.path(".")); bareErr == nil && repo.Bare() {
			h.repo, err = repo, nil
			h.below = path.Dir(filepath.ToSlash(a.file))
		}
	}
	if err != nil {
		return nil, err
	}
	if h.repo.Bare() {
		h.dir = ""
		return h, nil
	}
	h.below = h.repo.Prefix()
	return h, nil
}

// revision is the project at a commit; "" is the files on disk.
func (h *history) revision(rev string) (plan.Revision, error) {
	if rev == "" && h.dir == "" {
		return plan.Revision{}, fault.New(fault.Input, "the repository is bare: it has no files on disk").WithHint("name a commit with --head")
	}
	files, name, err := h.files(rev)
	if err != nil {
		return plan.Revision{}, err
	}
	p, err := recipe.Load(files, h.file, recipe.Options{Arch: runtime.GOARCH})
	if err != nil {
		return plan.Revision{}, atRevision(err, name)
	}
	src := build.Source(p, files, h.dir)
	src.Parsed, src.WithoutSecrets = h.parsed, true
	return plan.Revision{Name: name, Project: p, Source: src}, nil
}

// files are the project's files at a commit, and what people call it.
func (h *history) files(rev string) (fs.FS, string, error) {
	if rev == "" {
		files, err := h.repo.Worktree(h.dir)
		return files, "", err
	}
	commit, err := h.repo.Commit(rev)
	if err != nil {
		return nil, "", err
	}
	files, err := h.repo.Files(commit, h.below)
	if err != nil {
		return nil, "", fault.New(fault.Input, "%s: %w", commit.Short(), err)
	}
	return files, commit.Short(), nil
}

// atRevision says in every fault at which commit it was found.
func atRevision(err error, name string) error {
	if name == "" {
		return err
	}
	var all []error
	for _, f := range fault.All(err) {
		if f.File != "" {
			f.File = name + ":" + f.File
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return err
	}
	return errors.Join(all...)
}

// compare plans what changed between two revisions.
func (h *history) compare(base, head string, names []string) (*plan.Plan, plan.Revision, error) {
	was, err := h.revision(base)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	now, err := h.revision(head)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	want, _, err := plan.Select(now.Project, names)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	if len(names) == 0 {
		want = everyNode(now.Project)
	}
	changes, err := git.Changed(was.Source.Files, now.Source.Files)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	changed := make([]string, len(changes))
	for i, c := range changes {
		changed[i] = c.Path
	}
	made, err := plan.Compare(was, now, want, plan.CompareOptions{Changed: changed})
	return made, now, err
}
