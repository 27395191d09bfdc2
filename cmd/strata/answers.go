package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/cache"

	"github.com/strata-hpc/strata/internal/plan"
)

// answer is where a comparison of two revisions is kept, for when the same is asked
// again. A nil one, a cache that cannot be used and one that holds nonsense are as
// good as none.
type answer struct {
	cache      *cache.Cache
	id         cache.ActionID
	base, head string
}

// answerTo returns where the answer is to what is asked of two commits; nil if a part
// of the question has no name that means the same for ever.
func (h *history) answerTo(base, head string, names []string) *answer {
	program, err := os.Executable()
	if err != nil || base == "" || head == "" || len(h.app.overrides)+len(h.app.pins) > 0 || os.Getenv(pinsVariable) != "" {
		return nil
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil
	}
	question, err := json.Marshal(struct {
		Program          string
		Size             int64
		Time             time.Time
		Arch             string
		File, Base, Head string
		Names            []string
	}{program, info.Size(), info.ModTime(), runtime.GOARCH, h.place(), base, head, names})
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
	return &answer{kept, sha256.Sum256(question), base, head}
}

// get returns the plan that is kept, or nil: of its nodes it has what places them in
// the graph only.
func (a *answer) get() *plan.Plan {
	if a == nil {
		return nil
	}
	data, _, err := a.cache.GetBytes(a.id)
	if err != nil {
		return nil
	}
	made, err := plan.Decode(data)
	if err != nil {
		return nil
	}
	made.Base, made.Head = a.base, a.head
	return made
}

// keep keeps a plan, unless there is more to it than the commits say: repositories
// that move by themselves, nodes of whose inputs something is made.
func (a *answer) keep(made *plan.Plan, was, now plan.Revision) {
	if a == nil || len(was.Repos)+len(now.Repos) > 0 || len(was.Project.Nodes) == 0 {
		return
	}
	if slices.ContainsFunc(made.Nodes, func(d plan.Decision) bool { return d.Key == "" && len(d.Inputs) > 0 }) {
		return
	}
	if text, err := made.Encode(); err == nil {
		_ = a.cache.PutBytes(a.id, text)
		_ = a.cache.Trim()
	}
}
