package artifact

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// TestWhatAFormCannotHoldIsNamed makes forms of trees with something that they
// would change, or that their programs stumble over.
func TestWhatAFormCannotHoldIsNamed(t *testing.T) {
	needRoot(t)
	needTools(t, "mksquashfs", "mkfs.erofs")
	long := strings.Repeat("l", 255)
	timed := func(sec int64) func(string) error {
		return func(path string) error {
			when := []unix.Timespec{{Sec: sec}, {Sec: sec}}
			return errors.Join(os.WriteFile(path, nil, 0o644), unix.UtimesNanoAt(unix.AT_FDCWD, path, when, 0))
		}
	}
	for name, c := range map[string]struct {
		form  layer.ArtifactType
		file  string
		make  func(path string) error
		fault string // "" for none
	}{
		"erofs, 255 bytes":          {layer.Erofs, "d/" + long, timed(0), "/d/" + long},
		"squashfs, 255 bytes":       {layer.Squashfs, "d/" + long, timed(0), ""},
		"squashfs, before 1970":     {layer.Squashfs, "d/old", timed(-1), "/d/old"},
		"erofs, before 1970":        {layer.Erofs, "d/old", timed(-1), ""},
		"squashfs, 2105":            {layer.Squashfs, "d/new", timed(1<<32 - 1), ""},
		"squashfs, a TiB of holes":  {layer.Squashfs, "d/lastlog", holes, "/d/lastlog"},
		"erofs, a TiB of holes":     {layer.Erofs, "d/lastlog", holes, "/d/lastlog"},
		"tar, a TiB of holes":       {layer.Tar, "d/lastlog", holes, ""},
		"directory, a TiB of holes": {layer.Dir, "d/lastlog", holes, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, out, start := t.TempDir(), t.TempDir(), time.Now()
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "d"), 0o755), c.make(filepath.Join(dir, c.file))); err != nil {
				t.Fatal(err)
			}
			_, err := Export(t.Context(), Tree{Dir: dir}, layer.Image{Name: "i", Artifacts: []layer.Artifact{{Type: c.form}}}, out, Options{})
			var f *fault.Error
			switch {
			case c.fault == "" && err != nil:
				t.Error(err)
			case c.fault != "" && (!errors.As(err, &f) || !strings.Contains(err.Error(), c.fault+" ") && !strings.Contains(err.Error(), c.fault+",") || f.Hint == ""):
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func holes(path string) error {
	return errors.Join(os.WriteFile(path, []byte("x"), 0o644), os.Truncate(path, 1<<40))
}
