package registry

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/strata-hpc/strata/internal/layer"
)

// Records returns the records of an image that Strata pushed, without the image.
// The error is ErrNotThere if there is nothing.
func Records(ctx context.Context, ref string, opts Options) (*Result, error) {
	at, err := parse(ref, nil)
	if err != nil {
		return nil, err
	}
	p := &pull{from: at, opts: opts, sys: at.system(opts), res: &Result{Ref: at.text}}
	src, err := p.open(ctx) // so that what is not there is told from what has no record
	if err != nil {
		return nil, at.explain(ctx, "look at", err)
	}
	defer src.Close()
	found, err := p.fetchRecord(ctx)
	if err == nil && (len(found.records) == 0 || found.subject != digest.Digest(p.res.Manifest)) {
		err = p.noRecord()
	}
	p.res.Digest, p.res.Records = layer.Digest(p.manifest.Annotations[digestAnnotation]), found.records
	return p.res, at.explain(ctx, "read the record of", err)
}
