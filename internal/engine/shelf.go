package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/artifact"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/registry"
)

// Shelf is a place outside this machine that has the artifacts of images, each set
// under what decides it.
type Shelf interface {
	// Put sends the artifacts in a directory. It is an error if others are there.
	Put(ctx context.Context, of Shelved, dir string) (Shelving, error)
	// Take writes artifacts into an empty directory, and calls found before that
	// takes time. Without an error, they are those that were put; the error is
	// registry.ErrNotThere if there are none, and an *Unfit if they are no use.
	Take(ctx context.Context, of Shelved, dir string, found func()) (Shelving, error)
}

// Shelved says which artifacts are meant.
type Shelved struct {
	Image string
	Key   string // of all that decides them
}

// Shelving is what putting or taking artifacts came to.
type Shelving struct {
	At    string // where they are
	Files int    // that were moved
	Size  int64  // of these, in bytes
	Why   string // they are believed: "signed by …"; "" where the place is trusted
}

// Unfit is the error of artifacts that are there and are of no use.
type Unfit struct{ Why string }

func (u *Unfit) Error() string { return u.Why }

// claims are what a signature of the artifacts has to say.
func (s Shelved) claims(cluster string) map[string]string {
	return map[string]string{"io.strata.cluster": strings.ToLower(cluster), "io.strata.image": s.Image, "io.strata.artifacts": s.Key}
}

// Shelf is the registry as a place for artifacts: those of an image are beside the
// nodes, as one artifact of files.
func (x *Exchange) Shelf() Shelf { return registryShelf{x} }

type registryShelf struct{ x *Exchange }

// ref is where artifacts are. No node has a slash in its name.
func (s registryShelf) ref(of Shelved) string {
	host, dir, _ := strings.Cut(s.x.At, "/")
	return "docker://" + path.Join(host, strings.ToLower(dir), "artifacts", strings.ToLower(of.Image)) + ":key-" + of.Key
}

func (s registryShelf) options(of Shelved) registry.Options {
	opts := s.x.Options
	opts.Trust, opts.Claims, opts.Fixed = s.x.Trust, of.claims(s.x.Cluster), true
	return opts
}

// Put implements Shelf.
func (s registryShelf) Put(ctx context.Context, of Shelved, dir string) (Shelving, error) {
	m, err := artifact.ReadManifest(dir)
	if err != nil {
		return Shelving{}, err
	}
	about, err := artifact.DescribeManifest(ctx, dir)
	if err != nil {
		return Shelving{}, err
	}
	var files []registry.File
	for _, f := range append([]artifact.File{*about}, m.Files...) {
		files = append(files, registry.File{Name: f.Name, Path: filepath.Join(dir, f.Name), Size: f.Size, Digest: layer.Digest("sha256:" + f.SHA256)})
	}
	res, err := registry.PushFiles(ctx, files, s.ref(of), s.options(of))
	if err != nil {
		return Shelving{}, err
	}
	return Shelving{At: res.Ref, Files: res.Blobs, Size: res.Moved}, nil
}

// Take implements Shelf.
func (s registryShelf) Take(ctx context.Context, of Shelved, dir string, found func()) (Shelving, error) {
	res, err := registry.PullFiles(ctx, s.ref(of), dir, s.options(of), found)
	switch {
	case err == nil:
		return Shelving{At: res.Ref, Files: res.Blobs, Size: res.Moved, Why: res.Why}, nil
	case errors.Is(err, registry.ErrUnreachable) && s.x.Missed != nil:
		return Shelving{}, registry.ErrNotThere // that was said when nodes were looked for
	case Unusable(err) != "":
		return Shelving{}, &Unfit{Unusable(err)}
	}
	return Shelving{}, err
}

// take has the artifacts of an image taken from the shelf, if they are there, and
// returns where they were; "" if they have to be made, and why that is if they are
// there and of no use.
func (r *run) take(ctx context.Context, im layer.Image, opts artifact.Options, of Shelved, dir string) (at, why string, err error) {
	if r.Shelf == nil || !r.asks() || r.opts.NoCache {
		return "", "", nil
	}
	var took Shelving
	start := time.Now()
	err = r.staged(ctx, im, dir, func(out, _ string) (bool, error) {
		took, err = r.takeTo(ctx, im, opts, of, out)
		if unfit, ok := errors.AsType[*Unfit](err); ok {
			why = unfit.Why
			return false, nil
		}
		if errors.Is(err, registry.ErrNotThere) {
			return false, nil
		}
		at = took.At
		return err == nil, err
	})
	if at != "" || err != nil {
		r.event(Event{Kind: MoveEnded, Image: im.Name, Title: "taken", Reason: took.Why, Err: err, Blobs: took.Files, Size: took.Size, Took: time.Since(start)})
	}
	return at, why, err
}

// takeTo takes the artifacts of an image into a directory.
func (r *run) takeTo(ctx context.Context, im layer.Image, opts artifact.Options, of Shelved, dir string) (Shelving, error) {
	found := func() { r.event(Event{Kind: MoveStarted, Image: im.Name, Title: "taking its artifacts"}) }
	took, err := r.Shelf.Take(ctx, of, dir, found)
	if err != nil {
		return took, err
	}
	m, err := artifact.ReadManifest(dir)
	if err == nil {
		err = m.Fits(im, opts)
	}
	if err != nil {
		return took, &Unfit{fmt.Sprintf("what is at %s is of no use: %v", took.At, err)}
	}
	return took, nil
}

// shelve puts the artifacts of an image on the shelf, if that is asked for.
func (r *run) shelve(ctx context.Context, of Shelved, res ImageResult) (ImageResult, error) {
	if r.Shelf == nil || !r.opts.Push {
		return res, nil
	}
	start := time.Now()
	r.event(Event{Kind: MoveStarted, Image: of.Image, Title: "sending its artifacts"})
	put, err := r.Shelf.Put(ctx, of, res.Directory)
	r.event(Event{Kind: MoveEnded, Image: of.Image, Title: "sent", Err: err, Blobs: put.Files, Size: put.Size, Took: time.Since(start)})
	res.At = put.At
	return res, err
}
