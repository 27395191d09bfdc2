package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"go.podman.io/image/v5/signature/sigstore"
)

const passphrase = "open sesame"

// pair is a pair of keys as cosign makes them.
func pair(t *testing.T, name string) (*Signer, Key) {
	t.Helper()
	made, err := sigstore.GenerateKeyPair([]byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ParseSigner(made.PrivateKey, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(name, made.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseSigner(made.PrivateKey, []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	return signer, key
}

func stated() Statement {
	return Statement{Repository: "registry.example:5000/eagle/base", Manifest: "sha256:aa", Claims: map[string]string{"key": "k", "node": "base"}}
}

func sign(t *testing.T, s *Signer, said Statement) Signature {
	t.Helper()
	sig, err := s.Sign(said)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func believe(p Policy, s Statement, all ...Signature) (Belief, error) {
	return p.Believe(s, func() ([]Signature, error) { return all, nil })
}

// A signature vouches for its manifest, its repository's path and all of its
// claims together, and for nothing that differs in one of them.
func TestKeysBelieve(t *testing.T) {
	signer, key := pair(t, "ci.pub")
	_, other := pair(t, "other.pub")
	sig := sign(t, signer, stated().With(map[string]string{"more": "x"}))
	b, err := believe(Keys{other, key}, stated(), sig)
	if err != nil || b.Why != "signed by ci.pub" || b.Claims["more"] != "x" {
		t.Errorf("%+v, %v", b, err)
	}
	renamed := stated()
	renamed.Repository = "mirror.example/eagle/base"
	if _, err := believe(Keys{key}, renamed, sig); err != nil {
		t.Errorf("a registry of another name: %v", err)
	}
	manifest, repository := stated(), stated()
	manifest.Manifest, repository.Repository = "sha256:bb", "registry.example:5000/falcon/base"
	for why, s := range map[string]Statement{
		"another manifest": manifest,
		"an image of":      repository,
		`key is "k"`:       stated().With(map[string]string{"key": "l"}),
		`node is "base"`:   stated().With(map[string]string{"node": "compute"}),
		`cluster is ""`:    stated().With(map[string]string{"cluster": ""}).With(map[string]string{"cluster": "x"}),
	} {
		if _, err := believe(Keys{key}, s, sig); !errors.Is(err, ErrNotBelieved) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := believe(Keys{other}, stated(), sig); !errors.Is(err, ErrNotBelieved) || !strings.Contains(err.Error(), "not signed by other.pub") {
		t.Errorf("another key: %v", err)
	}
	if _, err := believe(Keys{key}, stated()); !errors.Is(err, ErrNotBelieved) {
		t.Errorf("no signature: %v", err)
	}
	changed := sig
	changed.Payload = append([]byte(" "), sig.Payload...)
	if _, err := believe(Keys{key}, stated(), changed); err == nil {
		t.Error("a payload that was changed is believed")
	}
	// One that fits among others that do not.
	if _, err := believe(Keys{key}, stated(), changed, sign(t, signer, manifest), sig); err != nil {
		t.Errorf("several: %v", err)
	}
}

func TestPolicies(t *testing.T) {
	never := func() ([]Signature, error) { t.Error("signatures were fetched"); return nil, nil }
	if b, err := (Place{}).Believe(stated(), never); err != nil || b.Why != "" {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := (Nobody{}).Believe(stated(), never); !errors.Is(err, ErrNotBelieved) {
		t.Errorf("%v", err)
	}
	_, key := pair(t, "k")
	lost := errors.New("lost")
	if _, err := (Keys{key}).Believe(stated(), func() ([]Signature, error) { return nil, lost }); !errors.Is(err, lost) || errors.Is(err, ErrNotBelieved) {
		t.Errorf("what cannot be asked counts as refused: %v", err)
	}
}

// Keys in the forms that openssl writes are taken, and none of another kind.
func TestForms(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, _ := x509.MarshalECPrivateKey(private)
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(private)
	for kind, der := range map[string][]byte{"EC PRIVATE KEY": sec1, "PRIVATE KEY": pkcs8} {
		if _, err := ParseSigner(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), nil); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := x509.MarshalPKIXPublicKey(large.Public())
	der, _ := x509.MarshalPKCS8PrivateKey(large)
	if _, err := ParseKey("k", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})); err == nil {
		t.Error("a public key of another curve is taken")
	}
	if _, err := ParseSigner(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil); err == nil {
		t.Error("a private key of another curve is taken")
	}
	for _, text := range []string{"", "x", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"} {
		if _, err := ParseKey("k", []byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
		if _, err := ParseSigner([]byte(text), nil); err == nil {
			t.Errorf("%q is taken to sign with", text)
		}
	}
}
