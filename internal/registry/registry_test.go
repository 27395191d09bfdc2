package registry

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/reexec"
	"go.podman.io/storage/types"

	"github.com/opencontainers/go-digest"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/tarball"
)

func TestMain(m *testing.M) {
	if reexec.Init() {
		return
	}
	os.Exit(m.Run())
}

const recordName = "strata-record-0123"

// newStore is an empty container store.
func newStore(t testing.TB) storage.Store {
	t.Helper()
	return newStoreOn(t, t.TempDir())
}

func newStoreOn(t testing.TB, dir string) storage.Store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	st, err := storage.GetStore(types.StoreOptions{GraphRoot: filepath.Join(dir, "root"), RunRoot: filepath.Join(dir, "run"),
		GraphDriverName: "overlay", GraphDriverOptions: []string{"overlay.skip_mount_home=true"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Free() })
	return st
}

// addImage makes an image of layers with a file each, as package store does.
func addImage(t *testing.T, st storage.Store, contents ...string) string {
	t.Helper()
	config := v1.Image{Platform: v1.Platform{Architecture: "amd64", OS: "linux"}, RootFS: v1.RootFS{Type: "layers"}}
	m := v1.Manifest{MediaType: v1.MediaTypeImageManifest}
	m.SchemaVersion = 2
	top := ""
	for i, content := range contents {
		dir := t.TempDir()
		file := filepath.Join(dir, fmt.Sprintf("file%d", i))
		err := os.WriteFile(file, []byte(content), 0o644)
		// Equal content is one layer.
		if err = errors.Join(err, os.Chtimes(file, time.Unix(0, 0), time.Unix(0, 0)), os.Chtimes(dir, time.Unix(0, 0), time.Unix(0, 0))); err != nil {
			t.Fatal(err)
		}
		var tar bytes.Buffer
		if err := tarball.Write(t.Context(), &tar, dir, tarball.Options{Root: true}); err != nil {
			t.Fatal(err)
		}
		diffID := digest.FromBytes(tar.Bytes())
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: diffID, Size: int64(tar.Len())})
		id := layerID(config.RootFS.DiffIDs)
		if _, _, err := st.PutLayer(id, top, nil, "", false, nil, &tar); err != nil && !errors.Is(err, storage.ErrDuplicateID) {
			t.Fatal(err)
		}
		top = id
	}
	configBytes, _ := json.Marshal(config)
	d := digest.FromBytes(configBytes)
	m.Config = v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: d, Size: int64(len(configBytes))}
	manifest, _ := json.Marshal(m)
	_, err := st.CreateImage(d.Encoded(), nil, top, "{}", &storage.ImageOptions{Digest: digest.FromBytes(manifest), BigData: []storage.ImageBigDataOption{
		{Key: "manifest", Data: manifest, Digest: digest.FromBytes(manifest)}, {Key: d.String(), Data: configBytes, Digest: d},
		{Key: recordName, Data: []byte(`{"node":"base"}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d.Encoded()
}

// server is a registry whose requests can be looked at and disturbed.
type server struct {
	*httptest.Server
	dir     string
	mu      sync.Mutex
	asked   []string
	disturb func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	h, stop, err := Handler(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
		disturb := s.disturb
		s.mu.Unlock()
		if disturb == nil || !disturb(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { s.Close(); _ = stop() })
	return s
}

func (s *server) ref(name string) string {
	return "docker://" + strings.TrimPrefix(s.URL, "http://") + "/" + name
}

// count returns how many requests held all words, and forgets them.
func (s *server) count(words ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.asked {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

func (s *server) forget() {
	s.mu.Lock()
	s.asked = nil
	s.mu.Unlock()
}

func testOptions(t testing.TB) Options {
	return Options{Records: []string{recordName}, Scratch: t.TempDir(), Known: t.TempDir(), Wait: time.Millisecond}
}

func mustPush(t *testing.T, st storage.Store, id, ref string, opts Options) *Result {
	t.Helper()
	res, err := Push(context.Background(), st, id, ref, opts)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// What is pulled is what was pushed: id, manifest, digest, records.
func TestThereAndBack(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one", strings.Repeat("two", 100000))
	for _, ref := range []string{s.ref("a/base:v1"), "oci:" + filepath.Join(t.TempDir(), "layout") + ":v1"} {
		pushed := mustPush(t, from, id, ref, opts)
		into := newStore(t)
		opts.Names = []string{"localhost/a/base:latest"}
		pulled, err := Pull(context.Background(), ref, into, opts)
		if err != nil {
			t.Fatal(err)
		}
		if pulled.ID != id || pulled.Digest != pushed.Digest || pulled.Manifest != pushed.Manifest || string(pulled.Records[recordName]) != `{"node":"base"}` {
			t.Errorf("%s: pushed %+v, pulled %+v", ref, pushed, pulled)
		}
		for _, name := range []string{"manifest", "sha256:" + id, recordName} {
			x, _ := from.ImageBigData(id, name)
			y, err := into.ImageBigData(id, name)
			if err != nil || !bytes.Equal(x, y) {
				t.Errorf("%s: %s is %q, not %q: %v", ref, name, y, x, err)
			}
		}
		layers, _ := into.Layers()
		for _, l := range layers {
			if l.CompressedDigest == l.UncompressedDigest || l.UncompressedDigest.Validate() != nil {
				t.Errorf("%s: layer %s is %s, packed %s", ref, l.ID, l.UncompressedDigest, l.CompressedDigest)
			}
		}
		if im, err := into.Image("localhost/a/base:latest"); err != nil || im.ID != id {
			t.Errorf("%s: name: %v", ref, err)
		}
		again, err := Pull(context.Background(), ref, into, opts)
		if err != nil || again.Blobs != 0 {
			t.Errorf("%s: second pull: %+v, %v", ref, again, err)
		}
	}
}

func TestOnlyWhatIsMissingIsSent(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	base, child := addImage(t, from, "one"), addImage(t, from, "one", "two")
	mustPush(t, from, base, s.ref("a/base:v1"), opts)
	s.forget()
	if res := mustPush(t, from, base, s.ref("a/base:v1"), opts); res.Blobs != 0 || s.count("PUT") != 0 || s.count("POST") != 0 {
		t.Errorf("second push: %+v, %v", res, s.asked)
	}
	// That other registries have it, too, is no hindrance.
	for i := range 6 {
		one, k := imageDiffIDs(t, from, base)[0], known(opts.Known)
		k.add(one, k.of(one)[0], fmt.Sprintf("other%d.example/x", i))
	}
	mustPush(t, from, child, s.ref("a/child:v1"), opts)
	if n := s.count("POST", "mount="); n < 1 || s.count("PATCH") != 5 {
		t.Errorf("a layer of another repository was sent, not mounted: %v", s.asked)
	}
	// A machine that knows nothing learns from what it pulls.
	into := newStore(t)
	opts.Known = t.TempDir()
	if _, err := Pull(context.Background(), s.ref("a/base:v1"), into, opts); err != nil {
		t.Fatal(err)
	}
	s.forget()
	mustPush(t, into, addImage(t, into, "one", "three"), s.ref("b/other:v1"), opts)
	if n := s.count("POST", "mount="); n != 1 {
		t.Errorf("mounts: %d in %v", n, s.asked)
	}
	left, _ := os.ReadDir(opts.Scratch)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func imageDiffIDs(t *testing.T, st storage.Store, id string) []digest.Digest {
	t.Helper()
	content, err := st.ImageBigData(id, "sha256:"+id)
	var config v1.Image
	if err = errors.Join(err, json.Unmarshal(content, &config)); err != nil {
		t.Fatal(err)
	}
	return config.RootFS.DiffIDs
}

// A layer whose blob is whole but unpacks to something else is not kept.
func TestWrongContentIsRefused(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id, other := addImage(t, from, "one", "two"), addImage(t, from, "one", "2")
	mustPush(t, from, other, s.ref("a/other:v1"), opts)
	two, k := imageDiffIDs(t, from, id)[1], known(opts.Known)
	k.add(two, k.of(imageDiffIDs(t, from, other)[1])[0], "") // a lie
	mustPush(t, from, id, s.ref("a/other:v2"), opts)
	into := newStore(t)
	_, err := Pull(context.Background(), s.ref("a/other:v2"), into, opts)
	if err == nil || !strings.Contains(err.Error(), two.String()+" is damaged") {
		t.Errorf("wrong content: %v", err)
	}
	if layers, _ := into.Layers(); len(layers) > 1 {
		t.Errorf("there are layers: %v", layers)
	}
}

func TestTwoPushesAtOnce(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	opts.Fixed, opts.Known = true, ""
	id := addImage(t, from, "one", strings.Repeat("two", 1<<20))
	var group sync.WaitGroup
	results := make([]*Result, 2)
	for i := range results {
		group.Go(func() {
			var err error
			if results[i], err = Push(context.Background(), from, id, s.ref("a/base:key-1"), opts); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if results[0].Manifest != results[1].Manifest {
		t.Errorf("different manifests: %+v %+v", results[0], results[1])
	}
	// Other content under a key is an error.
	_, err := Push(context.Background(), from, addImage(t, from, "one", "else"), s.ref("a/base:key-1"), opts)
	if err == nil || !strings.Contains(err.Error(), "other content") {
		t.Errorf("other content: %v", err)
	}
}

func TestNoCredentialsInMessages(t *testing.T) {
	got := clean(`Get "https://me:pw@h/v2/?token=abc": dial; PUT https://h/x?sig=1 refused`)
	if strings.Contains(got, "pw") || strings.Contains(got, "abc") || strings.Contains(got, "sig") {
		t.Error(got)
	}
}

// An image that Podman pulled before becomes the node's, and one that was
// pushed without Strata is taken as it is.
func TestPlainImages(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one", "two")
	pushed := mustPush(t, from, id, s.ref("a/base:v1"), opts)
	archive := "docker-archive:" + filepath.Join(t.TempDir(), "x.tar") + ":localhost/plain:v1"
	if res := mustPush(t, from, id, archive, opts); res.ID != id {
		t.Errorf("archive: %+v", res)
	}
	into, plain := newStore(t), opts
	plain.Records = nil
	res, err := Pull(context.Background(), archive, into, plain)
	if err != nil || len(res.Records) > 0 {
		t.Fatalf("plain: %+v, %v", res, err)
	}
	if _, err := into.Image("localhost/plain:v1"); err != nil {
		t.Error(err)
	}
	if _, err := Pull(context.Background(), archive, into, opts); err == nil || !strings.Contains(err.Error(), "no record") {
		t.Errorf("records were asked for: %v", err)
	}
	res, err = Pull(context.Background(), s.ref("a/base:v1"), into, opts)
	if err != nil || res.Digest != pushed.Digest || res.Records[recordName] == nil {
		t.Fatalf("%+v, %v", res, err)
	}
	manifest, err := into.ImageBigData(id, "manifest")
	if err != nil || string(digest.FromBytes(manifest)) != string(pushed.Digest) {
		t.Errorf("manifest %s, %v", manifest, err)
	}
	if _, err := Pull(context.Background(), s.ref("a/none:v1"), into, opts); !errors.Is(err, ErrNotThere) {
		t.Errorf("not there: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one")
	s.disturb = func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		if user == "me" && password == "hidden" {
			return false
		}
		w.Header().Set("Www-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	opts.AuthFile = filepath.Join(t.TempDir(), "auth.json")
	for password, works := range map[string]bool{"hidden": true, "wrong": false} {
		auth := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, strings.TrimPrefix(s.URL, "http://"), base64.StdEncoding.EncodeToString([]byte("me:"+password)))
		if err := os.WriteFile(opts.AuthFile, []byte(auth), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Push(context.Background(), from, id, s.ref("a/base:v1"), opts)
		var f *fault.Error
		switch {
		case works && err != nil, !works && !errors.As(err, &f):
			t.Errorf("%s: %v", password, err)
		case !works && (strings.Contains(f.Error(), password) || !strings.Contains(f.Hint, "login")):
			t.Errorf("%s: %v, hint %s", password, f, f.Hint)
		}
	}
}

// What is remembered of blobs and is no use is made anew.
func TestBadMemory(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one", "two")
	one := imageDiffIDs(t, from, id)[0]
	path := known(opts.Known).path(one)
	for i, content := range []string{"", "{", "null", `[{"digest": "nocolon", "size": 1}]`, `[{"digest": "` + one.String() + `", "size": -1}]`,
		`[{"digest": "` + one.String() + `", "size": 9, "media_type": "text/plain\u001b", "repositories": ["../../x", ""]}]`,
		`[{"digest": "` + one.String() + `", "size": 9, "media_type": "` + v1.MediaTypeImageLayerZstd + `", "repositories": ["../../x", "", "` + strings.TrimPrefix(s.URL, "http://") + `/\n"]}]`,
		strings.Repeat("[", 2<<20)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		ref := s.ref(fmt.Sprintf("a/base:v%d", i))
		mustPush(t, from, id, ref, opts)
		fresh := opts
		fresh.Known = ""
		if _, err := Pull(context.Background(), ref, newStore(t), fresh); err != nil {
			t.Errorf("%.80s: %v", content, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) == content {
			t.Errorf("%.80s: it is still there: %v", content, err)
		}
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	mustPush(t, from, id, s.ref("b/base:v1"), opts)
}
