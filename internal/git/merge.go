package git

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/strata-hpc/strata/internal/fault"
)

// Place is a repository elsewhere, and the directory where there is a copy of it.
type Place struct{ URL, Cache string }

// Merged is what becomes of a branch when a commit is merged into it.
type Merged struct {
	Repo   *Repository
	Commit Commit // that of the merge, or one of the two if that has the other in it
	Relation
}

// Merge merges commits of a repository in the bare copy that there is of it, as a forge would: head into base, both named with all their digits. Nothing is
// made if one has the other in it. The commit of a merge has the same id wherever it is
// made of the same two with the same git; it has no time of its own, and is in no
// repository but the copy. Conflicts are a fault that names the files.
func Merge(ctx context.Context, run Runner, at Place, base, head string) (m Merged, err error) {
	f, unlock, err := openCopy(ctx, run, at, base)
	if err != nil {
		return m, err
	}
	defer unlock()
	b, h, err := f.whole(ctx, at.URL, base, head)
	if err != nil {
		return m, err
	}
	if m.Repo, err = openAt(f.dir); err != nil {
		return m, err
	}
	m.Repo.origin, m.Repo.lend = at.URL, fromCache(ctx, run, at.Cache)
	if m.Relation, err = m.Repo.Relate(b, h); err != nil {
		return m, err
	}
	switch {
	case m.Behind == 0:
		m.Commit = h
	case m.Ahead == 0:
		m.Commit = b
	default:
		if m.Commit, err = m.Repo.Commit(mergeRef(b, h)); err != nil {
			m.Commit, err = f.merge(ctx, m.Repo, b, h)
		}
	}
	return m, err
}

// mergeRef is the name of a merge in the copy, for which git gc keeps it.
func mergeRef(base, head Commit) string { return "refs/strata/" + sum(base.ID+"+"+head.ID) }

// Other is a commit of a repository, or what is checked out in a directory of this
// machine that is a clone of it.
type Other struct{ Commit, Dir string }

// Left finds where another commit left the history of base, a commit of a place.
func Left(ctx context.Context, run Runner, at Place, base string, other Other) (m Merged, err error) {
	from, head := at.URL, other.Commit
	if other.Dir != "" {
		local, err := Open(other.Dir)
		if err != nil {
			return m, err
		}
		c, err := local.Commit("HEAD")
		if err != nil {
			return m, err
		}
		if b, err := local.Commit(base); err == nil { // it has all that it takes
			m.Relation, err = local.Relate(b, c)
			if err == nil && m.Common.ID != "" {
				m.Repo, m.Commit = local, c
				return m, nil
			}
		}
		from, head = local.place(), c.ID
	}
	f, unlock, err := openCopy(ctx, run, at, base)
	if err != nil {
		return m, err
	}
	defer unlock()
	b, h, err := f.whole(ctx, from, base, head)
	if err != nil {
		return m, err
	}
	if m.Repo, err = openAt(f.dir); err != nil {
		return m, err
	}
	m.Repo.origin, m.Repo.lend = at.URL, fromCache(ctx, run, at.Cache)
	m.Commit = h
	m.Relation, err = m.Repo.Relate(b, h)
	return m, err
}

// openCopy locks the copy of a repository for what is done to it.
func openCopy(ctx context.Context, run Runner, at Place, ref string) (f fetch, unlock func(), err error) {
	f = fetch{run: run, url: remoteURL(at.URL), ref: ref}
	f.dir = filepath.Join(at.Cache, f.url.directory())
	if unlock, err = lock(ctx, f.dir+".lock"); err != nil {
		return f, nil, fmt.Errorf("lock %s: %w", f.dir, err)
	}
	return f, unlock, nil
}

