package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/types"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/retry"
	"github.com/strata-hpc/strata/internal/trust"
)

// A signature is kept as cosign keeps it (its specs/SIGNATURE_SPEC.md): the
// payload is a layer of an image, and an annotation has the signature proper.
// That image is in two places. Under TAG.sig it is read from by us: there,
// nobody else appends to it. Under sha256-DIGEST.sig cosign looks for it, where
// the signatures of all tags of a manifest are together.
const (
	signatureSuffix     = ".sig"
	signatureMedia      = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"

	maxSignatures = 32       // of an image
	maxPayload    = 64 << 10 // bytes
)

// recordClaim is what a signature says of the records that go along.
const recordClaim = "io.strata.record"

// ErrNotBelieved says that an image is there, and that nothing vouches for it.
var ErrNotBelieved = trust.ErrNotBelieved

// statement is what is to be believed, or is signed, of a manifest.
func (o Options) statement(p *place, manifest digest.Digest) trust.Statement {
	return trust.Statement{Repository: p.repository(), Manifest: manifest.String(), Claims: o.Claims}
}

// believe asks the policy whether the image is what it is looked for as.
func (p *pull) believe(ctx context.Context) (err error) {
	if p.opts.Trust == nil {
		return nil
	}
	of := digest.Digest(p.res.Manifest)
	p.belief, err = p.opts.Trust.Believe(p.opts.statement(p.from, of), func() ([]trust.Signature, error) {
		return fetchSignatures(ctx, p.from.signature, p.sys)
	})
	if err == nil && p.belief.Claims != nil && p.belief.Claims[recordClaim] == "" {
		err = &trust.Refusal{Why: p.belief.Why + ", but its record is not"}
	}
	return p.from.refused(err)
}

// refused makes a fault of a policy's refusal.
func (p *place) refused(err error) error {
	if err == nil || !errors.Is(err, ErrNotBelieved) {
		return err
	}
	return fault.New(fault.Failed, "%s: %w", p.text, err).
		WithHint("build it here, or have it signed where it was built: 'strata push --sign-key FILE'")
}

// recordsMatch sees that the records are those that were signed with the image.
func (p *pull) recordsMatch() error {
	if p.belief.Claims == nil {
		return nil // not signed, and believed for another reason
	}
	if p.belief.Claims[recordClaim] != p.res.recordsDigest() {
		return p.from.refused(&trust.Refusal{Why: "its record is not the one that was signed with it"})
	}
	return nil
}

// Signed says whether these are the records that were signed with the image, or
// nothing was.
func (r *Result) Signed(found Found) bool {
	return found.records == "" || found.records == r.recordsDigest()
}

func (r *Result) recordsDigest() string {
	records := map[string]digest.Digest{}
	for name, content := range r.Records {
		records[name] = digest.FromBytes(content)
	}
	return digestOf(records)
}

// digestOf is one digest of records, of which each has its own.
func digestOf(records map[string]digest.Digest) string {
	content, _ := json.Marshal(records) // sorted by name
	return digest.FromBytes(content).String()
}

// fetchSignatures reads the signatures that are under a tag; none is no error.
func fetchSignatures(ctx context.Context, from types.ImageReference, sys *types.SystemContext) ([]trust.Signature, error) {
	if from == nil {
		return nil, nil
	}
	src, err := from.NewImageSource(ctx, sys)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer src.Close()
	content, _, err := src.GetManifest(ctx, nil)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []trust.Signature
	for _, l := range parseSignatures(content) {
		payload := l.Data
		if len(payload) == 0 {
			if payload, err = fetchBytes(ctx, src, l, "signature, blob "+l.Digest.String()); err != nil {
				return nil, err
			}
		}
		raw, err := base64.StdEncoding.DecodeString(l.Annotations[signatureAnnotation])
		if err == nil && digest.FromBytes(payload) == l.Digest {
			all = append(all, trust.Signature{Payload: payload, Raw: raw})
		}
	}
	return all, nil
}

// parseSignatures returns where the payloads of signatures are. What is no
// signature is left out.
func parseSignatures(content []byte) []v1.Descriptor {
	var m v1.Manifest
	if len(content) > maxImageManifest || json.Unmarshal(content, &m) != nil {
		return nil
	}
	m.Layers = slices.DeleteFunc(m.Layers, func(l v1.Descriptor) bool {
		return l.MediaType != signatureMedia || checkBlob(l, maxPayload) != nil || len(l.Annotations[signatureAnnotation]) > maxPayload
	})
	return m.Layers[:min(len(m.Layers), maxSignatures)]
}

