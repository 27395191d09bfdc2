package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/storage"

	"github.com/strata-hpc/strata/internal/layer"
)

// Image is a built node in the store.
type Image struct {
	ID     string         // in containers/storage: the hex digest of its configuration
	Digest layer.Digest   // of its manifest
	Layers []layer.Digest // diff IDs, lowest first
	Names  []string
	Config v1.Image
	top    string // id of the topmost layer
}

// Record tells how a node came about: what its content does not.
type Record struct {
	Node    layer.NodeID    `json:"node"`
	Layer   string          `json:"layer"`
	Key     layer.Key       `json:"key"`
	Parent  layer.NodeID    `json:"parent,omitempty"`
	Size    int64           `json:"size"` // of the layer's tar in bytes
	DiffID  layer.Digest    `json:"diff_id"`
	Started time.Time       `json:"started"`
	Seconds float64         `json:"seconds"`
	Steps   []StepRecord    `json:"steps"`
	Tool    string          `json:"tool"`             // version of Strata
	Inputs  json.RawMessage `json:"inputs,omitempty"` // what the key was made of

	// Observed is what programs that playbooks ran on the machine that built did with
	// files of the project; nil without playbooks.
	Observed *layer.Observed `json:"observed,omitempty"`
	// Address says that Key is none of the node's, but only where Observed is found.
	Address bool `json:"address,omitempty"`

	// Commits are those of all repositories of the project when it was built.
	Commits []layer.Commit `json:"commits,omitempty"`
	// Confirmed is the newest build since that came to the same; it is kept by itself.
	Confirmed *Confirmation `json:"confirmed,omitempty"`
}

// StepRecord is one step of a build.
type StepRecord struct {
	Title   string  `json:"title"`
	Seconds float64 `json:"seconds"`
}

// Commit is a node to be made an image of.
type Commit struct {
	Cluster string
	Arch    string
	Parent  *Image // nil for a first layer
	Layer   Layer
	Env     []string
	Labels  map[string]string
	Record  Record
}

// recordPrefix begins the names under which records are kept with an image.
const recordPrefix = "strata-record-"

// AddImage makes an image of a layer, and gives it the node's name, with the
// tags latest and KeyTag. The image depends on its content only, so equal
// layers give one image, which then has several names.
func (s *Store) AddImage(c Commit) (*Image, error) {
	config := imageConfig(c)
	configBytes, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("describe image: %w", err)
	}
	sizes, err := s.layerSizes(c.Layer.ID)
	if err != nil {
		return nil, err
	}
	manifest := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
		Config:    descriptor(v1.MediaTypeImageConfig, digest.FromBytes(configBytes), int64(len(configBytes))),
	}
	for i, diffID := range config.RootFS.DiffIDs {
		manifest.Layers = append(manifest.Layers, descriptor(v1.MediaTypeImageLayer, diffID, sizes[i]))
	}
	manifestBytes, err := json.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("describe image: %w", err)
	}
	record, err := json.Marshal(c.Record)
	if err != nil {
		return nil, fmt.Errorf("describe image: %w", err)
	}
	id, manifestDigest := digest.FromBytes(configBytes).Encoded(), digest.FromBytes(manifestBytes)
	name := NodeImage(c.Cluster, c.Record.Node)
	names := []string{name + ":" + KeyTag(c.Record.Key), name + ":latest"}
	recordName := recordPrefix + string(c.Record.Key)
	// The names come second: a rebuild takes them from the image that had them.
	_, err = s.st.CreateImage(id, nil, c.Layer.ID, "{}", &storage.ImageOptions{
		CreationDate: Epoch,
		Digest:       manifestDigest,
		BigData: []storage.ImageBigDataOption{
			{Key: storage.ImageDigestManifestBigDataNamePrefix, Data: manifestBytes, Digest: manifestDigest},
			{Key: storage.ImageDigestManifestBigDataNamePrefix + "-" + manifestDigest.String(), Data: manifestBytes, Digest: manifestDigest},
			{Key: "sha256:" + id, Data: configBytes, Digest: digest.FromBytes(configBytes)},
			{Key: recordName, Data: record},
		},
	})
	if errors.Is(err, storage.ErrDuplicateID) { // another key gave the same content
		err = s.st.SetImageBigData(id, recordName, record, nil)
		if _, known := s.st.ImageBigData(id, sourcePrefix+string(c.Record.Key)); err == nil && known == nil {
			err = s.SetSource(id, c.Record.Key, Source{}) // now it was built here
		}
	}
	if err == nil {
		err = s.st.AddNames(id, names)
	}
	if err != nil {
		return nil, fmt.Errorf("commit image %s: %w", name, err)
	}
	return s.image(id)
}

