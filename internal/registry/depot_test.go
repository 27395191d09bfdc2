package registry

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// A registry whose disk is full says so, and keeps nothing of what it could not take.
func TestDepotOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	mount := []string{"mount", "-t", "tmpfs", "-o", "size=2m", "strata-test", dir}
	if os.Geteuid() != 0 || sandbox.Host(t.Context(), sandbox.Cmd{Args: mount}) != nil {
		t.Skip("needs root: mounts a small tmpfs")
	}
	defer sandbox.Host(context.Background(), sandbox.Cmd{Args: []string{"umount", dir}})
	h, stop, err := Handler(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	server := httptest.NewServer(h)
	defer server.Close()
	send := func(size int) int {
		t.Helper()
		begun, err := http.Post(server.URL+"/v2/a/blobs/uploads/", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := begun.Location()
		if err != nil {
			t.Fatal(begun.Status, err)
		}
		r, _ := http.NewRequest(http.MethodPatch, to.String(), bytes.NewReader(make([]byte, size)))
		r.Header.Set("Content-Type", "application/octet-stream")
		sent, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return sent.StatusCode
	}
	for range 3 {
		if status := send(4 << 20); status != http.StatusInsufficientStorage {
			t.Errorf("too much: %d", status)
		}
		if left, _ := filepath.Glob(dir + "/a/_uploads/*"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	if status := send(1 << 20); status != http.StatusAccepted {
		t.Errorf("what there is room for: %d", status)
	}
}

// A blob of two repositories is on disk once, and stays when one lets it go.
func TestMountIsALink(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	base, child := addImage(t, from, "one"), addImage(t, from, "one", "two")
	mustPush(t, from, base, s.ref("a/base:v1"), opts)
	mustPush(t, from, child, s.ref("a/child:v1"), opts)
	blob := known(opts.Known).of(imageDiffIDs(t, from, base)[0])[0].Digest
	one, err1 := os.Stat(filepath.Join(s.dir, "a/base/blobs/sha256", blob.Encoded()))
	two, err2 := os.Stat(filepath.Join(s.dir, "a/child/blobs/sha256", blob.Encoded()))
	if err1 != nil || err2 != nil || !os.SameFile(one, two) {
		t.Fatalf("two files: %v, %v", err1, err2)
	}
	r, _ := http.NewRequest(http.MethodDelete, s.URL+"/v2/a/base/blobs/"+blob.String(), nil)
	if answer, err := http.DefaultClient.Do(r); err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatalf("delete: %v, %v", answer, err)
	}
	if _, err := Pull(context.Background(), s.ref("a/child:v1"), newStore(t), opts); err != nil {
		t.Error(err)
	}
}

// What a registry was killed in the middle of is gone when it starts again, and
// all that was whole is there. A second one on its directory is refused.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	from, opts := newStore(t), testOptions(t)
	id := addImage(t, from, "one", "two")
	h, stop, err := Handler(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	mustPush(t, from, id, "docker://"+strings.TrimPrefix(s.URL, "http://")+"/a/base:v1", opts)
	if _, _, err := Handler(dir); err == nil || !strings.Contains(err.Error(), "another registry serves") {
		t.Errorf("second registry: %v", err)
	}
	// Blobs that no manifest names are collected at the end, if they are old.
	blobs := filepath.Join(dir, "a/base/blobs/sha256")
	old, young := filepath.Join(blobs, strings.Repeat("1", 64)), filepath.Join(blobs, strings.Repeat("2", 64))
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("orphan"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := os.ReadDir(blobs)
	for _, b := range all {
		if when := time.Now().Add(-2 * grace); b.Name() != filepath.Base(young) {
			_ = os.Chtimes(filepath.Join(blobs, b.Name()), when, when)
		}
	}
	s.Close()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("an old orphan is kept")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("a young orphan is gone")
	}
	left := filepath.Join(dir, "a/base", uploads, "upload.1")
	empty := filepath.Join(dir, "a/base/blobs/sha256", strings.Repeat("0", 64))
	for _, path := range []string{left, empty} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if h, stop, err = Handler(dir); err != nil {
		t.Fatal(err)
	}
	s = httptest.NewServer(h)
	defer func() { s.Close(); _ = stop() }()
	if _, err := os.Stat(left); err == nil {
		t.Error("an upload is left")
	}
	if answer, err := http.Head(s.URL + "/v2/a/base/blobs/sha256:" + strings.Repeat("0", 64)); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("a blob without content: %v, %v", answer, err)
	}
	if _, err := Pull(context.Background(), "docker://"+strings.TrimPrefix(s.URL, "http://")+"/a/base:v1", newStore(t), opts); err != nil {
		t.Error(err)
	}
}

// Who is told that a blob is there may count on it until the manifest comes.
func TestAskedForIsKept(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one")
	mustPush(t, from, id, s.ref("a/base:v1"), opts)
	blob := known(opts.Known).of(imageDiffIDs(t, from, id)[0])[0].Digest
	path := filepath.Join(s.dir, "a/base/blobs/sha256", blob.Encoded())
	old := time.Now().Add(-2 * grace)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Head(s.URL + "/v2/a/base/blobs/" + blob.String()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > grace {
		t.Errorf("it may be collected: %v, %v", info.ModTime(), err)
	}
}

func TestPathsStayInside(t *testing.T) {
	d := &depot{dir: "/dir"}
	blob := "sha256:" + strings.Repeat("0", 64)
	for _, repo := range []string{"..", "a/../b", "/a", "a//b", "A", "a/blobs", "blobs/a", ""} {
		if path, err := d.path(repo, blob); err == nil {
			t.Errorf("%q is %s", repo, path)
		}
	}
	if _, err := d.path("a", "sha256:../../x"); err == nil {
		t.Error("that is no digest")
	}
}
