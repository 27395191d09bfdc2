package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/store"
)

// imagePrefix begins a base that is not a commit, but the commits that an image was
// made of.
const imagePrefix = "image:"

// ofImage finds the commits of the newest build of an image, or of a node; of one in
// a registry or another place, those of the build that was sent there.
func (h *history) ofImage(name string, now plan.Revision) (from, error) {
	if isRef(name) {
		return h.ofRef(name, now)
	}
	st, err := h.app.open()
	if err != nil {
		return from{}, err
	}
	defer st.Close()
	n, im, err := findNode(st, &project{Project: now.Project}, name)
	if err != nil {
		return from{}, err
	}
	record, err := st.LastRecord(im, now.Project.Cluster.Name, n.ID)
	if err != nil {
		return from{}, err
	}
	return ofCommits(name, record.Newest())
}

// ofRef is the same of an image elsewhere, of which only the record is read.
func (h *history) ofRef(ref string, now plan.Revision) (from, error) {
	x, err := h.app.exchange(nil, h.app.anyProject(), ref)
	if err != nil {
		return from{}, err
	}
	x.Cluster = now.Project.Cluster.Name
	pulled, err := registry.Records(h.app.ctx, ref, x.Options)
	if err != nil {
		return from{}, err
	}
	var newest store.Record
	for _, content := range pulled.Records {
		r, err := store.ParseRecord(content)
		if err != nil {
			return from{}, fmt.Errorf("read the record of %s: %w", ref, err)
		}
		if newest.Key == "" || r.Started.After(newest.Started) {
			newest = r
		}
	}
	if _, err := x.Vouched(h.app.ctx, pulled, newest.Node, newest.Key); err != nil {
		why := engine.Unusable(err)
		if why == "" {
			return from{}, err
		}
		h.app.note("nobody vouches for what the record of %s says: %s", ref, why)
	}
	return ofCommits(ref, newest.Commits)
}

// ofCommits is the side that a plan compares with, if it is known just what it was.
func ofCommits(what string, commits []layer.Commit) (from, error) {
	at := slices.IndexFunc(commits, func(c layer.Commit) bool { return c.Name == layer.ProjectCommit })
	if at < 0 || commits[at].ID == "" {
		return from{}, fault.New(fault.Input, "%s was built of files that are in no commit, as far as its record says", what).
			WithHint("build it from a git repository; an older Strata did not record commits")
	}
	for _, c := range commits {
		if !c.Clean() {
			return from{}, fault.New(fault.Input, "%s was built of files that are in no commit: %s", what, c).
				WithHint("build it of what is committed; to compare with that commit all the same, name it with --base")
		}
	}
	return from{id: commits[at].ID, commits: commits}, nil
}

// recorded is the commit of a repository in a record.
func recorded(commits []layer.Commit, name string) (string, error) {
	for _, c := range commits {
		if c.Name == name {
			return c.ID, nil
		}
	}
	var names []string
	for _, c := range commits {
		names = append(names, c.String())
	}
	return "", fault.New(fault.Input, "the record has no commit of the repository of %s", name).
		WithHint("it has %s", strings.Join(names, ", "))
}
