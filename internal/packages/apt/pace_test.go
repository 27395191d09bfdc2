package apt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A download is ended only when too little comes for the whole time of a pace, and
// not once packages are being installed, however long that takes.
func TestPace(t *testing.T) {
	const tick = 50 * time.Millisecond
	pace := Pace{Bytes: 100, Within: looks * tick}
	broken := errors.New("broken")
	// Each writes for twice the time of the pace, in a directory.
	for name, c := range map[string]struct {
		write func(dir string, n int) error // of tick n
		slow  bool
	}{
		"steady":   {write: func(dir string, n int) error { return grow(dir+"/partial/a", 500) }},
		"in turns": {write: func(dir string, n int) error { return grow(dir+"/partial/"+string(rune('a'+n)), 500) }},
		"bursts": {write: func(dir string, n int) error {
			if n%6 == 0 {
				return grow(dir+"/a", 5000)
			}
			return nil
		}},
		"begun anew": {write: func(dir string, n int) error {
			if n%4 == 0 {
				return os.WriteFile(dir+"/partial/a", nil, 0o600)
			}
			return grow(dir+"/partial/a", 500)
		}},
		"trickle": {write: func(dir string, n int) error { return grow(dir+"/partial/a", 1) }, slow: true},
		"nothing": {write: func(string, int) error { return nil }, slow: true},
		"moved": {write: func(dir string, n int) error {
			if n == 0 {
				return grow(dir+"/partial/a", 500)
			}
			from, to := dir+"/partial/a", dir+"/a"
			if n%2 == 0 {
				from, to = to, from
			}
			return os.Rename(from, to)
		}, slow: true},
		"installing": {write: func(dir string, n int) error { return os.WriteFile(dir+"/over", nil, 0o600) }},
		"fails":      {write: func(string, int) error { return broken }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := errors.Join(os.Mkdir(dir+"/partial", 0o700), os.WriteFile(dir+"/over", nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			err := pace.watch(t.Context(), dir, filepath.Join(dir, "over"), func(ctx context.Context) error {
				for n := range 2*looks + 4 {
					if err := c.write(dir, n); err != nil {
						return err
					}
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(tick):
					}
				}
				return nil
			})
			switch {
			case name == "fails":
				if !errors.Is(err, broken) {
					t.Errorf("got %v", err)
				}
			case c.slow != (err != nil) || c.slow && !strings.Contains(err.Error(), "a mirror delivers too slowly"):
				t.Errorf("got %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(tick, cancel)
	if err := pace.watch(ctx, t.TempDir(), "", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped from outside: %v", err)
	}
}

func grow(path string, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, n))
	return errors.Join(err, f.Close())
}
