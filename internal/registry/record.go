package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/types"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/retry"
)

// Types of the artifact that goes along with an image, and of what it holds.
const (
	recordArtifact = "application/vnd.strata.record.v1"
	recordMedia    = "application/vnd.strata.record.v1+json"
	storeMedia     = "application/vnd.strata.manifest.v1+json"
)

// record is what goes along with an image: an artifact that refers to it.
type record struct {
	parts []part                 // the empty configuration first; none if there is nothing to send
	dest  types.ImageDestination // once the parts are being sent
}

func (r *record) close() {
	if r.dest != nil {
		r.dest.Close()
	}
}

// part is a blob of a record.
type part struct {
	about   v1.Descriptor
	content []byte
}

// record collects the store's manifest and the records that are wanted.
func (p *push) record() (*record, error) {
	if p.to.record == nil || len(p.opts.Records) == 0 {
		return &record{}, nil
	}
	describe := func(media, title string, content []byte) part {
		d := v1.Descriptor{MediaType: media, Digest: digest.FromBytes(content), Size: int64(len(content))}
		if title != "" {
			d.Annotations = map[string]string{v1.AnnotationTitle: title}
		}
		return part{d, content}
	}
	r := &record{parts: []part{describe(v1.MediaTypeEmptyJSON, "", []byte("{}")), describe(storeMedia, "manifest.json", p.manifest)}}
	total := len(p.manifest)
	for _, name := range p.opts.Records {
		content, err := p.from.ImageBigData(p.image.ID, name)
		if err != nil {
			return nil, fmt.Errorf("read %s of image %s: %w", name, p.image.ID, err)
		}
		if total += len(content); total > maxRecord {
			return nil, fmt.Errorf("the records of image %s have more than the %d bytes that a pull takes", p.image.ID, maxRecord)
		}
		r.parts = append(r.parts, describe(recordMedia, name, content))
	}
	return r, nil
}

// sendRecord sends what a record consists of.
func (p *push) sendRecord(ctx context.Context, r *record) (err error) {
	if len(r.parts) == 0 {
		return nil
	}
	if r.dest, err = p.to.record.NewImageDestination(ctx, p.sys); err != nil {
		return err
	}
	for _, part := range r.parts {
		if err := p.sendBytes(ctx, r.dest, part.about, part.content); err != nil {
			return err
		}
	}
	return nil
}

// manifest is the record's, with the image of that manifest as its subject.
func (r *record) manifest(subject []byte) ([]byte, error) {
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: recordArtifact,
		Config:  r.parts[0].about,
		Subject: &v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromBytes(subject), Size: int64(len(subject))},
	}
	for _, part := range r.parts[1:] {
		m.Layers = append(m.Layers, part.about)
	}
	content, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("describe record: %w", err)
	}
	return content, nil
}

// recorded returns of which image the records are there, all that are wanted,
// and their digest; "" if there are none.
func (p *push) recorded(ctx context.Context) (subject digest.Digest, records string) {
	if p.to.record == nil || len(p.opts.Records) == 0 {
		return "", ""
	}
	var content []byte
	err := p.opts.attempts().Once(ctx, func(a *retry.Attempt) (err error) {
		content, err = fetchManifest(a, p.to.record, p.sys)
		return err
	})
	var m v1.Manifest
	if err != nil || json.Unmarshal(content, &m) != nil || m.Subject == nil || p.anyBroken(m.Layers...) {
		return "", ""
	}
	of := digestsOf(m.Layers)
	for _, name := range p.opts.Records {
		if of[name] == "" {
			return "", ""
		}
	}
	return m.Subject.Digest, digestOf(of)
}

// digestsOf are the digests of the records among the parts of a record, by name.
func digestsOf(parts []v1.Descriptor) map[string]digest.Digest {
	of := map[string]digest.Digest{}
	for _, l := range parts {
		if l.MediaType == recordMedia {
			of[l.Annotations[v1.AnnotationTitle]] = l.Digest
		}
	}
	return of
}

func (r *record) digests() map[string]digest.Digest {
	var parts []v1.Descriptor
	for _, part := range r.parts {
		parts = append(parts, part.about)
	}
	return digestsOf(parts)
}

// found is a record that a place has.
type found struct {
	subject  digest.Digest // of which manifest; "" if there is none
	manifest []byte        // the image's in the store
	records  map[string][]byte
}

// fetchRecord reads what goes along with the image, if anything does.
func (p *pull) fetchRecord(ctx context.Context) (found, error) {
	if p.from.record == nil {
		return found{}, nil
	}
	src, err := p.from.record.NewImageSource(ctx, p.sys)
	if absent(err) {
		return found{}, nil
	}
	if err != nil {
		return found{}, err
	}
	defer src.Close()
	content, _, err := src.GetManifest(ctx, nil)
	if absent(err) {
		return found{}, nil
	}
	if err != nil {
		return found{}, err
	}
	m, ok, err := parseRecord(content)
	if err != nil {
		return found{}, p.inconsistent(err)
	}
	if !ok {
		return found{}, nil
	}
	m.Layers = slices.DeleteFunc(m.Layers, func(l v1.Descriptor) bool {
		return l.MediaType != storeMedia && (l.MediaType != recordMedia || !p.wanted(l.Annotations[v1.AnnotationTitle]))
	})
	contents := make([][]byte, len(m.Layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, l := range m.Layers {
		group.Go(func() (err error) {
			contents[i], err = fetchBytes(ctx, src, l, p.what("a part of its record", l))
			return p.tell(l, err)
		})
	}
	if err := group.Wait(); err != nil {
		return found{}, err
	}
	r := found{subject: m.Subject.Digest, records: map[string][]byte{}}
	for i, l := range m.Layers {
		if l.MediaType == storeMedia {
			r.manifest = contents[i]
		} else {
			r.records[l.Annotations[v1.AnnotationTitle]] = contents[i]
		}
	}
	return r, nil
}

// recordNames is what records may be called: nothing that a store has of its own.
var recordNames = regexp.MustCompile(`^strata-record-[0-9a-f]{1,64}$`)

// wanted says whether a record is kept: those that were asked for, and if none
// were, all.
func (p *pull) wanted(name string) bool {
	if len(p.opts.Records) > 0 {
		return slices.Contains(p.opts.Records, name)
	}
	return recordNames.MatchString(name)
}

// fetchBytes reads a blob into memory, and checks that it is what it is
// declared to be. Its size has been checked before.
func fetchBytes(ctx context.Context, src types.ImageSource, d v1.Descriptor, what string) ([]byte, error) {
	r, err := getBlob(ctx, src, d, what)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := io.ReadAll(newChecking(r, what, d.Digest, d.Size))
	if err != nil && !errors.Is(err, ErrBroken) {
		err = partError{what, err}
	}
	return content, err
}
