package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	imagemanifest "go.podman.io/image/v5/manifest"
	imagestorage "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/retry"
	"github.com/strata-hpc/strata/internal/trust"
)

// ErrNotThere says that there is no image under a name.
var ErrNotThere = errors.New("not there")

// Pull brings an image into the store. Layers that the store has are not
// fetched. One that Strata pushed becomes the image that it was, with manifest
// and records, in one step; any other is taken as it is. What it takes of memory
// and space is bounded by what the manifest declares and by the limits above.
func Pull(ctx context.Context, ref string, into storage.Store, opts Options) (*Result, error) {
	from, err := parse(ref, into)
	if err != nil {
		return nil, err
	}
	p := &pull{into: into, from: from, opts: opts, sys: from.system(opts), res: &Result{Ref: from.text, Records: map[string][]byte{}}}
	err = p.run(ctx)
	p.res.Why = p.belief.Why
	return p.res, from.explain(ctx, "pull from", err)
}

// Found is what a registry says about an image that Strata pushed.
type Found struct {
	Digest layer.Digest // of its manifest in the store
	Chain  layer.Digest // of its chain of layers
	Why    string       // it is believed: "signed by …"; "" where the registry is trusted

	records string // digest of its records, if that was signed
}

// Look asks a registry for what Strata pushed under a name, without its layers.
// The error is ErrNotThere if there is nothing, ErrNotBelieved if nothing vouches
// for it, and ErrBroken if it cannot be an image of Strata's.
func Look(ctx context.Context, ref string, opts Options) (Found, error) {
	at, err := parse(ref, nil)
	if err != nil {
		return Found{}, err
	}
	p := &pull{from: at, opts: opts, sys: at.system(opts), res: &Result{}}
	src, err := p.open(ctx)
	if err != nil {
		return Found{}, at.explain(ctx, "look at", err)
	}
	found := Found{layer.Digest(p.manifest.Annotations[digestAnnotation]), layer.Digest(p.manifest.Annotations[chainAnnotation]),
		p.belief.Why, p.belief.Claims[recordClaim]}
	if found.Digest == "" || found.Chain == "" {
		err = p.noRecord()
	} else {
		err = at.explain(ctx, "look at", p.lookAgain(ctx, src))
	}
	return found, errors.Join(err, src.Close())
}

// pull is one image on its way.
type pull struct {
	into storage.Store
	from *place
	sys  *types.SystemContext
	opts Options

	raw      []byte      // the manifest over there
	manifest v1.Manifest // the same
	stored   []byte      // the manifest in the store
	belief   trust.Belief
	plain    bool // Strata did not push it: the manifest in the store is that over there
	config   []byte
	about    v1.Image
	sizes    []int64 // of the layers' tar streams in bytes; -1 where that is not declared
	missing  []int   // the layers that the store lacks, lowest first

	mu  sync.Mutex
	res *Result
}

func (p *pull) run(ctx context.Context) error {
	if p.from.Transport().Name() == imagestorage.Transport.Name() {
		return p.copy(ctx) // a store has no compressed blobs to name
	}
	src, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := p.describe(ctx, src); err != nil {
		return err
	}
	for _, name := range p.opts.Records {
		if p.res.Records[name] == nil {
			return p.noRecord()
		}
	}
	if err := p.recordsMatch(); err != nil {
		return err
	}
	if p.opts.Accept != nil {
		if err := p.opts.Accept(p.res.Records); err != nil {
			return p.inconsistent(err)
		}
	}
	if err := p.check(); err != nil {
		return err
	}
	if err := p.layers(ctx, src); err != nil {
		return err
	}
	return p.commit()
}

// describe reads, at once, the configuration and, of an image that Strata
// pushed, the record.
func (p *pull) describe(ctx context.Context, src types.ImageSource) error {
	var record found
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return p.opts.attempts().Do(ctx, func(a *retry.Attempt) (err error) {
			p.config, err = fetchBytes(a, src, p.manifest.Config, p.what("its configuration", p.manifest.Config))
			return p.tell(p.manifest.Config, err)
		})
	})
	group.Go(func() error {
		if p.manifest.Annotations[digestAnnotation] == "" {
			return nil
		}
		return p.opts.attempts().Do(ctx, func(a *retry.Attempt) (err error) {
			record, err = p.fetchRecord(a)
			return err
		})
	})
	err := group.Wait()
	p.stored, p.plain = p.raw, true
	if err == nil && record.manifest != nil && record.subject == digest.Digest(p.res.Manifest) {
		p.stored, p.res.Records, p.plain = record.manifest, record.records, false
	}
	return err
}

// open reads the manifest, if policy.json lets it be used.
func (p *pull) open(ctx context.Context) (types.ImageSource, error) {
	var opened types.ImageSource
	err := p.opts.attempts().Do(ctx, func(a *retry.Attempt) error {
		src, err := p.from.NewImageSource(a, p.sys)
		if err != nil {
			return p.notThere(err)
		}
		if err = p.read(a, src); err != nil {
			src.Close()
			return p.notThere(err)
		}
		opened = src
		return nil
	})
	return opened, err
}

