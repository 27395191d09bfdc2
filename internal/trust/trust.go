// Package trust says what of an image that somebody else holds is believed, and
// signs what others are to believe.
//
// It knows no registry and no file: keys, statements and signatures come and go
// as bytes. What a statement's claims mean is its caller's business; that all of
// them were signed together, with the digest of a manifest, is this package's.
package trust

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// ErrNotBelieved says that nothing vouches for an image.
var ErrNotBelieved = errors.New("not believed")

// Refusal is an ErrNotBelieved with its reason, in a few words.
type Refusal struct{ Why string }

func (r *Refusal) Error() string { return ErrNotBelieved.Error() + ": " + r.Why }

// Is says that it is ErrNotBelieved.
func (r *Refusal) Is(target error) bool { return target == ErrNotBelieved }

// Statement is that an image is what its claims say.
type Statement struct {
	Repository string            // that the image is in, as HOST/PATH
	Manifest   string            // digest of the image's manifest there: "sha256:…"
	Claims     map[string]string // by name; all of them hold, or none
}

// Belief is why something is believed.
type Belief struct {
	Why    string            // "signed by keys/ci.pub"; "" where the place itself is trusted
	Claims map[string]string // all that was signed, more than what was asked; nil where nothing was
}

// Policy decides what is believed.
type Policy interface {
	// Believe returns why a statement is believed, or an error that is
	// ErrNotBelieved and says in a few words why it is not. Signatures fetches
	// those that the image has; its errors are returned as they are.
	Believe(s Statement, signatures func() ([]Signature, error)) (Belief, error)
}

// Place believes everything: the place itself is trusted.
type Place struct{}

// Believe implements Policy.
func (Place) Believe(Statement, func() ([]Signature, error)) (Belief, error) { return Belief{}, nil }

// Nobody believes nothing.
type Nobody struct{}

// Believe implements Policy.
func (Nobody) Believe(Statement, func() ([]Signature, error)) (Belief, error) {
	return Belief{}, &Refusal{"the project names no key, and does not trust the place"}
}

// Keys believes what one of them signed.
type Keys []Key

// Believe implements Policy. A signature counts for the very manifest and claims
// that it was made for, and for the path of its repository: a registry may get
// another name.
func (k Keys) Believe(s Statement, signatures func() ([]Signature, error)) (Belief, error) {
	all, err := signatures()
	if err != nil {
		return Belief{}, err
	}
	why := "it is not signed"
	for _, sig := range all {
		key := k.signer(sig)
		if key == nil {
			why = cmp.Or(strings.TrimPrefix(why, "it is not signed"), "it is not signed by "+k.names())
			continue
		}
		said, err := read(sig.Payload)
		if err == nil {
			err = said.covers(s)
		}
		if err == nil {
			return Belief{"signed by " + key.Name, said.Claims}, nil
		}
		why = fmt.Sprintf("what %s signed is something else: %v", key.Name, err)
	}
	return Belief{}, &Refusal{why}
}

func (k Keys) signer(sig Signature) *Key {
	for i := range k {
		if k[i].verifies(sig) {
			return &k[i]
		}
	}
	return nil
}

func (k Keys) names() string {
	var names []string
	for _, key := range k {
		names = append(names, key.Name)
	}
	return strings.Join(names, " or ")
}

// covers says whether what was signed includes what is stated.
func (s Statement) covers(stated Statement) error {
	if s.Manifest != stated.Manifest {
		return errors.New("another manifest")
	}
	if path(s.Repository) != path(stated.Repository) {
		return fmt.Errorf("an image of %q", s.Repository)
	}
	for name, value := range stated.Claims {
		if s.Claims[name] != value {
			return fmt.Errorf("%s is %q", name, s.Claims[name])
		}
	}
	return nil
}

// path is a repository without the registry's name.
func path(repository string) string {
	_, path, _ := strings.Cut(repository, "/")
	return path
}

// With returns the statement with further claims.
func (s Statement) With(claims map[string]string) Statement {
	all := maps.Clone(s.Claims)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, claims)
	s.Claims = all
	return s
}

// Signed says whether one of the keys made a signature, of whatever it is.
func (k Keys) Signed(s Signature) bool { return k.signer(s) != nil }
