package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	imagemanifest "go.podman.io/image/v5/manifest"
)

// parseManifest reads the manifest of an image, and checks all that the pull
// will rely on.
func parseManifest(content []byte) (m v1.Manifest, err error) {
	if len(content) > maxImageManifest {
		return m, fmt.Errorf("its manifest has %d bytes; at most %d are read", len(content), maxImageManifest)
	}
	media := imagemanifest.NormalizedMIMEType(imagemanifest.GuessMIMEType(content))
	if media != v1.MediaTypeImageManifest && media != imagemanifest.DockerV2Schema2MediaType {
		return m, fmt.Errorf("its manifest is of type %s, not an image's", strconv.Quote(short(media)))
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return v1.Manifest{}, fmt.Errorf("its manifest cannot be read: %w", err)
	}
	if len(m.Layers) > maxLayers {
		return m, fmt.Errorf("its manifest names %d layers; a file system can have %d", len(m.Layers), maxLayers)
	}
	if err := checkBlob(m.Config, maxConfig); err != nil {
		return m, fmt.Errorf("its manifest names a configuration that cannot be: %w", err)
	}
	for i, l := range m.Layers {
		if err := checkBlob(l, 0); err != nil {
			return m, fmt.Errorf("its manifest names a layer that cannot be, layer %d of %d: %w", i+1, len(m.Layers), err)
		}
	}
	for _, name := range []string{digestAnnotation, chainAnnotation} {
		if value, ok := m.Annotations[name]; ok {
			if err := checkDigest(digest.Digest(value)); err != nil {
				return m, fmt.Errorf("the annotation %s of its manifest: %w", name, err)
			}
		}
	}
	return m, nil
}

// checkBlob checks what is said of a blob. Most is how many bytes it may have; 0
// is no limit.
func checkBlob(d v1.Descriptor, most int64) error {
	switch err := checkDigest(d.Digest); {
	case err != nil:
		return err
	case d.Size < 0:
		return fmt.Errorf("blob %s is declared to have %d bytes", d.Digest, d.Size)
	case most > 0 && d.Size > most:
		return fmt.Errorf("blob %s is declared to have %d bytes; at most %d are read", d.Digest, d.Size, most)
	}
	return nil
}

// checkDigest checks that it is one of the only kind that is used.
func checkDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil || d.Algorithm() != digest.SHA256 {
		return fmt.Errorf("%s is not a SHA-256 digest", strconv.Quote(short(string(d))))
	}
	return nil
}

// short is the beginning of a text that may be long.
func short(text string) string {
	const most = 200
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// plainSize is how many bytes a layer unpacks to; -1 if that is not declared.
func plainSize(l v1.Descriptor) int64 {
	size, err := strconv.ParseInt(l.Annotations[sizeAnnotation], 10, 64)
	if err != nil || size < 0 {
		return -1
	}
	return size
}

// parseConfig reads the configuration of an image with so many layers.
func parseConfig(content []byte, layers int) (about v1.Image, err error) {
	if err := json.Unmarshal(content, &about); err != nil {
		return v1.Image{}, fmt.Errorf("its configuration cannot be read: %w", err)
	}
	diffIDs := about.RootFS.DiffIDs
	if len(diffIDs) != layers || layers == 0 {
		return about, fmt.Errorf("its manifest has %d layers and its configuration %d", layers, len(diffIDs))
	}
	for i, d := range diffIDs {
		if err := checkDigest(d); err != nil {
			return about, fmt.Errorf("its configuration names layer %d of %d by what it cannot be: %w", i+1, layers, err)
		}
	}
	return about, nil
}

// checkStored sees that the manifest that an image has in a store belongs to the
// one that the registry has, and to the configuration.
func checkStored(content []byte, there v1.Manifest, diffIDs []digest.Digest) error {
	of, named := digest.FromBytes(content), there.Annotations[digestAnnotation]
	if string(of) != named {
		return fmt.Errorf("its record is of %s, and it is %s", of, named)
	}
	stored, err := parseManifest(content)
	if err != nil {
		return fmt.Errorf("its record: %w", err)
	}
	if chain := chainOf(diffIDs); string(chain) != there.Annotations[chainAnnotation] {
		return fmt.Errorf("its configuration is of the layers %s, and it names %s", chain, there.Annotations[chainAnnotation])
	}
	same := func(l v1.Descriptor, d digest.Digest) bool { return l.Digest == d }
	if stored.Config.Digest != there.Config.Digest || !slices.EqualFunc(stored.Layers, diffIDs, same) {
		return errors.New("its manifests and its configuration name different layers")
	}
	return nil
}

// parseRecord reads the manifest of what goes along with an image. None is no
// error: something else may be under that tag.
func parseRecord(content []byte) (m v1.Manifest, ok bool, err error) {
	if len(content) > maxImageManifest || json.Unmarshal(content, &m) != nil || m.ArtifactType != recordArtifact || m.Subject == nil {
		return v1.Manifest{}, false, nil
	}
	if len(m.Layers) > maxParts {
		return m, false, fmt.Errorf("its record has %d parts; at most %d are read", len(m.Layers), maxParts)
	}
	var total int64
	for _, l := range m.Layers {
		if err := checkBlob(l, maxRecord); err != nil {
			return m, false, fmt.Errorf("its record: %w", err)
		}
		total += l.Size
	}
	if total > maxRecord {
		return m, false, fmt.Errorf("its record is declared to have %d bytes; at most %d are read", total, maxRecord)
	}
	return m, true, checkDigest(m.Subject.Digest)
}
