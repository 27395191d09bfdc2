package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	imagemanifest "go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// ErrNotThere says that there is no image under a name.
var ErrNotThere = errors.New("not there")

// Pull brings an image into the store. Layers that the store has are not
// fetched. One that Strata pushed becomes the image that it was, with manifest
// and records, in one step; any other is taken as it is.
func Pull(ctx context.Context, ref string, into storage.Store, opts Options) (*Result, error) {
	from, err := parse(ref, into)
	if err != nil {
		return nil, err
	}
	p := &pull{into: into, from: from, opts: opts, sys: from.system(opts), res: &Result{Ref: from.text, Records: map[string][]byte{}}}
	err = p.run(ctx)
	if absent(err) {
		err = fault.New(fault.Failed, "pull from %s: there is no such image: %w", from.text, ErrNotThere).
			WithHint("see that the name is right; 'skopeo list-tags' shows what a registry has")
	}
	return p.res, from.explain(ctx, "pull from", err)
}

// Found is what a registry says about an image that Strata pushed.
type Found struct {
	Digest layer.Digest // of its manifest in the store
	Chain  layer.Digest // of its chain of layers
}

// Look asks a registry for what Strata pushed under a name, without its layers.
// The error is ErrNotThere if there is nothing.
func Look(ctx context.Context, ref string, opts Options) (Found, error) {
	at, err := parse(ref, nil)
	if err != nil {
		return Found{}, err
	}
	p := &pull{from: at, opts: opts, sys: at.system(opts), res: &Result{}}
	src, err := p.open(ctx)
	if absent(err) {
		return Found{}, ErrNotThere
	}
	if err != nil {
		return Found{}, at.explain(ctx, "look at", err)
	}
	found := Found{layer.Digest(p.manifest.Annotations[digestAnnotation]), layer.Digest(p.manifest.Annotations[chainAnnotation])}
	if found.Digest == "" || found.Chain == "" {
		err = p.noRecord()
	}
	return found, errors.Join(err, src.Close())
}

// pull is one image on its way.
type pull struct {
	into storage.Store
	from *place
	sys  *types.SystemContext
	opts Options

	manifest v1.Manifest // over there
	stored   []byte      // the manifest in the store
	config   []byte
	about    v1.Image

	mu  sync.Mutex
	res *Result
}

func (p *pull) run(ctx context.Context) error {
	src, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := p.describe(ctx, src); err != nil {
		return err
	}
	for _, name := range p.opts.Records {
		if p.stored == nil || p.res.Records[name] == nil {
			return p.noRecord()
		}
	}
	if p.stored == nil {
		return p.copy(ctx)
	}
	if err := p.check(); err != nil {
		return err
	}
	if err := p.layers(ctx, src); err != nil {
		return err
	}
	return p.commit()
}

// describe reads, at once, the configuration and the record of an image that
// Strata pushed.
func (p *pull) describe(ctx context.Context, src types.ImageSource) error {
	if p.manifest.Annotations[digestAnnotation] == "" {
		return nil
	}
	var record found
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return retry(ctx, p.opts, func(a *attempt) (err error) {
			p.config, err = fetchBytes(a, src, p.manifest.Config)
			return err
		})
	})
	group.Go(func() error {
		return retry(ctx, p.opts, func(a *attempt) (err error) {
			record, err = fetchRecord(a, p.from, p.sys)
			return err
		})
	})
	err := group.Wait()
	if err == nil && record.subject == digest.Digest(p.res.Manifest) {
		p.stored, p.res.Records = record.manifest, record.records
	}
	return err
}

// open reads the manifest, if policy.json lets it be used.
func (p *pull) open(ctx context.Context) (types.ImageSource, error) {
	var opened types.ImageSource
	err := retry(ctx, p.opts, func(a *attempt) error {
		src, err := p.from.NewImageSource(a, p.sys)
		if err != nil {
			return err
		}
		whole := image.UnparsedInstance(src, nil)
		content, _, err := whole.Manifest(a)
		if err == nil {
			err = p.trusted(a, whole)
		}
		if err != nil {
			src.Close()
			return err
		}
		opened, p.res.Manifest = src, layer.Digest(digest.FromBytes(content))
		if json.Unmarshal(content, &p.manifest) != nil {
			p.manifest = v1.Manifest{} // one that is not an image's alone
		}
		return nil
	})
	return opened, err
}

func (p *pull) noRecord() error {
	return fault.New(fault.Failed, "pull from %s: the image has no record of how it was built", p.from.text).
		WithHint("push it again from where it was built; 'strata push' sends the record")
}

