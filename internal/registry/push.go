package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/docker/distribution/registry/api/errcode"
	v2 "github.com/docker/distribution/registry/api/v2"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/retry"
	"github.com/strata-hpc/strata/internal/space"
)

// Annotations of a manifest in a registry.
const (
	digestAnnotation = "io.strata.digest" // of the image's manifest in the store
	chainAnnotation  = "io.strata.chain"  // of its chain of layers
	sizeAnnotation   = "io.strata.size"   // of a layer: how many bytes it unpacks to
)

// Push sends an image of the store to ref. What is there is not sent again, and
// not compressed again if Known remembers it. The tag is put last.
func Push(ctx context.Context, from storage.Store, imageID, ref string, opts Options) (*Result, error) {
	to, err := parse(ref, from)
	if err != nil {
		return nil, err
	}
	p := &push{from: from, to: to, opts: opts, sys: to.system(opts), packing: make(chan struct{}, packing), res: &Result{Ref: to.text}}
	if err := p.load(imageID); err != nil {
		return nil, fmt.Errorf("push to %s: %w", to.text, err)
	}
	held, err := to.claim()
	switch {
	case err != nil:
	case slices.Contains([]string{docker.Transport.Name(), layout.Transport.Name()}, to.Transport().Name()):
		err = p.run(ctx, p.send)
	default:
		err = p.copy(ctx)
	}
	err = to.explain(ctx, "push to", err)
	if held == nil {
		return p.res, err
	}
	return p.res, held.end(space.Note(err, held.path))
}

// push is one image on its way.
type push struct {
	from storage.Store
	to   *place
	sys  *types.SystemContext
	opts Options

	image    *storage.Image
	manifest []byte // the store's
	config   []byte
	about    v1.Image
	layers   []string // ids, lowest first
	packing  chan struct{}

	mu  sync.Mutex
	res *Result
}

func (p *push) load(imageID string) (err error) {
	if p.image, err = p.from.Image(imageID); err != nil {
		return fmt.Errorf("find image %s: %w", imageID, err)
	}
	if p.config, err = p.from.ImageBigData(p.image.ID, "sha256:"+p.image.ID); err != nil {
		return fmt.Errorf("read image %s: %w", imageID, err)
	}
	if p.manifest, err = p.from.ImageBigData(p.image.ID, storage.ImageDigestManifestBigDataNamePrefix); err != nil {
		return fmt.Errorf("read image %s: %w", imageID, err)
	}
	if err := json.Unmarshal(p.config, &p.about); err != nil {
		return fmt.Errorf("read image %s: %w", imageID, err)
	}
	for id := p.image.TopLayer; id != ""; {
		l, err := p.from.Layer(id)
		if err != nil {
			return fmt.Errorf("find layer %s: %w", id, err)
		}
		p.layers, id = append([]string{id}, p.layers...), l.Parent
	}
	if len(p.layers) != len(p.about.RootFS.DiffIDs) {
		return fmt.Errorf("image %s has %d layers and names %d", imageID, len(p.layers), len(p.about.RootFS.DiffIDs))
	}
	p.res.ID, p.res.Digest = p.image.ID, layer.Digest(digest.FromBytes(p.manifest))
	return nil
}

