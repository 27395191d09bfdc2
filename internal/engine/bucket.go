package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/strata-hpc/strata/internal/artifact"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/objectstore"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/trust"
)

// BucketShelf is a place in an object store as one for artifacts. Those of an
// image are below IMAGE/KEY/, each under its name. The manifest comes last: who
// finds it finds everything, by size and digest. Beside it are its signatures, under
// its digest.
type BucketShelf struct {
	Bucket   *objectstore.Bucket
	Exchange *Exchange // has the cluster, who signs, and what is done if it cannot be reached
	Trust    trust.Policy

	mu    sync.Mutex
	unfit map[Shelved]bool // what is there is not what it should be
}

// Limits of what is read of an object store that others may write to.
const (
	maxManifest   = 1 << 20 // bytes
	maxSignatures = 1 << 20 // bytes
	moving        = 4       // files at once
)

func name(of Shelved, file string) string { return path.Join(of.Image, of.Key, file) }

func (s *BucketShelf) statement(of Shelved, manifest []byte) trust.Statement {
	return trust.Statement{Repository: s.Bucket.At(of.Image), Manifest: digest.FromBytes(manifest).String(), Claims: of.claims(s.Exchange.Cluster)}
}

// believe returns why a manifest that is there is believed.
func (s *BucketShelf) believe(ctx context.Context, of Shelved, manifest []byte) (trust.Belief, error) {
	said := s.statement(of, manifest)
	return s.Trust.Believe(said, func() ([]trust.Signature, error) { return s.signatures(ctx, of, said.Manifest) })
}

func signaturesName(of Shelved, manifest string) string {
	return name(of, strings.Replace(manifest, ":", "-", 1)+".sig")
}

// signatures are those that are there of a manifest; what cannot be read is none.
func (s *BucketShelf) signatures(ctx context.Context, of Shelved, manifest string) ([]trust.Signature, error) {
	content, err := s.Bucket.Read(ctx, signaturesName(of, manifest), maxSignatures)
	if errors.Is(err, objectstore.ErrNotThere) || errors.Is(err, objectstore.ErrDamaged) {
		return nil, nil
	}
	var all []trust.Signature
	if err == nil && json.Unmarshal(content, &all) != nil {
		all = nil
	}
	return all, err
}

// Take implements Shelf.
func (s *BucketShelf) Take(ctx context.Context, of Shelved, dir string, found func()) (took Shelving, err error) {
	took.At = s.Bucket.At(name(of, ""))
	manifest, err := s.Bucket.Read(ctx, name(of, artifact.ManifestName), maxManifest)
	switch {
	case errors.Is(err, objectstore.ErrNotThere):
		return took, registry.ErrNotThere
	case errors.Is(err, objectstore.ErrUnreachable) && s.Exchange.Missed != nil:
		s.Exchange.Missed(err)
		return took, registry.ErrNotThere
	case err != nil:
		return took, s.useless(of, err)
	}
	belief, err := s.believe(ctx, of, manifest)
	if err != nil {
		return took, s.useless(of, err)
	}
	took.Why = belief.Why
	m, err := artifact.ParseManifest(manifest)
	if err != nil {
		return took, &Unfit{fmt.Sprintf("%s is no manifest", s.Bucket.At(name(of, artifact.ManifestName)))}
	}
	found()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(moving)
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return took, &Unfit{fmt.Sprintf("%s names a file that is elsewhere", s.Bucket.At(name(of, artifact.ManifestName)))}
		}
		took.Files, took.Size = took.Files+1, took.Size+f.Size
		group.Go(func() error {
			return s.Bucket.Fetch(ctx, name(of, f.Name), filepath.Join(dir, f.Name), f.Size, f.SHA256)
		})
	}
	if err := group.Wait(); err != nil {
		return took, s.useless(of, err)
	}
	return took, os.WriteFile(filepath.Join(dir, artifact.ManifestName), manifest, 0o644)
}

