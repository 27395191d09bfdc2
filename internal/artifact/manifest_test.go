package artifact

import (
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
)

// Artifacts that somebody else made are taken only if they are those of this image,
// and if their names stay in one directory.
func TestFits(t *testing.T) {
	im := layer.Image{Name: "compute", Node: "slurm", Artifacts: []layer.Artifact{{Type: layer.Squashfs}, {Type: layer.Kernel}}}
	opts := Options{Key: "k", Digest: "sha256:d"}
	sum := strings.Repeat("0a", 32)
	fitting := func() *Manifest {
		return &Manifest{Image: "compute", Node: "slurm", Key: "k", Digest: "sha256:d",
			Files: []File{{Name: "rootfs.squashfs", Type: layer.Squashfs, SHA256: sum}, {Name: "vmlinuz", Type: layer.Kernel, SHA256: sum}}}
	}
	if err := fitting().Fits(im, opts); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Manifest){
		"another image":   func(m *Manifest) { m.Image = "login" },
		"another node":    func(m *Manifest) { m.Node = "other" },
		"another key":     func(m *Manifest) { m.Key = "l" },
		"another digest":  func(m *Manifest) { m.Digest = "sha256:e" },
		"a file less":     func(m *Manifest) { m.Files = m.Files[:1] },
		"another type":    func(m *Manifest) { m.Files[1].Type = layer.Initrd },
		"a path":          func(m *Manifest) { m.Files[0].Name = "../x" },
		"a hidden name":   func(m *Manifest) { m.Files[0].Name = ".." },
		"a name twice":    func(m *Manifest) { m.Files[0].Name = m.Files[1].Name },
		"the manifest":    func(m *Manifest) { m.Files[0].Name = ManifestName },
		"a negative size": func(m *Manifest) { m.Files[0].Size = -1 },
		"no checksum":     func(m *Manifest) { m.Files[0].SHA256 = "" },
		"an odd checksum": func(m *Manifest) { m.Files[0].SHA256 = strings.ToUpper(sum) },
	} {
		m := fitting()
		spoil(m)
		if m.Fits(im, opts) == nil {
			t.Errorf("%s fits", name)
		}
	}
}

func TestSame(t *testing.T) {
	a, b := &Manifest{Image: "x", Commits: []layer.Commit{{Name: "project"}}}, &Manifest{Image: "x"}
	if !a.Same(b) || len(a.Commits) != 1 {
		t.Error("commits make them others, or are gone")
	}
	if b.Kernel = "6"; a.Same(b) {
		t.Error("another kernel is the same")
	}
}
