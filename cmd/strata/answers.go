package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/cache"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// answer is where a comparison of two revisions is kept, for when the same is asked
// again. A nil one, a cache that cannot be used and one that holds nonsense are as
// good as none.
type answer struct {
	cache *cache.Cache
	id    cache.ActionID
}

// answerTo returns where the answer is to what is asked of a commit and a revision;
// nil if a part of the question has no name that means the same for ever.
func answerTo(base string, now plan.Revision, want []layer.NodeID, file string) *answer {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	info, err := os.Stat(program)
	if err != nil || base == "" || now.Name == "" || !pinned(now.Repos) {
		return nil
	}
	question, err := json.Marshal(struct {
		Program    string
		Size       int64
		Time       time.Time
		Arch       string
		File       string
		Base, Head string
		Repos      []plan.Repo
		Want       []layer.NodeID
	}{program, info.Size(), info.ModTime(), runtime.GOARCH, file, base, now.Name, now.Repos, want})
	if err != nil {
		return nil
	}
	dir, err := cacheDir()
	if err != nil {
		return nil
	}
	dir = filepath.Join(dir, "plans")
	if err := os.MkdirAll(dir, 0o700); err != nil { // values of variables are in it
		return nil
	}
	kept, err := cache.Open(dir)
	if err != nil {
		return nil
	}
	return &answer{kept, sha256.Sum256(question)}
}

func pinned(repos []plan.Repo) bool {
	return !slices.ContainsFunc(repos, func(r plan.Repo) bool { return r.Commit == "" })
}

// get returns the plan that is kept, or nil. The base is loaded only if its commit
// does not say all.
func (a *answer) get(base string, now plan.Revision, load func() (plan.Revision, error)) *plan.Plan {
	if a == nil {
		return nil
	}
	data, _, err := a.cache.GetBytes(a.id)
	if err != nil {
		return nil
	}
	// The first line has the base's repositories, which its commit alone does not pin.
	first, text, _ := bytes.Cut(data, []byte("\n"))
	var repos []plan.Repo
	if json.Unmarshal(first, &repos) != nil {
		return nil
	}
	if len(repos) > 0 {
		if was, err := load(); err != nil || !slices.Equal(was.Repos, repos) {
			return nil
		}
	}
	made, err := plan.Decode(text, base, now)
	if err != nil {
		return nil
	}
	return made
}

// keep keeps a plan. What comes of a base without a project is not worth it.
func (a *answer) keep(made *plan.Plan, was plan.Revision) {
	if a == nil || !pinned(was.Repos) || len(was.Project.Nodes) == 0 {
		return
	}
	text, err := made.Encode()
	if err != nil {
		return
	}
	if first, err := json.Marshal(was.Repos); err == nil {
		_ = a.cache.PutBytes(a.id, slices.Concat(first, []byte("\n"), text))
		_ = a.cache.Trim()
	}
}