// check sees that all that came belongs together.
func (p *pull) check() error {
	var stored v1.Manifest
	err := errors.Join(json.Unmarshal(p.config, &p.about), json.Unmarshal(p.stored, &stored))
	p.res.ID, p.res.Digest = p.manifest.Config.Digest.Encoded(), layer.Digest(digest.FromBytes(p.stored))
	diffIDs := p.about.RootFS.DiffIDs
	var named []digest.Digest
	for _, l := range stored.Layers {
		named = append(named, l.Digest)
	}
	switch {
	case err != nil:
	case string(p.res.Digest) != p.manifest.Annotations[digestAnnotation]:
		err = fmt.Errorf("its record is of %s, and it is %s", p.res.Digest, p.manifest.Annotations[digestAnnotation])
	case string(chainOf(diffIDs)) != p.manifest.Annotations[chainAnnotation]:
		err = fmt.Errorf("its configuration is of the layers %s, and it names %s", chainOf(diffIDs), p.manifest.Annotations[chainAnnotation])
	case stored.Config.Digest != p.manifest.Config.Digest, !slices.Equal(named, diffIDs), len(diffIDs) != len(p.manifest.Layers), len(diffIDs) == 0:
		err = errors.New("its manifests and its configuration name different layers")
	}
	for _, d := range diffIDs {
		err = errors.Join(err, d.Validate())
	}
	for _, l := range p.manifest.Layers {
		err = errors.Join(err, l.Digest.Validate())
	}
	if err != nil {
		return fault.New(fault.Failed, "pull from %s: the image is inconsistent: %w", p.from.text, err).
			WithHint("remove it from the registry and push it again from where it was built")
	}
	return nil
}

// commit makes the image, with its records and names.
func (p *pull) commit() error {
	stored := digest.FromBytes(p.stored)
	options := &storage.ImageOptions{
		Digest: stored,
		BigData: []storage.ImageBigDataOption{
			{Key: storage.ImageDigestManifestBigDataNamePrefix, Data: p.stored, Digest: stored},
			{Key: storage.ImageDigestManifestBigDataNamePrefix + "-" + stored.String(), Data: p.stored, Digest: stored},
			{Key: p.manifest.Config.Digest.String(), Data: p.config, Digest: p.manifest.Config.Digest},
		},
	}
	if p.about.Created != nil {
		options.CreationDate = *p.about.Created
	}
	for name, content := range p.res.Records {
		options.BigData = append(options.BigData, storage.ImageBigDataOption{Key: name, Data: content})
	}
	top := layerID(p.about.RootFS.DiffIDs)
	_, err := p.into.CreateImage(p.res.ID, nil, top, "{}", options)
	if errors.Is(err, storage.ErrDuplicateID) {
		err = p.addRecords()
	}
	// The names come second: they are taken from the image that had them.
	names := p.opts.Names
	if ref := p.from.DockerReference(); ref != nil && len(names) == 0 {
		names = []string{reference.TagNameOnly(ref).String()}
	}
	if err == nil && len(names) > 0 {
		err = p.into.AddNames(p.res.ID, names)
	}
	if err != nil {
		return fmt.Errorf("commit image %s: %w", p.res.ID, err)
	}
	return nil
}

// addRecords adds what an image that the store has lacks. One that Podman
// pulled has the manifest of the registry.
func (p *pull) addRecords() error {
	if im, err := p.into.Image(p.res.ID); err != nil || im.Digest != digest.FromBytes(p.stored) {
		err = errors.Join(err, p.into.SetImageBigData(p.res.ID, storage.ImageDigestManifestBigDataNamePrefix, p.stored, imagemanifest.Digest))
		if err != nil {
			return err
		}
	}
	for name, content := range p.res.Records {
		_, err := p.into.ImageBigData(p.res.ID, name)
		if errors.Is(err, os.ErrNotExist) {
			err = p.into.SetImageBigData(p.res.ID, name, content, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// chainOf is the digest of a chain of layers, lowest first.
func chainOf(diffIDs []digest.Digest) layer.Digest { return layer.Digest("sha256:" + layerID(diffIDs)) }

// layerID is the id in the store of the topmost of these layers, lowest first.
func layerID(diffIDs []digest.Digest) (id string) {
	for i, d := range diffIDs {
		if i == 0 {
			id = d.Encoded()
		} else {
			id = digest.FromString(id + "+" + d.Encoded()).Encoded()
		}
	}
	return id
}