// whole gets the history of two commits, the second from another place if need be.
func (f fetch) whole(ctx context.Context, from, base, head string) (b, h Commit, err error) {
	if err := f.create(ctx); err != nil {
		return b, h, err
	}
	if r, err := openAt(f.dir); err == nil {
		b, errB := r.Commit(base)
		h, errH := r.Commit(head)
		if errB == nil && errH == nil {
			if _, err := r.Commit(mergeRef(b, h)); err == nil {
				return b, h, nil // they were merged before: all of it is there
			}
		}
	}
	for _, part := range []struct {
		url  string
		id   string
		into *Commit
	}{{string(f.url), base, &b}, {from, head, &h}} {
		r, err := openAt(f.dir)
		if err != nil {
			return b, h, err
		}
		g := f
		g.url, g.ref = remoteURL(part.url), part.id
		args := []string{"+" + part.id + ":refs/strata/" + sum(part.id)}
		if r.isShallow() {
			args = append([]string{"--unshallow"}, args...)
		}
		err = g.fetch(ctx, args[0], args[1:]...)
		if err != nil && mentions(err, "unadvertised object", "not our ref", "couldn't find remote ref") {
			*part.into, err = g.search(ctx, r)
		} else if err == nil {
			*part.into, err = r.Commit(part.id)
		} else {
			err = g.failed(ctx, "fetch the history of "+part.id+" from", err)
		}
		if err != nil {
			return b, h, err
		}
	}
	return b, h, nil
}

// merge makes the commit of a merge.
func (f fetch) merge(ctx context.Context, r *Repository, base, head Commit) (Commit, error) {
	out, err := f.alone(ctx, head, "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", base.ID, head.ID)
	lines := strings.Split(strings.TrimRight(string(out), "\x00\n"), "\x00")
	tree := strings.TrimSpace(lines[0])
	switch {
	case ctx.Err() != nil:
		return Commit{}, ctx.Err()
	case err != nil && plumbing.IsHash(tree) && len(lines) > 1:
		files := lines[1:]
		const most = 5
		more := ""
		if n := len(files) - most; n > 0 {
			files, more = files[:most], fmt.Sprintf(" and %d more", n)
		}
		return Commit{}, fault.New(fault.Input, "merging commit %s into %s of repository %s has conflicts in %s%s",
			head.Short(), base.Short(), f.url.shown(), strings.Join(files, ", "), more).
			WithHint("bring the branch up to date and resolve them there, or take the commit as it is, without what is newer: --override NAME==%s", head.ID)
	case err != nil || !plumbing.IsHash(tree):
		e := f.failed(ctx, "merge "+head.Short()+" into "+base.Short()+" of", err)
		return Commit{}, fault.New(fault.Input, "%w", e).
			WithHint("git 2.38 or newer can merge without a work tree ('git --version' says which it is); to take the commit as it is: --override NAME==%s", head.ID)
	}
	if out, err = f.alone(ctx, later(base, head), "commit-tree", tree, "-p", base.ID, "-p", head.ID,
		"-m", fmt.Sprintf("Merge %s into %s", head.ID, base.ID)); err != nil {
		return Commit{}, f.failed(ctx, "commit a merge of", err)
	}
	id := strings.TrimSpace(string(out))
	if err := f.git(ctx, "update-ref", mergeRef(base, head), id); err != nil {
		return Commit{}, f.failed(ctx, "name a merge of", err)
	}
	return r.Commit(id)
}

func later(a, b Commit) Commit {
	if b.Time.After(a.Time) {
		return b
	}
	return a
}

// alone runs git without the settings of the user and the machine, which could make
// another merge of the same commits. What it writes has the time of a commit.
func (f fetch) alone(ctx context.Context, at Commit, args ...string) ([]byte, error) {
	all := append([]string{"git", "--git-dir=" + f.dir, "-c", "core.attributesFile=/dev/null"}, args...)
	when := fmt.Sprintf("@%d +0000", max(at.Time.Unix(), 0))
	return f.run(ctx, all, []string{
		"LC_ALL=C", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1", "GIT_NO_REPLACE_OBJECTS=1",
		"GIT_AUTHOR_NAME=Strata", "GIT_AUTHOR_EMAIL=strata@localhost", "GIT_AUTHOR_DATE=" + when,
		"GIT_COMMITTER_NAME=Strata", "GIT_COMMITTER_EMAIL=strata@localhost", "GIT_COMMITTER_DATE=" + when,
	}, nil)
}
