package retry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

var (
	errPassing = errors.New("for now")
	errLasting = errors.New("for good")
)

func rule() Rule {
	return Rule{Patience: time.Minute, Wait: time.Millisecond, Passing: func(err error) bool { return !errors.Is(err, errLasting) }}
}

// TestAttempts: how often something is tried, by what becomes of it.
func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		what  string
		err   func(n int) error
		tries int
		ends  error
	}{
		{"it works", func(int) error { return nil }, 1, nil},
		{"it works the third time", func(n int) error {
			if n < 3 {
				return errPassing
			}
			return nil
		}, 3, nil},
		{"it fails for good", func(int) error { return errLasting }, 1, errLasting},
		{"it fails for good the second time", func(n int) error {
			if n == 1 {
				return errPassing
			}
			return errLasting
		}, 2, errLasting},
		{"it always fails for now", func(int) error { return errPassing }, Attempts, errPassing},
	} {
		tries, again := 0, 0
		r := rule()
		r.Again = func() { again++ }
		err := r.Do(t.Context(), func(*Attempt) error { tries++; return c.err(tries) })
		if !errors.Is(err, c.ends) || tries != c.tries || again != tries-1 {
			t.Errorf("%s: %v after %d attempts, told of %d further ones", c.what, err, tries, again)
		}
	}
}

// TestSilence: an attempt at which next to nothing moves ends, be it a byte now and then,
// and is made half as often; one at which much moves goes on.
func TestSilence(t *testing.T) {
	r := rule()
	r.Patience = 100 * time.Millisecond
	tries := 0
	err := r.Do(t.Context(), func(a *Attempt) error {
		tries++
		in := a.Reader(slow{wait: 10 * time.Millisecond, n: 1})
		_, err := io.Copy(io.Discard, in)
		return err
	})
	if !errors.Is(err, ErrSilent) || tries != Attempts/2 {
		t.Errorf("%v after %d attempts", err, tries)
	}
	r.Patience = time.Second
	begun := time.Now()
	err = r.Once(t.Context(), func(a *Attempt) error {
		_, err := io.CopyN(io.Discard, a.Reader(slow{wait: 20 * time.Millisecond, n: least}), 30*least)
		return err
	})
	if err != nil || time.Since(begun) < r.Patience {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}

// slow reads some bytes a time, for ever.
type slow struct {
	wait time.Duration
	n    int
}

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(s.wait)
	return copy(p, bytes.Repeat([]byte("x"), s.n)), nil
}

// TestCancelled: who ends it need not wait, and is told that he did it.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := rule()
	r.Wait = time.Hour
	r.Again = cancel
	if err := r.Do(ctx, func(*Attempt) error { return errPassing }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
