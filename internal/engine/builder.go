// Package engine carries out a plan: it builds nodes with several workers, takes
// from the store and from the registry what they have, makes the artifacts of
// images, and sends nodes to the registry.
//
// What is to be built, and why, package plan says; what happens in a step,
// package step. Nothing is printed here: whoever watches gets events.
package engine

import (
	"context"
	"io/fs"
	"sync"

	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/store"
)

// Builder builds a project's nodes into a store.
type Builder struct {
	Project *layer.Project
	Files   fs.FS  // the project's files
	Dir     string // where they are on this machine, absolute
	// Elsewhere is where the roles and collections are that come from elsewhere; "" for nowhere.
	Elsewhere string
	Known     []plan.Warning // about the project, found before
	Store     *store.Store
	Packages  packages.Table
	// Exchange is the registry that nodes are pushed to and pulled from; nil for none.
	Exchange *Exchange
	Shelf    Shelf          // where artifacts are handed on; nil for nowhere
	Version  string         // of Strata, for the record
	Commits  []layer.Commit // of the project's files, for the record
	Checkout string         // the project's own directory, whose commit playbooks may ask for; "" for Dir
	// Invocation is how the user calls Strata for this project and store, for
	// hints: "strata -C site".
	Invocation string
	Git        git.Runner  // asks git which files it ignores; nil: it ignores none
	Passing    bool        // the store goes when this ends: hints do not speak of it
	Watch      func(Event) // may be nil; called by one goroutine at a time
	mu         sync.Mutex
	looked     sync.Once
	outward    error // of the project's links, once they were looked at
}

// places are the directories that a build writes to.
func (b *Builder) places() []string { return append([]string{b.Store.Root()}, b.Packages.Dirs()...) }

// engine changes when the same definition, built anew, comes out otherwise: it
// is part of every key.
const engine = "strata engine 2"

// Inputs reads what decides keys, afresh.
func (b *Builder) Inputs() *plan.Source {
	src := Source(b.Project, b.Files, b.Dir)
	if b.Checkout != "" {
		src.Commit = commitIn(b.Checkout)
	}
	src.Secret = func(s layer.Secret) ([]byte, error) { return readSecret(s, b.Files) }
	src.Known = b.Known
	return src
}

// Source is what the inputs of a project are read from, at any revision of its
// files. Secrets are read from this machine; dir is where relative names of
// their files start.
func Source(p *layer.Project, files fs.FS, dir string) *plan.Source {
	return &plan.Source{
		Files: files, Tool: engine, Exclude: p.Files, Commit: commitIn(dir),
		Secret: func(s layer.Secret) ([]byte, error) {
			here, err := git.OnDisk(dir)
			if err != nil {
				return nil, err
			}
			return readSecret(s, here)
		},
	}
}

// commitIn is the id of the commit that is checked out in a directory, once somebody
// asks.
func commitIn(dir string) func() string {
	return sync.OnceValue(func() string {
		repo, err := git.Open(dir)
		if err != nil || repo.Bare() {
			return ""
		}
		head, err := repo.Commit("HEAD")
		if err != nil {
			return ""
		}
		return head.ID
	})
}

func (b *Builder) event(e Event) {
	if b.Watch == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Watch(e)
}

// Prepare cleans up after builds that were killed, and keeps gc away until
// done is called.
func (b *Builder) Prepare(ctx context.Context) (done func(), err error) {
	if done, err = b.Store.Use(ctx); err != nil {
		return nil, err
	}
	if err := b.Store.Prune(ctx); err != nil {
		done()
		return nil, err
	}
	return done, nil
}
