package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

// Signature is one as cosign makes it: of a payload in the form "simple signing"
// (github.com/containers/image, docs/containers-signature.5.md), whose optional
// part holds the claims.
type Signature struct {
	Payload []byte // JSON
	Raw     []byte // ECDSA in ASN.1, of the payload's SHA-256
}

// Key is a public key of a signer.
type Key struct {
	Name   string // what people call it: its file
	public *ecdsa.PublicKey
}

// ParseKey reads a public key in PEM, as "cosign generate-key-pair" writes it.
func ParseKey(name string, content []byte) (Key, error) {
	public, err := cryptoutils.UnmarshalPEMToPublicKey(content)
	if err != nil {
		return Key{}, fmt.Errorf("%s is no public key in PEM: %w", name, err)
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return Key{}, fmt.Errorf("%s is no ECDSA key of the curve P-256", name)
	}
	return Key{name, key}, nil
}

func (k Key) verifies(s Signature) bool {
	verifier, err := signature.LoadECDSAVerifier(k.public, crypto.SHA256)
	return err == nil && verifier.VerifySignature(bytes.NewReader(s.Raw), bytes.NewReader(s.Payload)) == nil
}

// Signer signs statements.
type Signer struct {
	key *signature.ECDSASignerVerifier
}

// ErrPassphrase says that a private key cannot be opened with the passphrase.
var ErrPassphrase = errors.New("the passphrase is wrong")

// ParseSigner reads a private key in PEM: one that cosign encrypted, or a plain
// one in PKCS #8 or SEC 1.
func ParseSigner(content, passphrase []byte) (*Signer, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("it is no private key in PEM")
	}
	der := block.Bytes
	switch block.Type {
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		var err error
		if der, err = encrypted.Decrypt(der, passphrase); err != nil {
			return nil, fmt.Errorf("open the private key: %w", ErrPassphrase)
		}
	case "PRIVATE KEY", "EC PRIVATE KEY":
	default:
		return nil, fmt.Errorf("it is a %q, not a private key that can be used", block.Type)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if block.Type == "EC PRIVATE KEY" {
		private, err = x509.ParseECPrivateKey(der)
	}
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	key, ok := private.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("it is no ECDSA key of the curve P-256")
	}
	signer, err := signature.LoadECDSASignerVerifier(key, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	return &Signer{signer}, nil
}

// Keys is the signer's own key, under a name.
func (s *Signer) Keys(name string) Keys {
	public, _ := s.key.Public().(*ecdsa.PublicKey)
	return Keys{{name, public}}
}

// Among says whether the signer's key is one of these.
func (s *Signer) Among(keys Keys) bool {
	for _, k := range keys {
		if k.public.Equal(s.key.Public()) {
			return true
		}
	}
	return false
}

// Sign signs a statement.
func (s *Signer) Sign(said Statement) (Signature, error) {
	optional := map[string]any{}
	for name, value := range said.Claims {
		optional[name] = value
	}
	content, err := json.Marshal(payload.SimpleContainerImage{
		Critical: payload.Critical{
			Identity: payload.Identity{DockerReference: said.Repository},
			Image:    payload.Image{DockerManifestDigest: said.Manifest},
			Type:     payload.CosignSignatureType,
		},
		Optional: optional,
	})
	if err != nil {
		return Signature{}, fmt.Errorf("sign: %w", err)
	}
	raw, err := s.key.SignMessage(bytes.NewReader(content))
	if err != nil {
		return Signature{}, fmt.Errorf("sign: %w", err)
	}
	return Signature{content, raw}, nil
}

// read reads a payload.
func read(content []byte) (Statement, error) {
	var said payload.SimpleContainerImage
	if err := json.Unmarshal(content, &said); err != nil || said.Critical.Type != payload.CosignSignatureType {
		return Statement{}, errors.New("nothing about an image")
	}
	s := Statement{Repository: said.Critical.Identity.DockerReference, Manifest: said.Critical.Image.DockerManifestDigest, Claims: map[string]string{}}
	for name, value := range said.Optional {
		if text, ok := value.(string); ok {
			s.Claims[name] = text
		}
	}
	return s, nil
}

// About is the digest of the manifest that a signature is of, whoever made it; ""
// if it is of none.
func (s Signature) About() string {
	said, err := read(s.Payload)
	if err != nil {
		return ""
	}
	return said.Manifest
}
