package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// Whoever fails first while packages are unpacked ends all of it, with its own
// error: a package, the disk, or a signal.
func TestUnpackAllEndsWithTheFirstFailure(t *testing.T) {
	var packages []string
	for i := range 40 {
		packages = append(packages, fmt.Sprintf("package-%02d", i))
	}
	broken := errors.New("broken")
	content := strings.Repeat("x", 1<<20)
	good := func(_ context.Context, _ string, w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}
	drain := func(_ context.Context, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	for _, at := range []int{0, 1, 2, 20, 39} {
		name := packages[at]
		badOpen := func(ctx context.Context, path string, w io.Writer) error {
			if path == name {
				_, _ = io.WriteString(w, content[:1<<10])
				return broken
			}
			return good(ctx, path, w)
		}
		unpacked := 0
		badUnpack := func(ctx context.Context, r io.Reader) error {
			if unpacked++; unpacked > at {
				_, _ = io.ReadFull(r, make([]byte, 1<<10))
				return broken
			}
			return drain(ctx, r)
		}
		ends(t, name+" is damaged", broken, func(context.Context) error { return unpackAll(t.Context(), packages, badOpen, drain) })
		ends(t, name+" cannot be unpacked", broken, func(context.Context) error { return unpackAll(t.Context(), packages, good, badUnpack) })
	}
	stuck := func(ctx context.Context, _ io.Reader) error { <-ctx.Done(); return ctx.Err() }
	ends(t, "a signal", context.Canceled, func(ctx context.Context) error { return unpackAll(ctx, packages, good, stuck) })
	ends(t, "nothing fails", nil, func(context.Context) error { return unpackAll(t.Context(), packages, good, drain) })
}

// ends checks that do ends with an error. Its context ends after a while.
func ends(t *testing.T, name string, want error, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(100*time.Millisecond, cancel)
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	select {
	case err := <-ended:
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: it hangs", name)
	}
}