func descriptor(mediaType string, d digest.Digest, size int64) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: d, Size: size}
}

// imageConfig describes the content. It names no key, no time and no machine.
func imageConfig(c Commit) v1.Image {
	made := Epoch
	config := v1.Image{
		Created:  &made,
		Platform: v1.Platform{Architecture: c.Arch, OS: "linux"},
		Config:   v1.ImageConfig{Env: c.Env, Labels: c.Labels, Cmd: []string{"/bin/sh"}},
		RootFS:   v1.RootFS{Type: "layers"},
	}
	if c.Parent != nil {
		config.RootFS.DiffIDs = slices.Clone(c.Parent.Config.RootFS.DiffIDs)
		config.History = slices.Clone(c.Parent.Config.History)
	}
	config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.Digest(c.Layer.DiffID))
	config.History = append(config.History, v1.History{Created: &made, CreatedBy: "strata layer " + c.Record.Layer})
	return config
}

// layerSizes returns the sizes of a layer's tar and of those below, lowest first.
func (s *Store) layerSizes(id string) ([]int64, error) {
	var sizes []int64
	for id != "" {
		l, err := s.st.Layer(id)
		if err != nil {
			return nil, fmt.Errorf("find layer %s: %w", id, err)
		}
		sizes, id = append(sizes, l.UncompressedSize), l.Parent
	}
	slices.Reverse(sizes)
	return sizes, nil
}

// Find returns the image of a node that was built for a key, or ErrNotFound. One
// that another cluster's project built is the same: it gets this one's name too.
func (s *Store) Find(cluster string, node layer.NodeID, key layer.Key) (*Image, error) {
	name := NodeImage(cluster, node) + ":" + KeyTag(key)
	im, err := s.Named(name)
	if !errors.Is(err, ErrNotFound) {
		return im, err
	}
	all, err := s.st.Images()
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	suffix := "/" + string(node) + ":" + KeyTag(key)
	for _, other := range all {
		if !slices.ContainsFunc(other.Names, func(n string) bool { return ours(n) && strings.HasSuffix(n, suffix) }) {
			continue
		}
		if err := s.st.AddNames(other.ID, []string{name}); err != nil {
			return nil, fmt.Errorf("name image %s: %w", name, err)
		}
		return s.image(other.ID)
	}
	return nil, ErrNotFound
}

// Named returns the image of a full name, or ErrNotFound.
func (s *Store) Named(name string) (*Image, error) {
	id, err := s.st.Lookup(name)
	if errors.Is(err, storage.ErrLayerUnknown) || errors.Is(err, storage.ErrImageUnknown) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("find image %s: %w", name, err)
	}
	return s.image(id)
}

func (s *Store) image(id string) (*Image, error) {
	im, err := s.st.Image(id)
	if errors.Is(err, storage.ErrImageUnknown) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("find image %s: %w", id, err)
	}
	configBytes, err := s.st.ImageBigData(id, "sha256:"+id)
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", id, err)
	}
	image := &Image{ID: id, Digest: layer.Digest(im.Digest), Names: im.Names, top: im.TopLayer}
	if err := json.Unmarshal(configBytes, &image.Config); err != nil {
		return nil, fmt.Errorf("read image %s: %w", id, err)
	}
	for _, d := range image.Config.RootFS.DiffIDs {
		image.Layers = append(image.Layers, layer.Digest(d))
	}
	return image, nil
}

