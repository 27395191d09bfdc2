// Package retry does again what failed for now: because the network broke off, or
// because whoever is at its other end says nothing for too long.
//
// It knows neither protocols nor their errors: whoever uses it says which may pass.
package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Attempts is how often something is tried.
const Attempts = 4

// ErrSilent is what an attempt ends with that moved next to nothing for as long as there
// was patience. It is waited for half as often, if it may pass.
var ErrSilent = errors.New("it moves next to nothing")

// least is how many bytes must move in the time that an attempt has patience: one
// at a time would never end.
const least = 64 << 10

// Rule says how often something is tried, and how long.
type Rule struct {
	Patience time.Duration    // how long next to nothing may move
	Wait     time.Duration    // before the second attempt, and doubled before each further one
	Passing  func(error) bool // whether an error may be gone soon
	Again    func()           // is called before each further attempt; may be nil
}

// Attempt is the context of one attempt; it ends when next to nothing has moved for too
// long.
type Attempt struct {
	context.Context
	timer    *time.Timer
	patience time.Duration
	moved    atomic.Int64 // bytes since it was last given time
}

// Moved says that so many bytes have moved.
func (a *Attempt) Moved(n int) {
	if a.moved.Add(int64(n)) >= least {
		a.moved.Store(0)
		a.timer.Reset(a.patience)
	}
}

// Reader reads from r until the attempt ends, and tells it what has moved.
func (a *Attempt) Reader(r io.Reader) io.Reader { return &reader{a, r} }

type reader struct {
	a *Attempt
	r io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.a.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if n > 0 {
		r.a.Moved(n)
	}
	return n, err
}

// Do calls do until it succeeds, fails for good, or has failed too often.
func (r Rule) Do(ctx context.Context, do func(*Attempt) error) error {
	wait := r.Wait
	for n := 1; ; n++ {
		err := r.Once(ctx, do)
		if err == nil || ctx.Err() != nil || n == Attempts || !r.Passing(err) || errors.Is(err, ErrSilent) && n == Attempts/2 {
			return err
		}
		if r.Again != nil {
			r.Again()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// Once calls do once.
func (r Rule) Once(ctx context.Context, do func(*Attempt) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &Attempt{Context: ctx, patience: r.Patience}
	a.timer = time.AfterFunc(a.patience, func() { cancel(ErrSilent) })
	defer a.timer.Stop()
	err := do(a)
	if err != nil && context.Cause(ctx) == ErrSilent {
		return fmt.Errorf("%w for %s", ErrSilent, a.patience)
	}
	return err
}
