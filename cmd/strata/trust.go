package main

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/trust"
)

// Variables of the environment that hold what no file of a project may: a private
// key's file or the key itself, and its passphrase. The second pair is for
// pipelines that must not have the first: what they sign, only they believe.
var signVariables = [][2]string{{"STRATA_SIGN_KEY", "STRATA_SIGN_PASSPHRASE"}, {"STRATA_REVIEW_KEY", "STRATA_REVIEW_PASSPHRASE"}}

// signing is the private key that this run was given.
type signing struct {
	name       string // what people know it by; "" if there is none
	read       func() ([]byte, error)
	passphrase string
	review     bool // it is the second pair's
	signer     *trust.Signer
}

// signing finds the private key to sign with. What this process starts from then
// on does not find it in its environment.
func (a *app) signing() (*signing, error) {
	if a.signs != nil {
		return a.signs, nil
	}
	s := &signing{}
	if a.signKey != "" {
		file := a.path(a.signKey)
		s.name, s.read = a.signKey, func() ([]byte, error) { return readFile(file) }
		s.passphrase = cmp.Or(os.Getenv(signVariables[0][1]), os.Getenv("COSIGN_PASSWORD"))
	}
	for i, names := range signVariables {
		if value := os.Getenv(names[0]); value != "" && s.name == "" {
			s.name, s.review, s.passphrase = "$"+names[0], i == 1, os.Getenv(names[1])
			s.read = func() ([]byte, error) { return readFile(value) }
			if strings.HasPrefix(value, "-----BEGIN") {
				s.read = func() ([]byte, error) { return []byte(value), nil }
			}
			if i == 0 {
				s.passphrase = cmp.Or(s.passphrase, os.Getenv("COSIGN_PASSWORD"))
			}
		}
		for _, name := range append(names[:], "COSIGN_PASSWORD") {
			if err := os.Unsetenv(name); err != nil {
				return nil, err
			}
		}
	}
	a.signs = s
	return s, nil
}

// key opens the private key; nil if there is none.
func (s *signing) key() (*trust.Signer, error) {
	if s.name == "" || s.signer != nil {
		return s.signer, nil
	}
	content, err := s.read()
	if err == nil {
		s.signer, err = trust.ParseSigner(content, []byte(s.passphrase))
	}
	if err != nil {
		return nil, fault.New(fault.Input, "read the key to sign with from %s: %w", s.name, err).
			WithHint("it is what 'cosign generate-key-pair' writes into cosign.key; $%s is its passphrase", signVariables[0][1])
	}
	return s.signer, nil
}

// trust is what is believed of a place for images. Without a project, p is nil.
func (a *app) trust(p *project, at string) (trust.Policy, error) {
	named := p != nil && p.Trusted && p.Registry != "" && strings.HasPrefix(strings.TrimPrefix(at, "docker://")+"/", p.Registry+"/")
	return a.trustPlace(p, named, registry.Local(at))
}

// trustPlace is the same of any place: one that the project trusts, or one on this
// machine, which is trusted where the project names no keys.
func (a *app) trustPlace(p *project, named, local bool) (trust.Policy, error) {
	keys, err := trustedKeys(p)
	if err != nil {
		return nil, err
	}
	signing, err := a.signing()
	if err != nil {
		return nil, err
	}
	if named || len(keys) == 0 && local {
		return trust.Place{}, nil
	}
	if signing.review {
		signer, err := signing.key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, signer.Keys(signing.name)...)
	}
	if len(keys) > 0 {
		return keys, nil
	}
	return trust.Nobody{}, nil
}

// trustedKeys are those that the project names.
func trustedKeys(p *project) (keys trust.Keys, err error) {
	if p == nil {
		return nil, nil
	}
	for _, name := range p.Trust.Keys {
		content, failed := readKey(func() (fs.File, error) { return p.files.Open(name) })
		var key trust.Key
		if failed == nil {
			key, failed = trust.ParseKey(name, content)
		}
		if failed != nil {
			failed = fault.New(fault.Input, "read a key that is trusted: %w", failed).WithHint("'cosign generate-key-pair' writes a pair of keys; the one to name is cosign.pub")
		}
		keys, err = append(keys, key), errors.Join(err, failed)
	}
	return keys, err
}

// readKey reads a file that is not larger than any key.
func readKey(open func() (fs.File, error)) ([]byte, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

func readFile(name string) ([]byte, error) {
	return readKey(func() (fs.File, error) { return os.Open(name) })
}

const signUsage = "sign what is pushed with the private key in this `file`; $STRATA_SIGN_KEY names one, or holds the key itself"

// addSignFlag adds the flag that names the key to sign with.
func (a *app) addSignFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.signKey, "sign-key", "", signUsage)
}

// signer opens the private key that signs what is pushed; nil if there is none.
func (a *app) signer(policy trust.Policy) (*trust.Signer, error) {
	signing, err := a.signing()
	if err != nil {
		return nil, err
	}
	signer, err := signing.key()
	if keys, ok := policy.(trust.Keys); ok && signer != nil && !signer.Among(keys) {
		a.note("the key of %s is none of those that this project trusts: what it signs will not be believed", signing.name)
	}
	return signer, err
}

// tellNobody says that a registry is of no use for lack of trust.
func (a *app) tellNobody(at string, policy trust.Policy) {
	if _, nobody := policy.(trust.Nobody); nobody && !a.quiet {
		a.note("nothing of what %s has under a key is believed, and it is not asked: name the keys of those who may sign below trust:, or say 'trusted: true' below registry:", at)
	}
}
