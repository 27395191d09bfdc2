package registry

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"syscall"
	"time"

	"go.podman.io/image/v5/docker"

	"github.com/strata-hpc/strata/internal/fault"
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
}

// moving says that something has moved.
func (a *attempt) moving() { a.timer.Reset(a.patience) }

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
	case errors.As(err, &certificate):
		return false
	case errors.As(err, &status):
		return status.StatusCode >= 500
	case errors.As(err, &network), errors.Is(err, docker.ErrTooManyRequests), errors.Is(err, errSilent):
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// explain turns an error of a registry into what a person can act on.
func (p *place) explain(ctx context.Context, verb string, err error) error {
	var said *fault.Error
	if err == nil || ctx.Err() != nil || errors.As(err, &said) {
		return err
	}
	f := fault.New(fault.Failed, "%s %s: %s", verb, p.text, clean(err.Error()))
	var status docker.UnexpectedHTTPStatusError
	var credentials docker.ErrUnauthorizedForCredentials
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return f.WithHint("put the certificate of whoever signed that of %s into /etc/containers/certs.d/%[1]s/ca.crt; ~/.config/containers/certs.d is for one user", p.host())
	case errors.As(err, &credentials):
		return f.WithHint("log in with 'podman login %s' or 'skopeo login %s'", p.host(), p.host())
	case errors.As(err, &status):
		return f.WithHint("%s had a fault of its own, %d times in a row: see its log, and whether its disk is full; the same command goes on from here", p.host(), attempts)
	case p.host() != "" && passing(err):
		return fault.New(fault.Failed, "%s %s: %w: %s", verb, p.text, ErrUnreachable, clean(err.Error())).WithHint("see whether %s is up and can be reached from here; the same command goes on from here", p.host())
	case p.host() != "":
		return f.WithHint("see that the name is right and that you may use it; 'podman login %s' stores credentials", p.host())
	}
	return f
}

// clean takes out of a message what can hold credentials: user names and
// passwords in URLs, and their queries, which may be signed.
func clean(message string) string {
	message = regexp.MustCompile(`(https?://)[^/\s"@]*@`).ReplaceAllString(message, "$1")
	return regexp.MustCompile(`(https?://[^\s"?]*)\?[^\s":]*`).ReplaceAllString(message, "$1")
}
