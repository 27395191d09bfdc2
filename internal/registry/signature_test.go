package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/signature/sigstore"

	"github.com/strata-hpc/strata/internal/trust"
)

// pair is a pair of keys, as cosign makes them.
func pair(t testing.TB, name string) (*trust.Signer, trust.Keys, *sigstore.GenerateKeyPairResult) {
	t.Helper()
	made, err := sigstore.GenerateKeyPair([]byte("pass"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := trust.ParseSigner(made.PrivateKey, []byte("pass"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := trust.ParseKey(name, made.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, trust.Keys{key}, made
}

func claims(key string) map[string]string {
	return map[string]string{"cluster": "eagle", "node": "base", "key": key}
}

// manifest asks a server for what it has under a tag, or puts something there.
func (s *server) manifest(t *testing.T, repo, tag string, put []byte) []byte {
	t.Helper()
	method := http.MethodGet
	if put != nil {
		method = http.MethodPut
	}
	req, err := http.NewRequest(method, s.URL+"/v2/"+repo+"/manifests/"+tag, bytes.NewReader(put))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", v1.MediaTypeImageManifest)
	req.Header.Set("Accept", v1.MediaTypeImageManifest)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	content, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, tag, res.Status, content)
	}
	return content
}

func (s *server) remove(t *testing.T, repo, tag string) {
	t.Helper()
	req, _ := http.NewRequest(http.MethodDelete, s.URL+"/v2/"+repo+"/manifests/"+tag, nil)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

// trusting are the options of who believes what keys have signed.
func trusting(opts Options, keys trust.Keys, key string) Options {
	opts.Trust, opts.Claims = keys, claims(key)
	return opts
}

func wantRefused(t *testing.T, what, ref string, opts Options, why string) {
	t.Helper()
	_, err := Look(context.Background(), ref, opts)
	if !errors.Is(err, ErrNotBelieved) || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: look: %v", what, err)
	}
	into := newStore(t)
	if _, err = Pull(context.Background(), ref, into, opts); !errors.Is(err, ErrNotBelieved) {
		t.Errorf("%s: pull: %v", what, err)
	}
	if images, _ := into.Images(); len(images) > 0 {
		t.Errorf("%s: it was pulled", what)
	}
}

// What is signed for a key is believed for that key, and for nothing else.
func TestSignatures(t *testing.T) {
	from, s, plain := newStore(t), newServer(t), testOptions(t)
	signer, keys, _ := pair(t, "keys/ci.pub")
	_, others, _ := pair(t, "keys/other.pub")
	opts := trusting(plain, keys, "a")
	opts.Signer = signer
	id := addImage(t, from, "one", "two")
	pushed := mustPush(t, from, id, s.ref("eagle/base:key-a"), opts)

	found, err := Look(context.Background(), s.ref("eagle/base:key-a"), opts)
	if err != nil || found.Why != "signed by keys/ci.pub" || found.Digest != pushed.Digest {
		t.Fatalf("%+v, %v", found, err)
	}
	if res, err := Pull(context.Background(), s.ref("eagle/base:key-a"), newStore(t), opts); err != nil || res.Why != found.Why {
		t.Errorf("%+v, %v", res, err)
	}
	if res := mustPush(t, from, id, s.ref("eagle/base:key-a"), opts); res.Blobs != 0 {
		t.Errorf("it was sent again: %+v", res)
	}
	wantRefused(t, "another signer", s.ref("eagle/base:key-a"), trusting(plain, others, "a"), "it is not signed by keys/other.pub")

	// Everything of key a is put where other things are looked for.
	image, record, signature := s.manifest(t, "eagle/base", "key-a", nil), s.manifest(t, "eagle/base", "key-a.record", nil), s.manifest(t, "eagle/base", "key-a.sig", nil)
	for tag, content := range map[string][]byte{"key-b": image, "key-b.record": record, "key-b.sig": signature} {
		s.manifest(t, "eagle/base", tag, content)
	}
	wantRefused(t, "another key", s.ref("eagle/base:key-b"), trusting(plain, keys, "b"), `what keys/ci.pub signed is something else: key is "a"`)
	cluster := trusting(plain, keys, "a")
	cluster.Claims["cluster"] = "falcon"
	wantRefused(t, "another cluster", s.ref("eagle/base:key-a"), cluster, `cluster is "eagle"`)
	mustPush(t, from, id, s.ref("falcon/base:key-a"), plain)
	for tag, content := range map[string][]byte{"key-a": image, "key-a.record": record} {
		s.manifest(t, "falcon/base", tag, content)
	}
	copySignature(t, s, "eagle/base", "falcon/base", signature)
	wantRefused(t, "another repository", s.ref("falcon/base:key-a"), trusting(plain, keys, "a"), "an image of")

	// A record of another build, with the right subject.
	var m v1.Manifest
	if err := json.Unmarshal(record, &m); err != nil {
		t.Fatal(err)
	}
	m.Layers[1].Digest, m.Layers[1].Size = m.Layers[0].Digest, m.Layers[0].Size
	forged, _ := json.Marshal(m)
	s.manifest(t, "eagle/base", "key-a.record", forged)
	if _, err := Pull(context.Background(), s.ref("eagle/base:key-a"), newStore(t), trusting(plain, keys, "a")); !errors.Is(err, ErrNotBelieved) {
		t.Errorf("another record: %v", err)
	}
	mustPush(t, from, id, s.ref("eagle/base:key-a"), opts) // who may sign mends it
	if _, err := Pull(context.Background(), s.ref("eagle/base:key-a"), newStore(t), trusting(plain, keys, "a")); err != nil {
		t.Errorf("mended: %v", err)
	}

	s.remove(t, "eagle/base", "key-a.sig")
	wantRefused(t, "taken away", s.ref("eagle/base:key-a"), trusting(plain, keys, "a"), "it is not signed")
}

// copySignature puts a signature under a tag of another repository.
func copySignature(t *testing.T, s *server, from, to string, signature []byte) {
	t.Helper()
	var m v1.Manifest
	if err := json.Unmarshal(signature, &m); err != nil {
		t.Fatal(err)
	}
	for _, d := range append(m.Layers, m.Config) {
		res, err := http.Post(fmt.Sprintf("%s/v2/%s/blobs/uploads/?mount=%s&from=%s", s.URL, to, d.Digest, from), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	s.manifest(t, to, "key-a.sig", signature)
}

// Who may write to the registry puts another image under a key: nobody takes it,
// and the next push by somebody who signs puts the right one there.
func TestPoisonedTag(t *testing.T) {
	from, s, plain := newStore(t), newServer(t), testOptions(t)
	signer, keys, _ := pair(t, "keys/ci.pub")
	signing := trusting(plain, keys, "a")
	signing.Signer, signing.Fixed = signer, true
	right, evil := addImage(t, from, "one", "two"), addImage(t, from, "one", "evil")
	ref := s.ref("eagle/base:key-a")
	mustPush(t, from, right, ref, signing)
	mustPush(t, from, evil, ref, plain) // all of it, the annotations and the record too, is consistent
	wantRefused(t, "poisoned", ref, trusting(plain, keys, "a"), "what keys/ci.pub signed is something else: another manifest")
	thief, _, _ := pair(t, "theirs")
	stolen := plain
	stolen.Signer, stolen.Claims = thief, claims("a")
	mustPush(t, from, evil, ref, stolen)
	wantRefused(t, "signed by another", ref, trusting(plain, keys, "a"), "it is not signed by keys/ci.pub")
	mustPush(t, from, right, ref, signing)
	if res, err := Pull(context.Background(), ref, newStore(t), trusting(plain, keys, "a")); err != nil || res.ID != right {
		t.Errorf("mended: %+v, %v", res, err)
	}
	// What is vouched for stays.
	unsigned := trusting(plain, keys, "a")
	unsigned.Fixed = true
	if _, err := Push(context.Background(), from, evil, ref, unsigned); err == nil || !strings.Contains(err.Error(), "other content") {
		t.Errorf("replaced: %v", err)
	}
}

// A manifest that names blobs which nobody has checked is not signed as it is.
func TestSignsItsOwnManifest(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	signer, keys, _ := pair(t, "keys/ci.pub")
	id, other := addImage(t, from, "one", "two"), addImage(t, from, "one", "else")
	mustPush(t, from, other, s.ref("a/base:other"), opts)
	mustPush(t, from, id, s.ref("a/base:key-a"), opts)
	var m, wrong v1.Manifest
	good := s.manifest(t, "a/base", "key-a", nil)
	if json.Unmarshal(good, &m) != nil || json.Unmarshal(s.manifest(t, "a/base", "other", nil), &wrong) != nil {
		t.Fatal("no manifests")
	}
	m.Layers[1] = wrong.Layers[1]
	forged, _ := json.Marshal(m)
	s.manifest(t, "a/base", "key-a", forged)
	opts = trusting(opts, keys, "a")
	opts.Signer = signer
	mustPush(t, from, id, s.ref("a/base:key-a"), opts)
	if now := s.manifest(t, "a/base", "key-a", nil); digest.FromBytes(now) != digest.FromBytes(good) {
		t.Errorf("there is %s", now)
	}
}

// One content for two keys has a signature for each, and several signers do not
// get in each other's way.
func TestTwoKeysOneManifest(t *testing.T) {
	from, s, plain := newStore(t), newServer(t), testOptions(t)
	one, ones, _ := pair(t, "one.pub")
	two, twos, _ := pair(t, "two.pub")
	id := addImage(t, from, "one", "two")
	var group sync.WaitGroup
	for _, key := range []string{"a", "b"} {
		for _, signer := range []*trust.Signer{one, two} {
			group.Go(func() {
				opts := plain
				opts.Signer, opts.Claims = signer, claims(key)
				if _, err := Push(context.Background(), from, id, s.ref("eagle/base:key-"+key), opts); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	for _, key := range []string{"a", "b"} {
		_, first := Look(context.Background(), s.ref("eagle/base:key-"+key), trusting(plain, ones, key))
		_, second := Look(context.Background(), s.ref("eagle/base:key-"+key), trusting(plain, twos, key))
		if first != nil && second != nil {
			t.Errorf("%s: %v, %v", key, first, second)
		}
	}
	image := s.manifest(t, "eagle/base", "key-a", nil)
	beside := parseSignatures(s.manifest(t, "eagle/base", "sha256-"+digest.FromBytes(image).Encoded()+".sig", nil))
	if len(beside) == 0 {
		t.Error("cosign would find nothing")
	}
}

// cosign, if this machine has it, accepts what we sign, and for the claims that
// were signed only.
func TestCosign(t *testing.T) {
	cosign, err := exec.LookPath("cosign")
	if err != nil {
		t.Skip("cosign is not installed: Debian has it from trixie on")
	}
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	signer, _, made := pair(t, "ci.pub")
	opts.Signer = signer
	id := addImage(t, from, "one", "two")
	for _, key := range []string{"a", "b"} {
		opts.Claims = claims(key)
		mustPush(t, from, id, s.ref("eagle/base:key-"+key), opts)
	}
	pub := filepath.Join(t.TempDir(), "ci.pub")
	if err := os.WriteFile(pub, made.PublicKey, 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(tag, key string) (string, error) {
		out, err := exec.Command(cosign, "verify", "--key", pub, "--insecure-ignore-tlog", "--offline", "--allow-http-registry",
			"-a", "key="+key, strings.TrimPrefix(s.ref("eagle/base:"+tag), "docker://")).CombinedOutput()
		return string(out), err
	}
	for _, key := range []string{"a", "b"} {
		if out, err := verify("key-"+key, key); err != nil {
			t.Errorf("%s: %v\n%s", key, err, out)
		}
	}
	if out, err := verify("key-a", "c"); err == nil {
		t.Errorf("another key was accepted: %s", out)
	}
}

// Whatever is under the tag of a signature, it is read or left out.
func FuzzSignatures(f *testing.F) {
	signer, keys, _ := pair(f, "k")
	said := trust.Statement{Repository: "h/a", Manifest: digest.FromString("x").String(), Claims: claims("a")}
	sig, err := signer.Sign(said)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"layers":[{"mediaType":"`+signatureMedia+`","digest":"sha256:x"}]}`), sig.Payload, sig.Raw)
	f.Add([]byte(`{"layers":[{"mediaType":"`+signatureMedia+`","size":-1,"digest":"`+said.Manifest+`"}]}`), []byte("null"), []byte{})
	f.Add([]byte("[]"), []byte(`{"critical":null,"optional":{"key":1}}`), []byte{0x30})
	f.Fuzz(func(t *testing.T, manifest, payload, raw []byte) {
		for _, l := range parseSignatures(manifest) {
			if l.Size < 0 || l.Size > maxPayload || l.Digest.Validate() != nil {
				t.Errorf("%+v", l)
			}
		}
		b, err := keys.Believe(said, func() ([]trust.Signature, error) { return []trust.Signature{{Payload: payload, Raw: raw}}, nil })
		if err == nil && !bytes.Equal(payload, sig.Payload) {
			t.Errorf("believed: %+v", b)
		}
	})
}