// run sends the blobs, the manifest of the records, and the tag. Send sends what is
// not there, and returns the manifest.
func (p *push) run(ctx context.Context, send sending) error {
	is, err := p.there(ctx)
	if err != nil {
		return err
	}
	if is.image != nil {
		p.res.Manifest = layer.Digest(digest.FromBytes(is.image))
		if is.vouched {
			p.learn(is.image)
		}
	}
	var m v1.Manifest
	if json.Unmarshal(is.image, &m) == nil && p.anyBroken(append(m.Layers, m.Config)...) {
		is.image, is.whole = nil, false
	}
	if is.whole {
		return nil
	}
	if p.opts.Before != nil {
		if err := p.opts.Before(); err != nil {
			return err
		}
	}
	record, err := p.record()
	if err != nil {
		return err
	}
	defer record.close()
	dest, err := p.to.NewImageDestination(ctx, p.sys)
	if err != nil {
		return err
	}
	defer dest.Close()
	there, err := send(ctx, dest, is.image, record)
	if err != nil {
		return err
	}
	p.res.Manifest = layer.Digest(digest.FromBytes(there))
	if len(record.parts) > 0 {
		content, err := record.manifest(there)
		if err != nil {
			return err
		}
		if err := p.put(ctx, record.dest, p.to.record, content); err != nil {
			return err
		}
	}
	if err := p.sign(ctx, there, record); err != nil {
		return err
	}
	if err := p.put(ctx, dest, p.to.ImageReference, there); err != nil || !p.opts.Fixed {
		return err
	}
	_, _, err = p.tagged(ctx) // another push may have been at it
	return err
}

// sending sends what is not there of an image, and of its record. There is the
// image's manifest in the registry, nil if that is not to stay; the result is the
// one that is to be there.
type sending func(ctx context.Context, dest types.ImageDestination, there []byte, r *record) ([]byte, error)

// standing is what a registry has under the tag of a push.
type standing struct {
	image   []byte // the manifest, if it is this image's and may stay; else nil
	vouched bool   // it is believed: its blobs may be relied on
	whole   bool   // its records, and what else belongs to it, are there too
}

// there looks at what is under the tag.
func (p *push) there(ctx context.Context) (standing, error) {
	var of digest.Digest
	var records string
	var is standing
	var claims map[string]string
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		is, claims, err = p.tagged(ctx)
		return err
	})
	group.Go(func() error {
		of, records = p.recorded(ctx)
		return nil
	})
	err := group.Wait()
	recorded := p.to.record == nil || len(p.opts.Records) == 0 ||
		of == digest.FromBytes(is.image) && (claims == nil || claims[recordClaim] == records)
	is.whole = is.image != nil && recorded
	return is, err
}

// tagged looks at the manifest under the tag. Where a tag means one content for
// good, another one is an error, unless nothing vouches for it: then it goes.
// What was signed with it is returned, too.
func (p *push) tagged(ctx context.Context) (is standing, claims map[string]string, err error) {
	var content []byte
	err = p.opts.attempts().Do(ctx, func(a *retry.Attempt) (err error) {
		content, err = fetchManifest(a, p.to.ImageReference, p.sys)
		return err
	})
	if absent(err) {
		return is, nil, nil
	}
	if err != nil {
		return is, nil, err
	}
	m, bad := parseManifest(content)
	if bad != nil || m.Annotations[digestAnnotation] == "" {
		return is, nil, nil // no image of Strata's: what is no use to anybody goes
	}
	var signed bool
	err = p.opts.attempts().Do(ctx, func(a *retry.Attempt) (err error) {
		is.vouched, signed, claims, err = p.belief(a, content)
		return err
	})
	if err != nil {
		return is, nil, err
	}
	same := m.Config.Digest == digest.FromBytes(p.config) && m.Annotations[digestAnnotation] == string(p.res.Digest)
	switch {
	case same && (signed || p.opts.Signer == nil):
		is.image = content
	case !same && p.opts.Fixed && is.vouched:
		return is, nil, fault.New(fault.Failed, "push to %s: it is there with other content: %s there, %s here", p.to.text, m.Annotations[digestAnnotation], p.res.Digest).
			WithHint("the same inputs gave different results: a step is not reproducible; 'strata build --pull=always' takes the one that is there; to keep this one, remove that one from the registry and push again")
	}
	return is, claims, nil
}

// learn remembers what the registry has for this image's layers: who builds on
// them will not have to compress them.
func (p *push) learn(manifest []byte) {
	var m v1.Manifest
	if json.Unmarshal(manifest, &m) != nil || len(m.Layers) != len(p.layers) {
		return // files are no layers
	}
	for i, l := range m.Layers {
		known(p.opts.Known).add(p.about.RootFS.DiffIDs[i], blob{Digest: l.Digest, Size: l.Size, Media: l.MediaType}, p.to.repository())
	}
}

