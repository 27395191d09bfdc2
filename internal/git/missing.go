package git

import (
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/strata-hpc/strata/internal/fault"
)

// object returns the content of an object of a kind, or a fault that names what is
// missing and how to get it. The content is shared: not to be changed.
func (r *Repository) object(kind plumbing.ObjectType, id plumbing.Hash, what string) ([]byte, error) {
	have, content, err := r.db.read(id)
	if err != nil {
		return nil, r.unreadable(id, what, err)
	}
	if have != kind {
		return nil, r.corrupt(id, what, fmt.Errorf("it is a %s, not a %s", have, kind))
	}
	return content, nil
}

// unreadable makes a fault of an error of the object database.
func (r *Repository) unreadable(id plumbing.Hash, what string, err error) error {
	if errors.Is(err, errMissing) {
		return r.missing(id, what)
	}
	return r.corrupt(id, what, err)
}

// missing tells how a clone of this kind gets an object.
func (r *Repository) missing(id plumbing.Hash, what string) error {
	remote := r.config.remote()
	switch {
	case r.config.partial():
		return fault.New(fault.Input, "object %s (%s) is not in %s, which is a partial clone", id, what, r.place()).
			WithHint("git -C %s fetch --refetch --no-filter %s", r.place(), remote)
	case r.isShallow():
		return fault.New(fault.Input, "object %s (%s) is not in %s, which is a shallow clone", id, what, r.place()).
			WithHint("git -C %s fetch --unshallow %s", r.place(), remote)
	}
	return fault.New(fault.Input, "object %s (%s) is missing from %s", id, what, r.place()).
		WithHint("git -C %s fsck lists what else is missing; git fetch --refetch gets it again, as does a new clone", r.place())
}

func (r *Repository) corrupt(id plumbing.Hash, what string, err error) error {
	return fault.New(fault.Failed, "object %s (%s) of %s is damaged: %w", id, what, r.place(), err).
		WithHint("git -C %s fsck lists what is damaged; a new clone has it whole", r.place())
}