// notThere turns an error of looking for the image's name into ErrNotThere, if
// it means that.
func (p *pull) notThere(err error) error {
	if strings.Contains(err.Error(), "exceeded maximum allowed size") {
		return p.inconsistent(fmt.Errorf("its manifest is too large: %w", err))
	}
	if !absent(err) {
		return err
	}
	f := fault.New(fault.Failed, "pull from %s: there is no such image: %w", p.from.text, ErrNotThere)
	if p.from.host() == "" {
		return f.WithHint("see that the path and the name are right")
	}
	return f.WithHint("see that the name is right; 'skopeo list-tags' shows what a registry has")
}

// read reads the manifest; of a list of them, this machine's.
func (p *pull) read(ctx context.Context, src types.ImageSource) error {
	whole := image.UnparsedInstance(src, nil)
	content, media, err := whole.Manifest(ctx)
	if err == nil && imagemanifest.MIMETypeIsMultiImage(media) {
		if len(content) > maxImageManifest {
			return p.inconsistent(fmt.Errorf("its list of manifests has %d bytes; at most %d are read", len(content), maxImageManifest))
		}
		var list imagemanifest.List
		var chosen digest.Digest
		if list, err = imagemanifest.ListFromBlob(content, media); err == nil {
			chosen, err = list.ChooseInstance(p.sys)
		}
		if err != nil {
			return p.inconsistent(fmt.Errorf("it is a list of manifests, and none can be taken: %w", err))
		}
		whole = image.UnparsedInstance(src, &chosen)
		content, _, err = whole.Manifest(ctx)
	}
	if err == nil {
		err = p.allowed(ctx, whole)
	}
	if err != nil {
		return err
	}
	if p.manifest, err = parseManifest(content); err != nil {
		return p.inconsistent(err)
	}
	p.raw, p.res.Manifest = content, layer.Digest(digest.FromBytes(content))
	return p.believe(ctx)
}

func (p *pull) noRecord() error {
	return fault.New(fault.Failed, "%w", brokenError{fmt.Errorf("pull from %s: the image has no record of how it was built", p.from.text)}).
		WithHint("push it again from where it was built; 'strata push' sends the record")
}

func (p *pull) inconsistent(err error) error {
	return damage("pull from %s: the image is inconsistent: %w", p.from.text, err)
}

// what names a part of the image in errors.
func (p *pull) what(part string, d v1.Descriptor) string {
	return fmt.Sprintf("pull from %s: %s, blob %s", p.from.text, part, d.Digest)
}

// layer names a layer in errors; i counts from 0.
func (p *pull) layer(i int) string {
	return p.what(fmt.Sprintf("layer %d of %d", i+1, len(p.manifest.Layers)), p.manifest.Layers[i])
}

// check sees that all that came belongs together, and that there is space for
// what it declares.
func (p *pull) check() (err error) {
	p.res.ID, p.res.Digest = p.manifest.Config.Digest.Encoded(), layer.Digest(digest.FromBytes(p.stored))
	if p.about, err = parseConfig(p.config, len(p.manifest.Layers)); err != nil {
		return p.inconsistent(err)
	}
	p.sizes = make([]int64, len(p.manifest.Layers))
	for i, l := range p.manifest.Layers {
		p.sizes[i] = plainSize(l)
	}
	if !p.plain {
		if err := checkStored(p.stored, p.manifest, p.about.RootFS.DiffIDs); err != nil {
			return p.inconsistent(err)
		}
	}
	for i := range p.manifest.Layers {
		if !p.into.Exists(layerID(p.about.RootFS.DiffIDs[:i+1])) {
			p.missing = append(p.missing, i)
		}
	}
	return p.room()
}

// room sees that there is space for what is to come: blobs that wait in files,
// and the layers that they are unpacked to.
func (p *pull) room() error {
	var blobs, layers int64
	for n, i := range p.missing {
		if n > 0 {
			blobs = sum(blobs, p.manifest.Layers[i].Size)
		}
		layers = sum(layers, max(p.sizes[i], p.manifest.Layers[i].Size))
	}
	if len(p.missing) == 0 {
		return nil
	}
	what := fmt.Sprintf("pull from %s: what it declares", p.from.text)
	if err := room(cmp.Or(p.opts.Scratch, os.TempDir()), what, blobs); err != nil {
		return err
	}
	return room(p.into.GraphRoot(), what, sum(blobs, layers))
}

// sum adds sizes that somebody else declared.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
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
	if im, err := p.into.Image(p.res.ID); p.plain && err == nil {
		p.res.Digest = layer.Digest(im.Digest)
	} else if err != nil || im.Digest != digest.FromBytes(p.stored) {
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
