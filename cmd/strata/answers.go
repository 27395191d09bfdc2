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

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// answer keeps a comparison of two revisions whose files are all in commits, and
// returns it when the same is asked again. A cache that cannot be used, or holds
// nonsense, is as good as none.
func answer(was, now plan.Revision, want []layer.NodeID, file string, ask func() (*plan.Plan, error)) (*plan.Plan, error) {
	id, ok := question(was, now, want, file)
	if !ok {
		return ask()
	}
	kept := openAnswers()
	if kept == nil {
		return ask()
	}
	if data, _, err := kept.GetBytes(id); err == nil {
		if made, err := plan.Decode(data, was, now); err == nil {
			return made, nil
		}
	}
	made, err := ask()
	if err != nil {
		return nil, err
	}
	if data, err := made.Encode(); err == nil {
		_ = kept.PutBytes(id, data)
		_ = kept.Trim()
	}
	return made, nil
}

func openAnswers() *cache.Cache {
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
	return kept
}

// question is everything that decides an answer, false if a part of it has no
// name that means the same for ever.
func question(was, now plan.Revision, want []layer.NodeID, file string) (cache.ActionID, bool) {
	program, err := os.Executable()
	if err != nil {
		return cache.ActionID{}, false
	}
	info, err := os.Stat(program)
	if err != nil {
		return cache.ActionID{}, false
	}
	asked := struct {
		Program     string
		Size        int64
		Time        time.Time
		Arch        string
		File        string
		Base, Head  string
		Repos, Were []plan.Repo
		Want        []layer.NodeID
	}{program, info.Size(), info.ModTime(), runtime.GOARCH, file, was.Name, now.Name, now.Repos, was.Repos, want}
	for _, repo := range slices.Concat(now.Repos, was.Repos) {
		if repo.Commit == "" {
			return cache.ActionID{}, false
		}
	}
	text, err := json.Marshal(asked)
	if err != nil || was.Name == "" || now.Name == "" {
		return cache.ActionID{}, false
	}
	return sha256.Sum256(text), true
}
