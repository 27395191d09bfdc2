package registry

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/signature"
	imagestorage "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// policy returns policy.json's, or where there is none the usual one: no
// signature is asked for.
func policy(sys *types.SystemContext) (*signature.PolicyContext, error) {
	p, err := signature.DefaultPolicy(sys)
	if errors.Is(err, os.ErrNotExist) || err != nil && missingPolicy() {
		p, err = acceptAnything(), nil
	}
	if err != nil {
		return nil, fault.New(fault.Machine, "read policy.json: %w", err).WithHint("man containers-policy.json")
	}
	return signature.NewPolicyContext(p)
}

func acceptAnything() *signature.Policy {
	return &signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}}
}

// missingPolicy says whether there is no policy.json where it usually is.
func missingPolicy() bool {
	home, _ := os.UserHomeDir()
	for _, path := range []string{home + "/.config/containers/policy.json", "/etc/containers/policy.json"} {
		if _, err := os.Stat(path); err == nil {
			return false
		}
	}
	return true
}

// allowed asks policy.json whether an image may be used.
func (p *pull) allowed(ctx context.Context, whole types.UnparsedImage) error {
	trust, err := policy(p.sys)
	if err != nil {
		return err
	}
	defer func() { _ = trust.Destroy() }()
	ok, err := trust.IsRunningImageAllowed(ctx, whole)
	if err == nil && !ok {
		err = errors.New("it is not allowed")
	}
	var denied signature.PolicyRequirementError
	if errors.As(err, &denied) || err == nil && !ok {
		return fault.New(fault.Failed, "pull from %s: policy.json refuses the image: %w", p.from.text, err).WithHint("man containers-policy.json")
	}
	return err
}

// copy takes an image of another store as it is.
func (p *pull) copy(ctx context.Context) error {
	trust, err := policy(p.sys)
	if err != nil {
		return err
	}
	defer func() { _ = trust.Destroy() }()
	name := p.from.DockerReference()
	if len(p.opts.Names) > 0 {
		if name, err = reference.ParseNormalizedNamed(p.opts.Names[0]); err != nil {
			return fmt.Errorf("name image: %w", err)
		}
	}
	if name != nil {
		name = reference.TagNameOnly(name)
	}
	dest, err := p.plainDestination(name)
	if err != nil {
		return fault.New(fault.Input, "pull from %s: the image has no name to keep it under: %w", p.from.text, err).WithHint("pull it from a place that names it")
	}
	_, err = copy.Image(ctx, trust, dest, p.from, &copy.Options{SourceCtx: p.sys, DestinationCtx: p.sys})
	if err != nil {
		return err
	}
	_, stored, err := imagestorage.ResolveReference(dest)
	if err != nil {
		return fmt.Errorf("find the image that was pulled: %w", err)
	}
	p.res.ID, p.res.Digest, p.res.Records = stored.ID, layer.Digest(stored.Digest), nil
	return nil
}

func (p *pull) plainDestination(name reference.Named) (types.ImageReference, error) {
	if name == nil {
		return nil, errors.New("its place has none")
	}
	return imagestorage.Transport.NewStoreReference(p.into, name, "")
}

// copy writes an image to an archive or a directory.
func (p *push) copy(ctx context.Context) error {
	trust, err := signature.NewPolicyContext(acceptAnything()) // what this store has needs no signature to leave it
	if err != nil {
		return err
	}
	defer func() { _ = trust.Destroy() }()
	src, err := imagestorage.Transport.NewStoreReference(p.from, nil, p.image.ID)
	if err != nil {
		return err
	}
	_, err = copy.Image(ctx, trust, p.to.ImageReference, src, &copy.Options{DestinationCtx: p.sys})
	return err
}
