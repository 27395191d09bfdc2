package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// liar is a registry that answers what it is given, whether that is right or not.
type liar struct {
	manifests map[string][]byte // by tag
	blobs     map[digest.Digest][]byte
	sent      atomic.Int64 // bytes of blobs
}

func newLiar() *liar {
	return &liar{manifests: map[string][]byte{}, blobs: map[digest.Digest][]byte{}}
}

func (l *liar) blob(content []byte) digest.Digest {
	d := digest.FromBytes(content)
	l.blobs[d] = content
	return d
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	content, ok := l.manifests[name]
	switch {
	case r.URL.Path == "/v2/":
		return
	case strings.Contains(r.URL.Path, "/manifests/") && ok:
		w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
		_, _ = w.Write(content)
	case l.blobs[digest.Digest(name)] != nil:
		n, _ := w.Write(l.blobs[digest.Digest(name)])
		l.sent.Add(int64(n))
	default:
		http.NotFound(w, r)
	}
}

func (l *liar) start(t testing.TB) (host string) {
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// lie is an image that is not as it should be.
type lie struct {
	layers   [][]byte                  // tar streams
	packed   func([]byte) []byte       // how they are compressed; nil is gzip
	plain    bool                      // not as Strata pushes
	manifest func(*v1.Manifest)        // changes what is right
	config   func(*v1.Image)           // the same
	record   func(m *v1.Manifest)      // the same
	raw      func(tag string, l *liar) // changes what is served
}

// add serves the image under a tag.
func (l *liar) add(tag string, x lie) {
	if x.packed == nil {
		x.packed = gzipped
	}
	config := v1.Image{Platform: v1.Platform{Architecture: "amd64", OS: "linux"}, RootFS: v1.RootFS{Type: "layers"}}
	m := v1.Manifest{MediaType: v1.MediaTypeImageManifest}
	m.SchemaVersion = 2
	stored := m
	for _, plain := range x.layers {
		blob, diffID := x.packed(plain), digest.FromBytes(plain)
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: l.blob(blob), Size: int64(len(blob))})
		stored.Layers = append(stored.Layers, v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: diffID, Size: int64(len(plain))})
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
	}
	chain := chainOf(config.RootFS.DiffIDs)
	if x.config != nil {
		x.config(&config)
	}
	about, _ := json.Marshal(config)
	m.Config = v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: l.blob(about), Size: int64(len(about))}
	stored.Config = m.Config
	kept, _ := json.Marshal(stored)
	if !x.plain {
		m.Annotations = map[string]string{digestAnnotation: digest.FromBytes(kept).String(), chainAnnotation: string(chain)}
	}
	if x.manifest != nil {
		x.manifest(&m)
	}
	l.manifests[tag], _ = json.Marshal(m)
	record := v1.Manifest{MediaType: v1.MediaTypeImageManifest, ArtifactType: recordArtifact, Config: v1.DescriptorEmptyJSON,
		Subject: &v1.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(l.manifests[tag]), Size: int64(len(l.manifests[tag]))}}
	record.SchemaVersion = 2
	for name, content := range map[string][]byte{"manifest.json": kept, recordName: []byte(`{"node":"base"}`)} {
		media := recordMedia
		if name == "manifest.json" {
			media = storeMedia
		}
		record.Layers = append(record.Layers, v1.Descriptor{MediaType: media, Digest: l.blob(content), Size: int64(len(content)),
			Annotations: map[string]string{v1.AnnotationTitle: name}})
	}
	if x.record != nil {
		x.record(&record)
	}
	l.manifests[tag+recordSuffix], _ = json.Marshal(record)
	if x.raw != nil {
		x.raw(tag, l)
	}
}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content)
	w.Close()
	return b.Bytes()
}

// windowed is a zstd frame that says that it takes 1 GiB to decompress it.
func windowed(content []byte) []byte {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b, zstd.WithWindowSize(1<<29), zstd.WithSingleSegment(false))
	_, _ = w.Write(content)
	w.Close()
	frame := b.Bytes()
	frame[5] = 20 << 3 // the window's descriptor: 2^(10+20) bytes
	return frame
}

// tarOf is a tar stream of entries; of a regular file the content is its name.
func tarOf(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = io.WriteString(w, h.Name)
		}
	}
	w.Close()
	return b.Bytes()
}

