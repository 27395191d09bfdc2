package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/objectstore"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/store"
)

// exchange is a place for a project's images. Without a project, p is nil.
func (a *app) exchange(st *store.Store, p *project, at string) (*engine.Exchange, error) {
	policy, err := a.trust(p, at)
	if err != nil {
		return nil, err
	}
	opts := registry.Options{AuthFile: os.Getenv("REGISTRY_AUTH_FILE")} // as Podman does
	if dir, err := cacheDir(); err == nil {
		opts.Known = filepath.Join(dir, "blobs")
	}
	if a.verbose && !a.json() {
		opts.Progress = a.printEvent
	}
	x := &engine.Exchange{Store: st, At: at, Pull: engine.PullMissing, Options: opts, Trust: policy}
	if p != nil {
		x.Cluster = p.Cluster.Name
	}
	return x, nil
}

// shelf is where the artifacts of a project's images are handed on; nil if that is
// the CI system's concern.
func (a *app) shelf(p *project, x *engine.Exchange) (engine.Shelf, error) {
	switch p.Pipeline.Artifacts {
	case "registry":
		return x.Shelf(), nil
	case "s3":
		place := *p.Pipeline.Bucket
		policy, err := a.trustPlace(p, place.Trusted, objectstore.Local(place))
		if err != nil {
			return nil, err
		}
		bucket, err := objectstore.Open(place, objectstore.Options{})
		return &engine.BucketShelf{Bucket: bucket, Exchange: x, Trust: policy}, err
	}
	return nil, nil
}

// spare has a command do without a registry that cannot be reached: who did not
// ask for it can build all the same.
func (a *app) spare(x *engine.Exchange) {
	if x != nil {
		x.Missed = func(err error) {
			a.note("going on without it (--pull=missing makes this an error): %s", err.Error())
		}
	}
}

func (a *app) printEvent(e registry.Event) {
	switch e.Kind {
	case registry.Retrying:
		a.note("the registry does not answer as it should; trying again")
	case registry.Present:
		fmt.Fprintf(a.err, "blob %s is there\n", e.Blob.Short())
	default:
		fmt.Fprintf(a.err, "blob %s %s (%s)\n", e.Blob.Short(), e.Kind, size(e.Size))
	}
}

// pullFlag is the flag --pull; its zero value leaves it to the project.
type pullFlag struct{ engine.Pull }

const pullUsage = "`when` to ask the registry: missing (for what the store lacks), always (first), never; missing if registry: is set"

// String implements pflag.Value.
func (f *pullFlag) String() string { return string(f.Pull) }

// Type implements pflag.Value.
func (f *pullFlag) Type() string { return "when" }

// Set implements pflag.Value.
func (f *pullFlag) Set(text string) error {
	known := []engine.Pull{engine.PullMissing, engine.PullAlways, engine.PullNever}
	if !slices.Contains(known, engine.Pull(text)) {
		return fmt.Errorf("it is missing, always or never, not %q", text)
	}
	f.Pull = engine.Pull(text)
	return nil
}

func (f *pullFlag) never() bool { return f.Pull == engine.PullNever }

// apply has a build ask the registry as the flag says. Without the flag, it is
// only asked if it can be reached.
func (f *pullFlag) apply(a *app, b *engine.Builder) error {
	switch {
	case f.Pull == "":
		a.spare(b.Exchange)
	case b.Exchange == nil && f.never():
	case b.Exchange == nil:
		return noRegistry(a)
	default:
		b.Exchange.Pull = f.Pull
	}
	if b.Exchange != nil && !f.never() {
		a.tellNobody(b.Exchange.At, b.Exchange.Trust)
	}
	return nil
}

func noRegistry(a *app) error {
	return fault.New(fault.Input, "%s names no registry", a.file).
		WithHint("add 'registry: HOST[:PORT]/PATH' to it; 'strata registry serve' is a registry for one machine")
}
