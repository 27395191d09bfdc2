package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// damageBlob changes a byte of a blob wherever a registry keeps it.
func damageBlob(t *testing.T, dir string, d digest.Digest) {
	t.Helper()
	found := 0
	seen := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Base(path) != d.Encoded() && !strings.HasSuffix(path, d.Encoded()+"/data") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil || digest.FromBytes(content) != d || seen[path] {
			return err
		}
		seen[path] = true
		found++
		content[len(content)/2] ^= 1
		return os.WriteFile(path, content, 0o644)
	})
	if err != nil || found == 0 {
		t.Fatalf("damage %s: %d files, %v", d, found, err)
	}
}

// manifestOf is the manifest of an image in a registry.
func manifestOf(t *testing.T, ref string, opts Options) v1.Manifest {
	t.Helper()
	at, err := parse(ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := fetchManifest(t.Context(), at.ImageReference, at.system(opts))
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseManifest(content)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mends damages each kind of blob of an image, and expects what is pushed after a pull
// that found it to be pulled again.
func mends(t *testing.T, dir, host string, layersOnly bool) {
	from, opts := newStore(t), testOptions(t)
	base, child := addImage(t, from, "one", "two"), addImage(t, from, "one", "two", "three")
	ref, other := "docker://"+host+"/a/base:v1", "docker://"+host+"/a/child:v1"
	first := mustPush(t, from, base, ref, opts)
	mustPush(t, from, child, other, opts)
	m := manifestOf(t, ref, opts)
	blobs := map[string]digest.Digest{"the lowest layer": m.Layers[0].Digest, "a layer": m.Layers[1].Digest}
	if !layersOnly {
		blobs["the configuration"] = m.Config.Digest
		blobs["the record"] = digest.FromString(`{"node":"base"}`)
	}
	for name, d := range blobs {
		t.Run(name, func(t *testing.T) {
			damageBlob(t, dir, d)
			if res := mustPush(t, from, base, ref, opts); res.Blobs > 0 {
				t.Errorf("%d blobs were sent though nobody had seen the damage", res.Blobs)
			}
			if _, err := Pull(t.Context(), ref, newStore(t), opts); !errors.Is(err, ErrBroken) {
				t.Fatalf("a pull: %v", err)
			}
			if _, err := Look(t.Context(), ref, opts); strings.HasSuffix(name, "layer") && !errors.Is(err, ErrBroken) {
				t.Errorf("what was found to be damaged is looked for, and taken: %v", err)
			}
			if res := mustPush(t, from, base, ref, opts); res.Blobs == 0 {
				t.Error("nothing was sent")
			}
			into := newStore(t)
			if res, err := Pull(t.Context(), ref, into, opts); err != nil || res.Digest != first.Digest {
				t.Fatalf("a pull after it: %v", err)
			}
			if _, err := Look(t.Context(), ref, opts); err != nil {
				t.Errorf("it is looked for: %v", err)
			}
			if _, err := Pull(t.Context(), other, into, opts); err != nil {
				t.Errorf("a pull of what stands on it: %v", err)
			}
			if res := mustPush(t, from, base, ref, opts); res.Blobs > 0 {
				t.Errorf("%d blobs were sent once more", res.Blobs)
			}
			if left, _ := filepath.Glob(filepath.Join(opts.Known, "broken", "*")); len(left) > 0 && !layersOnly {
				t.Errorf("it counts as damaged for ever: %v", left)
			}
		})
	}
}

// A registry of ours takes a damaged blob anew, for all repositories that share it.
func TestMends(t *testing.T) {
	s := newServer(t)
	mends(t, filepath.Join(s.dir, "a/base"), strings.TrimPrefix(s.URL, "http://"), false)
	from, opts := newStore(t), testOptions(t)
	base, child := addImage(t, from, "four"), addImage(t, from, "four", "five")
	mustPush(t, from, base, s.ref("b/base:v1"), opts)
	mustPush(t, from, child, s.ref("b/child:v1"), opts)
	damageBlob(t, filepath.Join(s.dir, "b/base"), manifestOf(t, s.ref("b/base:v1"), opts).Layers[0].Digest)
	if _, err := Pull(t.Context(), s.ref("b/base:v1"), newStore(t), opts); !errors.Is(err, ErrBroken) {
		t.Fatal(err)
	}
	mustPush(t, from, base, s.ref("b/base:v1"), opts)
	if _, err := Pull(t.Context(), s.ref("b/child:v1"), newStore(t), opts); err != nil {
		t.Errorf("the other repository: %v", err)
	}
}

// That of distribution keeps a file whatever is sent: layers are sent in another form.
func TestMendsDistribution(t *testing.T) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	err = os.WriteFile(config, fmt.Appendf(nil, "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n", dir, host), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 300 {
		if answer, err := http.Get("http://" + host + "/v2/"); err == nil {
			answer.Body.Close()
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	mends(t, dir, host, true)
	from, opts := newStore(t), testOptions(t)
	id, ref := addImage(t, from, "six"), "docker://"+host+"/b/base:v1"
	mustPush(t, from, id, ref, opts)
	damageBlob(t, dir, manifestOf(t, ref, opts).Config.Digest)
	if _, err := Pull(t.Context(), ref, newStore(t), opts); !errors.Is(err, ErrBroken) {
		t.Fatal(err)
	}
	if _, err = Push(t.Context(), from, id, ref, opts); err == nil || !strings.Contains(err.Error(), "is damaged there, and the registry does not take it anew") {
		t.Errorf("a push of what has one form only: %v", err)
	}
}

// What stops in the middle of mending is found again by the next push.
func TestMendIsCutShort(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one")
	mustPush(t, from, id, s.ref("a/base:v1"), opts)
	damageBlob(t, s.dir, manifestOf(t, s.ref("a/base:v1"), opts).Layers[0].Digest)
	if _, err := Pull(t.Context(), s.ref("a/base:v1"), newStore(t), opts); !errors.Is(err, ErrBroken) {
		t.Fatal(err)
	}
	s.disturbed(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/blobs/uploads/") {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	if _, err := Push(t.Context(), from, id, s.ref("a/base:v1"), opts); err == nil {
		t.Fatal("it was pushed")
	}
	s.disturbed(nil)
	mustPush(t, from, id, s.ref("a/base:v1"), opts)
	if _, err := Pull(t.Context(), s.ref("a/base:v1"), newStore(t), opts); err != nil {
		t.Error(err)
	}
}

// What somebody else has mended is taken again.
func TestMendedElsewhere(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one")
	mustPush(t, from, id, s.ref("a/base:v1"), opts)
	d := manifestOf(t, s.ref("a/base:v1"), opts).Layers[0].Digest
	for range 2 { // it is damaged, and damaged back
		damageBlob(t, s.dir, d)
		if _, err := Pull(t.Context(), s.ref("a/base:v1"), newStore(t), opts); !errors.Is(err, ErrBroken) {
			t.Fatal(err)
		}
		path := filepath.Join(s.dir, "a/base/blobs/sha256", d.Encoded())
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content[len(content)/2] ^= 1
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Look(t.Context(), s.ref("a/base:v1"), opts); err != nil {
			t.Error(err)
		}
		if known(opts.Known).isBroken(d, strings.TrimPrefix(s.URL, "http://")+"/a/base") {
			t.Error("it still counts as damaged")
		}
	}
}