// Whatever is in a registry under a name, a pull ends with a sentence that names
// the part and a hint that fits, reads no more than is declared, and leaves
// nothing.
func TestHostile(t *testing.T) {
	good := tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "ok", Mode: 0o644})
	large := tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "ok", Mode: 0o644})
	large = append(large, make([]byte, 1<<20)...)
	first := func(size int64) func(*v1.Manifest) {
		return func(m *v1.Manifest) { m.Layers[0].Size = size }
	}
	for name, c := range map[string]struct {
		lie
		says, hint string
	}{
		"diff id without a colon":    {lie{layers: [][]byte{good}, config: func(c *v1.Image) { c.RootFS.DiffIDs[0] = "nocolon" }}, `layer 1 of 1 by what it cannot be: "nocolon"`, "push it again"},
		"empty diff id":              {lie{layers: [][]byte{good}, config: func(c *v1.Image) { c.RootFS.DiffIDs[0] = "" }}, `layer 1 of 1 by what it cannot be`, "push it again"},
		"diff id of another kind":    {lie{layers: [][]byte{good}, config: func(c *v1.Image) { c.RootFS.DiffIDs[0] = "sha999:abc" }}, `"sha999:abc"`, "push it again"},
		"plain without a colon":      {lie{layers: [][]byte{good}, plain: true, config: func(c *v1.Image) { c.RootFS.DiffIDs[0] = "nocolon" }}, `layer 1 of 1 by what it cannot be: "nocolon"`, "push it again"},
		"blob without a colon":       {lie{layers: [][]byte{good}, manifest: func(m *v1.Manifest) { m.Layers[0].Digest = "../../etc" }}, `layer 1 of 1: "../../etc" is not a SHA-256 digest`, "push it again"},
		"configuration without one":  {lie{layers: [][]byte{good}, manifest: func(m *v1.Manifest) { m.Config.Digest = "x" }}, `a configuration that cannot be: "x"`, "push it again"},
		"chain with a line end":      {lie{layers: [][]byte{good}, manifest: func(m *v1.Manifest) { m.Annotations[chainAnnotation] = "sha256:\x1b[2J\n" }}, `io.strata.chain of its manifest: "sha256:\x1b[2J\n"`, "push it again"},
		"longer than declared":       {lie{layers: [][]byte{good}, manifest: first(10)}, "layer 1 of 1, blob sha256:", "push it again"},
		"shorter than declared":      {lie{layers: [][]byte{good}, manifest: first(1000)}, "bytes", "push it again"},
		"less than nothing":          {lie{layers: [][]byte{good}, manifest: first(-1)}, "declared to have -1 bytes", "push it again"},
		"more than any disk has":     {lie{layers: [][]byte{good, large}, manifest: first(1 << 62)}, "MiB are free in ", "free some space"},
		"large twice":                {lie{layers: [][]byte{good, large}, manifest: func(m *v1.Manifest) { m.Layers[0].Size, m.Layers[1].Size = 1<<63-1, 1<<63-1 }}, "MiB are free in ", "free some space"},
		"declared to unpack to less": {lie{layers: [][]byte{large}, manifest: func(m *v1.Manifest) { m.Layers[0].Annotations = map[string]string{sizeAnnotation: "2048"} }}, "it has more than the 2048 bytes", "push it again"},
		"large configuration":        {lie{layers: [][]byte{good}, manifest: func(m *v1.Manifest) { m.Config.Size = maxConfig + 1 }}, "at most", "push it again"},
		"large record":               {lie{layers: [][]byte{good}, record: func(m *v1.Manifest) { m.Layers[0].Size = maxRecord + 1 }}, "its record: blob sha256:", "push it again"},
		"record of many parts":       {lie{layers: [][]byte{good}, record: func(m *v1.Manifest) { m.Layers = append(m.Layers, make([]v1.Descriptor, maxParts)...) }}, "its record has 34 parts", "push it again"},
		"record of another image":    {lie{layers: [][]byte{good}, record: func(m *v1.Manifest) { m.Subject.Digest = digest.FromString("x") }}, "has no record", "push it again"},
		"no record":                  {lie{layers: [][]byte{good}, raw: func(tag string, l *liar) { delete(l.manifests, tag+recordSuffix) }}, "has no record", "push it again"},
		"manifest of nothing":        {lie{raw: func(tag string, l *liar) { l.manifests[tag] = []byte("{}") }}, "the image is inconsistent", "push it again"},
		"manifest that is no JSON":   {lie{raw: func(tag string, l *liar) { l.manifests[tag] = []byte("\x1b[2Jx") }}, "the image is inconsistent", "push it again"},
		"large manifest":             {lie{raw: func(tag string, l *liar) { l.manifests[tag] = bytes.Repeat([]byte(" "), 5<<20) }}, "its manifest is too large", "push it again"},
		"many layers": {lie{layers: [][]byte{good}, manifest: func(m *v1.Manifest) {
			for len(m.Layers) <= maxLayers {
				m.Layers = append(m.Layers, m.Layers[0])
			}
		}}, "names 501 layers", "push it again"},
		"fewer layers than diff ids": {lie{layers: [][]byte{good}, config: func(c *v1.Image) { c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, c.RootFS.DiffIDs[0]) }}, "its manifest has 1 layers and its configuration 2", "push it again"},
		"no layers":                  {lie{}, "is not a SHA-256 digest", "push it again"},
		"another blob": {lie{layers: [][]byte{good}, raw: func(_ string, l *liar) {
			l.blobs[digest.FromBytes(gzipped(good))] = gzipped(large)[:len(gzipped(good))]
		}}, "is damaged: its content has digest", "push it again"},
		"a blob that is not there":  {lie{layers: [][]byte{good}, raw: func(_ string, l *liar) { delete(l.blobs, digest.FromBytes(gzipped(good))) }}, "it is not there", "push it again"},
		"unpacks to something else": {lie{layers: [][]byte{good}, packed: func([]byte) []byte { return gzipped(large) }}, "unpacked to sha256:", "push it again"},
		"a window of 1 GiB":         {lie{layers: [][]byte{large}, packed: windowed}, "takes more than 128 MiB of memory", "have it made anew"},
		"no tar":                    {lie{layers: [][]byte{[]byte(strings.Repeat("no tar ", 1000))}}, "layer 1 of 1, blob sha256:", "have it made anew"},
		"out by ..":                 {lie{layers: [][]byte{tarOf(t, tar.Header{Typeflag: tar.TypeLink, Name: "h", Linkname: "../../../../../../etc/passwd"})}}, "layer 1 of 1, blob sha256:", "have it made anew"},
		"a whiteout of the parent":  {lie{layers: [][]byte{tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: ".wh..."})}}, "layer 1 of 1, blob sha256:", "have it made anew"},
	} {
		t.Run(name, func(t *testing.T) {
			l, into, opts := newLiar(), newStore(t), testOptions(t)
			l.add("it", c.lie)
			if c.plain {
				opts.Records = nil
			}
			host := l.start(t)
			_, err := Pull(context.Background(), host+"/a/b:it", into, opts)
			var f *fault.Error
			if !errors.As(err, &f) || !strings.Contains(f.Message, c.says) || !strings.Contains(f.Hint, c.hint) {
				t.Fatalf("%v\n%+v", err, f)
			}
			if f.Kind == fault.Failed && !errors.Is(err, ErrBroken) {
				t.Errorf("it does not count as broken: %v", err)
			}
			if !strings.HasPrefix(f.Message, "pull from docker://"+host+"/a/b:it: ") || strings.ContainsAny(f.Message, "\x1b\n") {
				t.Errorf("message %q", f.Message)
			}
			nothingLeft(t, into, opts)
		})
	}
}

