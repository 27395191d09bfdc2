package registry

import "context"

// Records returns the records of an image that Strata pushed, by name, without the
// image. The error is ErrNotThere if there is nothing.
func Records(ctx context.Context, ref string, opts Options) (map[string][]byte, error) {
	at, err := parse(ref, nil)
	if err != nil {
		return nil, err
	}
	p := &pull{from: at, opts: opts, sys: at.system(opts), res: &Result{}}
	src, err := p.open(ctx) // so that what is not there is told from what has no record
	if err != nil {
		return nil, at.explain(ctx, "look at", err)
	}
	defer src.Close()
	found, err := p.fetchRecord(ctx)
	if err == nil && len(found.records) == 0 {
		err = p.noRecord()
	}
	return found.records, at.explain(ctx, "read the record of", err)
}