// send sends, several at a time, the blobs of the image unless it is there, and
// of its record. It returns the image's manifest.
func (p *push) send(ctx context.Context, dest types.ImageDestination, there []byte, r *record) ([]byte, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	if !dest.HasThreadSafePutBlob() {
		group.SetLimit(1)
	}
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config:      v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: digest.FromBytes(p.config), Size: int64(len(p.config))},
		Layers:      make([]v1.Descriptor, len(p.layers)),
		Annotations: map[string]string{digestAnnotation: string(p.res.Digest), chainAnnotation: string(chainOf(p.about.RootFS.DiffIDs))},
	}
	if there == nil {
		for i := range slices.Backward(p.layers) { // what is new is on top
			group.Go(func() error {
				b, err := p.sendLayer(ctx, dest, i)
				m.Layers[i] = v1.Descriptor{MediaType: b.Media, Digest: b.Digest, Size: b.Size, Annotations: p.sizeOf(i)}
				return err
			})
		}
		group.Go(func() error { return p.sendBytes(ctx, dest, m.Config, p.config) })
	}
	// They go through a connection of their own, which their manifest will need.
	group.Go(func() error { return p.sendRecord(ctx, r) })
	if err := group.Wait(); err != nil || there != nil {
		return there, err
	}
	content, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("describe image: %w", err)
	}
	return content, nil
}

// sizeOf says how many bytes a layer unpacks to, so that a pull can be sure of
// the space that it takes.
func (p *push) sizeOf(i int) map[string]string {
	l, err := p.from.Layer(p.layers[i])
	if err != nil || l.UncompressedSize <= 0 {
		return nil // one that was put here by others may not say
	}
	return map[string]string{sizeAnnotation: strconv.FormatInt(l.UncompressedSize, 10)}
}

// sendLayer sends a layer unless the registry has it in a form that is known.
func (p *push) sendLayer(ctx context.Context, dest types.ImageDestination, i int) (blob, error) {
	diffID, known := p.about.RootFS.DiffIDs[i], known(p.opts.Known)
	for _, b := range known.of(diffID) {
		if p.isBroken(b.Digest) {
			continue
		}
		reused := false
		err := p.opts.attempts().Do(ctx, func(a *retry.Attempt) (err error) {
			reused, _, err = dest.TryReusingBlob(a, types.BlobInfo{Digest: b.Digest, Size: b.Size}, mounts(p.to, b), false)
			return err
		})
		if err != nil {
			return b, err
		}
		if reused {
			known.add(diffID, b, p.to.repository())
			p.opts.event(Present, layer.Digest(b.Digest), 0)
			return b, nil
		}
	}
	b, err := p.sendPacked(ctx, dest, i, level)
	if err == nil && p.isBroken(b.Digest) && !p.mended(ctx, v1.Descriptor{Digest: b.Digest, Size: b.Size}) {
		b, err = p.sendPacked(ctx, dest, i, otherLevel)
	}
	if err == nil {
		known.add(diffID, b, p.to.repository())
	}
	return b, err
}

// sendPacked compresses a layer and sends it.
func (p *push) sendPacked(ctx context.Context, dest types.ImageDestination, i int, level zstd.EncoderLevel) (b blob, err error) {
	p.packing <- struct{}{}
	defer func() { <-p.packing }()
	err = p.opts.attempts().Do(ctx, func(a *retry.Attempt) error {
		content, err := blobOf(a, p.from, p.layers[i], p.about.RootFS.DiffIDs[i], level)
		if err != nil {
			return err
		}
		defer content.Close()
		sent, err := dest.PutBlob(a, content, types.BlobInfo{Size: -1, MediaType: v1.MediaTypeImageLayerZstd}, mounts(p.to, blob{}), false)
		b = blob{Digest: sent.Digest, Size: sent.Size, Media: v1.MediaTypeImageLayerZstd}
		return err
	})
	if err == nil {
		p.sent(b.Digest, b.Size)
	}
	return b, err
}