func nothingLeft(t *testing.T, into storage.Store, opts Options) {
	t.Helper()
	images, _ := into.Images()
	left, _ := os.ReadDir(opts.Scratch)
	if len(images) > 0 || len(left) > 0 {
		t.Errorf("left behind: %v, %v", images, left)
	}
}

// A blob without an end ends a byte after its declared size.
func TestEndlessBlob(t *testing.T) {
	l, into, opts := newLiar(), newStore(t), testOptions(t)
	good := tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "ok"})
	l.add("it", lie{layers: [][]byte{good, good}})
	endless := digest.FromBytes(gzipped(good))
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Base(r.URL.Path) != string(endless) {
			l.ServeHTTP(w, r)
			return
		}
		for chunk := make([]byte, 1<<16); ; {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	_, err := Pull(context.Background(), strings.TrimPrefix(s.URL, "http://")+"/a/b:it", into, opts)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("more than the %d bytes that are declared", len(gzipped(good)))) {
		t.Errorf("%v", err)
	}
	// What the sockets hold is sent, whoever reads it.
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d MiB were taken", n>>20)
	}
	nothingLeft(t, into, opts)
}

// A pull does not begin what there is no space for, and stops before the disk is
// full where nothing says how large it will be.
func TestNoSpaceForPull(t *testing.T) {
	for what, declared := range map[string]bool{"what it declares needs 102 MiB": true, "layer 1 of 1": false} {
		t.Run(what, func(t *testing.T) {
			into, opts := newStoreOn(t, smallDisk(t)), testOptions(t)
			const size = 100 << 20
			l, zeros := newLiar(), make([]byte, size)
			l.add("it", lie{layers: [][]byte{append(tarStart(t, size), zeros...)}, manifest: func(m *v1.Manifest) {
				if declared {
					m.Layers[0].Annotations = map[string]string{sizeAnnotation: strconv.Itoa(size + 1<<20)}
				}
			}})
			_, err := Pull(context.Background(), l.start(t)+"/a/b:it", into, opts)
			var f *fault.Error
			if !errors.As(err, &f) || !strings.Contains(f.Message, what) || !strings.Contains(f.Hint, "free some space") {
				t.Errorf("%v", err)
			}
			if declared && l.sent.Load() > 64<<10 {
				t.Errorf("%d bytes were fetched", l.sent.Load())
			}
			if layers, _ := into.Layers(); len(layers) > 0 {
				t.Errorf("there are layers: %v", layers)
			}
			if left, _ := free(into.GraphRoot()); left < 90<<20 {
				t.Errorf("only %d MiB are free afterwards", left>>20)
			}
		})
	}
}

// smallDisk is a file system of 96 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// tarStart is the beginning of a tar stream with a file of so many bytes.
func tarStart(t *testing.T, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
