package registry

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.podman.io/image/v5/docker"
)

// attempts is how often something is tried that the network or the registry
// refuses for now. One that says nothing for long is tried half as often.
const attempts = 4

// ErrUnreachable says that a registry cannot be asked at all.
var ErrUnreachable = errors.New("the registry cannot be reached")

// errSilent says that nothing has moved for too long.
var errSilent = errors.New("it does not answer")

// attempt is the context of one attempt; it ends when nothing has moved for
// too long.
type attempt struct {
	context.Context
	timer    *time.Timer
	patience time.Duration
	moved    atomic.Int64 // bytes since it was last given time
}

// least is how many bytes must move in the time that an attempt has patience: one
// at a time would never end.
const least = 64 << 10

// moving says that so many bytes have moved.
func (a *attempt) moving(n int) {
	if a.moved.Add(int64(n)) >= least {
		a.moved.Store(0)
		a.timer.Reset(a.patience)
	}
}

// reader tells of what is read.
func (a *attempt) reader(r io.Reader) io.Reader { return &stoppable{a, r, a.moving} }

// try calls do once.
func try(ctx context.Context, opts Options, do func(*attempt) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &attempt{Context: ctx, patience: cmp.Or(opts.Patience, 2*time.Minute)}
	a.timer = time.AfterFunc(a.patience, func() { cancel(errSilent) })
	defer a.timer.Stop()
	err := do(a)
	if err != nil && context.Cause(ctx) == errSilent {
		return fmt.Errorf("%w for %s", errSilent, a.patience)
	}
	return err
}

// retry calls do until it succeeds, fails for good, or has failed too often.
func retry(ctx context.Context, opts Options, do func(*attempt) error) error {
	wait := cmp.Or(opts.Wait, 500*time.Millisecond)
	for n := 1; ; n++ {
		err := try(ctx, opts, do)
		if err == nil || ctx.Err() != nil || n == attempts || !passing(err) || errors.Is(err, errSilent) && n == attempts/2 {
			return err
		}
		opts.event(Retrying, "", 0)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// passing says whether an error may be gone soon.
func passing(err error) bool {
	var certificate *tls.CertificateVerificationError
	var status docker.UnexpectedHTTPStatusError
	var network net.Error
	switch {
	case errors.As(err, &certificate), err != nil && strings.Contains(err.Error(), "unsupported protocol scheme"):
		return false
	case errors.As(err, &status):
		return status.StatusCode >= 500
	case errors.As(err, &network), errors.Is(err, docker.ErrTooManyRequests), errors.Is(err, errSilent):
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
