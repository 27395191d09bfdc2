package test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// podman is Podman on a store, in a mount namespace of its own: it keeps the
// store mounted on itself.
type podman struct {
	t    *testing.T
	args []string
}

func newPodman(t *testing.T, store string) podman {
	t.Helper()
	need(t, "podman", "unshare")
	run, err := os.MkdirTemp("", "strata-test-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	args := []string{"unshare", "--mount", "podman", "--root", store, "--runroot", run, "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"}
	if _, err := exec.LookPath("runc"); err == nil {
		args = append(args, "--runtime", "runc")
	}
	return podman{t, args}
}

func (p podman) command(args ...string) *exec.Cmd {
	line := append(slices.Clone(p.args), args...)
	return exec.Command(line[0], line[1:]...)
}

func (p podman) must(args ...string) string {
	p.t.Helper()
	return must(p.t, p.command(args...))
}

// podmanProject is a project of three layers in the shared store.
func podmanProject(t *testing.T) *project {
	return newProject(t, `
  pod-one:
    parent: base
    env: {FROM_STRATA: "yes"}
    run: ["echo one > /etc/one; echo gone > /etc/gone; mkdir /etc/opaque; echo x > /etc/opaque/x"]
  pod-two: {parent: pod-one, run: ["echo two > /etc/two; rm /etc/gone; rm -r /etc/opaque; mkdir /etc/opaque; echo y > /etc/opaque/y"]}
`, `
images: {pod: {node: pod-two, artifacts: [oci]}}
`, nil).ownStore()
}

// Every layer is an image of Podman's, which runs.
func TestPodmanSeesAndRuns(t *testing.T) {
	p := podmanProject(t)
	b := p.build("pod")
	pod := newPodman(t, p.store)
	var list []struct{ Names []string }
	if err := json.Unmarshal([]byte(pod.must("images", "--format", "json")), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, im := range list {
		names = append(names, im.Names...)
	}
	for _, n := range b.Nodes {
		for _, tag := range []string{"latest", "key-" + n.Key} {
			if want := "localhost/test/" + n.ID + ":" + tag; !slices.Contains(names, want) {
				t.Errorf("podman images does not list %s: %v", want, names)
			}
		}
		var about []struct {
			Digest string
		}
		if err := json.Unmarshal([]byte(pod.must("image", "inspect", "localhost/test/"+n.ID)), &about); err != nil || about[0].Digest != n.Digest {
			t.Errorf("podman says that %s has digest %v, strata %s", n.ID, about, n.Digest)
		}
	}
	r := run(t, pod.command("run", "--rm", "--network=none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "localhost/test/pod-two",
		"/bin/sh", "-c", "cat /etc/one /etc/two; ls /etc/opaque; test ! -e /etc/gone; echo $FROM_STRATA"))
	if r.code != 0 && strings.Contains(r.err, "cgroup") {
		t.Skipf("podman cannot run containers on this machine: %s", r.err)
	}
	if want := "one\ntwo\ny\nyes\n"; r.code != 0 || r.out != want {
		t.Errorf("podman run: exit status %d, %q, want %q\n%s", r.code, r.out, want, r.err)
	}
	p.clean()
	// Podman has used the store: so can Strata, again.
	p.build("pod")
	p.swept()
}

// manifest is an OCI image manifest.
type manifest struct {
	Config struct{ Digest string }
	Layers []struct {
		MediaType, Digest string
		Size              int64
	}
}

// What is pushed is what the digests say, byte for byte; what is pulled from it
// is the same layers.
func TestPodmanPushes(t *testing.T) {
	need(t, "skopeo")
	p := podmanProject(t)
	b := p.build("pod")
	digest := b.Images[0].Digest
	var strata struct{ Layers []string }
	if err := json.Unmarshal([]byte(readFile(t, b.Images[0].Artifacts["manifest"])), &strata); err != nil {
		t.Fatal(err)
	}
	pod := newPodman(t, p.store)

	plain := filepath.Join(p.top, "plain")
	pod.must("push", "--quiet", "localhost/test/pod-two", "dir:"+plain)
	content := readFile(t, plain+"/manifest.json")
	if got := sum([]byte(content)); got != digest {
		t.Errorf("the manifest that podman pushed has digest %s, strata's %s", got, digest)
	}
	m := parse[manifest](t, content)
	for i, l := range m.Layers {
		if l.Digest != strata.Layers[i] {
			t.Errorf("layer %d is %s, its diff ID %s", i, l.Digest, strata.Layers[i])
		}
		blob := readFile(t, filepath.Join(plain, hexOf(l.Digest)))
		if got := sum([]byte(blob)); got != l.Digest || int64(len(blob)) != l.Size {
			t.Errorf("layer %d has digest %s and %d bytes, in the manifest %s and %d", i, got, len(blob), l.Digest, l.Size)
		}
	}

	layout := filepath.Join(p.top, "layout")
	pod.must("push", "--quiet", "localhost/test/pod-two", "oci:"+layout+":pod")
	checkLayout(t, layout, strata.Layers)
	checkLayout(t, b.Images[0].Artifacts["oci"], strata.Layers)
	if got := must(t, exec.Command("skopeo", "inspect", "--format", "{{.Digest}}", "oci:"+b.Images[0].Artifacts["oci"])); strings.TrimSpace(got) != digest {
		t.Errorf("skopeo says that the oci artifact has digest %s, strata %s", got, digest)
	}

	for i, from := range []string{"dir:" + plain, "oci:" + layout + ":pod", "oci:" + b.Images[0].Artifacts["oci"]} {
		store := filepath.Join(p.top, fmt.Sprintf("other-%d", i))
		newPodman(t, store).must("pull", "--quiet", from)
		if want, got := layerIDs(t, p.store), layerIDs(t, store); !subset(got, want) || len(got) != len(strata.Layers) {
			t.Errorf("pulled from %s, the layers are %v, here %v", from, got, want)
		}
	}
}

// checkLayout hashes every blob of an OCI layout, and every layer's tar.
func checkLayout(t *testing.T, dir string, diffIDs []string) {
	t.Helper()
	blobs, err := os.ReadDir(dir + "/blobs/sha256")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range blobs {
		if got := sum([]byte(readFile(t, dir+"/blobs/sha256/"+e.Name()))); got != "sha256:"+e.Name() {
			t.Errorf("%s: blob %s has digest %s", dir, e.Name(), got)
		}
	}
	index := parse[struct{ Manifests []struct{ Digest string } }](t, readFile(t, dir+"/index.json"))
	m := parse[manifest](t, readFile(t, dir+"/blobs/sha256/"+hexOf(index.Manifests[0].Digest)))
	if len(m.Layers) != len(diffIDs) {
		t.Fatalf("%s has %d layers, want %d", dir, len(m.Layers), len(diffIDs))
	}
	for i, l := range m.Layers {
		f, err := os.Open(dir + "/blobs/sha256/" + hexOf(l.Digest))
		if err != nil {
			t.Fatal(err)
		}
		var r io.Reader = f
		if strings.HasSuffix(l.MediaType, "gzip") {
			if r, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			t.Error(err)
		}
		f.Close()
		if got := "sha256:" + hex.EncodeToString(h.Sum(nil)); got != diffIDs[i] {
			t.Errorf("%s: layer %d is a tar of digest %s, its diff ID is %s", dir, i, got, diffIDs[i])
		}
	}
}

func parse[T any](t *testing.T, content string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(content), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func sum(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// layerIDs are the layers of a store, with their diff IDs.
func layerIDs(t *testing.T, store string) []string {
	t.Helper()
	list := parse[[]struct {
		ID   string
		Diff string `json:"diff-digest"`
	}](t, readFile(t, store+"/overlay-layers/layers.json"))
	var ids []string
	for _, l := range list {
		ids = append(ids, l.ID+" "+l.Diff)
	}
	return ids
}

func subset(part, of []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(of, s) })
}
