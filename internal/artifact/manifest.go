package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// ManifestName is the file beside the artifacts that describes them.
const ManifestName = "manifest.json"

// initSystemd is the value of Manifest.Init for an image that systemd starts.
const initSystemd = "systemd"

// Manifest describes the artifacts in a directory. It holds no time stamps: an
// image that comes out the same has the same manifest.
type Manifest struct {
	Image   string         `json:"image"`
	Node    layer.NodeID   `json:"node"`
	Key     layer.Key      `json:"key"`
	Digest  layer.Digest   `json:"digest"`            // of the OCI manifest
	Layers  []layer.Digest `json:"layers"`            // diff IDs, the lowest layer first
	Origin  []Origin       `json:"origin"`            // the node itself, its parent, and so on
	Kernel  string         `json:"kernel,omitempty"`  // release of the kernel
	Cmdline string         `json:"cmdline,omitempty"` // for the kernel, without what fetches the root
	// Init is what the kernel starts in the root: "systemd", "other" or "none".
	Init string `json:"init"`
	// Fetch is what in the initrd fetches the root: "live-boot" (kernel command
	// line boot=live fetch=URL) or "dracut-live" (root=live:URL).
	Fetch      string   `json:"fetch,omitempty"`
	Files      []File   `json:"files"`
	Unverified []string `json:"unverified"` // repositories whose signatures were not checked
	// Commits are those of the build that made the artifacts. A later one that comes to
	// the same does not make them again.
	Commits []layer.Commit `json:"commits,omitempty"`
}

// Origin is one node of an origin chain.
type Origin struct {
	Node   layer.NodeID `json:"node"`
	Key    layer.Key    `json:"key"`
	Digest layer.Digest `json:"digest"`
}

// File is one artifact, a file or a directory.
type File struct {
	Name string             `json:"name"` // below the manifest's directory
	Type layer.ArtifactType `json:"type"`
	// Size in bytes; of "rootfs", that of its canonical tar; of "oci", of all files in it.
	Size int64 `json:"size"`
	// SHA256 of the file, in hex; for "rootfs" that of the tree as a canonical
	// tar, for "oci" that of its index.json, which names all else by digest.
	SHA256 string `json:"sha256"`
	// Settings that it was made with, such as compression and level.
	Settings map[string]string `json:"settings,omitempty"`
}

// File returns the first file of a type.
func (m *Manifest) File(t layer.ArtifactType) (File, bool) {
	for _, f := range m.Files {
		if f.Type == t {
			return f, true
		}
	}
	return File{}, false
}

// ReadManifest reads the manifest of a directory of artifacts.
func ReadManifest(dir string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Input, "%s holds no artifacts: it has no %s", dir, ManifestName).
			WithHint("export an image there, or name another directory")
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, fault.New(fault.Input, "%s is no manifest of artifacts: %w", filepath.Join(dir, ManifestName), err).
			WithHint("export the image again")
	}
	return m, nil
}

// ParseManifest reads the content of a manifest.
func ParseManifest(content []byte) (*Manifest, error) {
	m := &Manifest{}
	return m, json.Unmarshal(content, m)
}

// DescribeManifest describes the manifest in a directory of artifacts as if it were
// one of them.
func DescribeManifest(ctx context.Context, dir string) (*File, error) {
	return describe(ctx, dir, ManifestName, "")
}

// Same says whether artifacts are the same as others, whatever commits they were made
// at.
func (m *Manifest) Same(other *Manifest) bool {
	a, b := *m, *other
	a.Commits, b.Commits = nil, nil
	return reflect.DeepEqual(a, b)
}

// Fits says what is wrong with artifacts that somebody else made of an image and
// its node: Export would not have written that manifest.
func (m *Manifest) Fits(im layer.Image, opts Options) error {
	if m.Image != im.Name || m.Node != im.Node || m.Key != opts.Key || m.Digest != opts.Digest {
		return fmt.Errorf("they are those of image %s with the digest %s", strconv.Quote(m.Image), strconv.Quote(string(m.Digest)))
	}
	if len(m.Files) != len(im.Artifacts) {
		return fmt.Errorf("they are %d files, and not %d", len(m.Files), len(im.Artifacts))
	}
	names := map[string]bool{ManifestName: true}
	for i, f := range m.Files {
		if f.Type != im.Artifacts[i].Type {
			return fmt.Errorf("they have %s in the place of %s", strconv.Quote(string(f.Type)), im.Artifacts[i].Type)
		}
		if names[f.Name] || f.Name != filepath.Base(f.Name) || strings.HasPrefix(f.Name, ".") || f.Size < 0 || !sha256Form.MatchString(f.SHA256) {
			return fmt.Errorf("a file %s of theirs cannot be", strconv.Quote(f.Name))
		}
		names[f.Name] = true
	}
	return nil
}

var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (m *Manifest) write(dir string) error {
	// Lists without elements are [], for programs that read them.
	m.Layers, m.Origin = append([]layer.Digest{}, m.Layers...), append([]Origin{}, m.Origin...)
	m.Files, m.Unverified = append([]File{}, m.Files...), append([]string{}, m.Unverified...)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestName), buf.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// create writes a new file of the directory and describes it.
func (x *exporter) create(ctx context.Context, name string, a layer.Artifact, write func(*os.File) error) (*File, error) {
	f, err := os.OpenFile(filepath.Join(x.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	err = errors.Join(write(f), f.Close())
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return describe(ctx, x.dir, name, a.Type)
}

// sizeBelow adds up the sizes of the files in a directory that we wrote.
func sizeBelow(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			sum += fi.Size()
		}
		return err
	})
	return sum, err
}
