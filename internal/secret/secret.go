// Package secret finds the values of secrets in what a build writes and says, in the
// forms that they commonly get on the way: as they are, in base64, in hex, escaped
// for a URL, for JSON or for HTML; and it makes the digests that stand for them.
//
// It reads no secret and opens no file. It finds no value that was encrypted,
// compressed, hashed, cut into pieces or spelled in another way.
package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Values are the values of secrets by name.
type Values map[string][]byte

// Shortest is how many bytes a value has, without blanks around it, that is
// searched for in files: shorter ones are there by chance.
const Shortest = 8

// Short are the secrets that are too short to be searched for.
func (v Values) Short() []string {
	var names []string
	for name, value := range v {
		if n := len(bytes.TrimSpace(value)); 0 < n && n < Shortest {
			names = append(names, name)
		}
	}
	return names
}

// How much it takes to try a value: about 50 ms and 32 MiB.
const (
	digestPasses = 2
	digestMemory = 32 << 10 // in KiB
)

// Digest is a digest of a value that says whether it is another one, as 64 hex
// digits. It is the same on all machines, so that it can be part of a key; its salt
// is of the cluster and the secret's name, and so is no other cluster's. Trying
// values costs as much as for a password that is stored with Argon2id (RFC 9106).
func Digest(cluster, name string, value []byte) string {
	salt := sha256.Sum256(fmt.Appendf(nil, "strata secret 1 %q %q", cluster, name))
	return hex.EncodeToString(argon2.IDKey(value, salt[:], digestPasses, digestMemory, 1, 32))
}
