package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Whatever a manifest, a configuration or a record says, it is refused, or all
// that a pull does with it goes well.
func FuzzDescriptions(f *testing.F) {
	l := newLiar()
	l.add("it", lie{layers: [][]byte{tarOf(f, tar.Header{Typeflag: tar.TypeReg, Name: "ok"})}})
	var m, record v1.Manifest
	if json.Unmarshal(l.manifests["it"], &m) != nil || json.Unmarshal(l.manifests["it"+recordSuffix], &record) != nil {
		f.Fatal("the seed is wrong")
	}
	f.Add(l.manifests["it"], l.blobs[m.Config.Digest], l.manifests["it"+recordSuffix], l.blobs[record.Layers[0].Digest])
	for _, text := range []string{`{}`, `null`, `[]`, `{"layers":[{}]}`, `{"rootfs":{"diff_ids":["nocolon"]}}`, `{"rootfs":{"diff_ids":["sha512:"]}}`,
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"sha256:x","size":-1},"layers":null}`,
		`{"artifactType":"application/vnd.strata.record.v1","subject":{"digest":""},"layers":[{"size":9223372036854775807},{"size":1}]}`} {
		f.Add([]byte(text), []byte(text), []byte(text), []byte(text))
	}
	f.Fuzz(func(t *testing.T, manifest, config, record, stored []byte) {
		if r, ok, err := parseRecord(record); ok && err == nil && r.Subject.Digest.Validate() != nil {
			t.Errorf("a record of %q was taken", r.Subject.Digest)
		}
		there, err := parseManifest(manifest)
		if err != nil {
			return
		}
		about, err := parseConfig(config, len(there.Layers))
		if err != nil {
			return
		}
		for i, layer := range there.Layers {
			if layer.Size < 0 || layer.Digest.Validate() != nil || plainSize(layer) < -1 {
				t.Errorf("layer %d: %+v", i, layer)
			}
			_ = layerID(about.RootFS.DiffIDs[:i+1])
		}
		if checkStored(stored, there, about.RootFS.DiffIDs) == nil && there.Annotations[digestAnnotation] != digest.FromBytes(stored).String() {
			t.Error("a manifest of something else was taken")
		}
	})
}

// Whatever a layer holds, it becomes a layer or it is refused, and nothing is
// written outside of the store.
func FuzzLayer(f *testing.F) {
	if os.Geteuid() != 0 {
		f.Skip("needs root")
	}
	outside := f.TempDir()
	out := func(name string) string { return "../../../../../../../../../.." + filepath.Join(outside, name) }
	for _, entries := range [][]tar.Header{
		{{Typeflag: tar.TypeReg, Name: "ok", Mode: 0o644}},
		{{Typeflag: tar.TypeReg, Name: out("a")}},
		{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: outside}, {Typeflag: tar.TypeReg, Name: "a/b"}},
		{{Typeflag: tar.TypeLink, Name: "h", Linkname: out("x")}},
		{{Typeflag: tar.TypeReg, Name: ".wh." + out("x")}, {Typeflag: tar.TypeReg, Name: ".wh..wh..opq"}},
		{{Typeflag: tar.TypeReg, Name: "x"}, {Typeflag: tar.TypeReg, Name: "x"}, {Typeflag: tar.TypeDir, Name: "x"}},
		{{Typeflag: tar.TypeBlock, Name: "b", Devmajor: 8}, {Typeflag: tar.TypeFifo, Name: "p"}},
		{{Typeflag: tar.TypeReg, Name: "x", PAXRecords: map[string]string{"SCHILY.xattr.user.overlay.opaque": "y", "SCHILY.xattr.security.capability": "z"}}},
	} {
		f.Add(tarOf(f, entries...))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 1024))
	f.Fuzz(func(t *testing.T, content []byte) {
		l, into, opts := newLiar(), newStore(t), testOptions(t)
		l.add("it", lie{layers: [][]byte{content}})
		_, err := Pull(context.Background(), l.start(t)+"/a/b:it", into, opts)
		layers, _ := into.Layers()
		images, _ := into.Images()
		if want := map[bool]int{true: 1}[err == nil]; len(layers) != want || len(images) != want {
			t.Errorf("%d layers and %d images: %v", len(layers), len(images), err)
		}
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Errorf("outside of the store: %v", left)
		}
	})
}
