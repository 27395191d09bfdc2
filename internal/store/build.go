package store

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	drivers "go.podman.io/storage/drivers"
	"go.podman.io/storage/pkg/archive"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/space"
	"github.com/strata-hpc/strata/internal/tarball"
)

// Staging is where a layer is built.
type Staging struct {
	Upper   string   // receives what the layer adds: an overlay's upper directory
	Lower   []string // the parent's directories, topmost first
	Scratch string   // an empty directory on the same file system, removed afterwards
	Sealing *Sealing // how the layer is sealed
	// Inspect lets somebody see the layer while its digest is taken.
	Inspect func(Inspector)
}

// Inspector sees the tar stream of a sealed layer, name by name. An error of Close,
// which comes after all of it, refuses the layer.
type Inspector interface {
	io.Writer
	Begin(name string) // what comes now is the header, and then the content, of this file
	Close() error
}

// Layer is a committed layer.
type Layer struct {
	ID     string       // in containers/storage
	DiffID layer.Digest // of its uncompressed tar
	Size   int64        // of that tar, in bytes
}

// AddLayer lets fill build a layer on top of parent ("" for a first layer) and
// commits what it wrote. Nothing is copied: the staging directory becomes the
// layer. A layer of the same content is there only once. If fill fails, nothing
// is committed and its error is returned as it is.
func (s *Store) AddLayer(ctx context.Context, parent string, fill func(Staging) error) (Layer, error) {
	return s.stage(ctx, parent, func(d *differ, st Staging) (drivers.DriverWithDifferOutput, error) { return d.build(st, fill) })
}

// stage has a layer made in a staging directory, on top of parent, and commits it.
func (s *Store) stage(ctx context.Context, parent string, fill func(*differ, Staging) (drivers.DriverWithDifferOutput, error)) (Layer, error) {
	lower, err := s.dirs(parent)
	if err != nil {
		return Layer{}, err
	}
	unlock, err := s.lock(ctx, "staging")
	if err != nil {
		return Layer{}, err
	}
	d := &differ{ctx: ctx, lower: lower, locked: unlock}
	d.make = func(st Staging) (drivers.DriverWithDifferOutput, error) { return fill(d, st) }
	defer d.unlock()
	out, err := s.st.PrepareStagedLayer(nil, d)
	if err != nil {
		// Its lock is gone already; what it wrote goes now.
		if left := errors.Join(d.discard(), s.discardEmpty(d)); left != nil {
			err = errors.Join(err, left)
		}
		return Layer{}, err
	}
	defer out.TarSplit.Close() // which has no name: it takes space as long as it is open
	staged := filepath.Dir(out.Target)
	defer os.RemoveAll(staged)
	id := layerID(parent, out.UncompressedDigest)
	added := Layer{ID: id, DiffID: layer.Digest(out.UncompressedDigest), Size: out.Size}
	if s.st.Exists(id) {
		return added, s.st.CleanupStagedLayer(out)
	}
	_, err = s.st.ApplyStagedLayer(storage.ApplyStagedLayerOptions{
		ID: id, ParentLayer: parent, DiffOutput: out, DiffOptions: &drivers.ApplyDiffWithDifferOpts{},
	})
	if errors.Is(err, storage.ErrDuplicateID) {
		return added, s.st.CleanupStagedLayer(out) // another process was faster
	}
	if err != nil {
		return Layer{}, fmt.Errorf("commit layer: %w", err)
	}
	return added, nil
}

// layerID derives the id as c/image does for layers that it pulls, so that a
// layer that is built and one that is pulled are the same one.
func layerID(parent string, diffID digest.Digest) string {
	if parent == "" {
		return diffID.Encoded()
	}
	return digest.FromString(parent + "+" + diffID.Encoded()).Encoded()
}

// dirs returns the directories of a layer and those below it, topmost first.
func (s *Store) dirs(id string) ([]string, error) {
	var dirs []string
	for id != "" {
		l, err := s.st.Layer(id)
		if err != nil {
			return nil, fmt.Errorf("find layer %s: %w", id, err)
		}
		dir, err := s.st.DifferTarget(id)
		if err != nil {
			return nil, fmt.Errorf("find layer %s: %w", id, err)
		}
		dirs, id = append(dirs, dir), l.Parent
	}
	return dirs, nil
}

