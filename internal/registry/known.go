package registry

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/pkg/blobinfocache/memory"
	"go.podman.io/image/v5/types"
)

// known remembers, for layers, the blobs that they were compressed to and the
// repositories that have those: so nothing is compressed twice. It is a
// directory with a file for each layer, which may go at any time.
type known string

// blob is a compressed layer.
type blob struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"` // bytes
	Media  string        `json:"media_type"`
	Repos  []string      `json:"repositories"`
}

// most is how many blobs and repositories are remembered for a layer.
const most = 8

// of returns the blobs of a layer, the newest first.
func (k known) of(diffID digest.Digest) []blob {
	if k == "" {
		return nil
	}
	f, err := os.Open(k.path(diffID))
	if err != nil {
		return nil
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxKnown))
	var blobs []blob
	if err != nil || json.Unmarshal(content, &blobs) != nil {
		return nil // it is made anew
	}
	return slices.DeleteFunc(blobs, func(b blob) bool {
		return checkDigest(b.Digest) != nil || b.Size <= 0 || !slices.Contains(layerMedia, b.Media)
	})
}

// maxKnown is how much is read of what is remembered for a layer, in bytes.
const maxKnown = 1 << 20

// layerMedia are the types of the blobs that are remembered.
var layerMedia = []string{v1.MediaTypeImageLayerZstd, v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayer}

func (k known) path(diffID digest.Digest) string {
	return filepath.Join(string(k), diffID.Encoded()+".json")
}

// add remembers a blob that was made or checked here, or that a registry names
// for the layer, and a repository that has it. What cannot be written is not
// remembered.
func (k known) add(diffID digest.Digest, b blob, repo string) {
	if k == "" {
		return
	}
	blobs := k.of(diffID)
	if i := slices.IndexFunc(blobs, func(x blob) bool { return x.Digest == b.Digest }); i >= 0 {
		b.Repos = blobs[i].Repos
		if i == 0 && slices.Contains(b.Repos, repo) {
			return
		}
		blobs = slices.Delete(blobs, i, i+1)
	}
	b.Repos = slices.DeleteFunc(slices.Clone(b.Repos), func(r string) bool { return r == repo })
	if repo != "" {
		b.Repos = append([]string{repo}, b.Repos...)
	}
	b.Repos = b.Repos[:min(len(b.Repos), most)]
	blobs = append([]blob{b}, blobs...)
	content, err := json.Marshal(blobs[:min(len(blobs), most)])
	if err != nil || os.MkdirAll(string(k), 0o700) != nil {
		return
	}
	tmp, err := os.CreateTemp(string(k), ".new-")
	if err != nil {
		return
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if tmp.Close() == nil && err == nil {
		_ = os.Rename(tmp.Name(), k.path(diffID))
	}
}

// mounts tells the image library where a blob is, so that a registry can mount
// it from there.
func mounts(p *place, b blob) types.BlobInfoCache {
	cache := memory.New()
	if p.host() == "" {
		return cache
	}
	scope := types.BICTransportScope{Opaque: p.host()}
	for _, repo := range slices.Backward(b.Repos) { // it tries a few, the last first
		if !strings.HasPrefix(repo, p.host()+"/") {
			continue
		}
		cache.RecordKnownLocation(docker.Transport, scope, b.Digest, types.BICLocationReference{Opaque: repo})
	}
	// The library considers only blobs of which it knows the compressor, and
	// the type that tells it is internal.
	record := reflect.ValueOf(cache).MethodByName("RecordDigestCompressorData")
	if !record.IsValid() {
		return cache
	}
	data := reflect.New(record.Type().In(1)).Elem()
	for field, value := range map[string]string{"BaseVariantCompressor": "zstd", "SpecificVariantCompressor": "unknown"} {
		if f := data.FieldByName(field); f.IsValid() && f.Kind() == reflect.String {
			f.SetString(value)
		}
	}
	record.Call([]reflect.Value{reflect.ValueOf(b.Digest), data})
	return cache
}