// sign signs the image of a manifest, and puts the signature where it is looked
// for.
func (p *push) sign(ctx context.Context, manifest []byte, r *record) error {
	if p.opts.Signer == nil || p.to.signature == nil {
		return nil
	}
	said := p.opts.statement(p.to, digest.FromBytes(manifest)).With(map[string]string{recordClaim: digestOf(r.digests())})
	signature, err := p.opts.Signer.Sign(said)
	if err != nil {
		return err
	}
	if err := p.addSignature(ctx, p.to.signature, signature); err != nil {
		return err
	}
	if p.to.host() == "" {
		return nil
	}
	beside, err := p.to.tagged("sha256-" + digest.FromBytes(manifest).Encoded() + signatureSuffix)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	// Others may be adding theirs: each looks again whether its own is there. One
	// that gets lost all the same is missed by cosign, and not by Strata.
	for range retry.Attempts {
		if err := p.addSignature(ctx, beside, signature); err != nil {
			return err
		}
		there, err := fetchSignatures(ctx, beside, p.sys)
		if err != nil || slices.ContainsFunc(there, func(s trust.Signature) bool { return string(s.Raw) == string(signature.Raw) }) {
			return err
		}
	}
	return nil
}

// addSignature puts a signature beside those of the same manifest that are under
// a tag. Those of another manifest, and of the same key, go.
func (p *push) addSignature(ctx context.Context, to types.ImageReference, signature trust.Signature) error {
	there, err := fetchSignatures(ctx, to, p.sys)
	if err != nil {
		return err
	}
	own := p.opts.Signer.Keys("")
	there = slices.DeleteFunc(there, func(s trust.Signature) bool {
		return s.About() != signature.About() || string(s.Payload) == string(signature.Payload) && own.Signed(s)
	})
	there = append([]trust.Signature{signature}, there...)
	return p.putSignatures(ctx, to, there[:min(len(there), maxSignatures)])
}

func (p *push) putSignatures(ctx context.Context, to types.ImageReference, all []trust.Signature) error {
	dest, err := to.NewImageDestination(ctx, p.sys)
	if err != nil {
		return err
	}
	defer dest.Close()
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	about := v1.Image{RootFS: v1.RootFS{Type: "layers"}}
	for _, s := range all {
		d := v1.Descriptor{MediaType: signatureMedia, Digest: digest.FromBytes(s.Payload), Size: int64(len(s.Payload)), Data: s.Payload,
			Annotations: map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(s.Raw)}}
		m.Layers, about.RootFS.DiffIDs = append(m.Layers, d), append(about.RootFS.DiffIDs, d.Digest)
		if err := p.sendBytes(ctx, dest, d, s.Payload); err != nil {
			return err
		}
	}
	config, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	m.Config = v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
	if err := p.sendBytes(ctx, dest, m.Config, config); err != nil {
		return err
	}
	content, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	return p.put(ctx, dest, to, content)
}

// tagged is another tag of the place's repository.
func (p *place) tagged(tag string) (types.ImageReference, error) {
	named, err := reference.WithTag(reference.TrimNamed(p.DockerReference()), tag)
	if err != nil {
		return nil, err
	}
	return docker.NewReference(named)
}

// belief is what is believed of the manifest that is there under the tag: by the
// policy, and by who signs this push. An error is none that is ErrNotBelieved.
func (p *push) belief(ctx context.Context, there []byte) (vouched, signed bool, claims map[string]string, err error) {
	said := p.opts.statement(p.to, digest.FromBytes(there))
	var all []trust.Signature
	if p.opts.Trust != nil || p.opts.Signer != nil {
		if all, err = fetchSignatures(ctx, p.to.signature, p.sys); err != nil {
			return false, false, nil, err
		}
	}
	fetched := func() ([]trust.Signature, error) { return all, nil }
	vouched = true
	if p.opts.Trust != nil {
		b, err := p.opts.Trust.Believe(said, fetched)
		vouched, claims = err == nil, b.Claims
	}
	if p.opts.Signer != nil {
		b, err := p.opts.Signer.Keys("").Believe(said, fetched)
		signed, claims = err == nil, b.Claims
	}
	return vouched, signed, claims, nil
}