// differ is a layer build in the form that containers/storage asks for.
type differ struct {
	ctx       context.Context
	lower     []string
	make      func(Staging) (drivers.DriverWithDifferOutput, error)
	locked    func()
	dest      string
	inspector Inspector // or nil
}

func (d *differ) unlock() {
	if d.locked != nil {
		d.locked()
		d.locked = nil
	}
}

// Close implements drivers.Differ.
func (d *differ) Close() error { return nil }

func (d *differ) discard() error {
	if d.dest == "" {
		return nil
	}
	return os.RemoveAll(filepath.Dir(d.dest))
}

// discardEmpty removes the staging directory of a build that ended before it knew of
// it, while nobody else makes one: those that are used have a lock, or something in
// them.
func (s *Store) discardEmpty(d *differ) error {
	if d.locked == nil {
		return nil
	}
	entries, err := os.ReadDir(s.staging())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(s.staging(), e.Name())
		if _, err := os.Lstat(filepath.Join(dir, "staging.lock")); errors.Is(err, os.ErrNotExist) {
			os.Remove(filepath.Join(dir, "dir"))
			os.Remove(dir)
		}
	}
	return nil
}

// ApplyDiff implements drivers.Differ: it builds in dest and tells what came out.
func (d *differ) ApplyDiff(dest string, _ *archive.TarOptions, _ *drivers.DifferOptions) (drivers.DriverWithDifferOutput, error) {
	d.unlock() // the staging directory's own lock protects it from now on
	d.dest = dest
	var none drivers.DriverWithDifferOutput
	scratch := filepath.Join(filepath.Dir(dest), "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return none, err
	}
	if err := os.Chmod(dest, 0o755); err != nil {
		return none, err
	}
	out, err := d.make(Staging{Upper: dest, Lower: d.lower, Scratch: scratch})
	if err != nil && d.ctx.Err() == nil {
		err = space.Note(err, dest) // it will be gone
	}
	if err != nil {
		return none, err
	}
	if err := errors.Join(os.RemoveAll(scratch), d.ctx.Err()); err != nil {
		out.TarSplit.Close()
		return none, err
	}
	return out, nil
}

// build makes a layer of what fill writes.
func (d *differ) build(st Staging, fill func(Staging) error) (drivers.DriverWithDifferOutput, error) {
	var none drivers.DriverWithDifferOutput
	start := time.Now()
	st.Sealing = &Sealing{}
	st.Inspect = func(i Inspector) { d.inspector = i }
	if err := fill(st); err != nil {
		return none, err
	}
	if err := os.RemoveAll(st.Scratch); err != nil {
		return none, err
	}
	if err := seal(d.ctx, st.Upper, d.lower, start, st.Sealing); err != nil {
		return none, err
	}
	return d.describe(len(d.lower) == 0)
}

// describe streams a sealed layer once. First says that it is the lowest layer.
func (d *differ) describe(first bool) (drivers.DriverWithDifferOutput, error) {
	rec, err := newRecorder(d.dest)
	if err != nil {
		return drivers.DriverWithDifferOutput{}, err
	}
	opts := tarball.Options{Root: true, Overlay: tarball.OverlayMarks(), First: first, Entry: rec.note, Stored: rec.stored}
	to := io.Writer(rec)
	if d.inspector != nil {
		to = io.MultiWriter(rec, d.inspector)
		opts.Entry = func(hdr *tar.Header, st *unix.Stat_t) error {
			d.inspector.Begin(hdr.Name)
			return rec.note(hdr, st)
		}
	}
	err = tarball.Write(d.ctx, to, d.dest, opts)
	if d.inspector != nil && err == nil {
		err = d.inspector.Close()
	}
	out, err := rec.end(0o755, err)
	if err != nil {
		return out, unkeepable(fmt.Errorf("digest layer: %w", err))
	}
	return out, nil
}

// unkeepable tells what to do about a file that no layer can have.
func unkeepable(err error) error {
	var reserved *tarball.ReservedError
	if errors.As(err, &reserved) {
		return fault.New(fault.Failed, "%w", err).
			WithHint("have the step that makes it use another name or place, or remove it at its end: in an image it would not be what it is here")
	}
	return err
}

// madeHere marks a layer that gc may remove when nothing uses it.
const madeHere = "strata"
