package apt

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
)

// Pace is how slow downloads may be: so many bytes are the least in so much time.
//
// Apt itself ends a connection only that is silent for a while, tries again, and does
// so for each file: a mirror that sends a byte now and then would keep it busy for
// ever, and one that never answers for hours.
type Pace struct {
	Bytes  int64
	Within time.Duration
}

// usual is longer than apt takes for its own attempts at one file (see common), after
// which it says what it tried. A bootstrap would take half a day at this pace.
var usual = Pace{Bytes: 256 << 10, Within: 3 * time.Minute}

// looks are taken within the time of a pace.
const looks = 12

// watch calls download, which makes files in dir and in partial below it, and ends it
// when they grow too slowly. Once there is a file at over, the downloads are over; ""
// is for none.
func (p Pace) watch(ctx context.Context, dir, over string, download func(context.Context) error) error {
	_ = os.Remove(over) // of an earlier call
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- download(watched) }()
	every := time.NewTicker(p.Within / looks)
	defer every.Stop()
	for g := newGrowth(dir, filepath.Join(dir, "partial")); ; {
		select {
		case err := <-ended:
			return err
		case <-every.C:
		}
		if _, err := os.Stat(over); err == nil {
			return <-ended
		}
		if g.look(); !g.slower(p.Bytes) {
			continue
		}
		cancel()
		if err := <-ended; err == nil || ctx.Err() != nil {
			return err
		}
		return fault.New(fault.Failed, "a mirror delivers too slowly: less than %d KiB came in %v", p.Bytes>>10, p.Within).
			WithHint("the log has what apt asked for last; see whether the mirror, or a proxy before it, answers; what was downloaded is kept, so building again goes on from there")
	}
}

// growth is how much files of some directories grew lately.
type growth struct {
	dirs []string
	size int64
	last [looks]int64 // bytes from look to look; what was moved or begun anew is no growth
	n    int
}

func newGrowth(dirs ...string) *growth {
	g := &growth{dirs: dirs}
	g.size = g.sum()
	return g
}

func (g *growth) look() {
	size := g.sum()
	g.last[g.n%looks] = max(0, size-g.size)
	g.size = size
	g.n++
}

// slower says whether the last looks found less than so many bytes.
func (g *growth) slower(least int64) bool {
	var grown int64
	for _, n := range g.last {
		grown += n
	}
	return g.n >= looks && grown < least
}

// sum is what the files take. One that comes and goes meanwhile is no matter.
func (g *growth) sum() (total int64) {
	for _, dir := range g.dirs {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				total += info.Size()
			}
		}
	}
	return total
}