// useless makes an Unfit of an error that says that what is there is of no use,
// and remembers that the next Put must send it anew.
func (s *BucketShelf) useless(of Shelved, err error) error {
	var refused *trust.Refusal
	if errors.As(err, &refused) {
		return &Unfit{"the object store's are not believed: " + refused.Why}
	}
	if !errors.Is(err, objectstore.ErrDamaged) && !errors.Is(err, objectstore.ErrNotThere) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unfit == nil {
		s.unfit = map[Shelved]bool{}
	}
	s.unfit[of] = true
	return &Unfit{"the object store's are broken: " + reason(err)}
}

// Put implements Shelf.
func (s *BucketShelf) Put(ctx context.Context, of Shelved, dir string) (put Shelving, err error) {
	put.At = s.Bucket.At(name(of, ""))
	manifest, err := os.ReadFile(filepath.Join(dir, artifact.ManifestName))
	if err != nil {
		return put, err
	}
	m, err := artifact.ParseManifest(manifest)
	if err != nil {
		return put, fmt.Errorf("read manifest: %w", err)
	}
	there, same, err := s.there(ctx, of, m)
	if err != nil {
		return put, err
	}
	if same {
		manifest = there // of which other commits may tell
	}
	if err := s.sendFiles(ctx, of, m, dir, &put); err != nil {
		return put, err
	}
	if err := s.sign(ctx, of, manifest); err != nil || same {
		return put, err
	}
	err = s.Bucket.Write(ctx, name(of, artifact.ManifestName), manifest, there == nil)
	if errors.Is(err, objectstore.ErrThere) { // another build was faster; what it made is the same
		_, same, err = s.there(ctx, of, m)
		if err == nil && !same {
			err = fmt.Errorf("send to %s: others came at the same time, and nobody vouches for them", put.At)
		}
	}
	put.Files, put.Size = put.Files+1, put.Size+int64(len(manifest))
	return put, err
}

// sendFiles sends the files that are not there, and all if those turned out to be
// broken.
func (s *BucketShelf) sendFiles(ctx context.Context, of Shelved, m *artifact.Manifest, dir string, put *Shelving) error {
	s.mu.Lock()
	anew := s.unfit[of]
	s.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(moving)
	for _, f := range m.Files {
		group.Go(func() error {
			sent, err := s.Bucket.Send(ctx, name(of, f.Name), filepath.Join(dir, f.Name), f.Size, f.SHA256, anew)
			s.mu.Lock()
			defer s.mu.Unlock()
			if sent > 0 {
				put.Files, put.Size = put.Files+1, put.Size+sent
			}
			return err
		})
	}
	return group.Wait()
}

// there returns the manifest that is there, nil if there is none, and whether it is
// of the same artifacts. That it is of others is an error, unless nothing vouches
// for them.
func (s *BucketShelf) there(ctx context.Context, of Shelved, m *artifact.Manifest) (there []byte, same bool, err error) {
	there, err = s.Bucket.Read(ctx, name(of, artifact.ManifestName), maxManifest)
	switch {
	case errors.Is(err, objectstore.ErrNotThere):
		return nil, false, nil
	case errors.Is(err, objectstore.ErrDamaged):
		return []byte{}, false, nil
	case err != nil:
		return nil, false, err
	}
	_, err = s.believe(ctx, of, there)
	if errors.Is(err, trust.ErrNotBelieved) {
		return there, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if other, err := artifact.ParseManifest(there); err == nil && m.Same(other) {
		return there, true, nil
	}
	return nil, false, fault.New(fault.Failed, "send to %s: it is there with other content", s.Bucket.At(name(of, ""))).
		WithHint("the same image gave different artifacts; to keep this one's, remove that one's there")
}

// sign adds a signature of the manifest to those that are there, if there is
// somebody to sign.
func (s *BucketShelf) sign(ctx context.Context, of Shelved, manifest []byte) error {
	signer := s.Exchange.Options.Signer
	if signer == nil {
		return nil
	}
	said := s.statement(of, manifest)
	all, err := s.signatures(ctx, of, said.Manifest)
	if err != nil {
		return err
	}
	if _, err := signer.Keys("").Believe(said, func() ([]trust.Signature, error) { return all, nil }); err == nil {
		return nil
	}
	signature, err := signer.Sign(said)
	if err != nil {
		return err
	}
	content, err := json.Marshal(append([]trust.Signature{signature}, all...))
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	return s.Bucket.Write(ctx, signaturesName(of, said.Manifest), content, false)
}
