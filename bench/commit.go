package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/store"
)

// load is what a layer holds.
type load struct {
	name  string
	files int
	size  int // of each, in bytes
}

// write writes it below dir: data that does not compress, 200 files in a directory.
func (d load) write(dir string, seed uint64) error {
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	content := make([]byte, d.size)
	for i := range d.files {
		sub := filepath.Join(dir, fmt.Sprintf("d%03d", i/200))
		if i%200 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		_, _ = random.Read(content) // has no errors
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%05d", i)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// commit compares what it takes to make an image of a tree that is already
// written: the tree is the same, and on disk, on both sides.
func commit(l *lab) (Findings, error) {
	var found Findings
	if err := l.example(); err != nil {
		return found, err
	}
	b, err := l.buildah()
	if err != nil {
		return found, err
	}
	if err := b.take("base", "base"); err != nil {
		return found, err
	}
	for _, c := range []struct {
		load   load
		target float64
	}{
		{load{"commit a layer of 500 MB (50 files)", 50, 10_000_000}, 10},
		{load{"commit a layer of 20,000 files of 4 KiB", 20_000, 4096}, 5},
	} {
		series, err := alternate(l,
			func(round int) (float64, error) { return commitOurs(l, c.load, uint64(time.Now().UnixNano())) },
			func(round int) (float64, error) { return commitBuildah(b, c.load, uint64(time.Now().UnixNano())) },
		)
		if err != nil {
			return found, err
		}
		found.Rows = append(found.Rows, Row{Work: c.load.name, PeerIs: "`buildah commit`", Unit: "s", Ours: series[0], Peer: series[1],
			Target: Target{Kind: "faster", Value: c.target}})
	}
	found.Notes = append(found.Notes, "Commit: both sides put the layer on the example's `base`. The data is random, written and flushed to disk (sync) before the clock starts. Ours is the engine's own call: the tree is sealed, digested (sha256), recorded for pushes (tar-split), renamed into the store, and an image is made of it.")
	return found, nil
}

func commitOurs(l *lab, d load, seed uint64) (float64, error) {
	st, err := store.Open(l.store())
	if err != nil {
		return 0, err
	}
	defer st.Close()
	parent, err := st.Latest("clusterA", "base")
	if err != nil {
		return 0, err
	}
	var start time.Time
	added, err := st.AddLayer(l.ctx, parent.Top(), func(s store.Staging) error {
		if err := d.write(filepath.Join(s.Upper, "opt"), seed); err != nil {
			return err
		}
		syscall.Sync()
		start = time.Now()
		return nil
	})
	if err != nil {
		return 0, err
	}
	im, err := st.AddImage(store.Commit{Cluster: "bench", Arch: runtime.GOARCH, Parent: parent, Layer: added,
		Record: store.Record{Node: "commit", Layer: "commit", Key: layer.Key(fmt.Sprintf("%064x", seed))}})
	if err != nil {
		return 0, err
	}
	seconds := time.Since(start).Seconds()
	_, err = st.Containers().DeleteImage(im.ID, true)
	return seconds, err
}

func commitBuildah(b *buildah, d load, seed uint64) (float64, error) {
	c, err := b.from("base", "bench-commit")
	if err != nil {
		return 0, err
	}
	defer c.remove()
	if err := d.write(filepath.Join(c.dir, "opt"), seed); err != nil {
		return 0, err
	}
	syscall.Sync()
	seconds, _, err := b.run("commit", "--quiet", c.name, "localhost/bench-commit")
	if err != nil {
		return 0, err
	}
	_, _, err = b.run("rmi", "--force", "localhost/bench-commit")
	return seconds, err
}
