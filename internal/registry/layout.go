package registry

import (
	"context"
	"fmt"
	"os"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/signature"
	imagestorage "go.podman.io/image/v5/storage"
	"go.podman.io/storage"
)

// WriteLayout writes an image of the store as an OCI image layout to dir, which
// must not exist. The layers are the very bytes that their digests name.
func WriteLayout(ctx context.Context, from storage.Store, imageID, dir string) error {
	src, err := imagestorage.Transport.NewStoreReference(from, nil, imageID)
	if err != nil {
		return fmt.Errorf("write OCI layout: %w", err)
	}
	dest, err := layout.NewReference(dir, "latest")
	if err != nil {
		return fmt.Errorf("write OCI layout: %w", err)
	}
	// What this store built itself needs no signature to be copied.
	trust, err := signature.NewPolicyContext(&signature.Policy{
		Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()},
	})
	if err != nil {
		return fmt.Errorf("write OCI layout: %w", err)
	}
	defer func() { _ = trust.Destroy() }()
	if _, err := copy.Image(ctx, trust, dest, src, &copy.Options{PreserveDigests: true}); err != nil {
		os.RemoveAll(dir)
		return fmt.Errorf("write OCI layout: %w", err)
	}
	return nil
}
