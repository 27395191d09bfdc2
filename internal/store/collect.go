package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.podman.io/storage"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// Freed is what Collect removed.
type Freed struct {
	Items []FreedItem `json:"items"`
	Size  int64       `json:"size"` // bytes
}

// FreedItem is one thing that was removed.
type FreedItem struct {
	Kind string `json:"kind"` // image, layer, artifacts, failed tree
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
}

func (f *Freed) add(kind, name string, size int64) {
	f.Items = append(f.Items, FreedItem{kind, name, size})
	f.Size += size
}

// Size returns the size of all layers of an image, uncompressed.
func (s *Store) Size(im *Image) (int64, error) {
	sizes, err := s.layerSizes(im.top)
	var total int64
	for _, n := range sizes {
		total += n
	}
	return total, err
}

// Use waits for a Collect that is at work, and keeps others away until done is
// called.
func (s *Store) Use(ctx context.Context) (done func(), err error) {
	return s.lockWithin(ctx, "collect", unix.LOCK_SH, nil)
}

// Collect removes the images that Strata made and that are no node's latest,
// layers of its that nothing uses, artifacts of images that are gone, and
// failed trees. With dryRun it only tells. When ctx is done, it ends after what it
// is removing.
func (s *Store) Collect(ctx context.Context, dryRun bool) (*Freed, error) {
	if !dryRun {
		unlock, free, err := s.tryLock("collect")
		if err != nil {
			return nil, err
		}
		if !free {
			return nil, fault.New(fault.Failed, "another command is using the store").WithHint("wait until builds, boots and shells have ended")
		}
		defer unlock()
		if err := giveReserve(s.dir); err != nil {
			return nil, err
		}
		defer s.keepReserve()
	}
	freed := &Freed{Items: []FreedItem{}}
	images, err := s.Images()
	if err != nil {
		return nil, err
	}
	needed := map[layer.Digest]bool{}
	var gone []*Image
	for _, im := range images {
		if slices.ContainsFunc(im.Names, func(name string) bool { return strings.HasSuffix(name, ":latest") }) {
			needed[im.Digest] = true
		} else {
			gone = append(gone, im)
		}
	}
	if err := s.collectImages(ctx, gone, freed, dryRun); err != nil {
		return nil, err
	}
	if err := s.collectArtifacts(ctx, needed, freed, dryRun); err != nil {
		return nil, err
	}
	return freed, s.collectFailed(ctx, freed, dryRun)
}

func (s *Store) collectImages(ctx context.Context, gone []*Image, freed *Freed, dryRun bool) error {
	removed, err := s.unusedLayers(gone) // some go with their images
	if err != nil {
		return err
	}
	for _, im := range gone {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !dryRun {
			if _, err := s.st.DeleteImage(im.ID, true); err != nil {
				if errors.Is(err, storage.ErrImageUsedByContainer) {
					continue
				}
				return fmt.Errorf("remove image %s: %w", im.ID, err)
			}
		}
		freed.add("image", strings.Join(im.Names, " "), 0)
	}
	for _, l := range removed {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !dryRun && s.st.Exists(l.ID) {
			if err := s.st.DeleteLayer(l.ID); err != nil {
				return fmt.Errorf("remove layer %s: %w", l.ID, err)
			}
		}
		freed.add("layer", l.ID[:12], l.UncompressedSize)
	}
	return nil
}

// unusedLayers returns the layers that Strata made and that neither an image
// which stays nor a container needs, children before parents.
func (s *Store) unusedLayers(gone []*Image) ([]storage.Layer, error) {
	list, err := s.st.MultiList(storage.MultiListOptions{Images: true, Layers: true, Containers: true})
	if err != nil {
		return nil, fmt.Errorf("list layers: %w", err)
	}
	byID := map[string]storage.Layer{}
	for _, l := range list.Layers {
		byID[l.ID] = l
	}
	used := map[string]bool{}
	use := func(id string) {
		for ; id != "" && !used[id]; id = byID[id].Parent {
			used[id] = true
		}
	}
	for _, im := range list.Images {
		if !slices.ContainsFunc(gone, func(g *Image) bool { return g.ID == im.ID }) {
			use(im.TopLayer)
			for _, id := range im.MappedTopLayers {
				use(id)
			}
		}
	}
	for _, c := range list.Containers {
		use(c.LayerID)
	}
	for _, l := range list.Layers {
		if l.Metadata != madeHere {
			use(l.ID)
		}
	}
	var unused []storage.Layer
	for _, l := range list.Layers {
		if !used[l.ID] {
			unused = append(unused, l)
		}
	}
	depth := func(l storage.Layer) int {
		n := 0
		for id := l.Parent; id != ""; id = byID[id].Parent {
			n++
		}
		return n
	}
	slices.SortStableFunc(unused, func(x, y storage.Layer) int { return depth(y) - depth(x) })
	return unused, nil
}

// collectArtifacts keeps, for each image, the newest artifacts of a build that
// stays.
func (s *Store) collectArtifacts(ctx context.Context, needed map[layer.Digest]bool, freed *Freed, dryRun bool) error {
	manifests, err := filepath.Glob(filepath.Join(s.artifacts(), "*", "*", "*", "manifest.json"))
	if err != nil {
		return err
	}
	newest := map[string]time.Time{}
	when := map[string]time.Time{}
	for _, path := range manifests {
		var m struct {
			Digest layer.Digest `json:"digest"`
		}
		content, err := os.ReadFile(path)
		st, statErr := os.Stat(path)
		if err != nil || statErr != nil || json.Unmarshal(content, &m) != nil || !needed[m.Digest] {
			continue
		}
		image := filepath.Dir(filepath.Dir(path))
		when[path] = st.ModTime()
		if st.ModTime().After(newest[image]) {
			newest[image] = st.ModTime()
		}
	}
	for _, path := range manifests {
		dir := filepath.Dir(path)
		image := filepath.Dir(dir)
		if t, ok := when[path]; ok && t.Equal(newest[image]) {
			continue
		}
		if err := s.removeDir(ctx, "artifacts", s.relative(s.artifacts(), dir), dir, freed, dryRun); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) collectFailed(ctx context.Context, freed *Freed, dryRun bool) error {
	dirs, err := filepath.Glob(filepath.Join(s.failedDir(), "*", "*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := s.removeDir(ctx, "failed tree", s.relative(s.failedDir(), dir), dir, freed, dryRun); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) relative(base, dir string) string {
	name, err := filepath.Rel(base, dir)
	if err != nil {
		return dir
	}
	return name
}

func (s *Store) removeDir(ctx context.Context, kind, name, dir string, freed *Freed, dryRun bool) error {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if err == nil {
			if st, err := d.Info(); err == nil && st.Mode().IsRegular() {
				total += st.Size()
			}
		}
		return nil
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if !dryRun {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	freed.add(kind, name, total)
	return nil
}
