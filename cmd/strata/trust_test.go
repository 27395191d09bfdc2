package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"go.podman.io/image/v5/signature/sigstore"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/trust"
)

// A run signs with the key that it is given, and what is for reviews counts only
// where there is no other; neither stays in the environment.
func TestSigning(t *testing.T) {
	made, err := sigstore.GenerateKeyPair([]byte("pass"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ci.key")
	if err := os.WriteFile(file, made.PrivateKey, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := trust.ParseKey("ci.pub", made.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := &project{Project: &layer.Project{Registry: "registry.example/eagle"}}
	for name, c := range map[string]struct {
		flag        string
		env         map[string]string
		signs, mine bool // it signs; it believes what it signs itself
	}{
		"nothing":             {},
		"flag":                {flag: file, env: map[string]string{"STRATA_SIGN_PASSPHRASE": "pass"}, signs: true},
		"file":                {env: map[string]string{"STRATA_SIGN_KEY": file, "COSIGN_PASSWORD": "pass"}, signs: true},
		"text":                {env: map[string]string{"STRATA_SIGN_KEY": string(made.PrivateKey), "STRATA_SIGN_PASSPHRASE": "pass"}, signs: true},
		"review":              {env: map[string]string{"STRATA_REVIEW_KEY": file, "STRATA_REVIEW_PASSPHRASE": "pass"}, signs: true, mine: true},
		"review where it may": {env: map[string]string{"STRATA_REVIEW_KEY": "nowhere", "STRATA_SIGN_KEY": file, "STRATA_SIGN_PASSPHRASE": "pass"}, signs: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{"STRATA_SIGN_KEY", "STRATA_SIGN_PASSPHRASE", "STRATA_REVIEW_KEY", "STRATA_REVIEW_PASSPHRASE", "COSIGN_PASSWORD"} {
				t.Setenv(v, c.env[v])
			}
			var said bytes.Buffer
			a := &app{signKey: c.flag, err: &said}
			policy, err := a.trust(elsewhere, elsewhere.Registry)
			if err != nil {
				t.Fatal(err)
			}
			signer, err := a.signer(policy)
			if err != nil || (signer != nil) != c.signs || c.signs && !signer.Among(trust.Keys{key}) {
				t.Errorf("signer %v, %v", signer, err)
			}
			keys, _ := policy.(trust.Keys)
			if (len(keys) == 1 && signer.Among(keys)) != c.mine {
				t.Errorf("believed: %+v", policy)
			}
			for v := range c.env {
				if value, found := os.LookupEnv(v); found {
					t.Errorf("%s is still %q", v, value)
				}
			}
		})
	}
	a := &app{signKey: file, err: &bytes.Buffer{}}
	t.Setenv("STRATA_SIGN_PASSPHRASE", "wrong")
	var f *fault.Error
	if _, err := a.signer(trust.Nobody{}); !errors.As(err, &f) || f.Kind != fault.Input {
		t.Errorf("a wrong passphrase: %v", err)
	}
}

// Who is believed where.
func TestTrust(t *testing.T) {
	made, err := sigstore.GenerateKeyPair([]byte("pass"))
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"keys/ci.pub": {Data: made.PublicKey}}
	named := layer.Trust{Keys: []string{"keys/ci.pub"}}
	for _, c := range []struct {
		about layer.Project
		at    string
		want  string
	}{
		{layer.Project{}, "registry.example/eagle", "nobody"},
		{layer.Project{}, "127.0.0.1:5000/eagle", "place"},
		{layer.Project{}, "localhost:5000/eagle", "place"},
		{layer.Project{}, "[::1]:5000/eagle", "place"},
		{layer.Project{}, "localhost.example:5000/eagle", "nobody"},
		{layer.Project{}, "127.0.0.1.example/eagle", "nobody"},
		{layer.Project{}, "docker://registry.example/x:y", "nobody"},
		{layer.Project{}, "oci:dir:tag", "place"},
		{layer.Project{Trust: named}, "registry.example/eagle", "keys"},
		{layer.Project{Trust: named}, "127.0.0.1:5000/eagle", "keys"},
		{layer.Project{Trusted: true}, "registry.example/eagle", "place"},
		{layer.Project{Trusted: true, Trust: named}, "registry.example/eagle", "place"},
		{layer.Project{Trusted: true}, "registry.example/eagle/base:key-1", "place"},
		{layer.Project{Trusted: true}, "registry.example/eagles/base:key-1", "nobody"},
		{layer.Project{Trusted: true}, "other.example/eagle", "nobody"},
	} {
		c.about.Registry = "registry.example/eagle"
		a := &app{err: &bytes.Buffer{}}
		policy, err := a.trust(&project{Project: &c.about, files: files}, c.at)
		got := ""
		switch policy.(type) {
		case trust.Place:
			got = "place"
		case trust.Keys:
			got = "keys"
		case trust.Nobody:
			got = "nobody"
		}
		if err != nil || got != c.want {
			t.Errorf("%s with %+v: %s, %v", c.at, c.about, got, err)
		}
	}
}