// sendBytes sends a small blob.
func (p *push) sendBytes(ctx context.Context, dest types.ImageDestination, d v1.Descriptor, content []byte) error {
	return p.sendBlob(ctx, dest, d, func(*retry.Attempt) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
}

// sendBlob sends a blob of which the digest is known, unless the registry has it.
func (p *push) sendBlob(ctx context.Context, dest types.ImageDestination, d v1.Descriptor, open func(*retry.Attempt) (io.ReadCloser, error)) error {
	broken := p.isBroken(d.Digest)
	err := p.opts.attempts().Do(ctx, func(a *retry.Attempt) error {
		info := types.BlobInfo{Digest: d.Digest, Size: d.Size, MediaType: d.MediaType}
		if broken {
			info.Digest = "" // the library asks for one that it knows
		} else if reused, _, err := dest.TryReusingBlob(a, info, mounts(p.to, blob{Digest: d.Digest}), false); reused || err != nil {
			return err
		}
		content, err := open(a)
		if err != nil {
			return err
		}
		defer content.Close()
		if _, err := dest.PutBlob(a, content, info, mounts(p.to, blob{Digest: d.Digest}), true); err != nil {
			return err
		}
		p.sent(d.Digest, d.Size)
		return nil
	})
	if err == nil && broken && !p.mended(ctx, d) {
		return p.staysBroken(d)
	}
	return err
}

func (p *push) sent(d digest.Digest, size int64) {
	p.mu.Lock()
	p.res.Moved, p.res.Blobs = p.res.Moved+size, p.res.Blobs+1
	p.mu.Unlock()
	p.opts.event(Sent, layer.Digest(d), size)
}

// put puts a manifest under its tag. Dest may be one of the same place.
func (p *push) put(ctx context.Context, dest types.ImageDestination, ref types.ImageReference, content []byte) error {
	return p.opts.attempts().Do(ctx, func(a *retry.Attempt) error {
		// A layout's knows only the tags that were there when it was made.
		if dest != nil && ref.Transport().Name() == docker.Transport.Name() {
			return commit(a, dest, ref, content)
		}
		dest, err := ref.NewImageDestination(a, p.sys)
		if err != nil {
			return err
		}
		defer dest.Close()
		return commit(a, dest, ref, content)
	})
}

func commit(ctx context.Context, dest types.ImageDestination, ref types.ImageReference, content []byte) error {
	if err := dest.PutManifest(ctx, content, nil); err != nil {
		return err
	}
	return dest.Commit(ctx, &unparsed{ref, content})
}

// unparsed is an image of which only the manifest is known.
type unparsed struct {
	ref     types.ImageReference
	content []byte
}

func (u *unparsed) Reference() types.ImageReference { return u.ref }

func (u *unparsed) Manifest(context.Context) ([]byte, string, error) {
	return u.content, manifest.GuessMIMEType(u.content), nil
}

func (u *unparsed) Signatures(context.Context) ([][]byte, error) { return nil, nil }

// fetchManifest returns what a place has under its tag.
func fetchManifest(ctx context.Context, ref types.ImageReference, sys *types.SystemContext) ([]byte, error) {
	src, err := ref.NewImageSource(ctx, sys)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	content, _, err := src.GetManifest(ctx, nil)
	return content, err
}

// absent says whether an error means that there is nothing under a name.
func absent(err error) bool {
	if err == nil {
		return false
	}
	var none layout.ImageNotFoundError
	if errors.As(err, &none) || errors.Is(err, os.ErrNotExist) {
		return true
	}
	var coded errcode.ErrorCoder
	if errors.As(err, &coded) {
		code := coded.ErrorCode()
		return code == v2.ErrorCodeManifestUnknown || code == v2.ErrorCodeNameUnknown || code == v2.ErrorCodeBlobUnknown ||
			code == errcode.ErrorCodeUnknown && strings.Contains(strings.ToLower(err.Error()), "not found")
	}
	return strings.Contains(err.Error(), "StatusCode: 404")
}