// Dirs returns the directories of an image's layers, topmost first.
func (s *Store) Dirs(im *Image) ([]string, error) { return s.dirs(im.top) }

// Top returns the id of an image's topmost layer, for AddLayer; "" for nil.
func (im *Image) Top() string {
	if im == nil {
		return ""
	}
	return im.top
}

// Record returns how the node came about that has this key, or ErrNotFound.
func (s *Store) Record(im *Image, key layer.Key) (Record, error) {
	var r Record
	content, err := s.st.ImageBigData(im.ID, recordPrefix+string(key))
	if err != nil {
		return r, ErrNotFound
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("read the record of image %s: %w", im.ID, err)
	}
	if content, err := s.st.ImageBigData(im.ID, confirmPrefix+string(key)); err == nil {
		c := &Confirmation{}
		if err := json.Unmarshal(content, c); err != nil {
			return r, fmt.Errorf("read the confirmation of image %s: %w", im.ID, err)
		}
		r.Confirmed = c
	}
	return r, nil
}

// LastRecord returns how a node's image came about when it was built last: an
// image that came out the same for several keys has a record for each.
func (s *Store) LastRecord(im *Image, cluster string, node layer.NodeID) (Record, error) {
	prefix := NodeImage(cluster, node) + ":" + KeyTag("")
	var last Record
	for _, name := range im.Names {
		key, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		r, err := s.Record(im, layer.Key(key))
		if err != nil {
			return r, err
		}
		if !r.Address && (last.Key == "" || r.Started.After(last.Started)) {
			last = r
		}
	}
	if last.Key == "" {
		return last, ErrNotFound
	}
	return last, nil
}

// Latest returns the image that was built last for a node, or ErrNotFound.
func (s *Store) Latest(cluster string, node layer.NodeID) (*Image, error) {
	return s.Named(NodeImage(cluster, node) + ":latest")
}

// Retag makes an image that was found by key the node's latest.
func (s *Store) Retag(cluster string, node layer.NodeID, im *Image) error {
	name := NodeImage(cluster, node) + ":latest"
	if slices.Contains(im.Names, name) {
		return nil
	}
	if err := s.st.AddNames(im.ID, []string{name}); err != nil {
		return fmt.Errorf("name image %s: %w", name, err)
	}
	return nil
}

// Images returns every image that Strata built, newest name first.
func (s *Store) Images() ([]*Image, error) {
	all, err := s.st.Images()
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var images []*Image
	for _, im := range all {
		if !slices.ContainsFunc(im.BigDataNames, func(name string) bool { return strings.HasPrefix(name, recordPrefix) }) {
			continue
		}
		image, err := s.image(im.ID)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}

// ours says whether a name is one that Strata gives. What is pulled by another
// name may have the tag of any key: whoever pushed it chose that.
func ours(name string) bool { return strings.HasPrefix(name, localPrefix) }

// Chain is the digest of the image's whole tree: of its chain of layers.
func (im *Image) Chain() layer.Digest { return layer.Digest("sha256:" + im.top) }

// Chains returns, for every key that the store has an image of, the digest of
// that image's chain of layers.
func (s *Store) Chains() (map[layer.Key]layer.Digest, error) {
	images, err := s.st.Images()
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	chains := map[layer.Key]layer.Digest{}
	for _, im := range images {
		for _, name := range im.Names {
			if _, key, ok := strings.Cut(name, ":"+KeyTag("")); ok && ours(name) {
				chains[layer.Key(key)] = layer.Digest("sha256:" + im.TopLayer)
			}
		}
	}
	return chains, nil
}

// Containers returns the store as containers/storage has it, for copying
// images out of it.
func (s *Store) Containers() storage.Store { return s.st }
