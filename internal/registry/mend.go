package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/types"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/retry"
)

// A registry says of a damaged blob that it is there, and so nobody would ever send it
// again. A pull that finds one therefore remembers it, and a push sends it anew: first
// as it was, which heals all images that have it where the registry takes it; else, of
// a layer, in another form, which takes another manifest and works with all registries
// (distribution's keeps a file for good, also one that was deleted).

// broken is the file that says that a repository has a damaged blob.
func (k known) broken(d digest.Digest, repo string) string {
	of := sha256.Sum256([]byte(repo))
	return filepath.Join(string(k), "broken", hex.EncodeToString(of[:8])+"-"+d.Encoded())
}

// isBroken says whether a repository was seen to have a damaged blob.
func (k known) isBroken(d digest.Digest, repo string) bool {
	if k == "" || repo == "" || checkDigest(d) != nil {
		return false
	}
	_, err := os.Stat(k.broken(d, repo))
	return err == nil
}

// setBroken remembers, or forgets, that a repository has a damaged blob. What cannot be
// written is not remembered.
func (k known) setBroken(d digest.Digest, repo string, broken bool) {
	if k == "" || repo == "" || broken == k.isBroken(d, repo) {
		return
	}
	if !broken {
		_ = os.Remove(k.broken(d, repo))
		return
	}
	if os.MkdirAll(filepath.Join(string(k), "broken"), 0o700) == nil {
		_ = os.WriteFile(k.broken(d, repo), []byte(repo+"\n"), 0o600)
	}
}

// tell remembers a blob that was found to be damaged, or not to be.
func (p *pull) tell(d v1.Descriptor, err error) error {
	if err == nil || errors.Is(err, ErrBroken) {
		known(p.opts.Known).setBroken(d.Digest, p.from.repository(), err != nil)
	}
	return err
}

// lookAgain reads the layers that were found to be damaged: somebody may have mended
// them.
func (p *pull) lookAgain(ctx context.Context, src types.ImageSource) error {
	for i, d := range p.manifest.Layers {
		if !known(p.opts.Known).isBroken(d.Digest, p.from.repository()) {
			continue
		}
		err := p.opts.attempts().Do(ctx, func(a *retry.Attempt) error { return readBlob(a, src, d, p.layer(i)) })
		if err := p.tell(d, p.cut(i, err)); err != nil {
			return err
		}
	}
	return nil
}

// readBlob reads a blob, and says whether it is whole.
func readBlob(a *retry.Attempt, src types.ImageSource, d v1.Descriptor, what string) error {
	r, err := getBlob(a, src, d, what)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, newChecking(a.Reader(r), what, d.Digest, d.Size))
	return err
}

// isBroken says whether a blob there was seen to be damaged.
func (p *push) isBroken(d digest.Digest) bool {
	return known(p.opts.Known).isBroken(d, p.to.repository())
}

// anyBroken says that of some blobs.
func (p *push) anyBroken(blobs ...v1.Descriptor) bool {
	for _, d := range blobs {
		if p.isBroken(d.Digest) {
			return true
		}
	}
	return false
}

// mended says whether the registry has a blob whole now that it has been sent anew.
func (p *push) mended(ctx context.Context, d v1.Descriptor) bool {
	err := p.opts.attempts().Do(ctx, func(a *retry.Attempt) error {
		src, err := p.to.NewImageSource(a, p.sys)
		if err != nil {
			return err
		}
		defer src.Close()
		return readBlob(a, src, d, "the blob")
	})
	if err == nil {
		known(p.opts.Known).setBroken(d.Digest, p.to.repository(), false)
	}
	return err == nil
}

// staysBroken is the fault of a blob that has but one form.
func (p *push) staysBroken(d v1.Descriptor) error {
	return fault.New(fault.Failed, "push to %s: blob %s is damaged there, and the registry does not take it anew", p.to.text, d.Digest).
		WithHint("have whoever runs %s remove the file of that blob from its storage, and push again", p.to.host())
}
